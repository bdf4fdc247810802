package auditor_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/auditor"
)

func TestSoundLog(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	h.say(police, event.Seen{}, 3)
	h.say(pair, event.Seen{}, 2)
	c := h.witness(6)
	h.say(border, event.Seen{Size: c.Size, Root: event.Digest(c.Root)}, 1)
	newest := h.witness(7)
	summary := h.finds()
	same(t, "verdicts", map[string]uint64{"accepted": 7}, summary.Verdicts)
	same(t, "checkpoint", audit.CheckpointOf(newest), summary.Checkpoint)
	same(t, "witnessed", uint64(7), summary.WitnessedSize)
	same(t, "cosigned by", []string{"XA", "XB", "XC"}, summary.CosignedBy)
	same(t, "sealed for XC", uint64(2), summary.Desks["XC"].Sealed)
	same(t, "events of XC", uint64(5), summary.Desks["XC"].Events)
	same(t, "a second audit", summary, h.finds())
}

// Nothing is signed yet: the log stream is empty, and that is no silence.
func TestLogWithoutCheckpoint(t *testing.T) {
	h := newHouse(t)
	h.say(police, event.Seen{}, 2)
	summary := h.finds()
	same(t, "accepted", uint64(3), summary.Accepted)
	same(t, "log size", uint64(0), summary.LogSize)
}

// What a publisher with valid credentials can put on the stream, and what each
// piece of it is called.
func TestAdversary_E_PublisherOnTheWire(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	honest := h.say(police, event.Seen{}, 1)                                                                      // 1
	h.publish(police, stream.Message{Subject: "evt.region.XA.police.site.reported", Data: []byte("\x00garbage")}) // 2

	// E06: signed by another agency's valid key.
	foreign, _ := h.sign("XB/border", police, h.heads[police], event.Seen{}, 1)
	h.publish(police, foreign...) // 3

	// E03: a counter used twice.
	second, _ := h.sign("XA/police", police, event.Head{}, event.Seen{}, 1)
	h.publish(police, second...) // 4

	// E05: republished for another audience, under another kind, and by another agency.
	moved := func(chain event.Chain, to string) {
		h.publish(chain, stream.Message{Subject: to, Data: honest[0].Data})
	}
	moved(police, strings.Replace(honest[0].Subject, ".region.", ".pair.", 1))     // 5
	moved(police, strings.Replace(honest[0].Subject, ".reported", ".status", 1))   // 6
	moved(border, strings.Replace(honest[0].Subject, "XA.police", "XB.border", 1)) // 7
	h.publish(police, honest...)                                                   // 8: E01, no finding
	h.say(police, event.Seen{}, 1)                                                 // 9: the victim goes on
	h.witness(10)

	summary := h.finds(at("undecodable", 2), at("wrong-agency", 3), at("equivocation", 4), at("wrong-agency", 5),
		at("wrong-agency", 6), at("wrong-agency", 7))
	same(t, "verdicts", map[string]uint64{"accepted": 3, "duplicate": 1, "undecodable": 1, "wrong-agency": 4, "equivocation": 1}, summary.Verdicts)
	same(t, "duplicates", uint64(1), summary.Duplicates)
	same(t, "refused", uint64(6), summary.Refused)
	same(t, "log size", uint64(10), summary.LogSize)
	same(t, "witnessed", uint64(10), summary.WitnessedSize)
	// 5 lies on the subject of pair: it is not for XC.
	same(t, "sealed for XC", uint64(1), summary.Desks["XC"].Sealed)
}

// Desks that cosign another tree, or one that was not published, and a notary's
// connection that is in other hands.
func TestAdversary_L_LogStreamOnTheWire(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	h.say(police, event.Seen{}, 2)
	c := h.checkpoint(3)
	h.cosign("XA", c)
	other := c
	other.Root = translog.Hash(sha256.Sum256([]byte("another tree")))
	h.cosign("XB", other)
	other.Size = 40
	h.cosign("XC", other)
	_, err := h.as(stream.DeskUser("XC")).Publish(t.Context(), stream.CosignPrefix+"XC", []byte("no note"))
	must(t, err)
	h.say(border, event.Seen{Size: 40, Root: event.Digest(other.Root)}, 1)
	h.checkpoint(4)
	_, err = h.as(stream.NotaryUser).Publish(t.Context(), stream.LeavesSubject, []byte("\xff"))
	must(t, err)
	summary := h.finds(at(audit.FindingFork, 3), at(audit.FindingCosignature, 40), at(audit.FindingCosignature, 3),
		at(audit.FindingLeaves, 4), at(audit.FindingSeen, 3))
	same(t, "witnessed", uint64(0), summary.WitnessedSize)
	same(t, "cosigned by", []string{}, summary.CosignedBy)
}

func TestLongStream(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	const batches, each = 4, 900
	for range batches {
		h.say(police, event.Seen{}, each)
	}
	h.witness(batches*each + 1)
	h.say(border, event.Seen{}, 1)
	h.witness(batches*each + 2)
	var told []uint64
	summary, err := h.audit(func(c *auditor.Config) {
		c.Progress = func(replayed, _ uint64) { told = append(told, replayed) }
	})
	must(t, err)
	same(t, "findings", []audit.Finding{}, summary.Findings)
	same(t, "accepted", uint64(batches*each+2), summary.Accepted)
	same(t, "log size", uint64(batches*each+2), summary.LogSize)
	same(t, "progress", []uint64{1000, 2000, 3000}, told)
}

