package audit_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

var (
	police = event.Chain{Country: "XA", Agency: "police", Audience: "region"}
	border = event.Chain{Country: "XB", Agency: "border", Audience: "region"}
	pair   = event.Chain{Country: "XB", Agency: "police", Audience: "pair"}
	lone   = event.Chain{Country: "XC", Agency: "border", Audience: "region"} // says one thing: what follows does not hang on it
)

// world is a log in memory: two streams as a hub would show them, written by
// honest parties but for what a test changes.
type world struct {
	t      testing.TB
	heads  map[event.Chain]event.Head
	clock  int64
	events []audit.Message // the events stream
	log    []noted         // the log stream
	tree   translog.Frontier
	signed int             // events under the newest checkpoint
	said   []casework.Said // all that was said soundly, as it was meant

	registry *registrytest.Log
	notary   string              // whose key signs checkpoints
	mirrors  map[string]string   // by country, whose key cosigns; absent: "mirror CC"
	hears    map[uint64][]string // by index, who could read what was said; absent: all, but XC nothing of pair
}

// noted is one message of the log stream.
type noted struct {
	subject string
	data    []byte
}

const (
	leavesSubject = "log.leaves"
	cosignPrefix  = "log.cosign."
)

// found is a log with its charter and nothing else.
func found(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, heads: map[event.Chain]event.Head{}, registry: registrytest.NewLog(t), notary: "notary",
		mirrors: map[string]string{}, hears: map[uint64][]string{}}
	w.put(registry.FoundingSubject, registrytest.Charter(t).Message)
	return w
}

// newWorld is a sound log of 8 events: indices 3 and 7 are of pair, index 5 is
// the only event of lone. All under two checkpoints that every country cosigned.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := found(t)
	w.say(police, event.Seen{}, announced(53))
	w.say(border, event.Seen{}, site("S-1"))
	w.say(pair, event.Seen{}, site("S-2"))
	seen := w.witness()
	w.say(police, seen, departed(53))
	w.say(lone, seen, received(52))
	w.say(border, seen, site("S-1"))
	w.say(pair, seen, site("S-3"))
	w.witness()
	return w
}

// goOn is honest life after a lie: each test ends with it.
func (w *world) goOn() {
	w.t.Helper()
	w.say(police, event.Seen{}, site("S-4"))
	w.witness()
}

// update puts a change of the registry on the events stream, where it applies.
func (w *world) update(change *registryv1.Update, signers ...string) uint64 {
	w.t.Helper()
	w.registry.Next = uint64(len(w.events))
	subject, message := w.registry.Message(w.t, change, signers...)
	w.registry.Take(w.t, subject, message)
	return w.put(subject, message)
}

// put stores a message on the events stream and returns its index.
func (w *world) put(subject string, data []byte) uint64 {
	index := uint64(len(w.events))
	w.events = append(w.events, audit.Message{Sequence: index + 1, Subject: subject, Data: data})
	return index
}

// draft is an event that says content; no two are alike.
func (w *world) draft(content *caseworkv1.CaseSection) event.Draft {
	w.t.Helper()
	w.clock++
	kind, err := casework.KindOf(content)
	must(w.t, err)
	data, err := proto.Marshal(content)
	must(w.t, err)
	return event.Draft{
		ID:   event.NextID(time.UnixMilli(1_700_000_000_000+w.clock), [10]byte{}, event.ID{}),
		Kind: kind, Retention: "case", Recorded: time.Unix(1_700_000_000+w.clock, 0),
		Sections: []event.Section{{Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: data}},
	}
}

// sign signs drafts in one batch after any head, with any publisher's key.
func (w *world) sign(owner string, chain event.Chain, head event.Head, seen event.Seen, drafts ...event.Draft) ([]event.Signed, event.Head) {
	w.t.Helper()
	key, err := event.NewSigningKey(registrytest.Key("publisher " + owner))
	must(w.t, err)
	signed, next, err := event.SignBatch(key, chain, head, seen, drafts)
	must(w.t, err)
	return signed, next
}

