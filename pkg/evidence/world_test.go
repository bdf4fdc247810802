package evidence_test

import (
	"encoding/binary"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

var (
	police = event.Chain{Country: "XA", Agency: "police", Audience: "region"}
	border = event.Chain{Country: "XB", Agency: "border", Audience: "region"}

	founders = []string{"root XA", "root XB", "root XC"}
	began    = time.Date(2025, 2, 12, 9, 30, 0, 0, time.UTC)
)

// world is a log in memory, with its honest notary and mirrors.
type world struct {
	t        testing.TB
	book     *registrytest.Log
	messages []evidence.Message
	heads    map[event.Chain]event.Head
	mirrors  map[string]string // by country, whose key cosigns; absent: "mirror CC"
	said     int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, book: registrytest.NewLogOf(t, registrytest.Bare()), heads: map[event.Chain]event.Head{}, mirrors: map[string]string{}}
	w.store(registry.FoundingSubject, w.book.Charter.Message)
	return w
}

func (w *world) charter() event.Digest { return w.book.Charter.Digest }

func (w *world) store(subject string, data []byte) uint64 {
	index := uint64(len(w.messages))
	w.messages = append(w.messages, evidence.Message{Index: index, Subject: subject, Data: data})
	return index
}

// amend stores an update that applies.
func (w *world) amend(change *registryv1.Update, signers ...string) uint64 {
	w.t.Helper()
	w.book.Next = uint64(len(w.messages))
	subject, message := w.book.Message(w.t, change, signers...)
	w.book.Take(w.t, subject, message)
	return w.store(subject, message)
}

// draft is an event about an invented place; no two are alike.
func (w *world) draft() event.Draft {
	w.t.Helper()
	w.said++
	content, err := proto.Marshal(&caseworkv1.CaseSection{
		Occurred: "2025-02-12", Marking: &caseworkv1.Marking{Purpose: "rescue"},
		Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: fmt.Sprintf("S-%d", w.said), Name: "invented"}},
	})
	must(w.t, err)
	var random [10]byte
	binary.BigEndian.PutUint32(random[6:], uint32(w.said))
	return event.Draft{
		ID:   event.NextID(began.Add(time.Duration(w.said)*time.Second), random, event.ID{}),
		Kind: "site.reported", Retention: "case", Recorded: began.Add(time.Duration(w.said) * time.Second),
		Sections: []event.Section{{Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: content}},
	}
}

// signs is one event on a chain, signed with anybody's key.
func (w *world) signs(owner string, chain event.Chain, draft event.Draft) event.Signed {
	w.t.Helper()
	key, err := event.NewSigningKey(registrytest.Key(owner))
	must(w.t, err)
	signed, head, err := event.SignBatch(key, chain, w.heads[chain], event.Seen{}, []event.Draft{draft})
	must(w.t, err)
	w.heads[chain] = head
	return signed[0]
}

// say stores an honest event and returns its index.
func (w *world) say(chain event.Chain) uint64 {
	w.t.Helper()
	signed := w.signs("publisher "+chain.Country+"/"+chain.Agency, chain, w.draft())
	return w.store(signed.Subject, signed.Data)
}

// leaves are those of the tree.
func (w *world) leaves() iter.Seq2[translog.Hash, error] {
	return func(yield func(translog.Hash, error) bool) {
		for _, m := range w.messages {
			if !yield(translog.LeafHash(m.Index, m.Subject, m.Data), nil) {
				return
			}
		}
	}
}

// at is the true checkpoint of a size.
func (w *world) at(size uint64) translog.Checkpoint {
	w.t.Helper()
	var tree translog.Frontier
	for _, m := range w.messages[:size] {
		must(w.t, tree.Append(translog.LeafHash(m.Index, m.Subject, m.Data)))
	}
	policies, err := w.book.State.Policies()
	must(w.t, err)
	return translog.Checkpoint{Origin: registrytest.Origin, Size: size, Root: tree.Root(), Registry: policies.At(size).Registry}
}

// note is any checkpoint, signed by the notary.
func (w *world) note(c translog.Checkpoint) []byte {
	w.t.Helper()
	notary, err := translog.NewNotary(registrytest.Origin, registrytest.Key("notary"))
	must(w.t, err)
	note, err := notary.Sign(c)
	must(w.t, err)
	return note
}

// cosign is any checkpoint, cosigned by a country some minutes after the log began.
func (w *world) cosign(country string, c translog.Checkpoint, minutes int) []byte {
	w.t.Helper()
	key, ok := w.mirrors[country]
	if !ok {
		key = "mirror " + country
	}
	mirror, err := translog.NewMirror(registrytest.Origin, country, registrytest.Key(key))
	must(w.t, err)
	note, err := mirror.Cosign(c, uint64(began.Add(time.Duration(minutes)*time.Minute).Unix()))
	must(w.t, err)
	return note
}

// parts are what proves the event at an index: the checkpoint of a size, cosigned by
// all founders at that size, unless the test says otherwise.
func (w *world) parts(index, size uint64, change ...func(*evidence.Parts)) evidence.Parts {
	w.t.Helper()
	p := evidence.Parts{Checkpoint: w.note(w.at(size)), Event: w.messages[index]}
	for i, country := range []string{"XA", "XB", "XC"} {
		p.Cosignatures = append(p.Cosignatures, w.cosign(country, w.at(size), i+1))
	}
	for _, m := range w.messages {
		if registry.IsSubject(m.Subject) {
			p.Updates = append(p.Updates, m)
		}
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

// writes makes a file, which must hold.
func (w *world) writes(p evidence.Parts) []byte {
	w.t.Helper()
	file, err := evidence.Write(w.charter(), p, w.leaves())
	must(w.t, err)
	return file
}

// holds verifies a file that must hold.
func (w *world) holds(file []byte) evidence.Report {
	w.t.Helper()
	report, err := evidence.Verify(file, w.charter())
	must(w.t, err)
	return report
}

// refused verifies a file that must not hold, for a reason that has these words.
func refused(t testing.TB, what string, file []byte, charter event.Digest, because string) {
	t.Helper()
	report, err := evidence.Verify(file, charter)
	if err == nil || !strings.Contains(err.Error(), because) {
		t.Errorf("%s: error = %v, want %q", what, err, because)
	}
	if diff := cmp.Diff(evidence.Report{}, report); diff != "" {
		t.Errorf("%s: a report of what does not hold: %s", what, diff)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[V any](t testing.TB, what string, want, got V) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
