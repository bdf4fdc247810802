package desk

import (
	"context"
	"errors"
	"testing"
	"time"

	"connectrpc.com/connect"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// picky is a publisher that takes no receipt of recall R-0.
type picky struct{ reports chan *caseworkv1.Report }

func (p picky) Publish(_ context.Context, r *publisherv1.PublishRequest) (*publisherv1.PublishResponse, error) {
	if r.GetReports()[0].GetCase().GetControlReceipt().GetRecallId() == "R-0" {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("reports[0]: not to be said"))
	}
	p.reports <- r.GetReports()[0]
	return &publisherv1.PublishResponse{}, nil
}

// K08: an agency recalls so that the answer is refused, and all countries would look late at
// every later recall. The later one is answered.
func TestAdversary_K08_RefusedReceiptHoldsUpNoOther(t *testing.T) {
	w, post := newWorld(t), picky{make(chan *caseworkv1.Report, 10)}
	d := w.start("XB", t.TempDir(), opening(), func(config *Config) { config.Publisher = post })
	b := w.tells(police, w.site("S-1", "one"), w.site("S-2", "two"))
	d.shows(b.places[1], "")
	first := w.tells(police, w.recalls("R-0", b.events[0]))
	d.shows(b.places[0], "recalled")
	d.has(first.places[0])
	w.tells(police, w.recalls("R-1", b.events[1]))
	select {
	case report := <-post.reports:
		same(t, "answered", "R-1", report.GetCase().GetControlReceipt().GetRecallId())
	case <-time.After(deadline):
		t.Fatal("the second recall was not answered")
	}
	owed, err := d.ring.Owed(t.Context())
	must(t, err)
	if len(owed) == 0 || owed[0].Recall != "R-0" {
		t.Errorf("the receipt that was refused does not wait: %v", owed)
	}
}