// say publishes an honest event, and returns its index.
func (w *world) say(chain event.Chain, seen event.Seen, content *caseworkv1.CaseSection) uint64 {
	w.t.Helper()
	draft := w.draft(content)
	signed, next := w.sign(chain.Country+"/"+chain.Agency, chain, w.heads[chain], seen, draft)
	w.heads[chain] = next
	index := w.put(signed[0].Subject, signed[0].Data)
	audience := registry.AudienceOf(chain.Audience)
	w.said = append(w.said, casework.Said{
		Index: index, EventID: draft.ID.String(), Country: chain.Country, Agency: chain.Agency, Audience: audience,
		Kind: draft.Kind, Retention: draft.Retention, Recorded: draft.Recorded,
		Purposes: map[string][]string{"region": {"rescue", "prosecution"}, "pair": {"rescue"}}[audience],
		Case:     content,
	})
	return index
}

// leaves is the notary's next message about all that it has not signed yet.
func (w *world) leaves() *logv1.Leaves {
	w.t.Helper()
	out := &logv1.Leaves{Start: uint64(w.signed)}
	tree, labels := w.tree.Clone(), []string{}
	for i, m := range w.events[w.signed:] {
		hash := translog.LeafHash(uint64(w.signed+i), m.Subject, m.Data)
		must(w.t, tree.Append(hash))
		out.Hashes = append(out.Hashes, hash[:]...)
		labels = append(labels, verdict.Label(m.Subject))
	}
	out.Audiences, out.Labels = table(labels)
	out.Checkpoint = w.note(tree.Size(), tree.Root())
	return out
}

// table makes a table of labels and the place of each in it.
func table(labels []string) (names []string, places []uint32) {
	place := map[string]uint32{}
	for _, label := range labels {
		if _, ok := place[label]; !ok {
			place[label] = uint32(len(names))
			names = append(names, label)
		}
		places = append(places, place[label])
	}
	return names, places
}

// note is any checkpoint, correctly signed by the notary.
func (w *world) note(size uint64, root translog.Hash) []byte {
	w.t.Helper()
	return w.noteOf(size, root, w.checkpoint(size, root).Registry)
}

// noteOf is note, for any registry.
func (w *world) noteOf(size uint64, root, registry translog.Hash) []byte {
	w.t.Helper()
	notary, err := translog.NewNotary(registrytest.Origin, registrytest.Key(w.notary))
	must(w.t, err)
	note, err := notary.Sign(translog.Checkpoint{Origin: registrytest.Origin, Size: size, Root: root, Registry: registry})
	must(w.t, err)
	return note
}

// checkpoint names any root, and the registry as it is at a size.
func (w *world) checkpoint(size uint64, root translog.Hash) translog.Checkpoint {
	w.t.Helper()
	policies, err := w.registry.State.Policies()
	must(w.t, err)
	return translog.Checkpoint{Origin: registrytest.Origin, Size: size, Root: root, Registry: policies.At(size).Registry}
}

// publish puts a message of the notary on the log stream.
func (w *world) publish(l *logv1.Leaves) {
	w.t.Helper()
	data, err := proto.Marshal(l)
	must(w.t, err)
	w.log = append(w.log, noted{leavesSubject, data})
}

// notarise publishes an honest checkpoint over everything, its message changed
// on the way as the test says.
func (w *world) notarise(change ...func(*logv1.Leaves)) {
	w.t.Helper()
	leaves := w.leaves()
	for ; w.signed < len(w.events); w.signed++ {
		m := w.events[w.signed]
		must(w.t, w.tree.Append(translog.LeafHash(uint64(w.signed), m.Subject, m.Data)))
	}
	for _, c := range change {
		c(leaves)
	}
	w.publish(leaves)
}

// cosign puts a cosignature on the log stream, under the country's own subject.
func (w *world) cosign(country string, size uint64, root translog.Hash) {
	w.t.Helper()
	w.log = append(w.log, noted{cosignPrefix + country, w.cosignature(country, size, root)})
}

