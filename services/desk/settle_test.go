package desk

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/desk/journal"
)

const (
	somebody = "a head of desk, made up"
	because  = "the notary's operator has restored an old copy by mistake"
)

// unsettled is the one alarm of a code that stands in a stopped desk's journal.
func unsettled(t *testing.T, directory, code string) journal.Alarm {
	t.Helper()
	all, err := Alarms(t.Context(), directory)
	must(t, err)
	var found []journal.Alarm
	for _, a := range all {
		if a.Settled == nil && a.Code == code {
			found = append(found, a)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d alarms %s stand: %+v", len(found), code, all)
	}
	return found[0]
}

// settles settles the alarm of a code at a stopped desk.
func settles(t *testing.T, directory, code string) {
	t.Helper()
	_, err := Settle(t.Context(), directory, unsettled(t, directory, code).Number, somebody, because)
	must(t, err)
}

// rollsBack has the notary sign the first three messages once more.
func (w *world) rollsBack() {
	w.t.Helper()
	var small translog.Frontier
	for i, m := range w.messages[:3] {
		must(w.t, small.Append(translog.LeafHash(uint64(i), m.Subject, m.Data)))
	}
	w.send(&logv1.Leaves{Start: 3, Checkpoint: w.note(translog.Checkpoint{Origin: registrytest.Origin, Size: 3, Root: small.Root(), Registry: w.registryAt(3)})})
}

func TestASettledAlarmIsPassedOver(t *testing.T) {
	t.Parallel()
	for code, attack := range map[string]func(w *world){
		AlarmFork: func(w *world) {
			forged := w.checkpoint()
			forged.Root[0] ^= 1
			w.send(&logv1.Leaves{Start: 4, Checkpoint: w.note(forged)})
		},
		AlarmMislabelled: func(w *world) {
			late := w.announce(police)
			leaves := w.unsigned()
			leaves.Audiences[leaves.Labels[0]] = "pair"
			w.send(leaves)
			w.store(late)
			must(w.t, w.tree.Append(translog.LeafHash(4, late.Subject, late.Data)))
			w.signed++
		},
	} {
		t.Run(code, func(t *testing.T) {
			w, d, directory := mirrored(t)
			attack(w)
			d.alarmed(code)
			same(t, "code of the alarm that is shown", code, d.Status().AlarmCode)
			must(t, d.stop())
			before := unsettled(t, directory, code)
			settles(t, directory, code)
			d = w.start("XC", directory)
			w.say(police)
			size := w.notarise().Size
			d.hasCosigned(size)
			same(t, "alarm", "", d.Status().Alarm)
			same(t, "cosigned sizes rise", true, slices.IsSorted(w.cosigned("XC")))
			for size, notes := range w.notes("XC") { // the same bytes may come again
				same(t, fmt.Sprintf("cosignatures of size %d", size), 1, len(notes))
			}
			// Evidence and decision stay.
			d = w.again(d)
			w.say(border)
			d.hasCosigned(w.notarise().Size)
			all, err := Alarms(t.Context(), directory)
			must(t, err)
			same(t, "alarms", 1, len(all))
			same(t, "who and why", somebody+": "+because, all[0].Settled.Person+": "+all[0].Settled.Reason)
			same(t, "evidence", string(before.Have)+string(before.Got), string(all[0].Have)+string(all[0].Got))
			if all[0].Index == nil {
				t.Error("the alarm names no index")
			}
		})
	}
}

// People have settled a fork, and the notary goes on along the other branch.
func TestAdversary_L03_SettledForkThatGoesOn(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	forged := w.checkpoint()
	forged.Root[0] ^= 1
	w.send(&logv1.Leaves{Start: 4, Checkpoint: w.note(forged)})
	d.alarmed(AlarmFork)
	must(t, d.stop())
	settles(t, directory, AlarmFork)
	d = w.start("XC", directory)
	w.say(police)
	leaves := w.unsigned()
	leaves.Checkpoint = w.note(translog.Checkpoint{Origin: registrytest.Origin, Size: 5, Root: forged.Root})
	w.send(leaves)
	until(t, "the other branch is an alarm", func() bool { return d.Status().AlarmCode == AlarmMismatch })
	must(t, d.stop())
	same(t, "newest cosigned size", uint64(4), slices.Max(w.cosigned("XC")))
}

// A settled alarm does not make a mirror sign against bytes that it was sent.
func TestAdversary_L14_AnotherContentIsNotSettledByAWord(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	w.say(police)
	w.messages[4].Data = []byte("what the others were shown")
	w.notarise()
	d.alarmed(AlarmAltered)
	must(t, d.stop())
	same(t, "index", uint64(4), *unsettled(t, directory, AlarmAltered).Index)
	settles(t, directory, AlarmAltered)
	d = w.start("XC", directory)
	until(t, "the alarm is raised again", func() bool { return d.Status().AlarmCode == AlarmAltered })
	must(t, d.stop())
	same(t, "newest cosigned size", uint64(4), slices.Max(w.cosigned("XC")))
}

// The key that has signed what the journal does not know signs no more, settled
// or not. Another one does.
func TestAdversary_L06_SettledLossTakesAnotherKey(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	must(t, d.stop())
	directory := t.TempDir() // the journal is lost
	d = w.start("XC", directory)
	d.alarmed(AlarmStateLost)
	must(t, d.stop())
	settles(t, directory, AlarmStateLost)
	w.say(police)
	w.notarise()
	d = w.start("XC", directory)
	d.standsAs("that this desk's journal does not know", "never signs with it again")
	until(t, "the log is followed", func() bool { return d.Status().LogSize == 5 })
	must(t, d.stop())
	same(t, "newest cosigned size", uint64(4), slices.Max(w.cosigned("XC")))

	owner := registrytest.MirrorOwner("XC")
	w.amend(registrytest.RevokeKey(owner, 0), "root XC")
	w.amend(registrytest.EnrolKey(owner, "second XC"), "root XC", "second XC")
	d = w.start("XC", directory, func(c *Config) { c.MirrorKey = registrytest.Key("second XC") })
	w.agrees(d)
	d.standsAs()
	same(t, "alarm", "", d.Status().Alarm)
}

func TestADamagedJournalIsExaminedAgain(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	must(t, d.stop())
	change := func(statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", journalPath(directory))
		must(t, err)
		_, err = db.Exec(statement)
		must(t, err)
		must(t, db.Close())
	}
	change("DROP TRIGGER leaves_update; CREATE TABLE kept AS SELECT hash FROM leaves WHERE idx = 2; UPDATE leaves SET hash = zeroblob(32) WHERE idx = 2")
	d = w.start("XC", directory)
	d.alarmed(AlarmDamaged)
	must(t, d.stop())
	settles(t, directory, AlarmDamaged)
	d = w.start("XC", directory)
	until(t, "the alarm is raised again", func() bool { return d.Status().AlarmCode == AlarmDamaged })
	must(t, d.stop())
	change("UPDATE leaves SET hash = (SELECT hash FROM kept) WHERE idx = 2")
	settles(t, directory, AlarmDamaged)
	d = w.start("XC", directory)
	w.say(police)
	d.hasCosigned(w.notarise().Size)
}

// Another country's dissent stands until people have looked at it; what ends by
// itself says so in the journal.
func TestWhatStandsOverARestart(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	other := w.checkpoint()
	other.Root[0] ^= 1
	w.cosign("XA", other)
	d.alarmed(AlarmDissent)
	d = w.again(d, impatient)
	same(t, "code after a restart", AlarmDissent, d.Status().AlarmCode)
	late := w.announce(police)
	w.notarise()
	until(t, "the message is withheld", func() bool {
		all, err := Alarms(t.Context(), directory)
		must(t, err)
		return len(all) == 2
	})
	w.store(late)
	d.hasCosigned(5)
	must(t, d.stop())
	all, err := Alarms(t.Context(), directory)
	must(t, err)
	same(t, "how it ended", ": The message has come.", all[1].Settled.Person+": "+all[1].Settled.Reason)
	settles(t, directory, AlarmDissent)
	d = w.start("XC", directory)
	same(t, "alarm", "", d.Status().Alarm)
}

func TestWhoMaySettle(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	w.rollsBack()
	d.alarmed(AlarmRollback)
	refused := func(directory string, number int64, person, reason, want string) {
		t.Helper()
		if _, err := Settle(t.Context(), directory, number, person, reason); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("settling: %v, want %q", err, want)
		}
	}
	refused(directory, 1, somebody, because, "stop this desk first")
	must(t, d.stop())
	refused(directory, 1, " ", because, "who settles it: want one line")
	refused(directory, 1, somebody, "", "the reason: want one line")
	refused(directory, 1, somebody, "two\nlines", "the reason: want one line")
	refused(directory, 1, somebody, strings.Repeat("x", 501), "the reason: want one line")
	refused(directory, 2, somebody, because, "there is no alarm 2")
	refused(t.TempDir(), 1, somebody, because, "no desk has been here")
	settles(t, directory, AlarmRollback)
	refused(directory, 1, somebody, because, "has ended already")
}

