package verdict_test

import (
	"slices"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

func TestAdversary_E01_ExactReplay(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	first := police.says(t, 3)
	r.accepts(t, first...)
	t.Run("at once", func(t *testing.T) { r.withstands(t, police, first[2], verdict.Duplicate) })
	r.accepts(t, police.says(t, 300)...)
	t.Run("much later", func(t *testing.T) {
		for _, m := range first {
			r.withstands(t, police, m, verdict.Duplicate)
		}
	})
	t.Run("by a reader that forgot all roots", func(t *testing.T) {
		r.roots = event.Roots{}
		r.withstands(t, police, first[0], verdict.Duplicate)
	})
	t.Run("in another envelope", func(t *testing.T) {
		// An unknown field of the envelope is signed by nobody: the header says which event it is.
		m := message{first[1].subject, append(slices.Clone(first[1].data), 0x7a, 0)}
		r.withstands(t, police, m, verdict.Duplicate)
	})
	t.Run("in another batch", func(t *testing.T) {
		m := forged(t, first[1], "publisher XA/police", func(*eventv1.Header) {})
		r.withstands(t, police, m, verdict.Duplicate)
	})
}

func TestAdversary_E02_SameIDNewContent(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	r.accepts(t, police.says(t, 3)...)
	// SignBatch refuses an id that was used: a liar writes the header without it.
	reuse := func(id event.ID) message {
		next, _ := police.signs(t, police.head, police.draft())
		return forged(t, next[0], "publisher XA/police", func(h *eventv1.Header) { h.EventId = id[:] })
	}
	t.Run("with the next counter", func(t *testing.T) {
		r.withstands(t, police, reuse(police.head.LastID), verdict.Broken)
	})
	t.Run("an id between earlier ones", func(t *testing.T) {
		r.withstands(t, police, reuse(event.ID{6: 0x70, 8: 0x80}), verdict.Broken)
	})
	t.Run("with its own counter", func(t *testing.T) {
		head := police.head
		m := police.says(t, 1)[0]
		r.accepts(t, m)
		other := police.draft()
		other.ID = police.head.LastID
		lie, _ := police.signs(t, head, other)
		r.withstands(t, police, lie[0], verdict.Equivocation)
	})
}

func TestAdversary_E03_Equivocation(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	r.accepts(t, police.says(t, 2)...)
	head := police.head
	told := police.says(t, 1)[0]
	r.accepts(t, told)
	for _, test := range []string{"the newest counter", "an earlier counter"} {
		t.Run(test, func(t *testing.T) {
			lie, _ := police.signs(t, head, police.draft())
			got := r.withstands(t, police, lie[0], verdict.Equivocation)
			// Both headers are proof: each is signed by the agency, with one counter.
			u, err := event.Decode(told.data)
			if err != nil {
				t.Fatal(err)
			}
			known, err := r.chains.HeaderAt(police.chain, got.Event.Counter)
			if err != nil || known != u.HeaderDigest() {
				t.Errorf("the accepted header is %s, %v; want %s", known, err, u.HeaderDigest())
			}
			if got.Event.Counter != 3 || got.Event.HeaderDigest == known {
				t.Errorf("the other header is %s with counter %d", got.Event.HeaderDigest, got.Event.Counter)
			}
		})
	}
	t.Run("one field of the header", func(t *testing.T) {
		m := forged(t, told, "publisher XA/police", func(h *eventv1.Header) { h.Recorded.Nanos++ })
		r.withstands(t, police, m, verdict.Equivocation)
	})
	t.Run("the first event", func(t *testing.T) {
		lie, _ := police.signs(t, event.Head{}, police.draft())
		r.withstands(t, police, lie[0], verdict.Equivocation)
	})
}

// A chain of a lie: what follows another header is no part of the chain, even
// with the right counter.
func TestAdversary_E03_FollowsTheOtherHeader(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	r.accepts(t, police.says(t, 2)...)
	_, lying := police.signs(t, event.Head{Counter: 1, Digest: event.DigestOf([]byte("told to others")), LastID: event.ID{}}, police.draft())
	lie, _ := police.signs(t, lying, police.draft())
	r.withstands(t, police, lie[0], verdict.Broken)
}

func TestAdversary_E04_GapAndReordering(t *testing.T) {
	t.Run("an event is left out", func(t *testing.T) {
		police, r := newAgency(t, "XA", "police", "region"), newReader(t)
		r.accepts(t, police.says(t, 2)...)
		lost := police.says(t, 1)[0]
		for _, m := range police.says(t, 3) { // all that follow are refused
			if got := r.reads(t, m); got.Code != verdict.Gap {
				t.Errorf("after the gap: %s (%s)", got.Code, got.Reason)
			}
		}
		if head := r.head(t, police.chain); head.Counter != 2 {
			t.Fatalf("the head is %d, want 2", head.Counter)
		}
		r.accepts(t, lost)
	})
	t.Run("the very first is left out", func(t *testing.T) {
		police, r := newAgency(t, "XA", "police", "region"), newReader(t)
		messages := police.says(t, 2)
		if got := r.reads(t, messages[1]); got.Code != verdict.Gap || r.head(t, police.chain) != (event.Head{}) {
			t.Errorf("the second event of a chain first: %s", got.Code)
		}
		r.accepts(t, messages...)
	})
	t.Run("in reverse, and then published again", func(t *testing.T) {
		police, r := newAgency(t, "XA", "police", "region"), newReader(t)
		messages := police.says(t, 4)
		for _, m := range reversed(messages)[:3] {
			if got := r.reads(t, m); got.Code != verdict.Gap {
				t.Errorf("out of order: %s (%s)", got.Code, got.Reason)
			}
		}
		r.accepts(t, messages...)
	})
	t.Run("the largest counter", func(t *testing.T) {
		police, r := newAgency(t, "XA", "police", "region"), newReader(t)
		m := police.says(t, 1)[0]
		r.accepts(t, m)
		far := forged(t, m, "publisher XA/police", func(h *eventv1.Header) {
			h.Counter, h.Previous = 1<<64-1, make([]byte, 32)
		})
		r.withstands(t, police, far, verdict.Gap)
	})
	t.Run("another chain's events are no gap", func(t *testing.T) {
		region, pair, r := newAgency(t, "XA", "police", "region"), newAgency(t, "XA", "police", "pair"), newReader(t)
		for range 3 {
			r.accepts(t, region.says(t, 1)...)
			r.accepts(t, pair.says(t, 2)...)
		}
	})
}

func TestAdversary_E05_RepublishedElsewhere(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	m := police.says(t, 1)[0]
	// Elsewhere first: the event itself still counts when it comes.
	if got := r.reads(t, message{"evt.pair.XA.police.site.status", m.data}); got.Code != verdict.WrongAgency {
		t.Errorf("elsewhere first: %s (%s)", got.Code, got.Reason)
	}
	r.accepts(t, m)
	for _, subject := range []string{
		"evt.pair.XA.police.site.status",     // another audience
		"evt.region.XB.police.site.status",   // another country
		"evt.region.XA.border.site.status",   // another agency
		"evt.region.XA.police.site.reported", // another kind
		"evt.region.XA.police.site.status.x", "evt.region.XA.police.site", "EVT.region.XA.police.site.status",
		"key.region.XA.police.1", "log.leaves", "evt.", "reg.", "",
	} {
		t.Run(subject, func(t *testing.T) { r.withstands(t, police, message{subject, m.data}, verdict.WrongAgency) })
	}
	for _, subject := range []string{"reg.charter.founded", "reg.region.XA.police.site.status"} {
		t.Run(subject, func(t *testing.T) { r.withstands(t, police, message{subject, m.data}, verdict.NotUpdate) })
	}
	// The header goes along, and with it the signature.
	for name, change := range map[string]func(h *eventv1.Header){
		"audience": func(h *eventv1.Header) { h.Audience = "pair" },
		"kind":     func(h *eventv1.Header) { h.Kind = "site.reported" },
		"counter":  func(h *eventv1.Header) { h.Counter, h.Previous = 2, make([]byte, 32) },
	} {
		t.Run("with the header's "+name, func(t *testing.T) {
			envelope, header := open(t, m)
			change(header)
			envelope.Header = marshal(t, header)
			subject := event.Subject(event.Chain{Country: header.Country, Agency: header.Agency, Audience: header.Audience}, header.Kind)
			r.withstands(t, police, message{subject, marshal(t, envelope)}, verdict.BadSignature)
		})
	}
}

// The agency itself may not address what is closed to its country.
func TestAdversary_E05_AudienceClosed(t *testing.T) {
	police, r := newAgency(t, "XC", "police", "region"), newReader(t)
	for _, audience := range []string{"pair", "nobody"} {
		t.Run(audience, func(t *testing.T) {
			m := newAgency(t, "XC", "police", audience).says(t, 1)[0]
			r.withstands(t, police, m, verdict.AudienceClosed)
		})
	}
}

func TestAdversary_E06_AnotherAgencysKey(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	r.accepts(t, police.says(t, 1)...)
	for _, owner := range []string{"XA/border", "XB/police"} {
		t.Run(owner, func(t *testing.T) {
			next, _ := police.signs(t, police.head, police.draft())
			m := forged(t, next[0], "publisher "+owner, func(*eventv1.Header) {})
			r.withstands(t, police, m, verdict.WrongAgency)
		})
	}
	for _, owner := range []string{"mirror XA", "root XA", "notary", "stranger"} {
		t.Run(owner, func(t *testing.T) {
			next, _ := police.signs(t, police.head, police.draft())
			m := forged(t, next[0], owner, func(*eventv1.Header) {})
			r.withstands(t, police, m, verdict.UnknownKey)
		})
	}
	t.Run("under the victim's name", func(t *testing.T) {
		next, _ := police.signs(t, police.head, police.draft())
		m := altered(t, forged(t, next[0], "publisher XB/police", func(*eventv1.Header) {}), func(e *eventv1.Envelope) { e.Proof.KeyId = police.key.ID[:] })
		r.withstands(t, police, m, verdict.BadSignature)
	})
}
