package evidence_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	evidencev1 "github.com/tripoint/tripoint/proto/tripoint/evidence/v1"
)

// attack is a file that must not hold, and a part of the reason.
type attack struct {
	what    string
	charter event.Digest
	file    []byte
	because string
}

// altered is a file with a change in one of its fields, in its one form again.
func altered(t testing.TB, file []byte, change func(*evidencev1.Evidence)) []byte {
	t.Helper()
	e := &evidencev1.Evidence{}
	must(t, proto.Unmarshal(file, e))
	change(e)
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	must(t, err)
	return data
}

// forge is a file as the test wants it, whether it holds or not.
func (w *world) forge(p evidence.Parts) []byte {
	w.t.Helper()
	file, err := evidence.Build(w.charter(), p, w.leaves())
	must(w.t, err)
	return file
}

// alterations are attacks on the parts of a file that holds: the event at 3 of
// storied, in a log of 9, of which XB has cosigned 6.
func alterations(t testing.TB) (good []byte, all []attack) {
	w := storied(t)
	good = w.writes(w.parts(3, 5, func(p *evidence.Parts) {
		p.Cosignatures = [][]byte{w.cosign("XB", w.at(6), 2), w.cosign("XA", w.at(9), 1), w.cosign("XC", w.at(9), 3)}
	}))
	flip := func(data []byte) { data[len(data)/2] ^= 1 }
	for _, a := range []struct {
		what    string
		change  func(*evidencev1.Evidence)
		because string
	}{
		{"a byte of the event", func(e *evidencev1.Evidence) { flip(e.Event.Data) }, "event: checking leaf 3"},
		{"a byte of its subject", func(e *evidencev1.Evidence) { flip(e.Event.Subject) }, "event: checking leaf 3"},
		{"its index", func(e *evidencev1.Evidence) { e.Event.Index = 1 }, "event: checking leaf 1"},
		{"its index, above the checkpoint", func(e *evidencev1.Evidence) { e.Event.Index = 5 }, "event: index 5 is not below the checkpoint's size, 5"},
		{"its index, where no tree goes", func(e *evidencev1.Evidence) { e.Event.Index = 1<<64 - 1 }, "is not below the checkpoint's size"},
		{"its proof", func(e *evidencev1.Evidence) { flip(e.Event.Inclusion) }, "event: checking leaf 3"},
		{"no proof", func(e *evidencev1.Evidence) { e.Event.Inclusion = nil }, "event: checking leaf 3"},
		{"half a proof", func(e *evidencev1.Evidence) { e.Event.Inclusion = e.Event.Inclusion[:33] }, "33 bytes are no proof"},
		{"a proof without end", func(e *evidencev1.Evidence) { e.Event.Inclusion = make([]byte, 65*32) }, "2080 bytes are no proof"},
		{"no event", func(e *evidencev1.Evidence) { e.Event = nil }, "event: missing"},
		{"a byte of the founding", func(e *evidencev1.Evidence) { flip(e.Updates[0].Data) }, "updates[0], at index 0: "},
		{"a byte of an update", func(e *evidencev1.Evidence) { flip(e.Updates[1].Data) }, "updates[1], at index 2: "},
		{"the proof of an update", func(e *evidencev1.Evidence) { flip(e.Updates[1].Inclusion) }, "updates[1]: checking leaf 2"},
		{"an update at another index", func(e *evidencev1.Evidence) { e.Updates[1].Index = 4 }, "make registry"},
		{"updates in another order", func(e *evidencev1.Evidence) { slices.Reverse(e.Updates[1:]) }, "updates[1], at index 7: "},
		{"an update twice", func(e *evidencev1.Evidence) { e.Updates = slices.Insert(e.Updates, 2, e.Updates[1]) }, "stands after a later one"},
		{"no update", func(e *evidencev1.Evidence) { e.Updates = nil }, "updates: none"},
		{"no founding", func(e *evidencev1.Evidence) { e.Updates = e.Updates[1:] }, "not founded yet"},
		{"the last update less", func(e *evidencev1.Evidence) { e.Updates = e.Updates[:2] }, "cosignatures[1]: of XA: the file does not have the registry that was signed"},
		{"a byte of the checkpoint", func(e *evidencev1.Evidence) { flip(e.Checkpoint) }, "checkpoint: "},
		{"a checkpoint with a stranger's signature beside", func(e *evidencev1.Evidence) {
			e.Checkpoint = append(e.Checkpoint, "— stranger AAAAAAAA\n"...)
		}, "checkpoint: want a note with one signature"},
		{"no checkpoint", func(e *evidencev1.Evidence) { e.Checkpoint = nil }, "checkpoint: want a note with one signature"},
		{"a byte of a cosignature", func(e *evidencev1.Evidence) { flip(e.Cosignatures[1].Note) }, "cosignatures[1]: "},
		{"the proof of a cosignature", func(e *evidencev1.Evidence) { flip(e.Cosignatures[1].Consistency) }, "cosignatures[1]: of XA: consistency: "},
		{"a cosignature without its proof", func(e *evidencev1.Evidence) { e.Cosignatures[0].Consistency = nil }, "cosignatures[0]: of XB: consistency: "},
		{"a proof where nothing is to be proven", func(e *evidencev1.Evidence) { e.Cosignatures[2].Consistency = make([]byte, 32) }, "cosignatures[2]: of XC: consistency: "},
		{"cosignatures in another order", func(e *evidencev1.Evidence) { slices.Reverse(e.Cosignatures[1:]) }, "cosignatures[1]: of XC: consistency: "},
		{"one country alone", func(e *evidencev1.Evidence) { e.Cosignatures = e.Cosignatures[:1] }, "cosignatures: of 1 countries, and it takes 2"},
		{"one country twice", func(e *evidencev1.Evidence) { e.Cosignatures[2] = e.Cosignatures[1] }, "cosignatures[2]: of XA: of size 9, stands after one of size 9"},
		{"another version", func(e *evidencev1.Evidence) { e.Version = 2 }, "version: 2, this program knows 1"},
	} {
		all = append(all, attack{a.what, w.charter(), altered(t, good, a.change), a.because})
	}
	other := registrytest.Bare()
	other.Name = "another log"
	all = append(all, attack{"another charter", registrytest.Sign(t, other).Digest, good, "is not the charter"})
	return good, all
}

