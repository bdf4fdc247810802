package desk

import (
	"slices"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
)

// The hub keeps an update from one desk, which would go on with an old registry.
func TestAdversary_L14_WithheldUpdate(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	must(t, d.stop())
	w.consumer(stream.Events, "XC", []string{"reg.charter.>", "reg.member.>", "evt.region.>"})
	d = w.start("XC", directory, impatient)
	w.book.Next = uint64(len(w.messages))
	subject, message := w.book.Message(t, registrytest.Enrol("XA", "coast"), "root XA", "publisher XA/coast")
	w.publish(stream.Message{Subject: subject, Data: message})
	w.notarise()
	d.alarmed(AlarmWithheld)
	if alarm := d.Status().Alarm; !strings.Contains(alarm, "Message 4 ") || !strings.Contains(alarm, "registry") {
		t.Errorf("the alarm does not name message 4 of the registry: %s", alarm)
	}
	must(t, d.stop())
	same(t, "newest cosigned size", uint64(4), slices.Max(w.cosigned("XC")))
}

// The hub keeps a revocation from one desk, and says on the log stream that its leaf
// is for an audience that this country is not in. Labels are not signed; but every
// checkpoint names the registry.
func TestAdversary_L14_WithheldUpdateUnderAnotherLabel(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	must(t, d.stop())
	w.consumer(stream.Events, "XC", []string{"reg.charter.>", "reg.member.>", "evt.region.>"})
	d = w.start("XC", directory, impatient)
	w.book.Next = uint64(len(w.messages))
	subject, message := w.book.Message(t, registrytest.RevokeKey(registrytest.AgencyOwner("XA", "police"), 0), "root XA")
	w.publish(stream.Message{Subject: subject, Data: message})
	w.book.Take(t, subject, message)
	leaves := w.unsigned()
	same(t, "labels", []string{""}, leaves.Audiences)
	leaves.Audiences = []string{"pair"}
	w.send(leaves)
	have, got := d.alarmed(AlarmRegistry)
	same(t, "registry in evidence", w.registryAt(5), signedBy(t, got, 5).Registry)
	if !strings.Contains(have, w.registryAt(4).String()) {
		t.Errorf("the evidence does not have the registry that this desk knows: %s", have)
	}
	must(t, d.stop())
	same(t, "newest cosigned size", uint64(4), slices.Max(w.cosigned("XC")))
}

// The notary leaves a revocation out of the registry that it signs.
func TestAdversary_R05_NotarySignsAnOlderRegistry(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	before := w.registryAt(4)
	w.amend(registrytest.RevokeKey(registrytest.AgencyOwner("XB", "border"), 0), "root XB")
	leaves := w.unsigned()
	tree := w.tree.Clone()
	must(t, tree.Append(translog.Hash(leaves.Hashes)))
	leaves.Checkpoint = w.note(translog.Checkpoint{Origin: registrytest.Origin, Size: 5, Root: tree.Root(), Registry: before})
	w.send(leaves)
	have, got := d.alarmed(AlarmRegistry)
	same(t, "registry in evidence", before, signedBy(t, got, 5).Registry)
	if !strings.Contains(have, w.registryAt(5).String()) || !strings.Contains(have, "index 4, reg.key.revoked") {
		t.Errorf("the evidence does not have the registry that this desk knows: %s", have)
	}
	must(t, d.stop())
	same(t, "newest cosigned size", uint64(4), slices.Max(w.cosigned("XC")))
	d = w.start("XC", directory)
	d.has(w.say(police))
	until(t, "the alarm stands again", func() bool { return d.Status().AlarmCode == AlarmRegistry })
	must(t, d.stop())
	same(t, "newest cosigned size after a restart", uint64(4), slices.Max(w.cosigned("XC")))
}

// older is a world whose registry has changed, a desk that knows it, and the
// number of messages that there were before the change.
func older(t *testing.T) (w *world, d *running, before int) {
	w = newWorld(t)
	d = w.desk("XC")
	w.say(police)
	before = len(w.messages)
	w.amend(registrytest.Suspend("XB"), roots...)
	w.agrees(d)
	must(t, d.stop())
	return w, d, before
}

// setBack serves a stream that has only the first messages of the old one.
func (w *world) setBack(messages int) {
	w.t.Helper()
	kept := slices.Clone(w.messages[:messages])
	w.serve()
	w.messages = nil
	for _, m := range kept {
		w.publish(m)
	}
}

// relog stores messages of an older log stream.
func (w *world) relog(messages []stream.Message) {
	w.t.Helper()
	for _, m := range messages {
		w.store(m)
	}
}

// The stream is set back to before a suspension, whole and correctly signed.
func TestAdversary_R05_RollbackToAnOlderRegistry(t *testing.T) {
	t.Parallel()
	t.Run("the stream ends before the update", func(t *testing.T) {
		t.Parallel()
		w, d, before := older(t)
		update, log := w.messages[before], w.logMessages()
		w.setBack(before)
		w.relog(log)
		d = w.start("XC", d.config.Directory)
		have, _ := d.alarmed(AlarmStreamChanged)
		same(t, "evidence: the update that is gone", string(update.Data), have)
		if alarm := d.Status().Alarm; !strings.Contains(alarm, "Message 2 ") || !strings.Contains(alarm, "older") {
			t.Errorf("the alarm does not name message 2: %s", alarm)
		}
		if member, _ := d.State().Member("XB"); member.Status != "suspended" {
			t.Errorf("the desk has gone back: XB is %s", member.Status)
		}
	})
	t.Run("another update stands in its place", func(t *testing.T) {
		t.Parallel()
		w, d, before := older(t)
		log := w.logMessages()
		w.setBack(before)
		w.relog(log)
		w.book = registrytest.NewLog(t)
		w.amend(registrytest.AmendCharter(2, 2), roots...)
		d = w.start("XC", d.config.Directory)
		d.alarmed(AlarmStreamChanged)
	})
	t.Run("the log stream ends before what was read of it", func(t *testing.T) {
		t.Parallel()
		w, d, _ := older(t)
		log := w.logMessages()
		w.setBack(len(w.messages))
		d = w.start("XC", d.config.Directory)
		d.alarmed(AlarmLogCut)
		w.relog(log)
		until(t, "the alarm ends when the log is whole again", func() bool { return d.Status().Alarm == "" })
		w.say(at(police, w.address("region")))
		w.agrees(d)
	})
	t.Run("to a desk that begins, with the log as it is", func(t *testing.T) {
		t.Parallel()
		w, _, before := older(t)
		// The hub of this desk has the log stream, and the events of before.
		log, messages := w.logMessages(), w.messages
		w.setBack(before)
		w.relog(log)
		w.messages = messages
		d := w.desk("XA", impatient)
		d.alarmed(AlarmWithheld)
		if alarm := d.Status().Alarm; !strings.Contains(alarm, "Message 2 ") {
			t.Errorf("the alarm does not name message 2: %s", alarm)
		}
	})
}

// logMessages are those of the log stream.
func (w *world) logMessages() []stream.Message {
	w.t.Helper()
	log, err := w.js.Stream(w.t.Context(), stream.Log)
	must(w.t, err)
	var all []stream.Message
	for sequence := uint64(1); sequence <= log.CachedInfo().State.LastSeq; sequence++ {
		m, err := log.GetMsg(w.t.Context(), sequence)
		must(w.t, err)
		all = append(all, stream.Message{Subject: m.Subject, Data: m.Data})
	}
	return all
}
