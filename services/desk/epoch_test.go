package desk

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// restore loses the server and makes another with what was signed, each message at
// its place, and the hub's word that it did. What is lost has nobody any more; what
// was not signed is forgotten, and the chains go on from heads.
func (w *world) restore(heads map[string]event.Head, lost ...translog.Range) (index uint64) {
	w.t.Helper()
	log := w.logAnew()
	w.serve()
	w.agency, w.messages = heads, w.messages[:w.signed]
	events, err := w.js.Stream(w.t.Context(), stream.Events)
	must(w.t, err)
	for i, m := range w.messages {
		w.store(m)
		for _, r := range lost {
			if r.Has(uint64(i)) {
				must(w.t, events.DeleteMsg(w.t.Context(), uint64(i)+1))
			}
		}
	}
	for _, m := range log {
		w.store(m)
	}
	w.epoch++
	notice, err := translog.Restoration{Recovered: uint64(w.signed), Lost: lost, At: time.Unix(1_700_000_000, 0)}.Marshal()
	must(w.t, err)
	return w.publish(stream.Message{Subject: translog.RestoredSubject, Data: notice})
}

// logAnew is a log stream that says the same as the one that is there, in one message
// of the notary and without the cosignatures.
func (w *world) logAnew() []stream.Message {
	w.t.Helper()
	leaves := &logv1.Leaves{Checkpoint: w.note(w.checkpoint())}
	for i, m := range w.messages[:w.signed] {
		hash := translog.LeafHash(uint64(i), m.Subject, m.Data)
		leaves.Hashes = append(leaves.Hashes, hash[:]...)
		leaves.Audiences = append(leaves.Audiences, verdict.Label(m.Subject))
		leaves.Labels = append(leaves.Labels, uint32(i))
	}
	leaves.Audiences, leaves.Labels = distinct(leaves.Audiences)
	data, err := proto.Marshal(leaves)
	must(w.t, err)
	return []stream.Message{{Subject: stream.LeavesSubject, Data: data}}
}

// distinct makes a table of labels, and the place of each in it.
func distinct(labels []string) (table []string, places []uint32) {
	at := map[string]uint32{}
	for _, label := range labels {
		if _, ok := at[label]; !ok {
			at[label] = uint32(len(table))
			table = append(table, label)
		}
		places = append(places, at[label])
	}
	return table, places
}

// sound waits until no alarm stands.
func (r *running) sound() {
	r.w.t.Helper()
	until(r.w.t, "no alarm stands", func() bool { return r.Status().Alarm == "" })
}

// A desk was sent two events that were never signed, and folded them. The hub lost
// all it had and was restored without them.
func TestAdversary_S03_RestoredWithoutWhatWasNotSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	w.say(police)
	w.say(border)
	w.notarise()
	heads := maps.Clone(w.agency)
	d := w.start("XA", directory)
	d.hasCosigned(3)
	w.say(border)
	d.has(w.say(police))
	lost := []string{string(w.messages[3].Data), string(w.messages[4].Data)}
	must(t, d.stop())

	index := w.restore(heads)
	said := w.say(border) // another one than before
	d = w.start("XA", directory)
	d.alarmed(AlarmStreamChanged) // until the log says why
	w.notarise()
	d.hasCosigned(5)
	d.has(said)
	d.sound()
	unlogged, err := d.journal.Unlogged(t.Context())
	must(t, err)
	if len(unlogged) != 2 || string(unlogged[0].Data) != lost[0] || string(unlogged[1].Data) != lost[1] {
		t.Errorf("%d messages are set aside, want the two that the hub lost", len(unlogged))
	}
	same(t, "verdict on the hub's word", verdict.Accepted, d.verdicts()[index])
	fresh := w.desk("XB")
	fresh.has(said)
	same(t, "view", fresh.digest(), d.digest())
	same(t, "entries", fresh.entries(), d.entries())
}

// What was not signed were updates of the registry, a new key of the notary among
// them: after the restoration one lies elsewhere and the other nowhere.
func TestAdversary_S03_RestoredWithUpdatesElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	w.say(police)
	w.notarise()
	heads, book := maps.Clone(w.agency), *w.book
	d := w.start("XA", directory)
	d.hasCosigned(2)
	form := registrytest.Form("later", "XA", "XB")
	w.amend(&registryv1.Update{Change: &registryv1.Update_CharterAmended{CharterAmended: &registryv1.CharterAmended{NotaryKey: registrytest.Public("notary 2")}}},
		"root XA", "root XB", "root XC", "notary 2")
	d.has(w.amend(form, "root XA", "root XB"))
	must(t, d.stop())

	w.book = &book
	w.restore(heads)
	form = registrytest.Form("later", "XA", "XB")
	index := w.amend(form, "root XA", "root XB")
	w.notarise()
	d = w.start("XA", directory)
	d.hasCosigned(4)
	d.has(index)
	d.sound()
	fresh := w.desk("XB")
	fresh.has(index)
	same(t, "entries", fresh.entries(), d.entries())
}

