package desk

import (
	"context"
	"errors"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/registry"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/desk/keyring"
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
	t.Parallel()
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
	if len(owed) == 0 || owed[0].Recall != "R-0" || owed[0].Refused != "reports[0]: not to be said" {
		t.Errorf("the receipt that was refused does not wait, or not with the reason: %v", owed)
	}
}

// K08: an agency recalls for a purpose, and with a retention class, that the audience does not have. The
// answers are such as a publisher takes.
func TestAdversary_K08_ReceiptIsOneThatCanBeSaid(t *testing.T) {
	t.Parallel()
	audience := registry.Audience{ID: "region", Purposes: []string{"rescue", "relief"}, Retention: []string{"case", "log"}}
	for name, c := range map[string]struct {
		audience           registry.Audience
		purpose, retention string
		want               []string
	}{
		"as it was said":                    {audience, "relief", "log", []string{"relief", "log"}},
		"a purpose that there is not":       {audience, "revenge", "log", []string{"rescue", "log"}},
		"a class that there is not":         {audience, "relief", "forever", []string{"relief", "case"}},
		"an audience that has every class":  {registry.Audience{Purposes: []string{"rescue"}}, "", "log", []string{"rescue", "log"}},
		"an audience that is not known yet": {registry.Audience{}, "relief", "log", []string{"relief", "log"}},
	} {
		t.Run(name, func(t *testing.T) {
			report := receiptReport("XB", keyring.Receipt{Purpose: c.purpose, Retention: c.retention}, 0, c.audience)
			same(t, "purpose and class", c.want, []string{report.GetCase().GetMarking().GetPurpose(), report.GetRetention()})
		})
	}
	w, post := newWorld(t), newCourier()
	post.open.Store(true)
	d := w.start("XB", t.TempDir(), opening(), post.on)
	b := w.tells(police, w.site("S-1", "one"))
	d.shows(b.places[0], "")
	recall := w.recalls("R-1", b.events[0])
	said := &caseworkv1.CaseSection{}
	must(t, proto.Unmarshal(recall.Sections[0].Content, said))
	said.Marking.Purpose = "revenge"
	var err error
	recall.Sections[0].Content, err = proto.Marshal(said)
	must(t, err)
	w.tells(police, recall)
	select {
	case report := <-post.reports:
		same(t, "purpose", "rescue", report.GetCase().GetMarking().GetPurpose())
	case <-time.After(deadline):
		t.Fatal("no receipt came")
	}
}
