package salvage

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// world is a log with what its notary has signed of it.
type world struct {
	t        testing.TB
	book     *registrytest.Log
	messages []holding.Message
	tree     translog.Frontier
	notes    []note // the notary's checkpoints
	heads    map[event.Chain]event.Head
	clock    int64
	notary   string // owner of the notary's key
}

type note struct {
	size uint64
	text []byte
}

var (
	police = event.Chain{Audience: "region", Country: "XA", Agency: "police"}
	pair   = event.Chain{Audience: "pair", Country: "XB", Agency: "border"}
)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, book: registrytest.NewLog(t), heads: map[event.Chain]event.Head{}, notary: "notary"}
	w.store(registry.FoundingSubject, w.book.Charter.Message)
	return w
}

// fork is a copy whose history goes on by itself.
func (w *world) fork() *world {
	other := *w
	other.messages, other.tree, other.notes = slices.Clone(w.messages), w.tree.Clone(), slices.Clone(w.notes)
	other.heads = map[event.Chain]event.Head{}
	for chain, head := range w.heads {
		other.heads[chain] = head
	}
	return &other
}

func (w *world) store(subject string, data []byte) holding.Message {
	m := holding.Message{Index: uint64(len(w.messages)), Known: true, Subject: subject, Data: data}
	w.messages = append(w.messages, m)
	return m
}

// say stores an honest event.
func (w *world) say(chain event.Chain) holding.Message {
	w.t.Helper()
	w.clock++
	key, err := event.NewSigningKey(registrytest.Key("publisher " + chain.Country + "/" + chain.Agency))
	must(w.t, err)
	signed, head, err := event.SignBatch(key, chain, w.heads[chain], event.Seen{}, []event.Draft{{
		ID: event.NextID(time.UnixMilli(1_700_000_000_000+w.clock), [10]byte{}, event.ID{}), Kind: "site.reported", Retention: "case",
		Recorded: time.Unix(1_700_000_000+w.clock, 0),
		Sections: []event.Section{{Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: fmt.Appendf(nil, "%d", w.clock)}},
	}})
	must(w.t, err)
	w.heads[chain] = head
	return w.store(signed[0].Subject, signed[0].Data)
}

// amend stores an update that applies.
func (w *world) amend(change *registryv1.Update, signers ...string) {
	w.t.Helper()
	w.book.Next = uint64(len(w.messages))
	subject, message := w.book.Message(w.t, change, signers...)
	w.book.Take(w.t, subject, message)
	w.store(subject, message)
}

// sign has the notary sign all that is stored.
func (w *world) sign() translog.Checkpoint {
	w.t.Helper()
	for _, m := range w.messages[w.tree.Size():] {
		must(w.t, w.tree.Append(translog.LeafHash(m.Index, m.Subject, m.Data)))
	}
	policies, err := w.book.State.Policies()
	must(w.t, err)
	c := translog.Checkpoint{Origin: registrytest.Origin, Size: w.tree.Size(), Root: w.tree.Root(), Registry: policies.At(w.tree.Size()).Registry}
	signer, err := translog.NewNotary(registrytest.Origin, registrytest.Key(w.notary))
	must(w.t, err)
	text, err := signer.Sign(c)
	must(w.t, err)
	w.notes = append(w.notes, note{c.Size, text})
	return c
}

func (w *world) cosign(country string, c translog.Checkpoint, time uint64) holding.Record {
	w.t.Helper()
	mirror, err := translog.NewMirror(registrytest.Origin, country, registrytest.Key("mirror "+country))
	must(w.t, err)
	text, err := mirror.Cosign(c, time)
	must(w.t, err)
	return holding.Record{Cosignature: text}
}

