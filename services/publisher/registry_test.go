package publisher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/verdict"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

var police = registrytest.AgencyOwner("XA", "police")

// secretive is a hub that keeps messages of the registry to itself, or alters them.
type secretive struct {
	hub
	change func(stream.Message) (shown stream.Message, ok bool)
}

func (s secretive) Reader(ctx context.Context, name string) (logReader, error) {
	reader, err := s.hub.Reader(ctx, name)
	if name != stream.Events {
		return reader, err
	}
	return secretiveReader{logReader: reader, change: s.change}, err
}

type secretiveReader struct {
	logReader
	change func(stream.Message) (stream.Message, bool)
}

func (r secretiveReader) Fetch(ctx context.Context, limit int, wait time.Duration) ([]stream.Message, error) {
	messages, err := r.logReader.Fetch(ctx, limit, wait)
	var shown []stream.Message
	for _, m := range messages {
		if m, ok := r.change(m); ok {
			shown = append(shown, m)
		}
	}
	return shown, err
}

// hide keeps the registry from a publisher while hidden is set.
func hide(hidden *atomic.Bool) func(*Publisher) {
	return func(p *Publisher) {
		p.patience = 200 * time.Millisecond
		p.hub = secretive{hub: p.hub, change: func(m stream.Message) (stream.Message, bool) {
			return m, !hidden.Load() || !registry.IsSubject(m.Subject) || m.Subject == registry.FoundingSubject
		}}
	}
}

// checkAll asserts that what was promised is accepted by every reader, each event
// once and in its order, and that what is refused is refused for these reasons.
func (j judged) checkAll(t testing.TB, promised []*publisherv1.Accepted, refusals map[verdict.Code]int) {
	t.Helper()
	var got, want []string
	for _, v := range j.accepted {
		got = append(got, v.ID.String())
	}
	for _, p := range promised {
		want = append(want, p.GetEventId())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("accepted are %v, promised were %v", got, want)
	}
	for code, n := range j.codes {
		if code.Refused() && refusals[code] != n {
			t.Errorf("%d events are judged %s, want %d", n, code, refusals[code])
		}
	}
	for code, n := range refusals {
		if j.codes[code] != n {
			t.Errorf("%d events are judged %s, want %d", j.codes[code], code, n)
		}
	}
}

func restarted(w *world, config Config, between ...func(*Publisher)) *running {
	w.t.Helper()
	return run(w.t, config, between...)
}

// R06: the hub keeps a revocation from the publisher, who goes on publishing.
func TestAdversary_R06_DelayedRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory, hidden := t.TempDir(), &atomic.Bool{}
	hidden.Store(true)
	p := w.start(directory, hide(hidden))
	promised := p.publish(reports("before", 2)...)
	p.untilStored(2)
	revoked := w.change(registrytest.RevokeKey(police, 0), "root XA")
	promised = append(promised, p.publish(append(reports("after", 3), reports("brief", 2, keep("brief"))...)...)...)
	p.untilStored(7)

	c := n.checkpoint(9)
	p.until("it notices from the tree", halted(fmt.Sprintf("the hub withholds message %d of the registry", revoked)))
	promised = append(promised, p.publish(report("blind"))...)
	w.cosign(c, "XB", "XC")
	if s := p.status(); s.GetWaiting() != 1 || s.GetWitnessed() != 0 || s.GetLogSize() != 1 {
		t.Errorf("without the registry the status is %v", s)
	}
	hidden.Store(false)
	p.until("what was refused waits", func(s *publisherv1.GetStatusResponse) bool {
		return s.GetWaiting() == 6 && s.GetWitnessed() == 2 && strings.Contains(s.GetHalted(), "rotated or revoked") &&
			strings.Contains(s.GetHalted(), "have the root of XA enrol one")
	})
	w.judge().checkAll(t, promised[:2], map[verdict.Code]int{verdict.KeyNotValid: 5})
	p.stop()

	config := w.config(directory)
	config.Key = registrytest.Key("the key after the loss")
	p = restarted(w, config)
	p.until("it is not enrolled", halted("is not enrolled (yet)"))
	w.change(registrytest.EnrolKey(police, "the key after the loss"), "root XA", "the key after the loss")
	n.checkpoint(10)
	p.untilStored(6)
	w.judge().checkAll(t, promised, map[verdict.Code]int{verdict.KeyNotValid: 5})
	w.cosign(n.checkpoint(16), "XB", "XC")
	p.untilWitnessed(8)
	promised = append(promised, p.publish(report("on"))...)
	p.untilStored(1)
	w.judge().checkAll(t, promised, map[verdict.Code]int{verdict.KeyNotValid: 5})
}

