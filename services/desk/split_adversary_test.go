package desk

import (
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
)

// twin is another hub with the same charter and the same notary, which shows
// another log to who connects to it. What is there now is in both.
func (w *world) twin() *world {
	w.t.Helper()
	other := &world{t: w.t, charter: w.charter, book: registrytest.NewLog(w.t), agency: map[string]event.Head{}, clock: 1000}
	other.serve()
	for _, m := range w.messages {
		other.publish(m)
	}
	return other
}

// split are two logs with one beginning, in both of which all is witnessed that
// can be: by XA and XC in the first, by XB alone in the second. Each has 3 messages.
func split(t *testing.T) (here, there *world, xa, xb, xc *running) {
	t.Helper()
	here = newWorld(t)
	there = here.twin()
	xa, xc = here.desk("XA"), here.desk("XC")
	xb = there.desk("XB", soon)
	for _, w := range []*world{here, there} {
		w.say(police)
		w.say(border)
		w.notarise()
	}
	if here.checkpoint().Root == there.checkpoint().Root {
		t.Fatal("both are shown one log")
	}
	xb.hasCosigned(3)
	for _, d := range []*running{xa, xc} {
		until(t, d.config.Country+" has a witnessed log", func() bool { return d.Status().WitnessedSize == 3 })
	}
	return here, there, xa, xb, xc
}

// latest is the newest cosignature of a country on this log.
func (w *world) latest(country string) (note []byte) {
	w.t.Helper()
	w.eachCosignature(country, func(_ translog.Checkpoint, n []byte) { note = n })
	return note
}

// The hub keeps the two logs apart for ever: every signature that anybody sees is
// good. The side with one country of three gets no quorum, and says so.
func TestAdversary_L04_SplitViewKeptApart(t *testing.T) {
	t.Parallel()
	_, _, xa, xb, xc := split(t)
	alarm := xb.says("from message 0 on is not witnessed since ")
	same(t, "code", AlarmFrozen, alarm.Code)
	signedBy(t, string(alarm.Have), 3)
	same(t, "witnessed at XB", uint64(0), xb.Status().WitnessedSize)
	for _, d := range []*running{xa, xc} {
		same(t, "alarm at "+d.config.Country, "", d.Status().Alarm)
	}
	until(t, "XB has what it was shown", func() bool { return len(xb.entries()) == 3 })
}

// Each side sees a cosignature of the other: both say so, with both notes, and go on.
func TestAdversary_L04_SplitViewCosignaturesMeet(t *testing.T) {
	t.Parallel()
	here, there, xa, xb, xc := split(t)
	xb.alarmed(AlarmFrozen) // it stands beside what follows
	for country, w := range map[string]*world{"XA": there, "XB": here} {
		note := map[string]*world{"XA": here, "XB": there}[country].latest(country)
		w.publish(stream.Message{Subject: stream.CosignPrefix + country, Data: note})
	}
	for d, other := range map[*running]string{xa: "XB", xc: "XB", xb: "XA"} {
		have, got := d.raised(AlarmDissent)
		signedBy(t, have, 3)
		country, c, _, err := xa.mirror.terms.OpenCosignature([]byte(got))
		must(t, err)
		same(t, "who contradicts "+d.config.Country, other, country)
		if c.Size != 3 || strings.Contains(have, c.Root.String()) {
			t.Errorf("the evidence at %s is no contradiction:\n%s\n%s", d.config.Country, have, got)
		}
	}
	here.say(police)
	size := here.notarise().Size
	xa.hasCosigned(size)
	xc.hasCosigned(size)
	there.say(border)
	xb.hasCosigned(there.notarise().Size)
}

// The hub keeps the cosignatures apart and forwards an event from the other side,
// whose header says what its publisher has verified.
func TestAdversary_L04_SplitViewSeenByAnEvent(t *testing.T) {
	t.Parallel()
	seen := func(w *world, c translog.Checkpoint) stream.Message {
		w.t.Helper()
		head := w.agency[border.String()]
		signed, next, err := event.SignBatch(keyOf(w.t, "XB", "border"), border, head, event.Seen{Size: c.Size, Root: event.Digest(c.Root)}, []event.Draft{w.draft("site.reported")})
		must(w.t, err)
		w.agency[border.String()] = next
		return stream.Message{Subject: signed[0].Subject, Data: signed[0].Data}
	}
	for name, other := range map[string]func(here, there *world) translog.Checkpoint{
		"another root for a size":     func(_, there *world) translog.Checkpoint { return there.checkpoint() },
		"a size that was not signed":  func(here, _ *world) translog.Checkpoint { c := here.checkpoint(); c.Size = 2; return c },
		"a size beyond its own place": func(here, _ *world) translog.Checkpoint { c := here.checkpoint(); c.Size = 100; return c },
	} {
		t.Run(name, func(t *testing.T) {
			here, there, xa, _, xc := split(t)
			here.publish(seen(here, here.checkpoint())) // an honest one says nothing
			xa.hasCosigned(here.notarise().Size)
			xc.hasCosigned(here.checkpoint().Size)
			message := seen(here, other(here, there))
			index := here.publish(message)
			size := here.notarise().Size
			for _, d := range []*running{xa, xc} {
				_, got := d.alarmed(AlarmDissent)
				same(t, "evidence: the event", string(message.Data), got)
				if alarm := d.Status().Alarm; !strings.Contains(alarm, "event 4, XB/border ") || index != 4 {
					t.Errorf("the alarm does not name event %d and its publisher: %s", index, alarm)
				}
				d.hasCosigned(size) // one publisher cannot silence a mirror
			}
		})
	}
	t.Run("nobody has signed it", func(t *testing.T) {
		here, there, xa, _, _ := split(t)
		message := seen(here, there.checkpoint())
		message.Data[len(message.Data)-1] ^= 1 // the last byte of the signature
		here.publish(message)
		xa.hasCosigned(here.notarise().Size)
		same(t, "alarm", "", xa.Status().Alarm)
	})
}
