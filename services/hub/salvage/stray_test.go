package salvage

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// at is a message where somebody says that it lies.
func at(index uint64, m holding.Message) holding.Record {
	m.Index, m.Known = index, true
	return holding.Record{Message: &m}
}

// nowhere is one whose place its holder does not know.
func nowhere(m holding.Message) holding.Record {
	return holding.Record{Message: &holding.Message{Subject: m.Subject, Data: m.Data}}
}

func contents(messages ...holding.Message) (all []string) {
	for _, m := range messages {
		digest := digestOf(m)
		all = append(all, fmt.Sprintf("%s %x", m.Subject, digest[:8]))
	}
	return all
}

// What was stored and never signed goes on after the log: each once, whoever brings
// it, and nothing that is in the log already.
func TestUnsignedMessagesGoOnOnce(t *testing.T) {
	w := told(t)
	old := w.fork()
	next := old.say(pair)
	hub := source{"the hub", nil}
	for _, m := range old.messages {
		hub.records = append(hub.records, holding.Record{Message: &m})
	}
	publisher := source{"publisher", []holding.Record{at(2, w.messages[2]), at(7, w.messages[7]), nowhere(w.messages[8]), nowhere(w.messages[5])}}
	l := w.finds(7, nil, w.desk("desk XA", 7, 8).of(), publisher.of(), hub.damaged())
	same(t, "carried", contents(w.messages[7], w.messages[8], next), contents(l.Carried()...))
	same(t, "survivors", uint64(7), l.Survivors())
}

// The hub began anew on an empty disk and took events before anybody noticed: their
// sequences are those of others, and they go on after what came before them.
func TestSequencesThatWereUsedAgain(t *testing.T) {
	w := told(t)
	again := w.fork()
	first, second, third := again.say(police), again.say(pair), again.say(police)
	hub := source{"the hub", []holding.Record{at(0, w.messages[0]), at(1, first), at(2, second), at(3, w.messages[7]), at(4, third)}}
	for name, sources := range map[string][]Source{
		"the hub last":  {w.desk("desk XA", 7, 9).of(), hub.damaged()},
		"the hub first": {hub.damaged(), w.desk("desk XA", 7, 9).of()},
	} {
		l := w.finds(7, nil, sources...)
		same(t, name, contents(w.messages[7], w.messages[8], first, second, third), contents(l.Carried()...))
		same(t, "survivors", uint64(1), l.Survivors())
	}
}

// Two histories, joined, have each chain in the order of its counters: an event
// before its predecessor is refused by everybody.
func TestChainsStayInOrder(t *testing.T) {
	w := told(t)
	more := w.fork()
	c9, p1, c10 := more.say(police), more.say(pair), more.say(police)
	// XA was sent a part in another order than XC.
	one := w.desk("desk XA", 7, 7).with(at(7, c10), at(8, p1), at(9, w.messages[8]))
	two := w.desk("desk XC", 7, 7).with(at(7, w.messages[7]), at(12, c9))
	l := w.finds(7, nil, one.of(), two.of())
	same(t, "carried", contents(w.messages[7], w.messages[8], p1, c9, c10), contents(l.Carried()...))
}

func TestWhatNobodyWouldAcceptIsLeftOut(t *testing.T) {
	w := told(t)
	w.book.Next = 7
	subject, update := w.book.Message(t, registrytest.AmendCharter(3, 1), "root XA", "root XB", "root XC")
	_, unsigned := w.book.Message(t, registrytest.AmendCharter(3, 3), "root XA")
	message := func(subject, data string) holding.Message {
		return holding.Message{Subject: subject, Data: []byte(data)}
	}
	restored, err := translog.Restoration{}.Marshal()
	must(t, err)
	l := w.finds(7, nil, w.desk("desk XA", 7, 7).with(
		at(7, message(subject, string(update))), at(8, w.messages[0]), at(9, message(subject, string(unsigned))),
		at(10, message("evt.region.XA.police.site.reported", "junk")),
		at(11, message("evt.region.XB.police.site.reported", string(w.messages[7].Data))),
		at(12, w.messages[7]), at(13, message(translog.RestoredSubject, string(restored))), at(14, message("hub.other", "")),
	).of())
	same(t, "carried", contents(message(subject, string(update)), w.messages[7]), contents(l.Carried()...))
	total := uint64(0)
	for _, left := range l.LeftOut() {
		total += left.Count
	}
	same(t, "left out", uint64(4), total)
}

