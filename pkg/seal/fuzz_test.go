package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
)

// FuzzKeyRecord: whatever comes, Decode returns; what it accepts has one spelling, is
// within bounds, and verifies only if its agency signed it.
func FuzzKeyRecord(f *testing.F) {
	_, registered := signer(f, "XA", "police")
	_, other := signer(f, "XB", "police")
	v, genuine := readVectors(f), map[event.Digest]bool{}
	for _, r := range v.Records {
		f.Add(unhex(f, r.Record))
		genuine[event.DigestOf(unhex(f, r.Record))] = true
	}
	for _, bad := range v.Bad {
		f.Add(unhex(f, bad.Record))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := seal.Decode(data)
		if err != nil {
			if !errors.Is(err, seal.MalformedRecord) || len(err.Error()) > 1024 {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if len(data) > seal.MaxRecord {
			t.Errorf("%d bytes were decoded", len(data))
		}
		if content := contentOf(t, data); !bytes.Contains(data, canonical(t, content)) {
			t.Error("a content of another spelling was decoded")
		}
		for _, key := range []registry.Key{registered, other, {}} {
			record, err := u.Verify(key)
			switch {
			case err != nil && !errors.Is(err, seal.NotOriginator):
				t.Errorf("an error without its reason: %v", err)
			case err == nil && !genuine[record.Digest]:
				t.Errorf("record %s verified, and nobody signed it", record.Digest)
			}
		}
	})
}

// FuzzOpen: whatever an originator signs, a section opens to what was sealed, or stays closed
// for a reason.
func FuzzOpen(f *testing.F) {
	b := publish(f, event.Head{}, drafts(2, theCase, identity), twoCompartments()...)
	_, registered := signer(f, "XA", "police")
	f.Add(canonical(f, contentOf(f, b.record.Data)), uint8(0), uint16(0))
	for _, r := range readVectors(f).Records {
		f.Add(canonical(f, contentOf(f, unhex(f, r.Record))), uint8(1), uint16(700))
	}
	openers := map[string]*seal.Opener{"XA": desk("XA"), "XB": desk("XB"), "XC": sameKey(Opening(openingName("XB", theCase, 1)))}
	f.Fuzz(func(t *testing.T, content []byte, which uint8, cut uint16) {
		u, err := seal.Decode(signBytes(t, "publisher XA/police", content))
		if err != nil {
			return
		}
		record, err := u.Verify(registered)
		if err != nil {
			if u.Terms().Origin.Country == "XA" && u.Terms().Origin.Agency == "police" {
				t.Fatal(err)
			}
			return
		}
		for country, opener := range openers {
			portion := record.Portion(country)
			i := int(which) % len(b.events)
			if got := reasons(t, i, opener.Open(b.events[i], start, portion)); country == "XC" && got == "," {
				t.Error("XC opened what XC was not granted")
			}
			for g := range portion.Grants { // as it comes back from a damaged disk
				portion.Grants[g].Wrapped = portion.Grants[g].Wrapped[:int(cut)%len(portion.Grants[g].Wrapped)]
				for p := range portion.Grants[g].Pieces {
					portion.Grants[g].Pieces[p].Wrapped = portion.Grants[g].Pieces[p].Wrapped[:cut%entrySize]
				}
			}
			reasons(t, i, opener.Open(b.events[i], start, portion))
		}
	})
}