func TestNothingIsSignedAgainBeforeTheEndIsWitnessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	config := w.config(t.TempDir())
	config.NextKey = registrytest.Key("next publisher XA/police")
	p := run(t, config)
	w.change(registrytest.RotateKey(police, "next publisher XA/police"), "next publisher XA/police")
	promised := p.publish(reports("a", 3)...)
	p.untilStored(3)
	c := n.checkpoint(5)
	p.until("it is noticed", halted("is signed again once that change is witnessed"))
	w.cosign(c, "XA")
	promised = append(promised, p.publish(report("b"))...)
	p.until("b is accepted", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 1 && s.GetStored() == 3 })
	if j := w.judge(); len(j.raw) != 3 {
		t.Errorf("%d messages are in the stream, want 3: two headers with one counter and no witness", len(j.raw))
	}
	w.cosign(c, "XC")
	p.untilStored(4)
	w.judge().checkAll(t, promised, map[verdict.Code]int{verdict.KeyNotValid: 3})
	w.cosign(n.checkpoint(9), "XA", "XB")
	p.untilWitnessed(4)
}

func TestRotationWithNothingOnTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	config := w.config(t.TempDir())
	config.NextKey = registrytest.Key("next publisher XA/police")
	p := run(t, config)
	promised := p.publish(reports("a", 2)...)
	p.untilStored(2)
	w.change(registrytest.RotateKey(police, "next publisher XA/police"), "next publisher XA/police")
	n.checkpoint(4)
	p.until("it is known", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() == 4 })
	promised = append(promised, p.publish(reports("b", 2)...)...)
	p.untilStored(4)
	w.judge().check(t, promised...)
}

func TestJoinInFlight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	promised := p.publish(reports("before", 2, to("pair"))...)
	p.untilStored(2)
	joined := w.change(registrytest.Join("pair", "XC"), roots...)
	promised = append(promised, p.publish(reports("flight", 3, to("pair"))...)...)
	p.untilStored(5)
	w.cosign(n.checkpoint(7), "XA", "XB")
	p.untilStored(3)
	promised = append(promised, p.publish(reports("after", 2, to("pair"))...)...)
	p.untilStored(5)
	j := w.judge()
	j.checkAll(t, promised, map[verdict.Code]int{verdict.AudienceClosed: 3})
	for i, v := range j.accepted {
		want := "pair"
		if i >= 2 {
			want = fmt.Sprint("pair_", joined)
		}
		if v.Chain.Audience != want {
			t.Errorf("event %d is addressed to %s, want %s", i, v.Chain.Audience, want)
		}
	}
	w.cosign(n.checkpoint(12), "XB", "XC")
	p.untilWitnessed(7)
}

// What was published without an answer, before its address ended, is accepted: it
// must not be said again at the new address.
func TestUnansweredBeforeTheEndIsNotSaidTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	var calls atomic.Int32
	again := make(chan struct{})
	p := w.start(t.TempDir(), withHub(func(ctx context.Context, through hub, messages []stream.Message) (uint64, error) {
		switch calls.Add(1) {
		case 1:
			_, err := through.PublishBatch(ctx, messages)
			return 0, errors.Join(err, errors.New("the answer was lost"))
		case 2:
			close(again)
		}
		if strings.HasPrefix(messages[0].Subject, "evt.pair.") { // what the hub does with a closed address
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return through.PublishBatch(ctx, messages)
	}))
	promised := p.publish(reports("a", 3, to("pair"))...)
	<-again // and waits for an answer
	w.change(registrytest.Join("pair", "XC"), roots...)
	promised = append(promised, p.publish(reports("b", 2, to("pair"))...)...)
	w.cosign(n.checkpoint(5), "XA", "XB")
	p.until("a is witnessed", func(s *publisherv1.GetStatusResponse) bool { return s.GetWitnessed() == 3 })
	p.untilStored(2)
	w.judge().check(t, promised...)
}

func TestSuspendedAndReinstated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	p := w.start(directory)
	at := w.change(registrytest.Suspend("XA"), roots...)
	promised := p.publish(append(reports("r", 2), reports("p", 2, to("pair"))...)...)
	p.untilStored(4)
	c := n.checkpoint(6)
	words := fmt.Sprintf("XA is suspended since index %d (a reason made up for a test): what is accepted waits here; it goes out when XA is reinstated", at)
	p.until("it is known", halted(words))
	w.cosign(c, "XB", "XC")
	p.until("they wait", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 4 })
	if _, err := p.client.Publish(t.Context(), &publisherv1.PublishRequest{Reports: reports("x", 1)}); err == nil || !strings.Contains(err.Error(), "XA is suspended") {
		t.Errorf("a report while suspended: %v", err)
	}
	p.stop()
	p = w.start(directory)
	p.until("it is known after a restart", halted(words))
	w.change(registrytest.Reinstate("XA"), roots...)
	n.checkpoint(7)
	p.untilStored(4)
	j := w.judge()
	if len(j.accepted) != 4 || j.codes[verdict.KeyNotValid] != 4 {
		t.Errorf("verdicts are %v, promised were %v", j.codes, promised)
	}
	c = n.checkpoint(11)
	w.cosign(c, "XA", "XB")
	p.untilWitnessed(4)
}

func TestNewAudienceGetsALane(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	w.change(registrytest.Form("trio", "XA", "XB", "XC"), roots...)
	n.checkpoint(2)
	p.until("it is known", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() == 2 })
	promised := p.publish(reports("a", 2, to("trio"))...)
	p.untilStored(2)
	w.judge().check(t, promised...)
}

