package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
)

const (
	fewLeaves  = 10_000
	manyLeaves = 3_000_000
	rounds     = 21
	portion    = 2_000 // messages of one round
	maxGrowth  = 1.20  // of any cost, from few leaves to many
)

// costs are what one message costs, in microseconds, by what is measured.
type costs map[string]float64

// line is a log with its notary and two desks, each in a process of its own: XA's
// desk may read all messages, XC's has bare hashes alone.
type line struct {
	*house
	conn  *stream.Conn
	roles map[string]*role
}

func newLine(b *testing.B, leaves int) *line {
	b.Helper()
	l := &line{house: newHouse(b), roles: map[string]*role{}}
	l.conn = l.dial(stream.PublisherUser("XA", "police"))
	began := time.Now()
	l.watch()
	for name, country := range map[string]string{byNotary: "", "XA": "XA", "XC": "XC"} {
		l.roles[name] = l.start(country)
	}
	l.append(l.conn, leaves-1)
	appended := time.Since(began)
	all := l.until(byNotary, "XA", "XC")
	b.Logf("%d leaves: stored after %.1f s, signed after %.1f s, mirrored after %.1f s (XA, which holds all), %.1f s (XC, hashes alone)", leaves,
		appended.Seconds(), all[byNotary].Sub(began).Seconds(), all["XA"].Sub(began).Seconds(), all["XC"].Sub(began).Seconds())
	return l
}

// round appends one portion and waits until everybody is done with it.
func (l *line) round() costs {
	l.b.Helper()
	before, err := processor()
	must(l.b, err)
	used := map[string]time.Duration{}
	for name, r := range l.roles {
		used[name] = r.processor()
	}
	began := time.Now()
	l.append(l.conn, portion)
	committed := time.Now()
	done := l.until(byNotary, "XA", "XC")
	took := costs{"hub, elapsed": perMessage(committed.Sub(began))}
	for name, r := range l.roles {
		took[name+", processor"] = perMessage(r.processor() - used[name])
		took[name+", elapsed"] = perMessage(done[name].Sub(began))
	}
	after, err := processor()
	must(l.b, err)
	took["hub, processor"] = perMessage(after - before)
	return took
}

func perMessage(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / portion }

// BenchmarkAppend holds a log of 3 million leaves beside one of 10 thousand, and
// appends to them in turns. It fails where a message costs a fifth more on the
// larger one: to the hub, to the notary, to a mirror with all bytes, to a mirror
// with hashes alone; in processor time, or from its publication on to the fsynced
// acknowledgement, the signed checkpoint, the published cosignature.
func BenchmarkAppend(b *testing.B) {
	describeMachine(b)
	few, many := newLine(b, fewLeaves), newLine(b, manyLeaves)
	small, large := map[string][]float64{}, map[string][]float64{}
	for i := range 2 * rounds {
		l, all := few, small
		if i%4 == 1 || i%4 == 2 { // few, many, many, few: neither always comes after the other
			l, all = many, large
		}
		for what, cost := range l.round() {
			all[what] = append(all[what], cost)
		}
	}
	b.ReportMetric(0, "ns/op") // of no meaning here
	b.Logf("microseconds a message, medians of %d rounds of %d messages:", rounds, portion)
	for _, who := range []string{"hub", byNotary, "XA", "XC"} {
		for _, what := range []string{who + ", processor", who + ", elapsed"} {
			at10k, at3M := percentile(50, small[what]), percentile(50, large[what])
			b.Logf("%-18s %7.1f at %d leaves, %7.1f at %d: ratio %.2f", what, at10k, fewLeaves, at3M, manyLeaves, at3M/at10k)
			b.ReportMetric(at3M/at10k, strings.ReplaceAll(what, ", ", "-")+"-ratio")
			if at3M > maxGrowth*at10k {
				b.Errorf("%s: a message costs %.2f times as much at %d leaves, want at most %.2f", what, at3M/at10k, manyLeaves, maxGrowth)
			}
		}
	}
}
