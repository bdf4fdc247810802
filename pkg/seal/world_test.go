package seal_test

import (
	"cmp"
	"crypto/hpke"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

const (
	theCase    = eventv1.Compartment_COMPARTMENT_CASE
	identity   = eventv1.Compartment_COMPARTMENT_IDENTITY
	protection = eventv1.Compartment_COMPARTMENT_PROTECTION
	inClear    = eventv1.SectionForm_SECTION_FORM_CLEAR
	isSealed   = eventv1.SectionForm_SECTION_FORM_SEALED
)

var (
	police  = event.Chain{Country: "XA", Agency: "police", Audience: "region"}
	start   = time.Date(2025, 2, 12, 9, 30, 0, 0, time.UTC)
	expires = start.AddDate(1, 0, 0)
)

// signer is an agency's key, and what the registry says of it.
func signer(t testing.TB, country, agency string) (event.SigningKey, registry.Key) {
	t.Helper()
	owner := "publisher " + country + "/" + agency
	key, err := event.NewSigningKey(Key(owner))
	if err != nil {
		t.Fatal(err)
	}
	return key, registry.Key{Country: country, Agency: agency, Public: Public(owner), From: 1, Until: 1 << 40}
}

func openingName(country string, compartment eventv1.Compartment, epoch uint32) string {
	return fmt.Sprintf("opening %s/%d/%d", country, compartment, epoch)
}

// openings are what the registry has of countries' desks, in epoch 1.
func openings(compartment eventv1.Compartment, countries ...string) []registry.Opening {
	return openingsAt(1, compartment, countries...)
}

func openingsAt(epoch uint32, compartment eventv1.Compartment, countries ...string) []registry.Opening {
	var list []registry.Opening
	for _, country := range countries {
		public := Opening(openingName(country, compartment, epoch)).PublicKey().Bytes()
		list = append(list, registry.Opening{Country: country, Compartment: uint32(compartment), Epoch: epoch, Public: public, From: 1, Until: 1 << 40})
	}
	return list
}

// desk opens with every private key of a country.
func desk(country string) *seal.Opener {
	made := map[string]hpke.PrivateKey{}
	return seal.NewOpener(func(compartment eventv1.Compartment, epoch uint32) hpke.PrivateKey {
		name := openingName(country, compartment, epoch)
		if made[name] == nil {
			made[name] = Opening(name)
		}
		return made[name]
	})
}

// drafts are n events with a text for each compartment.
func drafts(n int, compartments ...eventv1.Compartment) []event.Draft {
	list := make([]event.Draft, n)
	var last event.ID
	for i := range list {
		var random [10]byte
		binary.BigEndian.PutUint32(random[6:], uint32(i))
		last = event.NextID(start.Add(time.Duration(i)*time.Millisecond), random, last)
		list[i] = event.Draft{ID: last, Kind: "transfer.received", Retention: "case", Recorded: start}
		for _, c := range compartments {
			list[i].Sections = append(list[i].Sections, event.Section{Compartment: c, Form: inClear, Content: []byte(text(i, c))})
		}
	}
	return list
}

func text(i int, c eventv1.Compartment) string {
	return strings.Repeat(fmt.Sprintf("event %d says in %s. ", i, c), 3)
}

// batch is one sealed batch as it arrives.
type batch struct {
	record seal.Record
	events []event.Verified
	head   event.Head
}

// publish seals and signs list as XA's police, after head.
func publish(t testing.TB, head event.Head, list []event.Draft, to ...registry.Opening) batch {
	t.Helper()
	return publishAs(t, police, head, list, to...)
}

func publishAs(t testing.TB, chain event.Chain, head event.Head, list []event.Draft, to ...registry.Opening) batch {
	t.Helper()
	key, registered := signer(t, chain.Country, chain.Agency)
	sealed, err := seal.Seal(chain, list, to)
	if err != nil {
		t.Fatal(err)
	}
	signed, head, err := event.SignBatch(key, chain, head, event.Seen{}, sealed.Drafts)
	if err != nil {
		t.Fatal(err)
	}
	record, err := sealed.Record(key, signed, expires)
	if err != nil {
		t.Fatal(err)
	}
	b := batch{record: arrive(t, record.Data, registered), head: head}
	for _, s := range signed {
		b.events = append(b.events, verified(t, s, registered))
	}
	return b
}

func arrive(t testing.TB, data []byte, key registry.Key) seal.Record {
	t.Helper()
	unverified, err := seal.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	record, err := unverified.Verify(key)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func verified(t testing.TB, s event.Signed, key registry.Key) event.Verified {
	t.Helper()
	unverified, err := event.Decode(s.Data)
	if err != nil {
		t.Fatal(err)
	}
	e, err := unverified.Verify(key.Public, nil, &event.Roots{})
	if err != nil {
		t.Fatal(err)
	}
	if e.Place != s.Place {
		t.Fatalf("signed at %v, verified at %v", s.Place, e.Place)
	}
	return e
}

// reasons are why each section stayed closed; "" where it opened to what event i says.
// They are in the order of compartments; those of which nothing tells which they are come last.
func reasons(t testing.TB, i int, sections []seal.Section) string {
	t.Helper()
	var all []string
	for _, s := range byCompartment(sections) {
		switch {
		case s.Err != nil && s.Content != nil:
			t.Errorf("event %d, %s: content and an error: %v", i, s.Compartment, s.Err)
		case s.Err != nil && seal.ReasonOf(s.Err) == "":
			t.Errorf("event %d, %s: closed without a reason: %v", i, s.Compartment, s.Err)
		case s.Err == nil && string(s.Content) != text(i, s.Compartment):
			t.Errorf("event %d, %s: opened to %q", i, s.Compartment, s.Content)
		}
		all = append(all, string(seal.ReasonOf(s.Err)))
	}
	return strings.Join(all, ",")
}

func byCompartment(sections []seal.Section) []seal.Section {
	sorted := slices.Clone(sections)
	slices.SortStableFunc(sorted, func(a, b seal.Section) int { return cmp.Compare(uint32(a.Compartment-1), uint32(b.Compartment-1)) })
	return sorted
}

// openAs is reasons of what a country's desk sees of one event.
func (b batch) openAs(t testing.TB, country string, i int) string {
	t.Helper()
	return reasons(t, i, desk(country).Open(b.events[i], start, b.record.Portion(country)))
}
