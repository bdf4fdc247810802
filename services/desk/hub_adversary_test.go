package desk

import (
	"net"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// What a hub can do alone, without a signature of anybody, silences no country: it is
// an alarm while it lasts, and once the hub does what it should the desk goes on by itself.

// raised waits until an alarm of a code was raised, beside whatever others.
func (r *running) wasRaised(code string) {
	r.w.t.Helper()
	until(r.w.t, "alarm "+code+" was raised", func() bool {
		all, err := r.allAlarms(r.w.t.Context())
		must(r.w.t, err)
		for _, a := range all {
			if a.Code == code {
				return true
			}
		}
		return false
	})
	if r.alarms.stopped() {
		r.w.t.Errorf("after %s a final alarm stands: %s", code, r.Status().Alarm)
	}
}

// rewrite has the hub go on, where it is, with other streams: the messages as the
// notary saw them, and those of the log stream that are given.
func (w *world) rewrite(log []stream.Message) {
	w.t.Helper()
	port := w.server.Addr().(*net.TCPAddr).Port
	w.server.Shutdown()
	w.server.WaitForShutdown()
	w.listen(port)
	for _, m := range slices.Concat(w.messages, log) {
		w.store(m)
	}
}

// asFolded checks that a view is the fold of its journal.
func (w *world) asFolded(d *running) {
	w.t.Helper()
	before := d.digest()
	must(w.t, d.Rebuild(w.t.Context()))
	same(w.t, "view", d.digest(), before)
}

// took has the world's notary go on after a message that a test has sent for it.
func (w *world) took() {
	w.t.Helper()
	for ; w.signed < len(w.messages); w.signed++ {
		m := w.messages[w.signed]
		must(w.t, w.tree.Append(translog.LeafHash(uint64(w.signed), m.Subject, m.Data)))
	}
}

// The hub alters what nobody has signed in one message of the notary, then shows it as
// it is. Nothing else comes before that: the message itself is read again.
func TestAdversary_L10_LeavesAlteredOnTheWay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		alarm  string
		change func(*logv1.Leaves)
	}{
		"a leaf":                      {AlarmMismatch, func(l *logv1.Leaves) { l.Hashes[0] ^= 1 }},
		"the signature":               {AlarmUnreadable, func(l *logv1.Leaves) { l.Checkpoint[len(l.Checkpoint)-9] ^= 1 }},
		"the epoch":                   {AlarmMisplaced, func(l *logv1.Leaves) { l.Epoch++ }},
		"the label, to all":           {AlarmWithheld, func(l *logv1.Leaves) { l.Audiences = []string{"", "region"} }},
		"the label, to other readers": {AlarmMislabelled, func(l *logv1.Leaves) { l.Audiences = []string{"pair", "form"} }},
	} {
		t.Run(name, func(t *testing.T) {
			w, d, _ := mirrored(t)
			must(t, d.stop())
			d = w.start("XC", d.config.Directory, impatient)
			w.say(pair) // not for XC
			w.say(police)
			log, leaves := w.logMessages(), w.unsigned()
			good, err := proto.Marshal(leaves)
			must(t, err)
			test.change(leaves)
			w.send(leaves)
			d.wasRaised(test.alarm)
			w.took()
			if test.alarm != AlarmMislabelled {
				w.rewrite(append(log, stream.Message{Subject: stream.LeavesSubject, Data: good}))
			}
			d.hasCosigned(6)
			if test.alarm != AlarmMislabelled { // that one is for people
				d.sound()
			}
		})
	}
}

// The hub sends a message that it has once sent again, correctly signed.
func TestAdversary_L02_AnOldMessageAgain(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	log := w.logMessages()
	w.say(police)
	d.hasCosigned(w.notarise().Size)
	for _, m := range log {
		w.store(m)
	}
	d.wasRaised(AlarmRollback)
	w.say(border)
	d.hasCosigned(w.notarise().Size)
	d.sound()
}

