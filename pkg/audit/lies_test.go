package audit_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

func TestSoundLog(t *testing.T) {
	w := newWorld(t)
	w.goOn()
	summary := w.finds()
	same(t, "accepted", uint64(len(w.events)), summary.Accepted)
	same(t, "cosigned by", []string{"XA", "XB", "XC"}, summary.CosignedBy)
	root := w.tree.Root()
	same(t, "checkpoint", audit.CheckpointOf(translog.Checkpoint{Size: 9, Root: root}), summary.Checkpoint)
}

func TestCharterAlone(t *testing.T) {
	summary := found(t).summary()
	if len(summary.Findings) != 0 || summary.Accepted != 1 || summary.LogSize != 0 || summary.CosignedBy == nil {
		t.Errorf("a log of its charter and no checkpoint is %+v", summary)
	}
}

// L10: what the hub shows is not what was signed into the tree.
func TestAdversary_L10_FlippedByteInStoredEvent(t *testing.T) {
	w := newWorld(t)
	const index = 5
	data := slices.Clone(w.events[index].Data)
	// Inside the body, before the proof: the count of people.
	place := bytes.LastIndex(data, []byte{8, 52})
	if place < 0 {
		t.Fatal("the event does not state 52 people")
	}
	data[place+1] ^= 1
	w.events[index].Data = data
	w.goOn()
	w.finds(at("bad-body", index), at(audit.FindingLeaf, index))
}

// The subject is unsigned, and in the leaf.
func TestAdversary_L10_MovedToAnotherSubject(t *testing.T) {
	w := newWorld(t)
	w.events[5].Subject = strings.Replace(w.events[5].Subject, "received", "departed", 1)
	w.goOn()
	w.finds(at("wrong-agency", 5), at(audit.FindingLeaf, 5))
}

func TestAdversary_L14_LeafUnderAnotherLabel(t *testing.T) {
	w := newWorld(t)
	index := w.say(pair, event.Seen{}, site("S-5"))
	w.say(police, event.Seen{}, site("S-6"))
	w.notarise(func(l *logv1.Leaves) { l.Audiences, l.Labels = []string{"region"}, []uint32{0, 0} })
	w.goOn()
	summary := w.finds(at(audit.FindingLabel, index))
	// The tree's labels say what is sealed: that is what a desk goes by.
	same(t, "sealed for XC", uint64(2), summary.Desks["XC"].Sealed)
}

// A label is unsigned and may be of any length, for any number of leaves.
func TestLongLabelIsCut(t *testing.T) {
	w := newWorld(t)
	index := w.say(police, event.Seen{}, site("S-5"))
	w.notarise(func(l *logv1.Leaves) { l.Audiences = []string{strings.Repeat("x", 1<<16)} })
	w.goOn()
	for _, f := range w.finds(at(audit.FindingLabel, index)).Findings {
		if len(f.What) > 256 {
			t.Errorf("finding %s is %d bytes long", f.Code, len(f.What))
		}
	}
}

func TestAdversary_L11_TailTruncated(t *testing.T) {
	w := newWorld(t)
	w.goOn()
	last := len(w.events) - 1
	w.events = w.events[:last]
	w.finds(at(audit.FindingMissing, uint64(last)))
}

// One lost message is one loss: those after it keep their indices and their leaves.
func TestAdversary_S02_MessageMissingInTheMiddle(t *testing.T) {
	w := newWorld(t)
	w.goOn()
	w.events = slices.Delete(w.events, 5, 6)
	summary := w.finds(at(audit.FindingSequence, 5), at(audit.FindingMissing, 5))
	same(t, "events", uint64(8), summary.Events)
}

// What hangs on a lost message is refused too, and so said.
func TestGapAfterMissingMessage(t *testing.T) {
	w := newWorld(t)
	w.goOn()
	w.events = slices.Delete(w.events, 4, 5) // of police, who goes on at index 8
	w.finds(at(audit.FindingSequence, 4), at(audit.FindingMissing, 4), at("gap", 8))
}

// Sequences that are skipped before anybody has signed them.
func TestSequenceGap(t *testing.T) {
	w := newWorld(t)
	index := w.say(lone, event.Seen{}, site("S-5"))
	w.events[index].Sequence += 3
	w.finds(at(audit.FindingSequence, index))
}

