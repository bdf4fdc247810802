package audit_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Each refusal is a finding under the verdict's own code. KeyNotValid is not here:
// the only update there is, the founding, makes no key that an event could come too early for.
func TestRefusedMessageIsAFinding(t *testing.T) {
	for code, attack := range map[verdict.Code]func(w *world){
		verdict.Undecodable: func(w *world) { w.put("evt.region.XA.police.site.reported", []byte("no envelope")) },
		verdict.UnknownKey: func(w *world) {
			signed, _ := w.sign("XD/police", police, w.heads[police], event.Seen{}, w.draft(site("S-9")))
			w.put(signed[0].Subject, signed[0].Data)
		},
		verdict.WrongAgency: func(w *world) {
			signed, _ := w.sign("XB/police", police, w.heads[police], event.Seen{}, w.draft(site("S-9")))
			w.put(signed[0].Subject, signed[0].Data)
		},
		verdict.AudienceClosed: func(w *world) {
			chain := event.Chain{Country: "XC", Agency: "police", Audience: "pair"}
			signed, _ := w.sign("XC/police", chain, event.Head{}, event.Seen{}, w.draft(site("S-9")))
			w.put(signed[0].Subject, signed[0].Data)
		},
		verdict.BadSignature: func(w *world) {
			w.altered(func(e *eventv1.Envelope) { e.GetProof().GetSignature()[0] ^= 1 })
		},
		verdict.BadBody: func(w *world) {
			w.altered(func(e *eventv1.Envelope) { e.Body = append(e.Body, 0x78, 0) })
		},
		verdict.Equivocation: func(w *world) {
			signed, _ := w.sign("XC/border", lone, event.Head{}, event.Seen{}, w.draft(site("S-9")))
			w.put(signed[0].Subject, signed[0].Data)
		},
		verdict.Gap: func(w *world) {
			head := w.heads[police]
			head.Counter++
			signed, _ := w.sign("XA/police", police, head, event.Seen{}, w.draft(site("S-9")))
			w.put(signed[0].Subject, signed[0].Data)
		},
		verdict.Broken: func(w *world) {
			head := w.heads[police]
			head.Digest[0] ^= 1
			signed, _ := w.sign("XA/police", police, head, event.Seen{}, w.draft(site("S-9")))
			w.put(signed[0].Subject, signed[0].Data)
		},
		verdict.NotUpdate: func(w *world) { w.put("reg.key.revoked", []byte("garbage")) },
	} {
		t.Run(string(code), func(t *testing.T) {
			w := newWorld(t)
			attack(w)
			w.goOn() // the victim's next event is sound: the attack has moved no chain
			summary := w.finds(at(string(code), 8))
			same(t, "refused", uint64(1), summary.Refused)
			same(t, "verdicts", map[string]uint64{"accepted": 9, string(code): 1}, summary.Verdicts)
			same(t, "what the desks hold", w.digest("XB"), summary.Desks["XB"].ViewDigest)
		})
	}
}

// altered stores an event that somebody changed after it was signed.
func (w *world) altered(change func(*eventv1.Envelope)) {
	w.t.Helper()
	signed, _ := w.sign("XA/police", police, w.heads[police], event.Seen{}, w.draft(site("S-9")))
	envelope := &eventv1.Envelope{}
	must(w.t, proto.Unmarshal(signed[0].Data, envelope))
	change(envelope)
	data, err := proto.Marshal(envelope)
	must(w.t, err)
	w.put(signed[0].Subject, data)
}

// E01: a publisher that did not hear the answer sends again. Harmless, and counted.
func TestAdversary_E01_DuplicatesAreCountedAndNoFinding(t *testing.T) {
	w := newWorld(t)
	w.put(w.events[5].Subject, w.events[5].Data)
	w.put(w.events[1].Subject, w.events[1].Data)
	w.goOn()
	w.put(w.events[5].Subject, w.events[5].Data)
	w.put(w.events[0].Subject, w.events[0].Data) // an update of the registry, likewise
	w.notarise()
	w.cosign("XA", w.tree.Size(), w.tree.Root())
	w.cosign("XC", w.tree.Size(), w.tree.Root())
	summary := w.finds()
	same(t, "duplicates", uint64(4), summary.Duplicates)
	same(t, "refused", uint64(0), summary.Refused)
	same(t, "verdicts", map[string]uint64{"accepted": 9, "duplicate": 4}, summary.Verdicts)
	same(t, "cosigned by", []string{"XA", "XC"}, summary.CosignedBy)
}

// E03: both signed headers are in the log, and each publisher's own chain goes on.
func TestAdversary_E03_EveryEquivocationIsNamed(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		signed, _ := w.sign("XA/police", police, event.Head{}, event.Seen{}, w.draft(site("S-9")))
		w.put(signed[0].Subject, signed[0].Data)
	}
	w.goOn()
	w.finds(at("equivocation", 8), at("equivocation", 9))
}

// A refused message has a leaf, as every message has.
func TestRefusedMessageHasALeaf(t *testing.T) {
	w := newWorld(t)
	index := w.put("evt.pair.XB.police.site.reported", []byte("garbage"))
	w.goOn()
	w.events[index].Data = []byte("other garbage")
	summary := w.finds(at("undecodable", index), at(audit.FindingLeaf, index))
	same(t, "sealed for XC", uint64(3), summary.Desks["XC"].Sealed)
}
