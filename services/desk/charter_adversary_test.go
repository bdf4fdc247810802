package desk

import (
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// A desk's first checkpoint comes from its own charter or from nobody: what a hub
// shows it, whole and correctly signed under a charter of the hub's own making, is
// not cosigned, be the notary the same or not.
func TestAdversary_L07_FirstContactUnderAnotherCharter(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*registryv1.Founding)
		alarm  string
	}{
		"another notary":  {func(f *registryv1.Founding) { f.NotaryKey = registrytest.Public("another notary") }, AlarmUnreadable},
		"another origin":  {func(f *registryv1.Founding) { f.Origin = "other.example/log" }, AlarmUnreadable},
		"another mirror":  {func(f *registryv1.Founding) { f.Members[0].MirrorKey = registrytest.Public("another mirror") }, AlarmForeign},
		"a lower quorum":  {func(f *registryv1.Founding) { f.Quorum = 1 }, AlarmForeign},
		"another purpose": {func(f *registryv1.Founding) { f.Audiences[0].Purposes = []string{"rescue"} }, AlarmForeign},
	} {
		t.Run(name, func(t *testing.T) {
			founding := registrytest.Founding()
			test.change(founding)
			foreign := registrytest.Sign(t, founding)
			w := &world{t: t, charter: foreign, book: registrytest.NewLog(t), agency: map[string]event.Head{}}
			w.serve()
			w.publish(stream.Message{Subject: "reg.charter.founding", Data: foreign.Message})
			w.say(police)
			owner := "notary"
			if test.alarm == AlarmUnreadable && founding.Origin == registrytest.Origin {
				owner = "another notary"
			}
			notary, err := translog.NewNotary(founding.Origin, registrytest.Key(owner))
			must(t, err)
			leaves := w.unsigned()
			root := w.tree.Clone()
			for i, m := range w.messages {
				must(t, root.Append(translog.LeafHash(uint64(i), m.Subject, m.Data)))
			}
			state, err := foreign.State()
			must(t, err)
			policies, err := state.Policies()
			must(t, err)
			leaves.Checkpoint, err = notary.Sign(translog.Checkpoint{Origin: founding.Origin, Size: 2, Root: root.Root(), Registry: policies.At(2).Registry})
			must(t, err)
			w.send(leaves)

			directory := t.TempDir()
			own := func(c *Config) { c.Charter = registrytest.Charter(t) }
			d := w.start("XC", directory, own)
			_, got := d.alarmed(test.alarm)
			if test.alarm == AlarmForeign {
				same(t, "evidence: the charter that the hub shows", string(foreign.Message), got)
			}
			d.has(1)
			for index, code := range d.verdicts() {
				if code == verdict.Accepted {
					t.Errorf("message %d of another charter is accepted", index)
				}
			}
			same(t, "log", uint64(0), d.Status().WitnessedSize)
			must(t, d.stop())
			d = w.start("XC", directory, own, soon)
			if test.alarm == AlarmForeign {
				d.alarmed(test.alarm)
			} else {
				d.raised(AlarmFrozen) // nothing of what it is sent gets into its log
			}
			must(t, d.stop())
			same(t, "cosignatures", 0, len(w.cosigned("XC")))
		})
	}
}

// A desk that has seen nothing takes nothing but the first leaves of its own notary.
func TestAdversary_L07_FirstContactWithTheMiddleOfALog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(police)
	honest := w.unsigned()
	for name, leaves := range map[string]*logv1.Leaves{
		"a checkpoint alone":      {Start: 2, Checkpoint: honest.Checkpoint},
		"of the empty log":        {Start: 0, Checkpoint: honest.Checkpoint},
		"leaves from the middle":  {Start: 1, Hashes: honest.Hashes[32:], Labels: honest.Labels[1:], Audiences: honest.Audiences, Checkpoint: honest.Checkpoint},
		"by a mirror, not signed": {Hashes: honest.Hashes, Labels: honest.Labels, Audiences: honest.Audiences, Checkpoint: []byte("none")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.say(police)
			w.send(leaves)
			d := w.desk("XC")
			d.alarmed(AlarmUnreadable)
			d.has(1)
			same(t, "log", uint64(0), d.Status().LogSize)
			w.notarise()
			d.hasCosigned(2)
			same(t, "alarm", "", d.Status().Alarm)
		})
	}
}