func TestSequenceShownTwice(t *testing.T) {
	w := newWorld(t)
	w.goOn()
	again := w.events[2]
	again.Data = []byte("other bytes") // of which nothing is taken in
	w.events = slices.Insert(w.events, 6, again, audit.Message{Subject: again.Subject})
	summary := w.finds(at(audit.FindingSequence, 6), at(audit.FindingSequence, 6))
	same(t, "accepted", uint64(9), summary.Accepted)
}

func TestMessageThatNoCheckpointCoversYet(t *testing.T) {
	w := newWorld(t)
	w.say(lone, event.Seen{Size: 8, Root: event.Digest(w.tree.Root())}, site("S-5"))
	summary := w.finds()
	same(t, "events", uint64(9), summary.Events)
	same(t, "log size", uint64(8), summary.LogSize)
}

func TestAdversary_L02_Rollback(t *testing.T) {
	w := newWorld(t)
	// Of a size that stood once, and of one that never did.
	for _, size := range []uint64{4, 6} {
		w.publish(&logv1.Leaves{Start: size, Checkpoint: w.note(size, w.rootAt(size))})
	}
	w.goOn()
	w.finds(at(audit.FindingRollback, 4), at(audit.FindingRollback, 6))
}

// rootAt is the honest root of a smaller tree.
func (w *world) rootAt(size uint64) translog.Hash {
	w.t.Helper()
	var tree translog.Frontier
	for i, m := range w.events[:size] {
		must(w.t, tree.Append(translog.LeafHash(uint64(i), m.Subject, m.Data)))
	}
	return tree.Root()
}

func TestAdversary_L03_OneSizeTwoRoots(t *testing.T) {
	w := newWorld(t)
	w.publish(&logv1.Leaves{Start: 8, Checkpoint: w.note(8, otherRoot)})
	w.publish(&logv1.Leaves{Start: 4, Checkpoint: w.note(4, otherRoot)}) // long witnessed over: a fork all the same
	w.goOn()
	w.finds(at(audit.FindingFork, 8), at(audit.FindingFork, 4))
}

func TestAdversary_L04_CosignatureOfAnotherRoot(t *testing.T) {
	w := newWorld(t)
	w.cosign("XB", 8, otherRoot)
	w.cosign("XC", 4, otherRoot) // too old to count, and proof all the same
	w.cosign("XA", 6, w.rootAt(6))
	w.cosign("XA", 9, otherRoot) // before the notary has spoken of 9
	w.goOn()
	w.cosign("XB", 4, w.rootAt(4)) // too old to count, and sound
	w.finds(at(audit.FindingFork, 8), at(audit.FindingFork, 4), at(audit.FindingCosignature, 6), at(audit.FindingCosignature, 9))
}

func TestCosignatureOnAnotherCountrysSubject(t *testing.T) {
	w := newWorld(t)
	w.log = append(w.log, noted{cosignPrefix + "XC", w.cosignature("XB", 8, w.tree.Root())})
	w.goOn()
	w.finds(at(audit.FindingCosignature, 8))
}

func TestAdversary_L09_UnknownWitness(t *testing.T) {
	w := newWorld(t)
	stranger, err := translog.NewMirror(registrytest.Origin, "XD", registrytest.Key("mirror XD"))
	must(t, err)
	checkpoint := w.checkpoint(8, w.tree.Root())
	note, err := stranger.Cosign(checkpoint, 1_700_000_000)
	must(t, err)
	thief, err := translog.NewMirror(registrytest.Origin, "XC", registrytest.Key("mirror XB")) // one key under two names
	must(t, err)
	stolen, err := thief.Cosign(checkpoint, 1_700_000_000)
	must(t, err)
	w.log = append(w.log, noted{cosignPrefix + "XD", note}, noted{cosignPrefix + "XC", stolen}, noted{cosignPrefix + "XA", []byte("no note")})
	w.goOn()
	w.finds(at(audit.FindingCosignature, 8), at(audit.FindingCosignature, 8), at(audit.FindingCosignature, 8))
}

// L04: publishers tell what they were shown, and cannot all have been shown the same.
func TestAdversary_L04_SeenOnAnotherLog(t *testing.T) {
	w := newWorld(t)
	other := w.say(border, event.Seen{Size: 8, Root: event.Digest(otherRoot)}, site("S-5"))
	never := w.say(border, event.Seen{Size: 6, Root: event.Digest(w.rootAt(6))}, site("S-5"))
	w.witness()
	w.say(border, event.Seen{Size: 4, Root: event.Digest(w.rootAt(4))}, site("S-5")) // old, and sound
	beyond := w.say(border, event.Seen{Size: 40, Root: event.Digest(otherRoot)}, site("S-5"))
	w.goOn()
	uncovered := w.say(border, event.Seen{Size: 4, Root: event.Digest(otherRoot)}, site("S-5"))
	w.finds(at(audit.FindingSeen, other), at(audit.FindingSeen, never), at(audit.FindingSeen, uncovered), at(audit.FindingSeen, beyond))
}

