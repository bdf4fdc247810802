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
	rounds     = 41
	portion    = 1_000 // messages of one round
	maxGrowth  = 1.20  // of any cost, from few leaves to many
)

// costs are what one message costs, in microseconds, by what is measured.
type costs map[string]float64

// line is a log with its notary and two desks, each in a process of its own: XA's
// desk may read all messages, XC's has bare hashes alone. The two are its quorum: what
// is not witnessed waits in a mirror, and is stored with it.
type line struct {
	*house
	conn  *stream.Conn
	roles map[string]*role
}

func newLine(b *testing.B, leaves int) *line {
	b.Helper()
	l := &line{house: newHouse(b, 2), roles: map[string]*role{}}
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
	before := l.processor()
	began := time.Now()
	l.append(l.conn, portion)
	took := costs{"hub, elapsed": perMessage(time.Since(began))}
	for who, at := range l.until(byNotary, "XA", "XC") {
		took[who+", elapsed"] = perMessage(at.Sub(began))
	}
	for who, used := range l.settle() {
		took[who+", processor"] = perMessage(used - before[who])
	}
	return took
}

// processor is the processor time that everybody has used. The hub's is this
// process's: it publishes and watches too.
func (l *line) processor() map[string]time.Duration {
	l.b.Helper()
	own, err := processor()
	must(l.b, err)
	used := map[string]time.Duration{"hub": own}
	for who, r := range l.roles {
		used[who] = r.processor()
	}
	return used
}

// settle waits until nobody has anything left to do, so that what follows the
// cosignature (tiles, the view) is counted, and counted here.
func (l *line) settle() map[string]time.Duration {
	l.b.Helper()
	moment := time.NewTicker(10 * time.Millisecond)
	defer moment.Stop()
	for before := l.processor(); ; {
		<-moment.C
		after, busy := l.processor(), false
		for who := range after {
			busy = busy || after[who]-before[who] > 2*time.Millisecond
		}
		if !busy {
			return after
		}
		before = after
	}
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
