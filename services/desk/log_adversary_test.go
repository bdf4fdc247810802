package desk

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// mirrored is a world with a desk of XC that has cosigned four messages, one of
// which is not for it.
func mirrored(t *testing.T) (*world, *running, string) {
	t.Helper()
	w := newWorld(t)
	directory := t.TempDir()
	d := w.start("XC", directory)
	w.say(police)
	w.say(pair)
	w.say(border)
	w.notarise()
	d.hasCosigned(4)
	return w, d, directory
}

// stillServes checks that after its alarm a desk has cosigned nothing above a
// size, and takes in and shows new events all the same; then that a restart does
// not make it forget.
func (w *world) stillServes(d *running, directory, code string, above uint64) {
	w.t.Helper()
	w.say(police)
	w.notarise()
	index := w.say(border)
	d.has(index)
	must(w.t, d.stop())
	d = w.start("XC", directory)
	d.has(w.say(police))
	if d.Status().Alarm == "" {
		w.t.Error("after a restart the alarm is forgotten")
	}
	must(w.t, d.stop())
	if sizes := w.cosigned("XC"); slices.Max(sizes) > above {
		w.t.Errorf("sizes %v were cosigned after alarm %s, want none above %d", sizes, code, above)
	}
	alarms := 0
	d = w.start("XC", directory)
	all, err := d.journal.Alarms(w.t.Context())
	must(w.t, err)
	for _, a := range all {
		if a.Code == code {
			alarms++
		}
	}
	same(w.t, "alarms in the journal", 1, alarms)
}

// goesOn checks that a desk which had an alarm goes on by itself, now and after a restart.
func (w *world) goesOn(d *running, directory string) {
	w.t.Helper()
	for range 2 {
		w.say(police)
		d.hasCosigned(w.notarise().Size)
		d.sound()
		must(w.t, d.stop())
		d = w.start("XC", directory)
	}
}

// signedBy checks that evidence is a note by the notary over a checkpoint.
func signedBy(t *testing.T, note string, size uint64) translog.Checkpoint {
	t.Helper()
	c, err := translog.OpenCheckpoint([]byte(note), registrytest.Origin, registrytest.Public("notary"))
	if err != nil {
		t.Fatalf("the evidence is no signed checkpoint: %v\n%s", err, note)
	}
	same(t, "size in evidence", size, c.Size)
	return c
}

func TestAdversary_L02_RollbackCorrectlySigned(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	var small translog.Frontier
	for i, m := range w.messages[:3] {
		must(t, small.Append(translog.LeafHash(uint64(i), m.Subject, m.Data)))
	}
	w.send(&logv1.Leaves{Start: 3, Checkpoint: w.note(translog.Checkpoint{Origin: registrytest.Origin, Size: 3, Root: small.Root(), Registry: w.registryAt(3)})})
	have, got := d.alarmed(AlarmRollback)
	signedBy(t, have, 4)
	signedBy(t, got, 3)
	w.goesOn(d, directory)
}

func TestAdversary_L03_OneSizeTwoRoots(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	forged := w.checkpoint()
	forged.Root[0] ^= 1
	w.send(&logv1.Leaves{Start: 4, Checkpoint: w.note(forged)})
	have, got := d.alarmed(AlarmFork)
	if signedBy(t, have, 4).Root == signedBy(t, got, 4).Root {
		t.Error("the evidence has one root twice")
	}
	w.stillServes(d, directory, AlarmFork, 4)
}

// XC and XA are shown two trees; XA's cosignature of the other one reaches XC,
// which says so with the evidence. XA cannot silence XC by it: XC cosigns on.
func TestAdversary_L04_SplitView(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	other := w.checkpoint()
	other.Root[0] ^= 1
	w.cosign("XA", other)
	have, got := d.alarmed(AlarmDissent)
	signedBy(t, have, 4)
	if !strings.Contains(got, translog.MirrorName(registrytest.Origin, "XA")) {
		t.Errorf("the evidence does not have XA's cosignature: %s", got)
	}
	w.say(police)
	d.hasCosigned(w.notarise().Size)
}

func TestALeafThatTheRootDoesNotCoverIsAnAlarm(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	w.say(pair)
	leaves := w.unsigned()
	leaves.Hashes[0] ^= 1
	w.send(leaves)
	_, got := d.alarmed(AlarmMismatch)
	signedBy(t, got, 5)
	same(t, "newest cosigned size", uint64(4), slices.Max(w.cosigned("XC")))
	w.goesOn(d, directory)
}

// The log holds, correctly signed, another content than XC was sent.
func TestAdversary_L14_AnotherContentThanTheOneDelivered(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	w.say(police)
	w.messages[4].Data = []byte("what the others were shown")
	w.notarise()
	have, got := d.alarmed(AlarmAltered)
	if have == "" || !strings.HasPrefix(got, "leaf 4 ") {
		t.Errorf("evidence is %q and %q", have, got)
	}
	w.say(police)
	w.notarise()
	d.has(w.say(border))
	d = w.again(d)
	d.wasRaised(AlarmAltered)
	until(t, "the alarm stands again", func() bool { return d.Status().AlarmCode == AlarmAltered })
	must(t, d.stop())
	same(t, "newest cosigned size", uint64(4), slices.Max(w.cosigned("XC")))
}