// The same while the desk crashes between setting aside and building the view again.
func TestSettingAsideIsFinishedAfterACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	w.say(police)
	w.notarise()
	heads := maps.Clone(w.agency)
	d := w.start("XA", directory)
	d.hasCosigned(2)
	d.has(w.say(border))
	must(t, d.stop())
	w.restore(heads)
	said := w.say(police)
	w.notarise()
	d = w.start("XA", directory, func(c *Config) {
		c.fault = func(step string) error {
			if step == "set aside" {
				return errCrash
			}
			return nil
		}
	})
	if err := d.crashed(); !errors.Is(err, errCrash) {
		t.Fatalf("the desk ended with %v", err)
	}
	d = w.start("XA", directory)
	d.hasCosigned(4)
	d.has(said)
	fresh := w.desk("XB")
	fresh.has(said)
	same(t, "view", fresh.digest(), d.digest())
}

// A hub that has shown this desk another event than the log has cannot excuse it
// with a restoration that the log does not tell of.
func TestAdversary_L14_RestorationThatNobodyHearsOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	w.say(police)
	w.notarise()
	heads := maps.Clone(w.agency)
	d := w.start("XA", directory)
	d.hasCosigned(2)
	d.has(w.say(border))
	must(t, d.stop())
	w.restore(heads)
	w.serve() // the notice is left out
	for _, m := range w.messages[:w.signed] {
		w.store(m)
	}
	for _, m := range w.logAnew() {
		w.store(m)
	}
	w.messages = w.messages[:w.signed]
	w.say(police)
	w.notarise()
	d = w.start("XA", directory)
	d.wasRaised(AlarmMisplaced)
	until(t, "the alarm names index 2", func() bool { return strings.Contains(d.Status().Alarm, "at index 2 ") })
	must(t, d.stop())
	for _, size := range w.cosigned("XA") { // the one of before is published again
		same(t, "cosigned on the new stream", uint64(2), size)
	}
}

// The log stream alone was lost, and made anew with other messages at the places.
func TestTheLogStreamIsMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	for range 4 {
		w.say(police)
		w.notarise()
	}
	d := w.start("XA", directory)
	d.hasCosigned(5)
	must(t, d.stop())
	w.restore(w.agency)
	w.cosign("XB", w.checkpoint())
	w.cosign("XC", w.checkpoint())
	d = w.start("XA", directory)
	w.notarise()
	d.hasCosigned(6)
	d.sound()
	must(t, d.stop())
	d = w.start("XA", directory) // and once more from its new place
	w.say(border)
	w.notarise()
	d.hasCosigned(7)
	d.sound()
}

// A log under the same keys that is not the one of before.
func TestAdversary_L03_TheLogStreamIsMadeAnewWithAnotherLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	w.say(police)
	w.say(border)
	w.notarise()
	d := w.start("XA", directory)
	d.hasCosigned(3)
	must(t, d.stop())
	w.serve()
	w.messages, w.signed, w.tree = w.messages[:1], 0, translog.Frontier{}
	w.store(w.messages[0])
	for range 4 {
		w.say(pair)
	}
	w.notarise()
	d = w.start("XA", directory)
	until(t, "the desk stops", d.alarms.stopped)
	all, err := d.journal.Alarms(t.Context())
	must(t, err)
	if last := all[len(all)-1]; last.Code != AlarmFork || len(last.Have) == 0 || len(last.Got) == 0 {
		t.Errorf("the alarm is %s: %s", last.Code, last.What)
	}
	same(t, "cosigned on the new stream", 0, len(w.cosigned("XA")))
}

// An event was lost before one of its readers had it, and nobody gave it back. The
// log says so, and goes on.
func TestAnEventIsLostForGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(police)
	lost := w.say(border)
	w.say(police)
	w.notarise()
	w.restore(w.agency, translog.Range{From: lost, To: lost + 1})
	w.notarise()
	d := w.desk("XC", impatient)
	d.hasCosigned(5)
	all, err := d.journal.Alarms(t.Context())
	must(t, err)
	if last := all[len(all)-1]; last.Code != AlarmLost || last.Index == nil || *last.Index != lost {
		t.Errorf("the alarm is %+v", last)
	}
	if d.Status().Alarm == "" {
		t.Error("the alarm does not stand")
	}
	// border's later events are a gap for this desk, as for everybody who has not the lost one.
	next := w.say(border)
	until(t, "what follows the lost one is a gap", func() bool { return d.verdicts()[next] == verdict.Gap })
}

// The hub says of messages that are still to come that they are lost, and withholds
// them from one country: whatever it says, nothing is cosigned without them.
func TestAdversary_L14_LossThatIsSaidBeforehand(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	must(t, d.stop())
	excuse, err := translog.Restoration{Lost: []translog.Range{{From: 5, To: translog.MaxSize}}, At: time.Unix(1_700_000_000, 0)}.Marshal()
	must(t, err)
	index := w.publish(stream.Message{Subject: translog.RestoredSubject, Data: excuse})
	w.consumer(stream.Events, "XC", []string{"reg.>", "hub.>", "evt.region.XB.>"})
	d = w.start("XC", directory, func(*Config) {})
	w.notarise()
	d.hasCosigned(5)
	d.has(index)
	same(t, "verdict on the hub's word", verdict.Undecodable, d.verdicts()[index])
	w.say(police)
	d.has(w.say(border))
	w.notarise()
	d.alarmed(AlarmWithheld)
	must(t, d.stop())
	same(t, "newest cosigned size", uint64(5), slices.Max(w.cosigned("XC")))
}
