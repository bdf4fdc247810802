package keyring

import (
	"testing"
	"time"
)

// What was folded first at a time has its days from then on, whatever its header says, and
// however often it is folded again. A clock that stood in 1970 for a while shortens nothing.
func TestContentLivesFromWhenItWasFirstFolded(t *testing.T) {
	far := time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		class   string
		noted   []time.Time // the first is of a batch before
		days    int         // that it lives from start on
		classes map[string]uint32
	}{
		"folded once":                {"case", []time.Time{start, start}, 365, map[string]uint32{"case": 365, "log": 3650}},
		"folded again":               {"case", []time.Time{start, start, start.AddDate(0, 6, 0)}, 365, map[string]uint32{"case": 365, "log": 3650}},
		"a clock that was in 1970":   {"case", []time.Time{start, time.Unix(0, 0), start}, 365, map[string]uint32{"case": 365, "log": 3650}},
		"a clock that began in 1970": {"case", []time.Time{time.Unix(3, 0), time.Unix(5, 0), start}, 365, map[string]uint32{"case": 365, "log": 3650}},
		"a class that is unknown":    {"forever", []time.Time{start, start}, 30, map[string]uint32{"case": 365, "short": 30}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.ring(t.TempDir())
			o := w.opener(r)
			w.recorded, w.class = far, c.class
			before, b := w.saysUntil(far, 1), w.saysUntil(far, 2)
			w.take(r, start, before.record, b.record)
			for i, now := range c.noted {
				e := b.events[0]
				if i == 0 {
					e = before.events[0]
				}
				_, err := o.Open(t.Context(), 10, e, now)
				must(t, err)
				must(t, o.Note(t.Context(), now))
			}
			for _, at := range []struct {
				days int
				want string
			}{{c.days - 1, text(2, theCase)}, {c.days, "expired"}} {
				now := start.AddDate(0, 0, at.days)
				_, err := r.Expire(t.Context(), now, c.classes)
				must(t, err)
				same(t, "what is read", at.want, reads(t, o, b.events[0], now)[0])
			}
		})
	}
}