// A smaller size than the newest, of another log: that is a contradiction, whether the
// desk has a checkpoint of that size or only the leaves.
func TestAdversary_L03_ASmallerSizeOfAnotherLog(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]uint64{"of a size that was published": 4, "of one that was not": 3} {
		t.Run(name, func(t *testing.T) {
			w, d, directory := mirrored(t)
			for range 2 {
				w.say(police)
				w.cosign("XA", w.notarise()) // what is witnessed lets go of smaller checkpoints
			}
			d.hasCosigned(6)
			forged := translog.Checkpoint{Origin: registrytest.Origin, Size: size, Root: translog.Hash{1}, Registry: w.registryAt(size)}
			w.send(&logv1.Leaves{Start: size, Checkpoint: w.note(forged)})
			have, got := d.alarmed(AlarmFork)
			signedBy(t, have, 6)
			signedBy(t, got, size)
			w.stillServes(d, directory, AlarmFork, 6)
		})
	}
}

// The hub sends one desk another content than it sends the notary, then the right one.
func TestAdversary_L14_AnotherContentThenTheRightOne(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	d = w.again(d, impatient)
	right := w.announce(police)
	w.store(stream.Message{Subject: right.Subject, Data: []byte("what XC is sent first")})
	d.has(w.say(border))
	w.notarise()
	d.wasRaised(AlarmAltered)
	same(t, "newest cosigned size", uint64(4), slices.Max(w.cosigned("XC")))
	w.rewrite(w.logMessages())
	d.hasCosigned(6)
	d.sound()
	unlogged, err := d.journal.Unlogged(t.Context())
	must(t, err)
	same(t, "messages that were set aside", 1, len(unlogged))
	until(t, "the view was built again with the right one", func() bool { return d.verdicts()[4] == verdict.Accepted && d.settled() })
	w.asFolded(d)
}

// The same where the leaf came first, labelled for others: what is not that of its leaf
// is not journaled at all.
func TestAdversary_L14_AnotherContentThanALeafThatIsHere(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	late := w.announce(police)
	leaves := w.unsigned()
	leaves.Audiences = []string{"pair"}
	w.send(leaves)
	w.took()
	d.hasCosigned(5)
	w.store(stream.Message{Subject: late.Subject, Data: []byte("what XC is sent first")})
	d.wasRaised(AlarmAltered)
	w.rewrite(w.logMessages())
	d.has(4)
	same(t, "verdict", verdict.Accepted, d.verdicts()[4])
	until(t, "only the label is an alarm", func() bool { return d.Status().AlarmCode == AlarmMislabelled })
	w.say(border)
	d.hasCosigned(w.notarise().Size)
}

// The hub has lost a message when this desk reads past it, and has it again later, as
// after a restoration that has found it.
func TestAdversary_S02_AMessageThatWasSkippedComesBack(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	must(t, d.stop())
	skipped := w.say(police)
	w.say(border)
	events, err := w.js.Stream(t.Context(), stream.Events)
	must(t, err)
	must(t, events.DeleteMsg(t.Context(), skipped+1))
	d = w.start("XC", d.config.Directory, impatient)
	d.has(skipped + 1)
	w.notarise()
	d.wasRaised(AlarmWithheld)
	w.rewrite(w.logMessages())
	d.hasCosigned(6)
	d.sound()
	until(t, "what came late is in the view", func() bool { return d.verdicts()[skipped] == verdict.Accepted })
	d.has(skipped + 1)
	w.asFolded(d)
}

// Leaves that nobody has signed, over messages that are here: they accuse nobody of
// having altered these, and hold nothing up.
func TestAdversary_L10_ForgedLeavesAccuseNobody(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	d.has(w.say(police))
	forger, err := translog.NewNotary(registrytest.Origin, registrytest.Key("a forger"))
	must(t, err)
	leaves := w.unsigned()
	leaves.Hashes[0] ^= 1
	leaves.Checkpoint, err = forger.Sign(translog.Checkpoint{Origin: registrytest.Origin, Size: 5, Root: translog.Hash{1}})
	must(t, err)
	w.send(leaves)
	d.alarmed(AlarmUnreadable)
	d.hasCosigned(w.notarise().Size)
	d.sound()
}