// lies are files that those who hold keys could make. The log is that of storied:
// 9 messages, with a revocation of police's key at 7.
func lies(t testing.TB) (all []attack) {
	w := storied(t)
	add := func(what string, file []byte, because string) {
		all = append(all, attack{what, w.charter(), file, because})
	}
	without := func(index uint64) func(*evidencev1.Evidence) {
		return func(e *evidencev1.Evidence) {
			e.Updates = slices.DeleteFunc(e.Updates, func(m *evidencev1.Message) bool { return m.GetIndex() == index })
		}
	}
	good := w.writes(w.parts(5, 9))
	add("the revocation left out", altered(t, good, without(7)), "an update is missing or one too many")
	private := w.at(9)
	private.Registry = w.at(7).Registry
	add("the revocation left out, with a checkpoint that the notary signed for it", altered(t, good, func(e *evidencev1.Evidence) {
		without(7)(e)
		e.Checkpoint = w.note(private)
	}), "cosignatures[0]: of XA: the file does not have the registry that was signed")
	// Of a smaller size than what the countries have cosigned, which are honest.
	larger := w.writes(w.parts(5, 8, func(p *evidence.Parts) {
		p.Cosignatures = [][]byte{w.cosign("XA", w.at(9), 1), w.cosign("XB", w.at(9), 1)}
	}))
	private = w.at(8)
	private.Registry = w.at(7).Registry
	add("the same, hidden below larger cosignatures", altered(t, larger, func(e *evidencev1.Evidence) {
		without(7)(e)
		e.Checkpoint = w.note(private)
	}), "cosignatures[0]: of XA: the file does not have the registry that was signed")
	add("another registry than the updates', which the notary signed in secret", altered(t, larger, func(e *evidencev1.Evidence) {
		e.Checkpoint = w.note(private)
	}), "checkpoint: the file does not have the registry that was signed")
	add("an update above all that was signed", altered(t, w.writes(w.parts(3, 7)), func(e *evidencev1.Evidence) {
		m := w.messages[7]
		e.Updates = append(e.Updates, &evidencev1.Message{Index: m.Index, Subject: []byte(m.Subject), Data: m.Data})
	}), "updates[2]: index 7 is not below any size that was signed")
	refused := w.messages[4]
	add("an update that does not apply", altered(t, good, func(e *evidencev1.Evidence) {
		e.Updates = slices.Insert(e.Updates, 2, &evidencev1.Message{Index: 4, Subject: []byte(refused.Subject), Data: refused.Data})
	}), "updates[2], at index 4: not a signed registry update")
	return append(all, append(witnesses(t), verdicts(t)...)...)
}

