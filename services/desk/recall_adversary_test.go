package desk

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

// courier takes a desk's reports as its agency's publisher does, and fails until it is open.
type courier struct {
	open    atomic.Bool
	reports chan *caseworkv1.Report
}

func newCourier() *courier { return &courier{reports: make(chan *caseworkv1.Report, 100)} }

func (c *courier) on(config *Config) { config.Publisher = c }

func (c *courier) Publish(_ context.Context, r *publisherv1.PublishRequest) (*publisherv1.PublishResponse, error) {
	if !c.open.Load() {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("the publisher is away"))
	}
	for _, report := range r.GetReports() {
		c.reports <- report
	}
	return &publisherv1.PublishResponse{}, nil
}

func (r *running) recall(id string) (recall casework.Recall) {
	r.w.t.Helper()
	document, ok, err := r.Reader().Document(context.Background(), casework.RecallRef("XA", "police", id))
	must(r.w.t, err)
	if ok {
		must(r.w.t, json.Unmarshal(document.Data, &recall))
	}
	return recall
}

// XB answers a recall once it holds nothing more, also over a restart and a publisher that is
// away. XC never does: the originator's desk says who is late.
func TestAdversary_K08_RecallUnanswered(t *testing.T) {
	t.Parallel()
	w, directory, post := newWorld(t), t.TempDir(), newCourier()
	planted := []byte("planted words that are recalled")
	origin, silent := w.desk("XA", opening()), w.desk("XC", opening())
	d := w.start("XB", directory, opening(), post.on)
	b := w.tells(police, w.site("S-1", string(planted)), w.site("S-2", "stays"))
	d.shows(b.places[1], "")
	must(t, d.ring.Exported(t.Context(), keyring.Export{Made: spoken, Person: "officer-4711", Form: "evidence", Events: []event.ID{b.events[0].ID}}))

	w.tells(border, w.recalls("R-0", b.events[0])) // not its to recall
	said := w.tells(police, w.recalls("R-1", b.events[0]))
	for _, reader := range []*running{origin, silent, d} {
		reader.has(said.places[0])
		reader.shows(b.places[0], "recalled")
		reader.shows(b.places[1], "")
		if _, ok := reader.siteDocument("S-1"); ok {
			t.Errorf("%s still has the entity", reader.config.Country)
		}
	}
	same(t, "files with the words", []string(nil), holds(t, directory, planted))
	same(t, "files with the keys", []string(nil), holds(t, directory, wrapsOf(b.record, "XB", b.events[0].ID)...))
	same(t, "late before the deadline", []string(nil), late(origin, "2023-11-30T00:00:00Z"))
	same(t, "late after it", []string{"XB", "XC"}, late(origin, "2023-12-02T00:00:00Z"))

	until(t, "the receipt waits", func() bool {
		owed, err := d.ring.Owed(context.Background())
		must(t, err)
		return len(owed) == 1 && !owed[0].Destroyed.IsZero()
	})
	must(t, d.stop())
	post.open.Store(true)
	d = w.start("XB", directory, opening(), post.on)
	var report *caseworkv1.Report
	select {
	case report = <-post.reports:
	case <-time.After(deadline):
		t.Fatal("no receipt came")
	}
	receipt := report.GetCase().GetControlReceipt()
	same(t, "receipt", []any{"R-1", "XA", "police", uint32(1), []string{b.events[0].ID.String()}},
		[]any{receipt.GetRecallId(), receipt.GetCountry(), receipt.GetAgency(), receipt.GetExports(), receipt.GetEventIds()})
	answer := w.tells(border, w.drafted("control.receipt", report.GetCase()))
	origin.shows(answer.places[0], "")
	same(t, "late once XB has answered", []string{"XC"}, late(origin, "2023-12-02T00:00:00Z"))
	same(t, "confirmed", []string{"XB"}, confirmed(origin))
	until(t, "nothing is owed", func() bool {
		owed, err := d.ring.Owed(context.Background())
		must(t, err)
		return len(owed) == 0
	})
	for _, reader := range []*running{origin, silent, d} {
		reader.shows(answer.places[0], "")
		reader.asRebuilt()
	}
	if len(post.reports) > 0 {
		t.Error("a receipt was handed over again")
	}
}

func late(r *running, now string) []string {
	at, err := time.Parse(time.RFC3339, now)
	must(r.w.t, err)
	recall := r.recall("R-1")
	return recall.Late(at)
}

func confirmed(r *running) []string {
	recall := r.recall("R-1")
	return recall.Confirmed()
}
