package desk

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// attack puts messages on the stream, checks their verdicts at a desk, and that
// they changed no document and hindered no honest event.
func (w *world) attack(d *running, messages []stream.Message, want ...verdict.Code) {
	w.t.Helper()
	before := uint64(len(w.messages)) - 1
	d.has(before)
	digest := d.digest()
	var last uint64
	for _, m := range messages {
		last = w.publish(m)
	}
	d.has(last)
	got := d.verdicts()
	for i, code := range want {
		if at := before + 1 + uint64(i); got[at] != code {
			w.t.Errorf("message %d is %s, want %s", at, got[at], code)
		}
	}
	same(w.t, "documents after the attack", digest, d.digest())
	honest := w.say(police)
	d.has(honest)
	same(w.t, "verdict on the next honest event", verdict.Accepted, d.verdicts()[honest])
}

// altered is a message with its envelope changed.
func altered(t *testing.T, m stream.Message, change func(*eventv1.Envelope)) stream.Message {
	t.Helper()
	envelope := &eventv1.Envelope{}
	must(t, proto.Unmarshal(m.Data, envelope))
	change(envelope)
	data, err := proto.Marshal(envelope)
	must(t, err)
	return stream.Message{Subject: m.Subject, Data: data}
}

func TestAdversary_E01_ExactReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA")
	first := w.messages[w.say(police)]
	w.attack(d, []stream.Message{first}, verdict.Duplicate)
	for range 20 {
		w.say(border)
		w.say(police)
	}
	w.attack(d, []stream.Message{first, first}, verdict.Duplicate, verdict.Duplicate)
}

func TestAdversary_E02_SameIDNewContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA")
	before := w.agency[police.String()]
	draft := w.draft("site.reported")
	honest, head := w.sign(police, before, draft)
	w.agency[police.String()] = head
	w.publish(honest[0])
	draft.Sections = []event.Section{w.section("site.status", "S-other")}
	sameCounter, _ := w.sign(police, before, draft)
	// The next counter, with the id used again: the signer itself must forget it.
	forgetful := head
	forgetful.LastID = event.ID{}
	nextCounter, _ := w.sign(police, forgetful, draft)
	w.attack(d, append(sameCounter, nextCounter...), verdict.Equivocation, verdict.Broken)
}

func TestAdversary_E03_SameCounterTwoHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA")
	before := w.agency[police.String()]
	index := w.say(police)
	other, _ := w.sign(police, before, w.draft("site.reported"))
	w.attack(d, other, verdict.Equivocation)

	entries := d.entries()
	first, second := entries[index], entries[index+1]
	same(t, "counters", first.Counter, second.Counter)
	if first.HeaderDigest == second.HeaderDigest || second.EventID == "" || second.Reason == "" {
		t.Errorf("the two headers are not both named: %+v and %+v", first, second)
	}
	for _, entry := range entries[index : index+2] {
		m, ok, err := d.journal.At(t.Context(), entry.Index)
		if err != nil || !ok || string(m.Data) != string(w.messages[entry.Index].Data) {
			t.Errorf("the proof at index %d is not in the journal: %t, %v", entry.Index, ok, err)
		}
	}
}

func TestAdversary_E04_GapAndReordering(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA")
	w.say(police)
	head := w.agency[police.String()]
	three, after := w.sign(police, head, w.draft("site.reported"), w.draft("site.reported"), w.draft("site.reported"))
	for i, want := range map[int]verdict.Code{2: verdict.Gap, 1: verdict.Gap} {
		d.has(uint64(len(w.messages)) - 1)
		index := w.publish(three[i])
		d.has(index)
		same(t, "verdict", want, d.verdicts()[index])
	}
	for _, m := range three { // in order they are good, whatever came before
		index := w.publish(m)
		d.has(index)
		same(t, "verdict", verdict.Accepted, d.verdicts()[index])
	}
	w.agency[police.String()] = after
	// The next counter that follows another header than the last one.
	broken := after
	broken.Digest = event.DigestOf([]byte("no such header"))
	wrong, _ := w.sign(police, broken, w.draft("site.reported"))
	w.attack(d, wrong, verdict.Broken)
}

func TestAdversary_E05_Republished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA")
	honest := w.messages[w.say(police)]
	var moved []stream.Message
	for _, subject := range []string{
		"evt.pair.XA.police.site.reported",   // audience
		"evt.region.XA.border.site.reported", // agency
		"evt.region.XB.police.site.reported", // country
		"evt.region.XA.police.site.status",   // kind
	} {
		moved = append(moved, stream.Message{Subject: subject, Data: honest.Data})
	}
	w.attack(d, moved, verdict.WrongAgency, verdict.WrongAgency, verdict.WrongAgency, verdict.WrongAgency)
	// On a registry subject the bytes are no update.
	w.attack(d, []stream.Message{{Subject: "reg.charter.founded", Data: honest.Data}}, verdict.NotUpdate)
	// The charter itself, again.
	w.attack(d, []stream.Message{{Subject: "reg.charter.founded", Data: w.charter.Message}}, verdict.Duplicate)
}

func TestAdversary_E06_SignedByAnotherAgency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA")
	w.say(police)
	signed, _, err := event.SignBatch(keyOf(t, "XB", "border"), police, w.agency[police.String()], event.Seen{}, []event.Draft{w.draft("site.reported")})
	must(t, err)
	forged := stream.Message{Subject: signed[0].Subject, Data: signed[0].Data}
	// The same with the victim's key named instead of the signer's.
	victim := keyOf(t, "XA", "police").ID
	renamed := altered(t, forged, func(e *eventv1.Envelope) { e.Proof.KeyId = victim[:] })
	// An agency in an audience that its country is not in.
	closed, _ := w.sign(event.Chain{Country: "XC", Agency: "police", Audience: "pair"}, event.Head{}, w.draft("site.reported"))
	w.attack(d, append([]stream.Message{forged, renamed}, closed...), verdict.WrongAgency, verdict.BadSignature, verdict.AudienceClosed)
}

func TestAdversary_E09_BatchPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA")
	w.say(police)
	batch, _ := w.sign(police, w.agency[police.String()], w.draft("site.reported"), w.draft("site.reported"), w.draft("site.reported"))
	var other eventv1.Envelope
	must(t, proto.Unmarshal(batch[1].Data, &other))
	var attacks []stream.Message
	for _, change := range []func(*eventv1.BatchProof){
		func(p *eventv1.BatchProof) { p.Path, p.Index = other.Proof.Path, other.Proof.Index },
		func(p *eventv1.BatchProof) { p.Index = 2 },
		func(p *eventv1.BatchProof) { p.Size = 4 },
		func(p *eventv1.BatchProof) { p.Path = p.Path[:1] },
		func(p *eventv1.BatchProof) { p.Path = append(p.Path, make([]byte, 32)) },
		func(p *eventv1.BatchProof) { p.Path = nil },
		func(p *eventv1.BatchProof) { p.Signature[0] ^= 1 },
	} {
		attacks = append(attacks, altered(t, batch[0], func(e *eventv1.Envelope) { change(e.Proof) }))
	}
	want := make([]verdict.Code, len(attacks))
	for i := range want {
		want[i] = verdict.BadSignature
	}
	w.attack(d, attacks, want...)
	outside := altered(t, batch[0], func(e *eventv1.Envelope) { e.Proof.Index = 3 })
	body := altered(t, batch[0], func(e *eventv1.Envelope) { e.Body = append(e.Body, 0x18, 0x01) })
	w.attack(d, []stream.Message{outside, body}, verdict.Undecodable, verdict.BadBody)
}
