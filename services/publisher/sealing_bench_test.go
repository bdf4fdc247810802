package publisher

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// worthSealing is the part of the throughput in clear that sealing has to leave.
const worthSealing = 0.70

// BenchmarkSealedAgainstClear measures from the API's call to the hub's fsynced answer, in
// batches of 1,000 events with two sections of 500 bytes, to three desks: sealed, and
// signed only, in turns. It fails where the median sealed is less than worthSealing of that in clear.
func BenchmarkSealedAgainstClear(b *testing.B) {
	const turns, batches = 7, 10
	rates := map[bool][]float64{}
	for b.Loop() {
		for turn := range turns {
			for _, clear := range []bool{turn%2 == 0, turn%2 != 0} {
				rates[clear] = append(rates[clear], publishingRate(b, clear, batches))
			}
		}
	}
	median := func(all []float64) float64 {
		slices.Sort(all)
		return all[len(all)/2]
	}
	sealed, clear := median(rates[false]), median(rates[true])
	b.ReportMetric(sealed, "sealed-events/s")
	b.ReportMetric(clear, "clear-events/s")
	b.ReportMetric(sealed/clear, "sealed/clear")
	b.Logf("sealed %.0f, in clear %.0f", rates[false], rates[true])
	if sealed/clear < worthSealing {
		b.Errorf("sealed publishing has %.0f%% of the throughput in clear, want %.0f%%", 100*sealed/clear, 100*worthSealing)
	}
}

// publishingRate publishes so many thousands through a hub of its own, and is how many a second that were.
func publishingRate(b *testing.B, clear bool, batches int) float64 {
	w := newWorld(b)
	defer w.stopHub()
	w.notary().checkpoint(1)
	p := w.start(b.TempDir(), func(p *Publisher) { p.clear = clear })
	defer p.stop()
	p.until("it follows", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() == 1 && s.GetHalted() == "" })
	requests := make([]*publisherv1.PublishRequest, batches)
	for i := range requests {
		requests[i] = &publisherv1.PublishRequest{Reports: reports(fmt.Sprint(i), 1000, twoSections)}
	}
	began := time.Now()
	var group sync.WaitGroup
	for _, r := range requests {
		group.Go(func() {
			if _, err := (api{p.Publisher}).Publish(context.Background(), r); err != nil {
				b.Error(err)
			}
		})
	}
	group.Wait()
	p.until("all are stored", func(s *publisherv1.GetStatusResponse) bool { return s.GetStored() == uint64(1000*batches) })
	return float64(1000*batches) / time.Since(began).Seconds()
}

// twoSections makes a report of two sections of some 500 bytes.
func twoSections(r *caseworkv1.Report) {
	r.Case.Note = strings.Repeat("what was seen. ", 28)
	identity := &caseworkv1.IdentitySection{}
	for i := range 10 {
		identity.Persons = append(identity.Persons, &caseworkv1.Identity{PersonId: fmt.Sprint("P-", i), Name: "an invented person of the benchmark, no. " + fmt.Sprint(i)})
	}
	r.Identity = identity
}
