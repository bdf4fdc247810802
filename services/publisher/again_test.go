package publisher

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/verdict"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Killed at each step from the update that ends a key or an address to the second
// life of what was published after it. A kill is played by going on with the outbox
// as it lay on disk at that moment.
func TestKilledAtEveryStepOfSigningAgain(t *testing.T) {
	t.Parallel()
	ends := map[string]struct {
		to   string
		end  func(*world)
		code verdict.Code
	}{
		"key": {"region", func(w *world) {
			w.change(registrytest.RotateKey(police, "next publisher XA/police"), "next publisher XA/police")
		}, verdict.KeyNotValid},
		"address": {"pair", func(w *world) { w.change(registrytest.Join("pair", "XC"), roots...) }, verdict.AudienceClosed},
	}
	for what, e := range ends {
		for _, step := range []string{"ended", "noticed", "returned", "signed again", "published again", "stored again", "found again"} {
			t.Run(what+" "+step, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				n, directory := w.notary(), t.TempDir()
				n.checkpoint(1)
				config := w.config(directory)
				config.NextKey = registrytest.Key("next publisher XA/police")
				reached, hold := make(chan struct{}), &atomic.Bool{}
				p := run(t, config, withHub(func(ctx context.Context, through hub, messages []stream.Message) (uint64, error) {
					if !hold.Load() || step != "signed again" && step != "published again" {
						return through.PublishBatch(ctx, messages)
					}
					var err error
					if step == "published again" {
						_, err = through.PublishBatch(ctx, messages)
					}
					close(reached)
					<-ctx.Done()
					return 0, fmt.Errorf("killed: %w", err)
				}))
				before := p.publish(reports("before", 2, to(e.to))...)
				p.untilStored(2)
				e.end(w)
				after := append(reports("after", 3, to(e.to)), reports("brief", 2, to(e.to), keep("brief"))...)
				promised := append(before, p.publish(after...)...)
				p.untilStored(7)
				hold.Store(true)
				if step != "ended" {
					c := n.checkpoint(9)
					p.until("it is noticed", halted("is signed again once that change is witnessed"))
					if step != "noticed" {
						w.cosign(c, "XA", "XB")
					}
				}
				switch step {
				case "returned", "signed again", "published again":
					if step != "returned" {
						<-reached
					}
				case "stored again", "found again":
					p.untilStored(5)
					if step == "found again" {
						n.checkpoint(14)
						p.until("they are found", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() == 14 })
					}
				}
				config.Directory = image(t, directory)
				p.stop()

				p = run(t, config)
				if step == "ended" || step == "noticed" {
					w.cosign(n.checkpoint(9), "XA", "XB")
				}
				p.until("all is in the stream", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 0 && s.GetStored() == 5 })
				w.cosign(n.checkpoint(14), "XA", "XC")
				p.untilWitnessed(7)
				for i, a := range p.publish(after...) {
					if !a.GetRepeated() || a.GetEventId() != promised[i+2].GetEventId() {
						t.Errorf("after the kill %v is promised, before it was %v", a, promised[i+2])
					}
				}
				w.judge().checkAll(t, promised, map[verdict.Code]int{e.code: 5})
			})
		}
	}
}

// A key ends twice while the same reports are on their way.
func TestTheEndComesTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	config := w.config(directory)
	config.NextKey = registrytest.Key("next publisher XA/police")
	p := run(t, config)
	w.change(registrytest.RotateKey(police, "next publisher XA/police"), "next publisher XA/police") // 1
	promised := p.publish(reports("a", 2, to("pair"))...)                                            // 2, 3
	p.untilStored(2)
	c := n.checkpoint(4)
	p.until("it is noticed", halted("is signed again once that change is witnessed"))
	w.change(registrytest.Join("pair", "XC"), roots...) // 4
	w.cosign(c, "XA", "XB")
	p.untilStored(2) // to the old address: 5, 6
	w.cosign(n.checkpoint(7), "XA", "XB")
	p.untilStored(2)
	w.cosign(n.checkpoint(9), "XB", "XC")
	p.untilWitnessed(2)
	w.judge().checkAll(t, promised, map[verdict.Code]int{verdict.KeyNotValid: 2, verdict.AudienceClosed: 2})
}

// The log's own terms change: another notary and another mirror key, judged by size.
func TestNotaryAndMirrorChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	p := w.start(directory)
	promised := p.publish(report("a"))
	p.untilStored(1)
	w.change(&registryv1.Update{Change: &registryv1.Update_CharterAmended{
		CharterAmended: &registryv1.CharterAmended{NotaryKey: registrytest.Public("the second notary")}}}, append(roots, "the second notary")...)
	n.signAs("the second notary")
	c := n.checkpoint(3)
	p.until("it follows the second notary", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() == 3 })
	p.stop()
	p = w.start(directory)
	w.cosign(c, "XA", "XB")
	p.untilWitnessed(1)
	promised = append(promised, p.publish(report("b"))...)
	p.untilStored(1)
	w.cosign(n.checkpoint(4), "XB", "XC")
	p.untilWitnessed(2)
	w.judge().check(t, promised...)
}

// E12: the publisher's clock is in the future, stands still, and is set back.
func TestAdversary_E12_ClocksThatAreWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	var promised []*publisherv1.Accepted
	stored := uint64(0)
	for i, now := range []time.Time{
		time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), // in the future
		time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), // stopped, through a restart
		time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		time.Unix(0, 0),
		time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC), // before there were clocks
		time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	} {
		p := w.start(directory, func(p *Publisher) { p.outbox.Clock = func() time.Time { return now } })
		for j := range 3 {
			promised = append(promised, p.publish(reports(fmt.Sprint(i, "-", j), 2)...)...)
		}
		stored += 6
		p.untilStored(stored)
		p.stop()
	}
	j := w.judge()
	j.check(t, promised...)
	for i, v := range j.accepted {
		if i > 0 && (!j.accepted[i-1].ID.Less(v.ID) || v.Counter != uint64(i)+1) {
			t.Errorf("event %d has the id %s and counter %d, after %s", i, v.ID, v.Counter, j.accepted[i-1].ID)
		}
	}
	p := w.start(directory)
	w.cosign(n.checkpoint(stored+1), "XA", "XB")
	p.untilWitnessed(stored)
}
