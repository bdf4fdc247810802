package desk

import (
	"context"
	"crypto/hpke"
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/desk/console"
)

// heard is the publisher of XA police as a desk reaches it: it keeps what it is asked for.
type heard struct {
	err      error
	erased   *publisherv1.EraseRequest
	said     *publisherv1.PublishRequest
	released *publisherv1.ReleaseRequest
}

func (h *heard) GetStatus(context.Context, *publisherv1.GetStatusRequest) (*publisherv1.GetStatusResponse, error) {
	return &publisherv1.GetStatusResponse{Country: "XA", Agency: "police"}, h.err
}

func (h *heard) Publish(_ context.Context, r *publisherv1.PublishRequest) (*publisherv1.PublishResponse, error) {
	h.said = r
	return &publisherv1.PublishResponse{}, h.err
}

func (h *heard) Erase(_ context.Context, r *publisherv1.EraseRequest) (*publisherv1.EraseResponse, error) {
	h.erased = r
	return &publisherv1.EraseResponse{}, h.err
}

func (h *heard) Release(_ context.Context, r *publisherv1.ReleaseRequest) (*publisherv1.ReleaseResponse, error) {
	h.released = r
	return &publisherv1.ReleaseResponse{}, h.err
}

func (h *heard) on(config *Config) {
	config.Voice = func(agency string) Voice {
		if agency == "border" {
			return nil
		}
		return h
	}
}

func TestReleaseHandsOverContentKeys(t *testing.T) {
	t.Parallel()
	w, publisher := newWorld(t), &heard{}
	d := w.desk("XA", opening(), publisher.on)
	b := w.tells(pair, w.site("S-1", "the first"), w.site("S-2", "the second"))
	control := control{d.Desk}
	release := func(at int) error {
		return control.Release(t.Context(), "police", console.Releasing{
			Key: "key", Index: b.places[at], Compartments: []string{"case"}, To: "XC", Audience: "region", Marking: &caseworkv1.Marking{Purpose: "rescue"}})
	}
	d.has(b.places[1])
	if refused := (console.Refused{}); !errors.As(release(0), &refused) || !strings.Contains(refused.Why, "not in a checkpoint yet") {
		t.Errorf("before the mirror has the leaf: %v", refused)
	}
	w.notarise()
	d.shows(b.places[1], "")
	until(t, "the mirror has the leaves", func() bool { return release(0) == nil })
	same(t, "events", 1, len(publisher.released.GetEvents()))
	first := publisher.released.GetEvents()[0]
	same(t, "what lies in the log", string(b.messages[0].Data), string(first.GetEnvelope()))
	same(t, "subject", b.messages[0].Subject, first.GetSubject())
	// The key is the right one: with it the other country opens the section.
	record, err := seal.Release(keyOf(t, "XA", "police"), w.book.State.Openings("XC", uint32(theCase)), 1, b.record.Expires,
		[]seal.Released{{Event: b.events[0], Compartment: theCase, Key: seal.ContentKey(first.GetSections()[0].GetContentKey())}})
	must(t, err)
	abroad := seal.NewOpener(func(c eventv1.Compartment, _ uint32) hpke.PrivateKey { return registrytest.OpeningOf("XC", uint32(c)) })
	must(t, abroad.Open(b.events[0], spoken, record.Portion("XC"))[0].Err)

	// Once the log says so, the next release out of the same batch names it again.
	_, notice := w.release("XA/police", b, b.places[0], "XC", b.messages[0].Data)
	said := w.tells(police, notice)
	d.shows(said.places[0], "")
	must(t, release(1))
	var indexes []uint64
	for _, e := range publisher.released.GetEvents() {
		indexes = append(indexes, e.GetIndex())
	}
	same(t, "events of the second release", []uint64{b.places[1], b.places[0]}, indexes)

	for why, compartments := range map[string][]string{"The identity section of event": {"case", "identity"}} {
		err := control.Release(t.Context(), "police", console.Releasing{Index: b.places[0], Compartments: compartments, To: "XC", Audience: "region"})
		if refused := (console.Refused{}); !errors.As(err, &refused) || !strings.HasPrefix(refused.Why, why) {
			t.Errorf("%v: %v", compartments, err)
		}
	}
}

func TestDecisionsReachTheRightPublisher(t *testing.T) {
	t.Parallel()
	w, publisher := newWorld(t), &heard{}
	d := w.desk("XA", opening(), publisher.on)
	control := control{d.Desk}
	same(t, "police", "", control.Reaches(t.Context(), "police"))
	same(t, "no publisher", "No publisher of XA border is configured at this desk.", control.Reaches(t.Context(), "border"))
	same(t, "another agency's", "The publisher that is configured speaks for XA police, and this is of customs.", control.Reaches(t.Context(), "customs"))
	must(t, control.Erase(t.Context(), "police", "an id", "a reason"))
	same(t, "erased", []string{"an id"}, publisher.erased.GetEventIds())
	same(t, "reason", "a reason", publisher.erased.GetReason())
	must(t, control.Say(t.Context(), "police", &caseworkv1.Report{IdempotencyKey: "k"}))
	same(t, "said", "k", publisher.said.GetReports()[0].GetIdempotencyKey())
	for code, refusal := range map[connect.Code]bool{
		connect.CodeNotFound: true, connect.CodeInvalidArgument: true, connect.CodeFailedPrecondition: true, connect.CodePermissionDenied: true,
		connect.CodeUnavailable: false, connect.CodeDeadlineExceeded: false, connect.CodeInternal: false, connect.CodeUnknown: false,
	} {
		publisher.err = connect.NewError(code, errors.New("in its own words"))
		err := control.Erase(t.Context(), "police", "an id", "a reason")
		refused := console.Refused{}
		if errors.As(err, &refused) != refusal || refusal && refused.Why != "in its own words" || err == nil {
			t.Errorf("%s: %v", code, err)
		}
	}
	same(t, "away", "The publisher of XA police does not answer.", control.Reaches(t.Context(), "police"))
	if err := control.Erase(t.Context(), "border", "an id", "a reason"); !errors.As(err, &console.Refused{}) {
		t.Errorf("without a publisher: %v", err)
	}
}

// What a page may not show any more is closed section by section until the view was folded again.
func TestConcealedEntriesSayWhySectionBySection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA", opening())
	b := w.tells(pair, w.site("S-1", "gone soon"))
	d.shows(b.places[0], "")
	_, mark, err := d.ring.Stale(t.Context())
	must(t, err)
	must(t, d.concealAt(t.Context(), b.places[0], mark+1))
	entry, _ := d.entryAt(b.places[0])
	if len(entry.Open) != 0 || len(entry.Closed) == 0 || entry.Closed[0].Reason != "folding" || len(entry.Refs) != 0 || strings.Contains(entry.Summary, "gone soon") {
		t.Errorf("the row is %+v", entry)
	}
}
