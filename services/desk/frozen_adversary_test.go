package desk

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// raised waits for an alarm that need not be the only one.
func (r *running) raised(code string) (have, got string) {
	r.w.t.Helper()
	until(r.w.t, "alarm "+code+" is raised", func() bool {
		all, err := r.journal.Alarms(context.Background())
		must(r.w.t, err)
		for _, a := range all {
			if a.Code == code {
				have, got = string(a.Have), string(a.Got)
				return true
			}
		}
		return false
	})
	return have, got
}

// says waits for an alarm with some words, which is the one that the desk shows.
func (r *running) says(words string) (alarm journal.Alarm) {
	r.w.t.Helper()
	until(r.w.t, "an alarm says "+words, func() bool {
		alarm, _ = r.alarms.gravest()
		return strings.Contains(alarm.What, words) && r.Status().Alarm == alarm.What
	})
	return alarm
}

// The hub, or somebody with it, lets everything that is signed end somewhere. No
// signature is wrong; what waits is noticed by who has it, and named.
func TestAdversary_L08_Frozen(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		freeze func(w *world) // before message 2 is said
		thaw   func(w *world)
		says   string
		signed bool // message 2 is in a checkpoint that XC has
	}{
		"no checkpoint comes any more": {
			freeze: func(w *world) { w.consumer(stream.Log, "XC", []string{"log.nothing"}) },
			thaw:   func(w *world) { w.notarise(); w.consumer(stream.Log, "XC", []string{"log.>"}) },
			says:   "from message 2 on is in no checkpoint since ",
		},
		"the notary stands still": {
			freeze: func(*world) {},
			thaw:   func(w *world) { w.notarise() },
			says:   "from message 2 on is in no checkpoint since ",
		},
		"no cosignature comes any more": {
			freeze: func(*world) {},
			thaw:   func(*world) {},
			says:   "The log from message 2 on is not witnessed since ",
			signed: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := w.desk("XC", func(c *Config) { c.Freeze = 200 * time.Millisecond })
			w.say(police)
			w.cosign("XA", w.notarise())
			until(t, "two messages are witnessed", func() bool { return d.Status().WitnessedSize == 2 })
			before := d.Status()
			if at := before.WitnessedAt; at.Unix() != 1_700_000_000 { // of the two, the earlier
				t.Errorf("witnessed at %v", at)
			}
			test.freeze(w)
			began := time.Now().Truncate(time.Second)
			d.has(w.say(border))
			if test.signed {
				w.notarise()
				d.hasCosigned(3)
			}
			alarm := d.says(test.says)
			same(t, "code", AlarmFrozen, alarm.Code)
			_, rest, _ := strings.Cut(alarm.What, test.says)
			since, err := time.Parse("2006-01-02 15:04:05", rest[:len("2006-01-02 15:04:05")])
			must(t, err)
			if since.Before(began) || since.After(time.Now()) {
				t.Errorf("since %v, but it began after %v", since, began)
			}
			signedBy(t, string(alarm.Have), map[bool]uint64{false: 2, true: 3}[test.signed])
			same(t, "witnessed", uint64(2), d.Status().WitnessedSize)
			test.thaw(w)
			w.cosign("XA", w.checkpoint())
			d.hasCosigned(3)
			until(t, "all is witnessed and the alarm has ended", func() bool {
				return d.Status().WitnessedSize == 3 && d.Status().Alarm == ""
			})
			same(t, "entries", 3, len(d.entries()))
		})
	}
}

// What is no standstill: nothing is said; the hub is away; the country takes no part.
func TestAQuietLogIsNotFrozen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XC")
	w.say(police)
	w.cosign("XA", w.notarise())
	until(t, "all is witnessed", func() bool { return d.Status().WitnessedSize == 2 })
	unlogged := translog.Standstill{Patience: time.Minute}
	unwitnessed := unlogged
	later := time.Now()
	look := func(after time.Duration) {
		t.Helper()
		later = later.Add(after)
		must(t, d.watchOnce(t.Context(), later, &unlogged, &unwitnessed))
	}
	look(0)
	look(time.Hour)
	same(t, "alarm of a quiet log", "", d.Status().Alarm)
	d.has(w.say(police))
	look(time.Hour) // it begins to wait
	w.server.Shutdown()
	until(t, "the hub is away", func() bool { return !d.Status().Connected })
	look(time.Hour)
	same(t, "alarm while the hub is away", "", d.Status().Alarm)
}