// Each code says on the console what it means and what to do.
func TestEveryAlarmIsExplained(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("console/text/en.json")
	must(t, err)
	texts := map[string]string{}
	must(t, json.Unmarshal(raw, &texts))
	for _, code := range append([]string{AlarmStreamChanged, AlarmWithheld, AlarmLost, AlarmLogCut, AlarmFrozen, AlarmUnreadable}, enduring...) {
		for _, group := range []string{"alarm-title", "alarm-means", "alarm-do"} {
			if texts[group+"."+code] == "" {
				t.Errorf("no text %s.%s", group, code)
			}
		}
		if console.Advice(code) != texts["alarm-do."+code] {
			t.Errorf("the advice for %s is another than the console's", code)
		}
	}
}

// What people have settled is one fork, and not the next one.
func TestAdversary_L03_AnotherForkAfterASettledOne(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	fork := func(bit byte) {
		forged := w.checkpoint()
		forged.Root[0] ^= bit
		w.send(&logv1.Leaves{Start: 4, Checkpoint: w.note(forged)})
	}
	fork(1)
	d.alarmed(AlarmFork)
	must(t, d.stop())
	settles(t, directory, AlarmFork)
	fork(2)
	d = w.start("XC", directory)
	until(t, "the second fork is an alarm of its own", func() bool { return d.Status().AlarmCode == AlarmFork })
	must(t, d.stop())
	same(t, "number of the alarm that stands", int64(2), unsettled(t, directory, AlarmFork).Number)
}