func (w *world) cosignature(country string, size uint64, root translog.Hash) []byte {
	w.t.Helper()
	key, ok := w.mirrors[country]
	if !ok {
		key = "mirror " + country
	}
	mirror, err := translog.NewMirror(registrytest.Origin, country, registrytest.Key(key))
	must(w.t, err)
	note, err := mirror.Cosign(w.checkpoint(size, root), 1_700_000_000)
	must(w.t, err)
	return note
}

// witness is notarise, and every founder's cosignature. It returns what a
// publisher may then say it has seen.
func (w *world) witness(change ...func(*logv1.Leaves)) event.Seen {
	w.t.Helper()
	w.notarise(change...)
	for _, country := range []string{"XA", "XB", "XC"} {
		w.cosign(country, w.tree.Size(), w.tree.Root())
	}
	return event.Seen{Size: w.tree.Size(), Root: event.Digest(w.tree.Root())}
}

// summary replays both streams, as the auditor does.
func (w *world) summary() audit.Summary {
	w.t.Helper()
	replay, err := audit.New(registrytest.Charter(w.t))
	must(w.t, err)
	next := 0
	feed := func(size uint64) {
		for ; next < len(w.events) && replay.Fed() < size; next++ {
			must(w.t, replay.Event(w.events[next]))
		}
	}
	for _, n := range w.log {
		if country, ok := strings.CutPrefix(n.subject, cosignPrefix); ok {
			replay.Cosignature(country, n.data)
			continue
		}
		if n.subject != leavesSubject {
			replay.Stray(n.subject)
			continue
		}
		feed(replay.Needs(n.data))
		replay.Leaves(n.data)
	}
	feed(^uint64(0))
	summary, err := replay.Finish()
	must(w.t, err)
	return summary
}

// at is a finding without its words.
func at(code string, index uint64) audit.Finding { return audit.Finding{Code: code, Index: index} }

// finds replays the log, expects exactly these findings, and that the replay
// went on to the last event and the last honest checkpoint.
func (w *world) finds(want ...audit.Finding) audit.Summary {
	w.t.Helper()
	summary := w.summary()
	got := []audit.Finding{}
	for _, f := range summary.Findings {
		if f.What == "" {
			w.t.Errorf("finding %s at %d says nothing", f.Code, f.Index)
		}
		got = append(got, at(f.Code, f.Index))
	}
	if want == nil {
		want = []audit.Finding{}
	}
	same(w.t, "findings", want, got)
	same(w.t, "log size", w.tree.Size(), summary.LogSize)
	same(w.t, "witnessed size", w.tree.Size(), summary.WitnessedSize)
	same(w.t, "sum of the verdicts", summary.Events, summary.Accepted+summary.Refused+summary.Duplicates)
	if newest := w.events[len(w.events)-1].Sequence - 1; summary.Desks["XA"].LogIndex != newest {
		w.t.Errorf("the desk of XA came to index %d, the stream to %d", summary.Desks["XA"].LogIndex, newest)
	}
	return summary
}

// marked is content as an honest agency marks it.
func marked(content *caseworkv1.CaseSection) *caseworkv1.CaseSection {
	content.Occurred, content.Marking = "2025-02-12", &caseworkv1.Marking{Purpose: "rescue"}
	return content
}

func site(id string) *caseworkv1.CaseSection {
	return marked(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: id, Name: "invented"}}})
}

func announced(people uint32) *caseworkv1.CaseSection {
	return marked(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_TransferAnnounced{TransferAnnounced: &caseworkv1.TransferAnnounced{
		TransferId: "T-1", From: "XA", To: "XC", Count: &caseworkv1.Count{Total: people}}}})
}

func departed(people uint32) *caseworkv1.CaseSection {
	return marked(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_TransferDeparted{TransferDeparted: &caseworkv1.TransferDeparted{
		TransferId: "T-1", Count: &caseworkv1.Count{Total: people}}}})
}

func received(people uint32) *caseworkv1.CaseSection {
	return marked(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_TransferReceived{TransferReceived: &caseworkv1.TransferReceived{
		TransferId: "T-1", Count: &caseworkv1.Count{Total: people}}}})
}

// otherRoot is a root that no honest tree here has.
var otherRoot = translog.Hash(sha256.Sum256([]byte("another tree")))

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