// While the log grows, an audit is of one moment: an event is not accused of
// having seen what was published after the audit had read the log's end.
func TestAuditOfALiveLog(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	h.say(police, event.Seen{}, 1)
	h.witness(2)
	type result struct {
		audit.Summary
		error
	}
	audits := make(chan result)
	go func() {
		defer close(audits)
		for range 10 {
			summary, err := h.audit()
			audits <- result{summary, err}
		}
	}()
	first, last := uint64(0), uint64(0)
	for size, running := uint64(2), true; running; size++ {
		c := h.witness(size)
		h.say(police, event.Seen{Size: c.Size, Root: event.Digest(c.Root)}, 1)
		select {
		case r, ok := <-audits:
			if running = ok; !ok {
				break
			}
			must(t, r.error)
			same(t, "findings", []audit.Finding{}, r.Findings)
			first, last = cmp.Or(first, r.Events), r.Events
		default:
		}
	}
	if first == last {
		t.Errorf("the log did not grow beyond %d events while it was audited", last)
	}
}

func TestCancelledBetweenPortions(t *testing.T) {
	h := newHouse(t)
	for range 3 {
		h.say(police, event.Seen{}, 1000)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls := 0
	_, err := auditor.Replay(ctx, auditor.Config{
		Charter: registrytest.Charter(t), Stream: h.config(stream.AuditUser),
		Progress: func(uint64, uint64) { calls++; cancel() },
	})
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("after %d portions Replay = %v, want Canceled after the first", calls, err)
	}
	if _, err := auditor.Replay(ctx, auditor.Config{Charter: registrytest.Charter(t), Stream: h.config(stream.AuditUser)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Replay of a cancelled context = %v", err)
	}
}

func TestCancelledWhileTheHubIsMute(t *testing.T) {
	h := newHouse(t)
	m := newMute(t, h.hub.URL(), "never said", 0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := make(chan time.Time, 1)
	go func() { <-m.held; began <- time.Now(); cancel() }()
	config := h.config(stream.AuditUser)
	config.URL = m.url
	_, err := auditor.Replay(ctx, auditor.Config{Charter: registrytest.Charter(t), Stream: config})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Replay = %v, want Canceled", err)
	}
	if took := time.Since(<-began); took > 5*time.Second {
		t.Errorf("it took %s to notice", took)
	}
}

// A hub that answers late is not one that has shown all: what comes after the
// auditor has given up a request is read again.
func TestSlowHubIsWaitedFor(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	h.say(police, event.Seen{}, 20)
	h.witness(21)
	m := newMute(t, h.hub.URL(), "CONSUMER.RESET", 0)
	summary, err := h.audit(func(c *auditor.Config) { c.Stream.URL = m.url })
	must(t, err)
	same(t, "findings", []audit.Finding{}, summary.Findings)
	same(t, "accepted", uint64(21), summary.Accepted)
	same(t, "witnessed", uint64(21), summary.WitnessedSize)
	select {
	case <-m.held:
	default:
		t.Error("the hub was never slow")
	}
}

// The log has grown while it was read, and the hub is slow to show the events that
// the new part covers: they are not missing.
func TestSlowHubBehindAGrowingLog(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	const size = 1000 // one portion, with the charter
	h.say(police, event.Seen{}, size-1)
	h.witness(size)
	m := newMute(t, h.hub.URL(), "CONSUMER.RESET", 1<<30)
	summary, err := h.audit(func(c *auditor.Config) {
		c.Stream.URL = m.url
		c.Progress = func(replayed, _ uint64) {
			if replayed == size {
				h.say(police, event.Seen{}, 1)
				h.checkpoint(size + 1)
				m.skip.Store(1) // the log is shown, the event of it is not
			}
		}
	})
	must(t, err)
	same(t, "findings", []audit.Finding{}, summary.Findings)
	same(t, "log size", uint64(size+1), summary.LogSize)
	select {
	case <-m.held:
	default:
		t.Error("the hub was never slow")
	}
}

// A hub that shows no more than a part is an audit that failed, not one that found nothing.
func TestMuteHubIsAnError(t *testing.T) {
	for name, notarised := range map[string]bool{"in a counted stream": true, "past the end of an empty one": false} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			if notarised {
				h.notarise()
				h.checkpoint(1)
			}
			m := newMute(t, h.hub.URL(), "never said", 0)
			summary, err := h.audit(func(c *auditor.Config) { c.Stream.URL, c.Patience = m.url, 200*time.Millisecond })
			if err == nil || !strings.Contains(err.Error(), "no more of LOG") {
				t.Errorf("Replay = %+v, %v", summary, err)
			}
		})
	}
}

func TestHubAwayIsAnError(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	config := h.config(stream.AuditUser)
	config.URL = "nats://127.0.0.1:1"
	if _, err := auditor.Replay(ctx, auditor.Config{Charter: registrytest.Charter(t), Stream: config}); err == nil {
		t.Error("an audit of nothing succeeded")
	}
}

func TestNoCharterIsAnError(t *testing.T) {
	if _, err := auditor.Replay(t.Context(), auditor.Config{}); err == nil {
		t.Error("an audit without a charter succeeded")
	}
}

// Judged by another charter than the hub's, nothing holds.
func TestCharterOfAnotherLog(t *testing.T) {
	h := newHouse(t)
	h.say(police, event.Seen{}, 1)
	founding := registrytest.Founding()
	founding.Name = "another"
	summary, err := h.audit(func(c *auditor.Config) { c.Charter = registrytest.Sign(t, founding) })
	must(t, err)
	same(t, "verdicts", map[string]uint64{"bad-update": 1, "unknown-key": 1}, summary.Verdicts)
}
