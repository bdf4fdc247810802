package desk

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// A mirror goes on with an old copy of its journal, or with none, and the log has
// more than one fetch of checkpoints before the cosignatures that it knows nothing
// of. It cosigns nothing on the way to them: that would be a smaller tree.
func TestAdversary_L06_JournalSetBack(t *testing.T) {
	t.Parallel()
	for name, backup := range map[string]bool{"to an old copy": true, "to nothing": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			directory, old := t.TempDir(), filepath.Join(t.TempDir(), "old")
			if backup {
				d := w.start("XC", directory)
				w.say(police)
				w.notarise()
				d.hasCosigned(2)
				must(t, d.stop())
				must(t, os.CopyFS(old, os.DirFS(directory)))
			}
			for range logFetchLimit + 10 {
				w.say(pair) // not for XC
				w.notarise()
			}
			d := w.start("XC", directory)
			d.hasCosigned(w.checkpoint().Size)
			must(t, d.stop())
			before := w.cosigned("XC")
			w.say(police)
			w.notarise()
			d = w.start("XC", old)
			_, got := d.alarmed(AlarmStateLost)
			same(t, "evidence: its own cosignature", string(w.latest("XC")), got)
			d.has(w.say(police))
			w.notarise()
			must(t, d.stop())
			same(t, "cosigned sizes", before, w.cosigned("XC"))
		})
	}
}

// Somebody else has the mirror's key, and signs beside it.
func TestAdversary_L06_KeyInOtherHands(t *testing.T) {
	t.Parallel()
	for name, misuse := range map[string]func(w *world, d *running){
		"over a size that is to come": func(w *world, _ *running) { c := w.checkpoint(); c.Size = 9; w.cosign("XC", c) },
		"over the newest size again":  func(w *world, _ *running) { w.cosign("XC", w.checkpoint()) },
		"over another root":           func(w *world, _ *running) { c := w.checkpoint(); c.Root[0] ^= 1; w.cosign("XC", c) },
		"over another root of an older size": func(w *world, d *running) {
			c := w.checkpoint()
			c.Root[0] ^= 1
			w.say(police)
			d.hasCosigned(w.notarise().Size)
			w.cosign("XC", c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, d, directory := mirrored(t)
			misuse(w, d)
			d.alarmed(AlarmStateLost)
			var other []byte
			w.eachCosignature("XC", func(_ translog.Checkpoint, note []byte) { other = note })
			w.say(police)
			w.notarise()
			d.has(w.say(border))
			must(t, d.stop())
			same(t, "the newest cosignature on the log", string(other), string(w.latest("XC")))
			d = w.start("XC", directory)
			d.has(w.say(border))
			if d.Status().Alarm == "" {
				t.Error("after a restart the alarm is forgotten")
			}
		})
	}
}

// A fault while a final alarm is kept does not let the mirror go on as if nothing were.
func TestAFinalAlarmOutlivesAFault(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"committing alarm", "committed alarm"} {
		t.Run(step, func(t *testing.T) {
			w, d, directory := mirrored(t)
			must(t, d.stop())
			f := &faults{step: step, fault: errDisk}
			d = w.start("XC", directory, func(c *Config) { c.fault = f.at })
			forged := w.checkpoint()
			forged.Root[0] ^= 1
			leaves := w.unsigned()
			leaves.Checkpoint = w.note(forged)
			w.send(leaves)
			if err := d.crashed(); !f.hasFired() {
				t.Fatalf("Run: %v before the fault", err)
			}
			d = w.start("XC", directory)
			d.alarmed(AlarmFork)
			w.stillServes(d, directory, AlarmFork, 4)
		})
	}
}

// With a quorum of three, XA's cosignature counts once: however often it comes, at
// what time, and under whose subject or name.
func TestAdversary_L09_NoCountryCountsTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XC")
	w.amend(registrytest.AmendCharter(3, 3), roots...)
	w.say(police)
	c := w.notarise()
	d.hasCosigned(3)
	note := w.cosign("XA", c)
	w.publish(stream.Message{Subject: stream.CosignPrefix + "XA", Data: note})
	w.publish(stream.Message{Subject: stream.CosignPrefix + "XB", Data: note})
	mirror, err := translog.NewMirror(registrytest.Origin, "XA", registrytest.Key("mirror XA"))
	must(t, err)
	later, err := mirror.Cosign(c, 1_800_000_000)
	must(t, err)
	posing, err := translog.NewMirror(registrytest.Origin, "XB", registrytest.Key("mirror XA"))
	must(t, err)
	posed, err := posing.Cosign(c, 1_700_000_000)
	must(t, err)
	for _, data := range [][]byte{later, posed} {
		w.publish(stream.Message{Subject: stream.CosignPrefix + "XB", Data: data})
	}
	// What comes after them on the log is taken in after them.
	w.say(police)
	d.hasCosigned(w.notarise().Size)
	same(t, "witnessed by two countries of three", uint64(0), d.Status().WitnessedSize)
	w.cosign("XB", c)
	until(t, "all three have cosigned", func() bool { return d.Status().WitnessedSize == 3 })
	same(t, "by", []string{"XA", "XB", "XC"}, d.Status().CosignedBy)
	same(t, "alarm", "", d.Status().Alarm)
}

// The registry gives one key to one party, so that no two names share one.
func TestAdversary_L09_OneKeyUnderTwoNames(t *testing.T) {
	t.Parallel()
	for _, taken := range []string{"mirror XA", "notary", "root XA", "publisher XA/police"} {
		t.Run(taken, func(t *testing.T) {
			w := newWorld(t)
			d := w.desk("XC")
			for key, want := range map[string]bool{taken: false, "mirror XD": true} {
				proposal, err := w.book.State.Propose(registrytest.Admit("XD"), 1000)
				must(t, err)
				update := &registryv1.Update{}
				must(t, proto.Unmarshal(proposal, update))
				update.GetMemberAdmitted().GetMember().MirrorKey = registrytest.Public(key)
				proposal, err = proto.Marshal(update)
				must(t, err)
				signed := registrytest.SignUpdate(t, proposal, append(roots, "root XD")...)
				possession, err := registry.SignPossession(registrytest.Key(key), proposal)
				must(t, err)
				signed.Possessions = append(signed.Possessions, possession)
				message, err := proto.Marshal(signed)
				must(t, err)
				if _, err := w.book.State.Apply(1, registry.SubjectOf(update), message); (err == nil) != want {
					t.Errorf("admitting XD with the key %q: %v", key, err)
				}
				if want {
					continue
				}
				index := w.publish(stream.Message{Subject: registry.SubjectOf(update), Data: message})
				d.has(index)
				if got := d.verdicts()[index]; got == verdict.Accepted {
					t.Errorf("XD is admitted with the key that is %s's", taken)
				}
			}
			d.hasCosigned(w.notarise().Size)
			policy, err := d.State().Policy()
			must(t, err)
			same(t, "mirrors", 3, len(policy.Mirrors))
			must(t, policy.Validate())
		})
	}
}

// The hub sends this desk's own cosignature again, with a signature beside it that is
// nobody's. That is no other one: nobody can make a country burn its key by it.
func TestAdversary_L06_OwnCosignatureInAnotherSpelling(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	for note := range w.notes("XC")[4] {
		beside := "— nobody " + base64.StdEncoding.EncodeToString([]byte("12345678")) + "\n"
		w.store(stream.Message{Subject: stream.CosignPrefix + "XC", Data: []byte(note + beside)})
	}
	w.say(police)
	d.hasCosigned(w.notarise().Size)
	same(t, "alarm", "", d.Status().Alarm)
}