// witnesses are files with cosignatures that do not make a quorum.
func witnesses(t testing.TB) (all []attack) {
	w := storied(t)
	good := w.writes(w.parts(3, 7))
	add := func(what, because string, notes ...[]byte) {
		file := altered(t, good, func(e *evidencev1.Evidence) {
			e.Cosignatures = nil
			for _, note := range notes {
				e.Cosignatures = append(e.Cosignatures, &evidencev1.Cosignature{Note: note})
			}
		})
		all = append(all, attack{what, w.charter(), file, because})
	}
	honest := w.cosign("XA", w.at(7), 1)
	add("nobody", "cosignatures: of 0 countries, and it takes 2")
	add("one country at two times", "cosignatures[1]: of XA: of size 7, stands after one of size 7", honest, w.cosign("XA", w.at(7), 2))
	twice := w.forge(w.parts(3, 7, func(p *evidence.Parts) {
		p.Cosignatures = [][]byte{honest, w.cosign("XA", w.at(9), 2)}
	}))
	all = append(all, attack{"one country at two sizes", w.charter(), twice, "cosignatures[1]: XA counts once"})
	w.mirrors["XB"] = "mirror XA"
	add("one key under two names", "no mirror of the policy signed this", honest, w.cosign("XB", w.at(7), 1))
	delete(w.mirrors, "XB")
	add("a country that is no member", "no mirror of the policy signed this", honest, w.cosign("XD", w.at(7), 1))
	w.mirrors["XB"] = "somebody"
	add("a member's name with another key", "no mirror of the policy signed this", honest, w.cosign("XB", w.at(7), 1))
	delete(w.mirrors, "XB")
	add("the notary as a witness", "no mirror of the policy signed this", honest, w.note(w.at(7)))
	add("a smaller size", "cosignatures[0]: of XA: of size 6, stands after one of size 7", w.cosign("XA", w.at(6), 1), honest)
	forged := w.at(7)
	forged.Root[0] ^= 1
	add("another root", "two roots for size 7", w.cosign("XA", forged, 1), w.cosign("XB", forged, 1))
	older := w.at(7)
	older.Registry = w.at(1).Registry
	add("another registry", "cosignatures[1]: of XB: the file does not have the registry that was signed", honest, w.cosign("XB", older, 1))
	b := w.cosign("XB", w.at(7), 1)
	add("two signatures in one note", "want a note with one signature", append(bytes.Clone(honest), b[bytes.LastIndex(b, []byte("\n\n"))+2:]...))
	return append(all, replacedMirror(t)...)
}

// replacedMirror: the key of XB's mirror was stolen and revoked. Whoever has it signs
// what is above.
func replacedMirror(t testing.TB) []attack {
	w := newWorld(t)
	w.say(border)
	w.amend(registrytest.RevokeKey(registrytest.MirrorOwner("XB"), 0), "root XB")
	w.amend(registrytest.EnrolKey(registrytest.MirrorOwner("XB"), "second mirror XB"), "root XB", "second mirror XB")
	w.say(border)
	two := func(note []byte) []byte {
		good := w.writes(w.parts(1, 2, func(p *evidence.Parts) {
			p.Cosignatures = [][]byte{w.cosign("XA", w.at(2), 1), w.cosign("XC", w.at(5), 1)}
		}))
		return altered(t, good, func(e *evidencev1.Evidence) { e.Cosignatures[1].Note = note })
	}
	stolen := two(w.cosign("XB", w.at(5), 2))
	w.mirrors["XB"] = "second mirror XB"
	return []attack{
		{"a mirror's key after its end", w.charter(), stolen, "no mirror of the policy signed this"},
		{"a mirror's key before its beginning", w.charter(), two(w.cosign("XB", w.at(5), 2)), "its key at size 5 is not the one that it has at the checkpoint's size, 2"},
	}
}

