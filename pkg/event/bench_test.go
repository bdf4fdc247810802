package event_test

import (
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
)

// BenchmarkVerify is one event of a batch whose root is known: what a reader spends on most events.
func BenchmarkVerify(b *testing.B) {
	signed, _ := sign(b, event.Head{}, drafts(1000, event.ID{}))
	_, public := signingKey(b, "publisher XA/police")
	roots := &event.Roots{}
	for i := 0; b.Loop(); i++ {
		u, err := event.Decode(signed[i%len(signed)].Data)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := u.Verify(public, nil, roots); err != nil {
			b.Fatal(err)
		}
	}
}