// A publisher whose hub did not answer does not know where its event lies. The
// leaf does.
func TestLeafFindsItsMessage(t *testing.T) {
	w := told(t)
	blind := w.desk("desk XC", 7, 9)
	l := w.finds(7, nil, blind.of(), source{"publisher XB/border", []holding.Record{at(5, w.messages[3]), nowhere(w.messages[6])}}.of())
	same(t, "carried", 2, len(l.Carried())) // the two of the end
	// Also where nobody knows for whom the leaf is.
	joined := source{"notary", w.leaves(7, func(string) string { return holding.Unknown })}
	var others []holding.Record
	for _, m := range w.messages[1:7] {
		others = append(others, nowhere(m))
	}
	w.finds(7, nil, joined.of(), source{"publishers", others}.of())
}

// Labels are not signed. Who brings others than the notary's hides for whom a lost
// message was, and where a publisher's belongs: it is found all the same.
func TestAdversary_L14_LabelsThatHideWhatIsLost(t *testing.T) {
	w := told(t)
	hostile := source{"desk XB", w.leaves(7, func(label string) string {
		if label == "pair" {
			return "region"
		}
		return label
	})}
	blind := w.desk("desk XC", 7, 7)
	publisher := source{"publisher XB/border", []holding.Record{nowhere(w.messages[3]), nowhere(w.messages[6])}}
	one := source{"publisher XB/border", publisher.records[:1]}
	for name, c := range map[string]struct {
		lost    []Range
		sources []Source
	}{
		"hostile first":         {nil, []Source{hostile.of(), blind.of(), publisher.of()}},
		"hostile last":          {nil, []Source{publisher.of(), blind.of(), hostile.of()}},
		"nobody else's leaves":  {nil, []Source{hostile.with(blind.records[3:]...).of(), publisher.of()}},
		"one of them, disputed": {[]Range{{6, 7, holding.Unknown}}, []Source{hostile.of(), blind.of(), one.of()}},
		"and the other way":     {[]Range{{6, 7, holding.Unknown}}, []Source{blind.of(), hostile.of(), one.of()}},
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			w.finds(7, c.lost, c.sources...)
		})
	}
}

// FuzzSurvey: whatever one party brings, nothing of what another proves is lost, and
// what comes out can be read by everybody.
func FuzzSurvey(f *testing.F) {
	w := told(f)
	sound := w.desk("desk XC", 7, 9)
	for _, r := range w.desk("desk XA", 7, 9).records {
		held := &logv1.Held{}
		if r.Leaves != nil {
			held.Held = &logv1.Held_Leaves{Leaves: r.Leaves}
		} else {
			held.Held = &logv1.Held_Message_{Message: &logv1.Held_Message{Index: &r.Message.Index, Subject: []byte(r.Message.Subject), Data: r.Message.Data}}
		}
		data, err := proto.Marshal(held)
		must(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, held := w.fork(), &logv1.Held{}
		w.t = t
		if proto.Unmarshal(data, held) != nil {
			return
		}
		strange := source{"strange", nil}
		if m := held.GetMessage(); m != nil {
			strange.records = []holding.Record{{Message: &holding.Message{
				Index: m.GetIndex(), Known: m.Index != nil && m.GetIndex() < translog.MaxSize, Subject: string(m.GetSubject()), Data: m.GetData()}}}
		} else if l := held.GetLeaves(); l != nil {
			first := w.leaves(3, honest)
			strange.records = append(first, holding.Record{Leaves: l}, holding.Record{Leaves: l})
		} else {
			strange.records = []holding.Record{{Cosignature: held.GetCosignature()}}
		}
		log, err := w.survey(sound.of(), strange.damaged())
		if err != nil && held.GetLeaves() != nil && len(held.GetLeaves().GetHashes()) == 0 {
			return // a checkpoint that does not verify is said, and nothing restored
		}
		must(t, err)
		if log.Size() != 7 || len(log.Carried()) < 2 {
			t.Errorf("%d leaves, %d go on", log.Size(), len(log.Carried()))
		}
		w.readable(log)
	})
}

