package verdict_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// told is a stream of good and bad messages of every verdict, with the verdict of
// each when they are read in this order after the founding.
type told struct {
	what string
	message
	code verdict.Code
}

func story(t testing.TB) []told {
	t.Helper()
	police, border := newAgency(t, "XA", "police", "region"), newAgency(t, "XB", "border", "pair")
	closed := newAgency(t, "XC", "police", "pair")
	var all []told
	add := func(what string, code verdict.Code, messages ...message) {
		for _, m := range messages {
			all = append(all, told{what, m, code})
		}
	}
	batch := police.says(t, 3)
	add("a batch of three", verdict.Accepted, batch...)
	add("another agency, another audience", verdict.Accepted, border.says(t, 1)...)
	add("replayed", verdict.Duplicate, batch[1])
	add("nothing", verdict.Undecodable, message{"evt.region.XA.police.site.status", nil})
	add("a header field out of form", verdict.Undecodable, altered(t, batch[0], func(e *eventv1.Envelope) { e.Header = e.Header[:20] }))
	add("signed with a mirror's key", verdict.UnknownKey, forged(t, batch[0], "mirror XA", func(*eventv1.Header) {}))
	add("signed with the key of XB/border", verdict.WrongAgency, forged(t, batch[0], "publisher XB/border", func(*eventv1.Header) {}))
	add("on another audience's subject", verdict.WrongAgency, message{"evt.pair.XA.police.site.status", batch[0].data})
	add("to an audience that XC is not in", verdict.AudienceClosed, closed.says(t, 1)...)
	add("to an audience that does not exist", verdict.AudienceClosed, newAgency(t, "XA", "police", "nobody").says(t, 1)...)
	add("signature altered", verdict.BadSignature, altered(t, batch[0], func(e *eventv1.Envelope) { e.Proof.Signature[40]++ }))
	add("path of another event", verdict.BadSignature, altered(t, batch[0], func(e *eventv1.Envelope) { e.Proof.Index = 1 }))
	add("body altered", verdict.BadBody, altered(t, batch[0], func(e *eventv1.Envelope) { e.Body = append(e.Body, 0) }))
	add("counter 2 for another header", verdict.Equivocation, forged(t, batch[1], "publisher XA/police", func(h *eventv1.Header) { h.Recorded.Nanos = 1 }))
	later := police.says(t, 2)
	add("one left out", verdict.Gap, later[1])
	add("follows another header", verdict.Broken, forged(t, later[0], "publisher XA/police", func(h *eventv1.Header) { h.Previous[0]++ }))
	add("with an id used before", verdict.Broken, forged(t, later[0], "publisher XA/police", func(h *eventv1.Header) { h.EventId = make([]byte, 16); h.EventId[6], h.EventId[8] = 0x70, 0x80 }))
	add("the one left out, and what followed", verdict.Accepted, later...)
	add("the founding again", verdict.Duplicate, message{registry.FoundingSubject, registrytest.Sign(t, registrytest.Bare()).Message})
	add("an unknown registry subject", verdict.NotUpdate, message{"reg.key.revoked", nil})
	add("and the chains go on", verdict.Accepted, append(police.says(t, 1), border.says(t, 2)...)...)
	return all
}

func TestStory(t *testing.T) {
	r := newReader(t)
	seen := map[verdict.Code]bool{}
	for _, m := range story(t) {
		got := r.reads(t, m.message)
		if got.Code != m.code {
			t.Errorf("%s: %s (%s), want %s", m.what, got.Code, got.Reason, m.code)
		}
		seen[got.Code] = true
	}
	for _, m := range changes(t) {
		seen[m.code] = true
	}
	for _, code := range codes {
		if !seen[code] {
			t.Errorf("neither story has a %s", code)
		}
	}
}

// codes are all verdicts.
var codes = []verdict.Code{
	verdict.Undecodable, verdict.UnknownKey, verdict.KeyNotValid, verdict.WrongAgency, verdict.AudienceClosed, verdict.BadSignature,
	verdict.BadBody, verdict.Duplicate, verdict.Equivocation, verdict.Gap, verdict.Broken, verdict.NotUpdate, verdict.Accepted,
}

func TestRefused(t *testing.T) {
	for _, code := range codes {
		if want := code != verdict.Accepted && code != verdict.Duplicate; code.Refused() != want {
			t.Errorf("%s is refused: %t", code, !want)
		}
	}
}

// The order in which reasons are tried is part of the format: what is wrong in
// several ways has the first verdict.
func TestFirstReasonCounts(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	m := police.says(t, 1)[0]
	bad := func(e *eventv1.Envelope) { e.Proof.Signature[0]++; e.Body = nil }
	elsewhere := func(m message) message { return message{"evt.x", m.data} }
	tests := []struct {
		what  string
		index uint64
		m     message
		want  verdict.Code
	}{
		{"unknown key, early, elsewhere, bad signature", 0, elsewhere(altered(t, forged(t, m, "stranger", func(*eventv1.Header) {}), bad)), verdict.UnknownKey},
		{"early, elsewhere, bad signature", 0, elsewhere(altered(t, m, bad)), verdict.KeyNotValid},
		{"elsewhere, closed audience", 1, elsewhere(forged(t, m, "publisher XA/police", func(h *eventv1.Header) { h.Audience = "nobody" })), verdict.WrongAgency},
		{"closed audience, bad signature", 1, altered(t, forged(t, m, "publisher XA/police", func(h *eventv1.Header) { h.Audience = "nobody" }), bad), verdict.AudienceClosed},
		{"bad signature, bad body", 1, altered(t, m, bad), verdict.BadSignature},
		{"bad body, gap", 1, altered(t, forged(t, m, "publisher XA/police", func(h *eventv1.Header) { h.Counter, h.Previous = 9, make([]byte, 32) }),
			func(e *eventv1.Envelope) { e.Body = nil }), verdict.BadBody},
	}
	for _, test := range tests {
		got, err := verdict.Judge(r.state, &r.chains, &r.roots, test.index, test.m.subject, test.m.data)
		if err != nil || got.Code != test.want {
			t.Errorf("%s: %s (%s), %v; want %s", test.what, got.Code, got.Reason, err, test.want)
		}
	}
}