// The hub's consumer leaves out an event of region for XC.
func TestAdversary_L14_Withheld(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]bool{"nothing comes after it": false, "a later message has come": true} {
		t.Run(name, func(t *testing.T) {
			w, d, directory := mirrored(t)
			must(t, d.stop())
			w.consumer(stream.Events, "XC", []string{"reg.>", "evt.region.XB.>"})
			patience := impatient
			if later {
				patience = func(*Config) {} // the desk knows at once
			}
			d = w.start("XC", directory, patience)
			w.say(border)
			w.notarise()
			d.hasCosigned(5)
			w.say(police)
			if later {
				d.has(w.say(border))
			}
			w.notarise()
			d.alarmed(AlarmWithheld)
			if alarm := d.Status().Alarm; !strings.Contains(alarm, "Event 5 ") {
				t.Errorf("the alarm does not name event 5: %s", alarm)
			}
			must(t, d.stop())
			same(t, "newest cosigned size", uint64(5), slices.Max(w.cosigned("XC")))
		})
	}
}

// A message that is only late ends the alarm, and is then cosigned.
func TestALateMessageIsNotWithheldForEver(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	must(t, d.stop())
	d = w.start("XC", directory, impatient)
	late := w.announce(police)
	w.notarise()
	d.alarmed(AlarmWithheld)
	w.store(late)
	d.hasCosigned(5)
	same(t, "alarm", "", d.Status().Alarm)
}

// A leaf of region is labelled pair, so that XC would not ask for its message.
func TestAdversary_L14_Mislabelled(t *testing.T) {
	t.Parallel()
	mislabel := func(w *world, label string) *logv1.Leaves {
		leaves := w.unsigned()
		leaves.Audiences[leaves.Labels[0]] = label
		return leaves
	}
	t.Run("the message was here before its leaf", func(t *testing.T) {
		w, d, _ := mirrored(t)
		d.has(w.say(police))
		w.send(mislabel(w, "pair"))
		have, got := d.alarmed(AlarmMislabelled)
		same(t, "evidence: the message", string(w.messages[4].Data), have)
		if !strings.Contains(got, `"pair"`) {
			t.Errorf("the evidence does not have the label: %s", got)
		}
		w.took()
		w.say(police)
		d.hasCosigned(w.notarise().Size)
		d = w.again(d)
		same(t, "alarm after a restart", AlarmMislabelled, d.Status().AlarmCode)
	})
	t.Run("the leaf came, and was cosigned, before its message", func(t *testing.T) {
		w, d, _ := mirrored(t)
		late := w.announce(police)
		w.send(mislabel(w, "pair"))
		d.hasCosigned(5)
		w.store(late)
		d.alarmed(AlarmMislabelled)
	})
	t.Run("labelled as the registry", func(t *testing.T) {
		w, d, _ := mirrored(t)
		d.has(w.say(police))
		w.send(mislabel(w, ""))
		d.alarmed(AlarmMislabelled)
	})
}

// A journal that is gone, while the log has what its country cosigned.
func TestAdversary_L06_MirrorThatLostItsState(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	must(t, d.stop())
	before := w.cosigned("XC")
	w.say(police)
	w.notarise()
	d = w.desk("XC")
	d.alarmed(AlarmStateLost)
	must(t, d.stop())
	same(t, "cosigned sizes", before, w.cosigned("XC"))
}

func TestAdversary_L10_FlippedBitInTheMirror(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"in a leaf":       "DROP TRIGGER leaves_update; UPDATE leaves SET hash = zeroblob(32) WHERE idx = 2",
		"in the snapshot": "UPDATE place SET snapshot = zeroblob(length(snapshot))",
		"a leaf lost":     "DROP TRIGGER leaves_delete; DELETE FROM leaves WHERE idx = 3",
		"set back":        "DROP TRIGGER leaves_delete; DELETE FROM leaves; DELETE FROM place",
	} {
		t.Run(name, func(t *testing.T) {
			w, d, directory := mirrored(t)
			must(t, d.stop())
			db, err := sql.Open("sqlite", journalPath(directory))
			must(t, err)
			_, err = db.Exec(damage)
			must(t, err)
			must(t, db.Close())
			d = w.start("XC", directory)
			d.alarmed(AlarmDamaged)
			w.stillServes(d, directory, AlarmDamaged, 4)
		})
	}
}

func TestGarbageOnTheLogStreamIsPassedOver(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	w.publish(stream.Message{Subject: stream.LeavesSubject, Data: []byte("\xff")})
	w.publish(stream.Message{Subject: stream.CosignPrefix + "XA", Data: []byte("no note")})
	unsigned := w.unsigned()
	unsigned.Checkpoint = []byte("not signed\n")
	w.send(unsigned)
	d.alarmed(AlarmUnreadable)
	w.say(police)
	w.notarise()
	d.hasCosigned(5)
	same(t, "alarm", "", d.Status().Alarm)
}