// A refused event is no witness: anybody could have written it.
func TestSeenOfRefusedEventIsNotBelieved(t *testing.T) {
	w := newWorld(t)
	signed, _ := w.sign("XA/police", border, w.heads[border], event.Seen{Size: 8, Root: event.Digest(otherRoot)}, w.draft(site("S-5")))
	index := w.put(signed[0].Subject, signed[0].Data)
	w.goOn()
	w.finds(at("wrong-agency", index))
}

// A notary's message that is wrong does not stop those after it.
func TestNotarysMessagesThatDoNotFit(t *testing.T) {
	hash := make([]byte, 32)
	stranger := func(w *world) []byte {
		notary, err := translog.NewNotary(registrytest.Origin, registrytest.Key("somebody"))
		must(w.t, err)
		note, err := notary.Sign(w.checkpoint(9, translog.Hash{}))
		must(w.t, err)
		return note
	}
	for name, make := range map[string]func(w *world) *logv1.Leaves{
		"empty":          func(*world) *logv1.Leaves { return &logv1.Leaves{} },
		"another notary": func(w *world) *logv1.Leaves { l := w.leaves(); l.Checkpoint = stranger(w); return l },
		"a gap": func(w *world) *logv1.Leaves {
			return &logv1.Leaves{Start: 1 << 48, Checkpoint: w.note(1<<48, otherRoot)}
		},
		"more than can be": func(w *world) *logv1.Leaves {
			return &logv1.Leaves{Start: 1<<64 - 1, Hashes: hash, Labels: []uint32{0}}
		},
		"another root":      func(w *world) *logv1.Leaves { l := w.leaves(); l.Hashes = hash; return l },
		"a label outside":   func(w *world) *logv1.Leaves { l := w.leaves(); l.Labels = []uint32{7}; return l },
		"an epoch left out": func(w *world) *logv1.Leaves { l := w.leaves(); l.Epoch = 2; return l },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.say(border, event.Seen{}, site("S-5"))
			w.publish(make(w))
			w.goOn()
			w.finds(at(audit.FindingLeaves, 8))
		})
	}
	t.Run("not protobuf, and on no role's subject", func(t *testing.T) {
		w := newWorld(t)
		w.log = append(w.log, noted{leavesSubject, []byte{0xff}}, noted{"log.other", nil})
		w.goOn()
		w.finds(at(audit.FindingLeaves, 8), at(audit.FindingLeaves, 8))
	})
}

// The newest checkpoint again, without leaves, is how a notary says that it lives.
func TestRepeatedCheckpointIsNoFinding(t *testing.T) {
	w := newWorld(t)
	w.publish(&logv1.Leaves{Start: 8, Checkpoint: w.note(8, w.tree.Root())})
	w.cosign("XA", 8, w.tree.Root())
	w.goOn()
	w.finds()
}

func TestCharterOfAnotherLog(t *testing.T) {
	w := newWorld(t)
	founding := registrytest.Founding()
	founding.Name = "another"
	w.events[0].Data = registrytest.Sign(t, founding).Message
	summary := w.summary()
	// Nothing holds without the charter: every event is of an unknown key.
	same(t, "first findings", []string{"bad-update", "unknown-key"}, []string{summary.Findings[0].Code, summary.Findings[1].Code})
	same(t, "verdicts", map[string]uint64{"bad-update": 1, "unknown-key": 7}, summary.Verdicts)
	same(t, "refused", uint64(8), summary.Refused)
}

func TestNeeds(t *testing.T) {
	replay, err := audit.New(registrytest.Charter(t))
	must(t, err)
	for want, l := range map[uint64]*logv1.Leaves{
		7: {Start: 5, Hashes: make([]byte, 64)}, 5: {Start: 5, Hashes: make([]byte, 31)}, 1 << 48: {Start: 1 << 48},
	} {
		data, err := proto.Marshal(l)
		must(t, err)
		same(t, "needs", want, replay.Needs(data))
	}
	data, err := proto.Marshal(&logv1.Leaves{Start: 1<<48 + 1})
	must(t, err)
	if replay.Needs(data) != 0 || replay.Needs([]byte{0xff}) != 0 {
		t.Error("a message that cannot be read needs events")
	}
}