// Before the founding nothing is known, and so nothing accepted. One that is not
// the log's first message founds nothing.
func TestBeforeTheFounding(t *testing.T) {
	charter := registrytest.Sign(t, registrytest.Bare())
	r := &reader{state: registry.New(charter.Digest)}
	for _, m := range story(t) {
		if got := r.reads(t, m.message); got.Code == verdict.Accepted {
			t.Errorf("%s: accepted before the founding", m.what)
		}
	}
	if r.state.Founded() {
		t.Error("founded in the middle of the log")
	}
}

// result is what a read model keeps of a verdict.
type result struct {
	Code    verdict.Code
	Reason  string
	Header  event.Digest
	Renewal int
}

func (r *reader) all(t testing.TB, messages []told) []result {
	t.Helper()
	var results []result
	for _, m := range messages {
		got := r.reads(t, m.message)
		results = append(results, result{got.Code, got.Reason, got.Event.HeaderDigest, got.Event.Chain.Renewal})
	}
	return results
}

// Whatever the order of messages, every consumer gives each the same verdict for the same
// reason: one that remembers roots, and one that remembers none and starts over
// from what it stored.
func TestOneVerdictInAnyOrder(t *testing.T) {
	t.Run("events", func(t *testing.T) { anyOrder(t, story(t)) })
	t.Run("changes", func(t *testing.T) { anyOrder(t, changes(t)) })
}

func anyOrder(t *testing.T, messages []told) {
	for seed := range uint64(30) {
		shuffled := append([]told{}, messages...)
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		shuffled = append(shuffled, messages...) // and once more: what came too early is published again
		first, second := newReader(t), newReader(t)
		want := first.all(t, shuffled)
		var got []result
		for i := range shuffled {
			second.roots = event.Roots{}
			got = append(got, second.all(t, shuffled[i:i+1])...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("order %d: two consumers differ:\n%s", seed, diff)
		}
		checkChains(t, shuffled, want)
	}
}

// checkChains: on every chain the accepted counters are 1, 2, 3 and so on.
func checkChains(t *testing.T, messages []told, results []result) {
	t.Helper()
	counters := map[event.Chain]uint64{}
	for i, m := range messages {
		if results[i].Code != verdict.Accepted || registry.IsSubject(m.subject) {
			continue
		}
		u, err := event.Decode(m.data)
		if err != nil {
			t.Fatalf("%s: accepted, and undecodable: %v", m.what, err)
		}
		claims := u.Claims()
		claims.Chain.Renewal = results[i].Renewal
		if counters[claims.Chain]++; counters[claims.Chain] != claims.Counter {
			t.Fatalf("%s: counter %d was accepted as number %d of %s", m.what, claims.Counter, counters[claims.Chain], claims.Chain)
		}
	}
}

// A country that sees one audience gives its messages the verdicts that an auditor
// gives them, who sees all. Indices are the log's.
func TestOneVerdictInPart(t *testing.T) {
	auditor, member := newReader(t), newReader(t)
	for i, m := range story(t) {
		want := auditor.reads(t, m.message)
		if label := verdict.Label(m.subject); label != "region" && label != "" {
			continue
		}
		member.index = uint64(i) + 1
		got := member.reads(t, m.message)
		if got.Code != want.Code || got.Reason != want.Reason {
			t.Errorf("%s: %s (%s) to a member, %s (%s) to the auditor", m.what, got.Code, got.Reason, want.Code, want.Reason)
		}
	}
}

// broken is Chains that cannot be read.
type broken struct{ head event.Head }

var errDisk = errors.New("the disk is away")

func (b broken) Head(event.Chain) (event.Head, error) {
	if b.head == (event.Head{}) {
		return b.head, errDisk
	}
	return b.head, nil
}
func (broken) HeaderAt(event.Chain, uint64) (event.Digest, error) { return event.Digest{}, errDisk }

// What cannot be judged has no verdict at all.
func TestChainsAway(t *testing.T) {
	m := newAgency(t, "XA", "police", "region").says(t, 1)[0]
	state := newReader(t).state
	for _, chains := range []broken{{}, {event.Head{Counter: 1}}} {
		got, err := verdict.Judge(state, chains, &event.Roots{}, 1, m.subject, m.data)
		if !errors.Is(err, errDisk) || got.Code == verdict.Accepted {
			t.Errorf("verdict %q, error %v", got.Code, err)
		}
	}
}

func TestJudgedHead(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	got := r.reads(t, police.says(t, 1)[0])
	if got.Head() != police.head || r.head(t, police.chain) != police.head {
		t.Errorf("head %+v, want %+v", got.Head(), police.head)
	}
	for _, counter := range []uint64{0, 2, 1<<64 - 1} {
		if _, err := r.chains.HeaderAt(police.chain, counter); err == nil {
			t.Errorf("a header at %d", counter)
		}
	}
}

func TestLabel(t *testing.T) {
	for subject, want := range map[string]string{
		"evt.region.XA.police.site.status": "region", "evt.pair": "pair", "evt.": "", "evt": "", "": "",
		"reg.charter.founded": "", "log.leaves": "", "EVT.region.x": "",
	} {
		if got := verdict.Label(subject); got != want {
			t.Errorf("Label(%s) = %s, want %s", fmt.Sprintf("%q", subject), got, want)
		}
	}
}
