package pilot_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/desk/journal"
	"github.com/tripoint/tripoint/services/pilot"
)

// All streams are lost, and with them every key record; so are the keys that one desk
// had. The outboxes put the records back: that desk opens again what it opened, and
// what was erased before stays erased at every desk.
func TestAdversary_K07_KeyRecordsComeBackWithoutWhatWasErased(t *testing.T) {
	t.Parallel()
	data := played(t)
	const name = "Abebe (invented)"
	var erased, other string
	play(t, data, func(ctx context.Context, p *pilot.Pilot) {
		protection := inRole(t, p, "TH", "protection").sees("/people/P-0001", name)
		erased, other = protection.eventOf("/people/P-0001"), protection.eventOf("/people/P-0002")
		client, err := pilot.Dial(data, "TH/immigration")
		if err != nil {
			t.Fatal(err)
		}
		id := idOf(t, data, "TH", erased)
		if _, err := client.Erase(ctx, &publisherv1.EraseRequest{EventIds: []string{id}, Reason: "an invented reason"}); err != nil {
			t.Fatal(err)
		}
		for _, country := range []string{"TH", "MM"} {
			inRole(t, p, country, "protection").comesToSee("/events/"+erased, "its agency has erased the key")
		}
		if err := p.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	})
	remove(t, streams(data))
	for _, lost := range []string{"keys.db", "view-*.db"} {
		files, err := filepath.Glob(filepath.Join(data, "desks", "MM", lost+"*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s, error %v", lost, err)
		}
		for _, file := range files {
			remove(t, file)
		}
	}
	restore(t, data)
	play(t, data, func(ctx context.Context, p *pilot.Pilot) {
		for _, country := range []string{"MM", "TH"} {
			reader := inRole(t, p, country, "protection")
			reader.comesToSee("/events/"+other, "P-0002")
			reader.comesToSee("/events/"+erased, "its agency has erased the key")
			if strings.Contains(reader.get("/people/P-0001"), name) {
				t.Errorf("the desk of %s shows again what was erased", country)
			}
		}
		if err := p.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		isSound(t, summaryOf(t, ctx, p), 1)
	})
}

// idOf is the identifier of the event at an index of the log.
func idOf(t *testing.T, data, country, index string) string {
	t.Helper()
	var at uint64
	if _, err := fmt.Sscan(index, &at); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Read(t.Context(), filepath.Join(data, "desks", country, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	messages, err := j.Messages(t.Context(), at, 1)
	if err != nil || len(messages) == 0 {
		t.Fatalf("no message at index %d: %v", at, err)
	}
	envelope, err := event.Decode(messages[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	return envelope.Claims().ID.String()
}
