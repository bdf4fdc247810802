package seal_test

import (
	"bytes"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
)

// thousand is a batch of a thousand events with two sections of 500 bytes.
func thousand() []event.Draft {
	list := drafts(1000, theCase, identity)
	for i := range list {
		for j := range list[i].Sections {
			list[i].Sections[j].Content = bytes.Repeat([]byte{byte(i)}, 500)
		}
	}
	return list
}

// BenchmarkSignBatch1000 is the batch in clear: what BenchmarkSealBatch1000 is compared with.
func BenchmarkSignBatch1000(b *testing.B) {
	key, _ := signer(b, "XA", "police")
	list := thousand()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, list); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSealBatch1000 seals the batch to three desks, signs it, and makes its record.
func BenchmarkSealBatch1000(b *testing.B) {
	key, _ := signer(b, "XA", "police")
	list, to := thousand(), append(openings(theCase, "XA", "XB", "XC"), openings(identity, "XA", "XB", "XC")...)
	b.ReportAllocs()
	for b.Loop() {
		sealed, err := seal.Seal(police, list, to)
		if err != nil {
			b.Fatal(err)
		}
		signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, sealed.Drafts)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := sealed.Record(key, signed, expires); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is one event of a batch whose key is known: what a desk spends on most events.
func BenchmarkOpen(b *testing.B) {
	sealed := publish(b, event.Head{}, thousand(), append(openings(theCase, "XB"), openings(identity, "XB")...)...)
	opener, portion := desk("XB"), sealed.record.Portion("XB")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for _, s := range opener.Open(sealed.events[i%1000], start, portion) {
			if s.Err != nil {
				b.Fatal(s.Err)
			}
		}
	}
}
