package publisher

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/verdict"
)

// keepEvents copies the event stream of the stopped hub; goBack puts the copy in its place.
func (w *world) keepEvents() (goBack func()) {
	w.t.Helper()
	found, err := filepath.Glob(filepath.Join(w.directory, "jetstream", "*", "streams", stream.Events))
	if err != nil || len(found) != 1 {
		w.t.Fatalf("%d directories of the stream, %v", len(found), err)
	}
	kept := filepath.Join(w.t.TempDir(), "kept")
	put := func(to, from string) {
		w.t.Helper()
		if err := os.RemoveAll(to); err != nil {
			w.t.Fatal(err)
		}
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			w.t.Fatal(err)
		}
	}
	put(kept, found[0])
	return func() { put(found[0], kept) }
}

// The power goes between the hub's acknowledgement and its disk: the tail that was
// acknowledged is not there when it starts again. It was not signed either, so nobody
// knows of it but its publisher, which publishes it again: once something else is where
// the hub had said that it lay, or while nobody says anything.
func TestAdversary_S06_AcknowledgedTailVanished(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stopped bool // the publisher, meanwhile
		others  int  // messages of another agency that come first
		own     int  // of its own
		codes   map[verdict.Code]int
	}{
		"it says something more":                        {false, 0, 1, map[verdict.Code]int{verdict.Gap: 1}},
		"nobody says anything":                          {false, 0, 0, nil},
		"it starts again, and nobody says anything":     {true, 0, 0, nil},
		"others speak":                                  {false, 8, 0, nil},
		"it starts again, and says something more":      {true, 0, 1, map[verdict.Code]int{verdict.Gap: 1}},
		"it starts again, and others speak":             {true, 8, 0, nil},
		"others speak, fewer than what is gone, and it": {false, 2, 1, map[verdict.Code]int{verdict.Gap: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			n := w.notary()
			n.checkpoint(1)
			p := w.start(t.TempDir())
			promised := p.publish(reports("sound", 2)...)
			p.untilStored(2)
			w.cosign(n.checkpoint(3), "XA", "XB")
			p.untilWitnessed(2)
			w.stopHub()
			goBack := w.keepEvents()
			w.startHub()
			promised = append(promised, p.publish(reports("vanished", 5)...)...)
			p.untilStored(5)
			if c.stopped {
				p.stop()
			}
			w.stopHub()
			goBack()
			w.startHub()
			if c.stopped {
				p = w.start(p.config.Directory)
			}
			w.others(c.others)
			if c.own > 0 {
				promised = append(promised, p.publish(reports("afterwards", c.own)...)...)
				p.untilStored(uint64(5 + c.own))
			}
			n.goOn()
			if c.own+c.others == 0 {
				w.untilLast(8) // nothing is signed meanwhile
			}
			eventually(t, func() string {
				w.cosign(n.checkpoint(uint64(3+c.others)), "XA", "XB")
				if s := p.status(); s.GetWitnessed() != uint64(len(promised)) {
					return "not all are witnessed: " + s.String()
				}
				return ""
			})
			j := w.judge()
			delete(j.codes, verdict.Undecodable) // what others said
			j.checkAll(t, promised, c.codes)
		})
	}
}

// goOn has the notary read on after a restart of the hub, which sends it again what it
// has not acknowledged.
func (n *notary) goOn() {
	n.w.t.Helper()
	connected(n.w.t, n.conn)
	if err := n.reader.Reset(patient(n.w.t), n.frontier.Size()+1); err != nil {
		n.w.t.Fatal(err)
	}
}

// untilLast waits until the event stream ends at a sequence.
func (w *world) untilLast(sequence uint64) {
	w.t.Helper()
	eventually(w.t, func() string {
		events, err := w.hub.js.Stream(patient(w.t), stream.Events)
		if err != nil {
			return err.Error()
		}
		if last := events.CachedInfo().State.LastSeq; last != sequence {
			return fmt.Sprintf("the stream ends at %d", last)
		}
		return ""
	})
}