// leaves are those up to a size, in parts as the notary signed them.
func (w *world) leaves(upTo uint64, label func(string) string) []holding.Record {
	var all []holding.Record
	from := uint64(0)
	for _, n := range w.notes {
		if n.size > upTo {
			break
		}
		l := &logv1.Leaves{Start: from, Checkpoint: slices.Clone(n.text)}
		for _, m := range w.messages[from:n.size] {
			hash := translog.LeafHash(m.Index, m.Subject, m.Data)
			l.Hashes = append(l.Hashes, hash[:]...)
			name := label(verdict.Label(m.Subject))
			at := slices.Index(l.Audiences, name)
			if at < 0 {
				at = len(l.Audiences)
				l.Audiences = append(l.Audiences, name)
			}
			l.Labels = append(l.Labels, uint32(at))
		}
		from = n.size
		all = append(all, holding.Record{Leaves: l})
	}
	return all
}

// joined is a holder of the leaves up to a size, as the notary hands them over: in one
// part with its newest checkpoint, for whomever they are.
func (w *world) joined(upTo uint64) source {
	all := w.leaves(upTo, func(string) string { return holding.Unknown })
	for _, r := range all[:len(all)-1] {
		r.Leaves.Checkpoint = nil
	}
	return source{"notary", all}
}

func honest(label string) string { return label }

// desk is what the desk of XA (reads all) or XC (not the pair) holds up to sizes.
func (w *world) desk(name string, mirrored uint64, messages int) source {
	all := w.leaves(mirrored, honest)
	for _, m := range w.messages[:messages] {
		if name != "desk XC" || verdict.Label(m.Subject) != "pair" {
			all = append(all, holding.Record{Message: &m})
		}
	}
	return source{name, all}
}

// source is a holding in memory.
type source struct {
	name    string
	records []holding.Record
}

func (s source) with(records ...holding.Record) source {
	return source{s.name, append(slices.Clone(s.records), records...)}
}

func (s source) of() Source {
	return Source{Name: s.name, Open: func(context.Context) (Records, error) { return &memory{s.records}, nil }}
}

func (s source) damaged() Source {
	of := s.of()
	of.Damaged = true
	return of
}

type memory struct{ left []holding.Record }

func (m *memory) Next() (holding.Record, error) {
	if len(m.left) == 0 {
		return holding.Record{}, io.EOF
	}
	r := m.left[0]
	m.left = m.left[1:]
	return r, nil
}

func (m *memory) Close() error { return nil }

func (w *world) survey(sources ...Source) (*Log, error) {
	return Survey(w.t.Context(), w.book.Charter, sources...)
}

// finds surveys holdings that prove this world's log up to a size, with nothing lost
// but what is said, and compares all messages.
func (w *world) finds(size uint64, lost []Range, sources ...Source) *Log {
	w.t.Helper()
	l, err := w.survey(sources...)
	must(w.t, err)
	same(w.t, "size", size, l.Size())
	same(w.t, "lost", lost, l.Lost())
	must(w.t, l.Each(w.t.Context(), func(index uint64, m *holding.Message) error {
		missing := slices.ContainsFunc(lost, func(r Range) bool { return r.From <= index && index < r.To })
		switch {
		case missing && m != nil:
			w.t.Errorf("message %d is lost and there", index)
		case !missing && m == nil:
			w.t.Errorf("message %d is not there", index)
		case !missing:
			same(w.t, fmt.Sprintf("message %d", index), w.messages[index], *m)
		}
		return nil
	}))
	w.readable(l)
	return l
}

// readable sees that every reader takes in what would be published on the log stream.
func (w *world) readable(l *Log) {
	w.t.Helper()
	policies, err := l.State().Policies()
	must(w.t, err)
	follower, err := translog.NewFollower(policies)
	must(w.t, err)
	must(w.t, l.Messages(func(leaves *logv1.Leaves) error {
		batch, err := follower.Leaves(leaves)
		for i, label := range batch.Labels {
			if label != holding.Unknown {
				same(w.t, "label", verdict.Label(w.messages[batch.Start+uint64(i)].Subject), label)
			}
		}
		return err
	}))
	same(w.t, "size on the log stream", l.Size(), follower.Size())
	for _, c := range l.Cosignatures() {
		_, err := follower.Cosignature(c.Note)
		must(w.t, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
