package pilot_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
)

// isStored looks for reports among the events of the hub's stream, by the identifiers that were promised for them.
func isStored(t *testing.T, data string, keys ...string) {
	t.Helper()
	lies := map[event.ID]bool{}
	without(t, data, nil, func(ctx context.Context, h *house) {
		for _, m := range h.stored(ctx) {
			if e, err := event.Decode(m.Data); err == nil {
				lies[e.Claims().ID] = true
			}
		}
	})
	for _, key := range keys {
		if id, ok := promised(t, data, key); !ok || !lies[id] {
			t.Errorf("%s was accepted and is not in the log", key)
		}
	}
}

// promised is the event that one of the publishers has promised for a report.
func promised(t *testing.T, data, key string) (id event.ID, ok bool) {
	t.Helper()
	outboxes, err := filepath.Glob(filepath.Join(data, "publishers", "*", "outbox.db"))
	if err != nil || len(outboxes) == 0 {
		t.Fatalf("%d outboxes, error %v", len(outboxes), err)
	}
	for _, path := range outboxes {
		db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
		if err != nil {
			t.Fatal(err)
		}
		var found []byte
		err = db.QueryRowContext(t.Context(), `SELECT event_id FROM accepted WHERE idempotency_key = $1`, key).Scan(&found)
		if closing := db.Close(); closing != nil {
			t.Fatal(closing)
		}
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil || copy(id[:], found) != len(id) {
			t.Fatalf("the outbox %s: %v", path, err)
		}
		return id, true
	}
	return id, false
}
