package verdict_test

import (
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// judgedAt is the verdict on a chain's first event at an index.
func judgedAt(t *testing.T, state registry.State, index uint64, m message) verdict.Code {
	t.Helper()
	got, err := verdict.Judge(state, &verdict.Memory{}, &event.Roots{}, index, m.subject, m.data)
	if err != nil {
		t.Fatal(err)
	}
	return got.Code
}

// A key is valid from the index after its founding, whatever a clock says.
func TestAdversary_E07_BeforeTheFounding(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	m := police.says(t, 1)[0]
	for index, want := range map[uint64]verdict.Code{0: verdict.KeyNotValid, 1: verdict.Accepted, 1 << 48: verdict.Accepted} {
		if got := judgedAt(t, r.state, index, m); got != want {
			t.Errorf("index %d: %s, want %s", index, got, want)
		}
	}
}

// A key is judged at the event's index: before it was enrolled, at that update
// itself, just after, just before the update that ended it, there and after. A
// reader that knows the end already, and one that does not yet, agree on what came before.
func TestAdversary_E07_AroundEnrolmentAndRevocation(t *testing.T) {
	owner := registrytest.AgencyOwner("XA", "police")
	const fresh, successor = "publisher XA/police 2", "next publisher XA/police 2"
	log := registrytest.NewLogOf(t, registrytest.Bare())
	log.Next = 10
	lost := log.Apply(t, registrytest.RevokeKey(owner, 0), "root XA")
	before := log.State
	log.Next = 20
	enrolled := log.Apply(t, registrytest.EnrolKey(owner, fresh), "root XA", fresh)
	during := log.State
	type row struct {
		what  string
		state registry.State
		key   string
		index uint64
		want  verdict.Code
	}
	rows := []row{
		{"the founding's key just before", before, "publisher XA/police", lost - 1, verdict.Accepted},
		{"the founding's key in its revocation's place", before, "publisher XA/police", lost, verdict.KeyNotValid},
		{"the founding's key just after", before, "publisher XA/police", lost + 1, verdict.KeyNotValid},
		{"before it was enrolled, to who does not know it", before, fresh, enrolled - 1, verdict.UnknownKey},
		{"before it was enrolled, to who does", during, fresh, enrolled - 1, verdict.KeyNotValid},
		{"in its enrolment's place", during, fresh, enrolled, verdict.KeyNotValid},
		{"just after", during, fresh, enrolled + 1, verdict.Accepted},
		{"its successor, which is only committed to", during, successor, enrolled + 1, verdict.UnknownKey},
	}
	for name, end := range map[string]func(l *registrytest.Log) (uint64, verdict.Code){
		"revoked": func(l *registrytest.Log) (uint64, verdict.Code) {
			return l.Apply(t, registrytest.RevokeKey(owner, 0), "root XA"), verdict.UnknownKey
		},
		"revoked and doubted": func(l *registrytest.Log) (uint64, verdict.Code) {
			return l.Apply(t, registrytest.RevokeKey(owner, enrolled+1), "root XA"), verdict.UnknownKey
		},
		"rotated": func(l *registrytest.Log) (uint64, verdict.Code) {
			return l.Apply(t, registrytest.RotateKey(owner, successor), successor), verdict.Accepted
		},
		"retired": func(l *registrytest.Log) (uint64, verdict.Code) {
			return l.Apply(t, registrytest.Retire("XA", "police"), "root XA"), verdict.UnknownKey
		},
	} {
		ended := *log
		ended.Next = 30
		index, next := end(&ended)
		for _, known := range []registry.State{during, ended.State} {
			rows = append(rows, row{name + ", just before", known, fresh, index - 1, verdict.Accepted})
		}
		rows = append(rows,
			row{name + ", in that update's place", ended.State, fresh, index, verdict.KeyNotValid},
			row{name + ", just after", ended.State, fresh, index + 1, verdict.KeyNotValid},
			row{name + ", much later", ended.State, fresh, 1 << 48, verdict.KeyNotValid},
			row{name + ", its successor just after", ended.State, successor, index + 1, next},
			row{name + ", the first key", ended.State, "publisher XA/police", index + 1, verdict.KeyNotValid})
	}
	for _, row := range rows {
		m := newAgency(t, "XA", "police", "region").with(t, row.key).says(t, 1)[0]
		if got := judgedAt(t, row.state, row.index, m); got != row.want {
			t.Errorf("%s, index %d: %s, want %s", row.what, row.index, got, row.want)
		}
	}
}

// A key that was revoked never comes back, for nobody and nothing, and whoever has
// it can say nothing more, in however old an event's name.
func TestAdversary_E07_RevokedAndEnrolledAgain(t *testing.T) {
	owner := registrytest.AgencyOwner("XA", "police")
	const stolen = "publisher XA/police"
	s, r := newTale(t), newReader(t)
	police := newAgency(t, "XA", "police", "region")
	s.add("said", verdict.Accepted, police.says(t, 2)...)
	s.enacts("revoked", registrytest.RevokeKey(owner, 0), "root XA")
	spare := registrytest.Retire("XA", "border")
	s.forces("for itself", registrytest.EnrolKey(owner, stolen), spare, "root XA", stolen)
	s.forces("for another agency", registrytest.EnrolKey(registrytest.AgencyOwner("XA", "border"), stolen), spare, "root XA", stolen)
	s.forces("as a mirror", registrytest.EnrolKey(registrytest.MirrorOwner("XA"), stolen), spare, "root XA", stolen)
	s.forces("by another country", registrytest.EnrolKey(registrytest.AgencyOwner("XB", "border"), stolen), registrytest.Retire("XB", "police"), "root XB", stolen)
	s.add("the thief goes on", verdict.KeyNotValid, police.tries(t))
	s.enacts("another key", registrytest.EnrolKey(owner, "publisher XA/police 2"), "root XA", "publisher XA/police 2")
	s.add("the thief again", verdict.KeyNotValid, police.tries(t))
	// What the thief said, or signed in advance, does not stand in the way.
	police = police.with(t, "publisher XA/police 2")
	police.head = event.Head{}
	s.add("the agency", verdict.Accepted, police.says(t, 1)...)
	for _, m := range s.all {
		if got := r.reads(t, m.message); got.Code != m.code {
			t.Errorf("%s: %s (%s), want %s", m.what, got.Code, got.Reason, m.code)
		}
	}
}

// E12: recorded is a publisher's clock. Whatever it says, before the founding,
// the same for ever, set back or in a thousand years, no verdict depends on it.
func TestAdversary_E12_RecordedChangesNoVerdict(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	clocks := []time.Time{
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0), start, start,
		start.Add(-time.Hour), start.AddDate(1000, 0, 0),
	}
	for _, clock := range clocks {
		draft := police.draft()
		draft.Recorded = clock
		messages, head := police.signs(t, police.head, draft)
		r.accepts(t, messages...)
		lie := forged(t, messages[0], "publisher XA/police", func(h *eventv1.Header) { h.Recorded.Seconds ^= 1 })
		if got := r.reads(t, lie); got.Code != verdict.Equivocation {
			t.Errorf("%s: the same event at another time is %s", clock, got.Code)
		}
		if got := r.reads(t, messages[0]); got.Code != verdict.Duplicate {
			t.Errorf("%s: the same event again is %s", clock, got.Code)
		}
		police.head = head
	}
}