// verdicts are files about messages that lie in the log, and that no reader takes in.
func verdicts(t testing.TB) (all []attack) {
	w := storied(t) // police's key ended at 7, and a circle of pair at the end
	add := func(what string, signed event.Signed, because string) {
		index := w.store(signed.Subject, signed.Data)
		all = append(all, attack{what, w.charter(), w.forge(w.parts(index, index+1)), because})
	}
	head := w.heads[border]
	add("a key after its end", w.signs("publisher XA/police", police, w.draft()), "event: verdict key-not-valid")
	add("a key that nobody has", w.signs("somebody", border, w.draft()), "event: verdict unknown-key")
	add("another agency's key", w.signs("publisher XB/police", border, w.draft()), "event: verdict wrong-agency")
	w.heads[border] = head
	moved := w.signs("publisher XB/border", border, w.draft())
	add("on another subject", event.Signed{Subject: strings.Replace(moved.Subject, "reported", "status", 1), Data: moved.Data}, "event: verdict wrong-agency")
	add("to an audience that the country is not in", w.signs("publisher XC/border", event.Chain{Country: "XC", Agency: "border", Audience: "pair"}, w.draft()), "event: verdict audience-closed")
	broken := bytes.Clone(moved.Data)
	broken[len(broken)-1] ^= 1 // the last byte of the signature
	add("a signature that does not hold", event.Signed{Subject: moved.Subject, Data: broken}, "event: verdict bad-signature")
	add("no event", event.Signed{Subject: moved.Subject, Data: []byte("nothing")}, "event: not an event, verdict undecodable")
	add("an event on the registry's subject", event.Signed{Subject: "reg.key.revoked", Data: moved.Data}, "event: verdict bad-update")
	return all
}

func judgeAttacks(t *testing.T, all []attack) {
	t.Helper()
	for _, a := range all {
		refused(t, a.what, a.file, a.charter, a.because)
	}
}

// A file of which any part was altered does not hold, and the reason names the part.
func TestAlteredFileDoesNotHold(t *testing.T) {
	good, all := alterations(t)
	if _, err := evidence.Verify(good, all[0].charter); err != nil {
		t.Fatal(err)
	}
	judgeAttacks(t, all)
}

// R05, R06: a revocation is left out of what a court is shown, by whoever made the
// file, and with the notary's help.
func TestAdversary_R06_RevocationLeftOutOfEvidence(t *testing.T) {
	judgeAttacks(t, lies(t)[:6])
}

// L09: fewer countries than it takes, made to look like enough.
func TestAdversary_L09_NoWitnessCountsTwiceInEvidence(t *testing.T) { judgeAttacks(t, witnesses(t)) }

// E05 to E07, E09: what lies in the log and was refused by every reader is no evidence.
func TestAdversary_E07_RefusedEventsAreNoEvidence(t *testing.T) { judgeAttacks(t, verdicts(t)) }

// Any single bit that is turned is noticed.
func TestAdversary_L10_OneBitOfEvidence(t *testing.T) {
	w := newWorld(t)
	w.say(border)
	good := w.writes(w.parts(1, 2))
	w.holds(good)
	for at := range good {
		if testing.Short() && at%16 != 0 {
			continue
		}
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		if _, err := evidence.Verify(bad, w.charter()); err == nil {
			t.Fatalf("byte %d: it still holds", at)
		}
	}
}

// Two countries were shown two continuations of one log.
func TestAdversary_L04_EvidenceOverASplitView(t *testing.T) {
	w, other := storied(t), storied(t)
	index := other.say(border)
	w.say(border)
	w.say(border)
	w.say(border)
	other.messages[index].Data = append(bytes.Clone(other.messages[index].Data), 0)
	there := w.writes(w.parts(3, 7, func(p *evidence.Parts) {
		p.Cosignatures = [][]byte{w.cosign("XA", w.at(10), 1), w.cosign("XB", w.at(12), 1)}
	}))
	here := other.forge(other.parts(3, 7, func(p *evidence.Parts) { p.Cosignatures = [][]byte{other.cosign("XA", other.at(10), 1)} }))
	split := altered(t, there, func(e *evidencev1.Evidence) {
		from := &evidencev1.Evidence{}
		must(t, proto.Unmarshal(here, from))
		e.Cosignatures[0] = from.Cosignatures[0]
	})
	refused(t, "two continuations", split, w.charter(), "cosignatures[1]: of XB: consistency: ")
}

// Sizes at which arithmetic on trees overflows or loops are refused before any.
func TestAdversary_L01_SizesThatNoLogHas(t *testing.T) {
	w := newWorld(t)
	w.say(border)
	good := w.writes(w.parts(1, 2))
	for _, size := range []string{"281474976710657", "4611686018427387905", "9223372036854775807", "18446744073709551615"} {
		refused(t, size, altered(t, good, func(e *evidencev1.Evidence) {
			e.Checkpoint = bytes.Replace(e.Checkpoint, []byte("\n2\n"), []byte("\n"+size+"\n"), 1)
		}), w.charter(), "tree size")
		refused(t, size, altered(t, good, func(e *evidencev1.Evidence) {
			e.Cosignatures[0].Note = bytes.Replace(e.Cosignatures[0].Note, []byte("\n2\n"), []byte("\n"+size+"\n"), 1)
		}), w.charter(), "tree size")
	}
}