// Whoever brings far too much takes nothing away from what others bring, and hears
// what was not looked at.
func TestEachHolderHasItsOwnBounds(t *testing.T) {
	w := told(t)
	few := limits{strays: ration{8, 1 << 14}, updates: ration{4, 1 << 14}, notes: 3, tries: 40}
	hostile := source{"hostile", nil}
	for i := range 20 {
		junk := holding.Message{Subject: w.messages[3].Subject, Data: fmt.Appendf(nil, "junk %d", i)}
		hostile.records = append(hostile.records, nowhere(junk))
	}
	flood := hostile.with(nowhere(w.messages[3])) // it has the honest one too, and behind its junk
	for i := range 9 {
		flood.records = append([]holding.Record{at(uint64(20-i), holding.Message{Subject: "reg.charter.amended", Data: []byte{byte(i)}})}, flood.records...)
	}
	large := source{"large", []holding.Record{nowhere(holding.Message{Subject: w.messages[3].Subject, Data: make([]byte, 1<<14)})}}
	blind := w.desk("desk XC", 7, 7)
	honest := source{"publisher XB/border", []holding.Record{nowhere(w.messages[3]), nowhere(w.messages[6])}}
	for name, sources := range map[string][]Source{
		"hostile first": {flood.of(), large.of(), blind.of(), honest.of()},
		"hostile last":  {honest.of(), blind.of(), large.of(), flood.of()},
	} {
		l, err := survey(t.Context(), w.book.Charter, few, sources)
		must(t, err)
		same(t, name+": lost", []Range(nil), l.Lost())
		same(t, name+": carried", 0, len(l.Carried()))
		left := map[string]uint64{}
		for _, out := range l.LeftOut() {
			left[out.Reason] = out.Count
		}
		for reason, count := range map[string]uint64{
			"messages of hostile that are on no leaf, and were not looked at: it has brought too many":            22, // of 30
			"messages of large that are on no leaf, and were not looked at: it has brought too many":              1,
			"messages for everybody of hostile that were not looked at for the registry: it has brought too many": 5, // of 9
		} {
			same(t, name+": "+reason, count, left[reason])
		}
	}
	// Tries are each holder's own as well.
	few.strays, few.tries = ration{64, 1 << 16}, 5
	l, err := survey(t.Context(), w.book.Charter, few, []Source{hostile.of(), blind.of(), honest.of()})
	must(t, err)
	same(t, "lost", []Range(nil), l.Lost())
	same(t, "what was not tried", LeftOut{"messages of hostile that are on no leaf, and were not tried at all leaves: it has brought too many", 20}, l.LeftOut()[0])
}

// Of many notes of one holder the newest are looked at.
func TestNewestNotesOfAHolderCount(t *testing.T) {
	w := told(t)
	few := generous
	few.notes = 3
	newest := w.cosign("XA", w.sign(), 9)
	flood := source{"hostile", nil}
	for range 50 {
		flood.records = append(flood.records, holding.Record{Cosignature: []byte("junk")}, holding.Record{Leaves: &logv1.Leaves{Start: 3, Checkpoint: w.notes[0].text}})
	}
	l, err := survey(t.Context(), w.book.Charter, few, []Source{flood.with(newest).of(), w.desk("desk XA", 9, 9).with(w.cosign("XB", w.sign(), 5)).of()})
	must(t, err)
	same(t, "cosignatures", 2, len(l.Cosignatures()))
	same(t, "left out", []LeftOut{
		{"checkpoints of hostile that are older than its newest", 47}, {"cosignatures of hostile that are older than its newest", 48},
		{"cosignatures that do not verify", 2},
	}, l.LeftOut())
}
