package publisher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

func TestReportsBecomeWitnessedEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	promised := p.publish(append(reports("a", 3), append(reports("b", 2, keep("brief")), reports("c", 1)...)...)...)
	p.untilStored(6)
	w.cosign(n.checkpoint(7), "XA", "XB")
	p.untilWitnessed(6)
	if s := p.status(); s.GetLogSize() != 7 || s.GetWitnessedSize() != 7 || s.GetAccepted() != 6 || !s.GetConnected() {
		t.Errorf("status is %v", s)
	}
	w.judge().check(t, promised...)

	// What comes now says which checkpoint its publisher had seen.
	p.publish(report("d"))
	p.untilStored(1)
	all := w.judge().accepted
	if seen := all[len(all)-1].Seen; seen.Size != 7 {
		t.Errorf("the event says that its publisher saw size %d, want 7", seen.Size)
	}
}

func TestAudiencesHaveChainsOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.notary().checkpoint(1)
	p := w.start(t.TempDir())
	p.publish(append(reports("r", 5), reports("p", 4, to("pair"))...)...)
	p.untilStored(9)
	counters := map[string]uint64{}
	for _, v := range w.judge().accepted {
		counters[v.Chain.Audience] = v.Counter
	}
	if counters["region"] != 5 || counters["pair"] != 4 {
		t.Errorf("the chains stand at %v", counters)
	}
}

func TestAdversary_S07_LostAnswerIsPublishedAgainAsTheSameBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.notary().checkpoint(1)
	var calls atomic.Int32
	p := w.start(t.TempDir(), withHub(func(ctx context.Context, through hub, messages []stream.Message) (uint64, error) {
		last, err := through.PublishBatch(ctx, messages)
		if err == nil && calls.Add(1) == 1 {
			return 0, errors.New("the answer was lost")
		}
		return last, err
	}))
	promised := p.publish(reports("a", 10)...)
	p.untilStored(10)
	j := w.judge()
	j.check(t, promised...)
	if j.codes[verdict.Duplicate] != 10 {
		t.Errorf("verdicts are %v, want 10 duplicates", j.codes)
	}
	for i := range 10 {
		if !bytes.Equal(j.raw[i], j.raw[10+i]) {
			t.Errorf("event %d was published again as other bytes", i)
		}
	}
}

func TestBadLinkGetsSmallerParcels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.notary().checkpoint(1)
	p := w.start(t.TempDir(), withHub(func(ctx context.Context, through hub, messages []stream.Message) (uint64, error) {
		if len(messages) > 70 {
			return 0, errors.New("too much for this link")
		}
		return through.PublishBatch(ctx, messages)
	}))
	promised := p.publish(reports("a", 300)...)
	p.until("the trouble shows", func(s *publisherv1.GetStatusResponse) bool {
		return strings.Contains(s.GetHalted(), "too much for this link") || s.GetStored() == 300
	})
	p.untilStored(300)
	w.judge().check(t, promised...)
}

func TestOneRefusedAudienceDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.notary().checkpoint(1)
	p := w.start(t.TempDir(), withHub(func(ctx context.Context, through hub, messages []stream.Message) (uint64, error) {
		if verdict.Label(messages[0].Subject) == "pair" {
			return 0, errors.New("permissions violation")
		}
		return through.PublishBatch(ctx, messages)
	}))
	p.publish(append(reports("p", 2, to("pair")), reports("r", 2)...)...)
	p.until("region goes on", func(s *publisherv1.GetStatusResponse) bool { return s.GetStored() == 2 && s.GetWaiting() == 2 })
	p.until("the status says why", func(s *publisherv1.GetStatusResponse) bool {
		return strings.Contains(s.GetHalted(), "audience pair") && strings.Contains(s.GetHalted(), "permissions violation")
	})
}

// S08: a week of publishing while the hub is away, thousands of reports and a restart
// of the publisher among them: all of them arrive, in order, once, and are witnessed.
func TestAdversary_S08_HubAwayThenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	promised := p.publish(reports("before", 3)...)
	p.untilStored(3)
	w.stopHub()
	p.until("it is known to be away", func(s *publisherv1.GetStatusResponse) bool { return !s.GetConnected() })
	const days, daily = 7, 300
	for day := range days {
		for hour := range 6 {
			promised = append(promised, p.publish(reports(fmt.Sprintf("away-%d-%d", day, hour), daily/6)...)...)
		}
		if day == 3 {
			p.stop()
			p = w.start(p.config.Directory)
		}
	}
	p.until("they wait", func(s *publisherv1.GetStatusResponse) bool {
		return s.GetWaiting() == days*daily && strings.Contains(s.GetHalted(), "no connection to the hub")
	})
	w.startHub()
	p.untilStored(3 + days*daily)
	j := w.judge()
	j.check(t, promised...)
	if len(j.raw) != 3+days*daily {
		t.Errorf("the stream has %d events, %d were accepted", len(j.raw), 3+days*daily)
	}
	n.goOn()
	w.cosign(n.checkpoint(4+days*daily), "XA", "XB")
	p.untilWitnessed(3 + days*daily)
}

func TestNothingIsPublishedToAnotherLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	p := w.start(t.TempDir())
	p.publish(report("a"))
	p.until("it waits for a checkpoint", func(s *publisherv1.GetStatusResponse) bool {
		return s.GetWaiting() == 1 && strings.Contains(s.GetHalted(), "no checkpoint")
	})
	n.Hash = func(_ uint64, hash translog.Hash) translog.Hash { hash[0] ^= 1; return hash }
	n.checkpoint(1)
	p.until("it sees another charter", func(s *publisherv1.GetStatusResponse) bool {
		return s.GetWaiting() == 1 && strings.Contains(s.GetHalted(), "does not begin with this charter")
	})
	if j := w.judge(); len(j.raw) != 0 {
		t.Errorf("%d events were published", len(j.raw))
	}
}