func TestWhatTheOperatorReads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*world)
		says    string
		to      string
		waiting uint64
	}{
		"audience left": {func(w *world) { w.change(registrytest.Quit("pair", "XA"), "root XA") }, "audience pair: XA is not in it any more; 2 reports wait here", "pair", 2},
		"agency retired": {func(w *world) { w.change(registrytest.Retire("XA", "police"), "root XA") },
			"the agency XA/police was retired at index 1", "region", 2},
		"country left": {func(w *world) { w.change(registrytest.Leave("XA"), "root XA") }, "XA has left, at index 1", "region", 2},
		"key rotated, and not here": {func(w *world) {
			w.change(registrytest.RotateKey(police, "next publisher XA/police"), "next publisher XA/police")
		}, "configure its key file", "region", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			n := w.notary()
			n.checkpoint(1)
			directory := t.TempDir()
			p := w.start(directory)
			c.change(w)
			p.publish(reports("a", 2, to(c.to))...)
			p.untilStored(2)
			w.cosign(n.checkpoint(4), "XB", "XC")
			reads := func(s *publisherv1.GetStatusResponse) bool {
				return strings.Contains(s.GetHalted(), c.says) && s.GetWaiting() == c.waiting
			}
			p.until("the operator reads it", reads)
			p.stop()
			w.stopHub()
			p = restarted(w, w.config(directory))
			p.until("also without a hub", reads)
		})
	}
}

func TestNotAdmittedAnyMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	w.change(registrytest.Suspend("XA"), roots...)
	n.checkpoint(2)
	p.until("it is suspended", halted("XA is suspended since index 1"))
	w.hub.expel(stream.PublisherUser("XA", "police"))
	p.until("it is not admitted", func(s *publisherv1.GetStatusResponse) bool {
		return !s.GetConnected() && strings.Contains(s.GetHalted(), "the hub does not admit this publisher") &&
			strings.Contains(s.GetHalted(), "says: XA is suspended since index 1")
	})
}

func TestAnotherRegistryThanTheLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	lie := &atomic.Bool{}
	lie.Store(true)
	p := w.start(t.TempDir(), func(p *Publisher) {
		p.hub = secretive{hub: p.hub, change: func(m stream.Message) (stream.Message, bool) {
			if m.Sequence == 2 && lie.Load() {
				m.Data = append([]byte("another"), m.Data...)
			}
			return m, true
		}}
	})
	w.change(registrytest.Form("trio", "XA", "XB"), "root XA", "root XB")
	n.checkpoint(2)
	p.until("it is noticed", halted("the hub shows this publisher another registry than the log has, at index 1"))
	promised := p.publish(report("a"))
	if s := p.status(); s.GetWaiting() != 1 {
		t.Errorf("status is %v, want that nothing is published", s)
	}
	kept, err := p.outbox.Contrary(t.Context())
	if err != nil || len(kept) != 1 || !strings.HasPrefix(string(kept[0].Data), "another") {
		t.Errorf("kept as proof are %v, error %v", kept, err)
	}
	lie.Store(false)
	p.untilStored(1)
	w.judge().check(t, promised...)
}

// A fourth country's publisher is there before the country is.
func TestMemberToBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	config := w.config(t.TempDir())
	config.Country, config.Key = "XD", registrytest.Key("publisher XD/police")
	config.Stream = w.hub.config(stream.PublisherUser("XD", "police"))
	p := run(t, config)
	p.until("it is no member", halted("XD is no member, as far as the log is known here (1 messages)"))
	w.change(registrytest.Admit("XD"), append(roots, "root XD", "mirror XD")...)
	n.checkpoint(2)
	p.until("it has no agency", halted("the agency XD/police is not enrolled"))
	w.change(registrytest.Enrol("XD", "police"), "root XD", "publisher XD/police")
	n.checkpoint(3)
	p.until("it may publish", func(s *publisherv1.GetStatusResponse) bool { return s.GetHalted() == "" })
	if _, err := p.client.Publish(t.Context(), &publisherv1.PublishRequest{Reports: reports("x", 1)}); err == nil || !strings.Contains(err.Error(), "no audience that is open to XD") {
		t.Errorf("a report to an audience that it is not in: %v", err)
	}
	w.change(registrytest.Join("region", "XD"), append(roots, "root XD")...)
	n.checkpoint(4)
	p.until("it is in", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() == 4 })
	promised := p.publish(reports("a", 2)...)
	p.untilStored(2)
	w.cosign(n.checkpoint(6), "XB", "XC")
	p.untilWitnessed(2)
	w.judge().check(t, promised...)
}

func TestRetentionOfTheAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	amended := registrytest.AmendAudience("pair", "rescue")
	amended.GetAudienceAmended().RetentionClasses = []string{"brief"}
	w.change(amended, "root XA", "root XB")
	n.checkpoint(2)
	p.until("it is known", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() == 2 })
	_, err := p.client.Publish(t.Context(), &publisherv1.PublishRequest{Reports: reports("a", 1, to("pair"))})
	if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), "its classes are: brief") {
		t.Errorf("error is %v", err)
	}
	p.publish(reports("b", 1, to("pair"), keep("brief"))...)
	p.untilStored(1)
}
