package publisher

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// BenchmarkPublish measures from the API's call to the hub's fsynced answer:
// checked, accepted, signed, stored and published. One operation is one event.
func BenchmarkPublish(b *testing.B) {
	for _, each := range []int{1, 100} {
		b.Run(fmt.Sprintf("requests of %d", each), func(b *testing.B) {
			w := newWorld(b)
			w.notary().checkpoint(1)
			p := w.start(b.TempDir())
			p.until("it follows", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() == 1 })
			var next atomic.Int64
			var group sync.WaitGroup
			b.ResetTimer()
			for range 64 {
				group.Go(func() {
					for {
						first := next.Add(int64(each)) - int64(each)
						if first >= int64(b.N) {
							return
						}
						request := &publisherv1.PublishRequest{Reports: reports(fmt.Sprint(first), each)}
						if _, err := (api{p.Publisher}).Publish(context.Background(), request); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			p.until("all are stored", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 0 })
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