// E12: what orders a chain is its counters and ids. A clock far ahead leaves an id
// that all later ones must follow; an id from the clock set right is refused,
// and the next one after the last is not.
func TestAdversary_E12_IdsDecide(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	r.accepts(t, police.says(t, 1)...)
	ahead := police.draft()
	ahead.ID = event.NextID(start.AddDate(4000, 0, 0), [10]byte{}, police.head.LastID)
	messages, head := police.signs(t, police.head, ahead)
	r.accepts(t, messages...)
	police.head = head
	right := event.NextID(start.Add(time.Hour), [10]byte{}, event.ID{})
	next := police.draft()
	next.ID = event.NextID(start.Add(time.Hour), [10]byte{}, police.head.LastID)
	messages, head = police.signs(t, police.head, next)
	for name, id := range map[string]event.ID{"set right": right, "stopped": police.head.LastID} {
		m := forged(t, messages[0], "publisher XA/police", func(h *eventv1.Header) { h.EventId = id[:] })
		if got := r.reads(t, m); got.Code != verdict.Broken {
			t.Errorf("an id of a clock %s is %s (%s)", name, got.Code, got.Reason)
		}
	}
	r.accepts(t, messages...)
	if got := r.head(t, police.chain); got != head {
		t.Errorf("the chain stands at %d, want %d", got.Counter, head.Counter)
	}
}
