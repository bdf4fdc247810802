package seal_test

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// XB works in both compartments, XC in one, XD in none.
func twoCompartments() []registry.Opening {
	return append(openings(theCase, "XA", "XB", "XC"), openings(identity, "XA", "XB")...)
}

func TestEachDeskOpensWhatItIsGranted(t *testing.T) {
	list := drafts(5, theCase, identity)
	b := publish(t, event.Head{}, list, twoCompartments()...)
	for i, e := range b.events {
		for country, want := range map[string]string{"XA": ",", "XB": ",", "XC": ",not-granted", "XD": "not-granted,not-granted"} {
			if got := b.openAs(t, country, i); got != want {
				t.Errorf("%s, event %d: %q, want %q", country, i, got, want)
			}
		}
		for n, section := range e.Sections() {
			if section.Form != isSealed || section.Compartment != 0 || bytes.Contains(section.Content, list[i].Sections[n].Content[:8]) {
				t.Errorf("event %d: a section of form %s with %q", i, section.Form, section.Content)
			}
		}
		if list[i].Sections[0].Form != inClear {
			t.Error("Seal changed the drafts that it was given")
		}
	}
	want := []seal.Granted{{"XA", theCase, 1}, {"XB", theCase, 1}, {"XC", theCase, 1}, {"XA", identity, 1}, {"XB", identity, 1}}
	if diff := cmp.Diff(want, b.record.Granted()); diff != "" {
		t.Errorf("granted (-want +got):\n%s", diff)
	}
	root := b.events[0].Place.Batch.String()
	if got := b.record.Subject(); got != "key.region.XA.police."+root[:32] {
		t.Errorf("the record is for %s", got)
	}
}

// The renewal that the verdict knows is not the record's matter.
func TestEventsUnderALaterKey(t *testing.T) {
	b := publish(t, event.Head{}, drafts(1, theCase), openings(theCase, "XB")...)
	b.events[0].Chain.Renewal = 2
	if got := b.openAs(t, "XB", 0); got != "" {
		t.Errorf("under the key after two revocations: %q", got)
	}
}

// A desk without the private key of an epoch says so; with none of the record, likewise.
func TestWithoutKeyOrRecord(t *testing.T) {
	b := publish(t, event.Head{}, drafts(1, identity), openingsAt(2, identity, "XB")...)
	without := seal.NewOpener(func(eventv1.Compartment, uint32) (none hpke.PrivateKey) { return none })
	if got := reasons(t, 0, without.Open(b.events[0], start, b.record.Portion("XB"))); got != "no-private-key" {
		t.Errorf("without private keys: %q", got)
	}
	if got := reasons(t, 0, desk("XB").Open(b.events[0], start)); got != "no-record" {
		t.Errorf("without a record: %q", got)
	}
}

func TestClearSectionsAreTakenAsTheyAre(t *testing.T) {
	key, registered := signer(t, "XA", "police")
	signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, drafts(1, theCase))
	if err != nil {
		t.Fatal(err)
	}
	if got := reasons(t, 0, desk("XB").Open(verified(t, signed[0], registered), start)); got != "" {
		t.Errorf("a clear section: %q", got)
	}
}

func TestSealRefuses(t *testing.T) {
	some := drafts(3, theCase, identity)
	half := drafts(1, theCase)
	half[0].Sections[0].Form = isSealed
	other := openings(theCase, "XB")
	other[0].Public = other[0].Public[1:]
	var many []registry.Opening
	for i := range seal.MaxRecipients + 1 {
		o := openings(theCase, "XB")[0]
		o.Country = string([]byte{'A' + byte(i/26), 'A' + byte(i%26)})
		many = append(many, o)
	}
	wide := make([]eventv1.Compartment, 0, 16)
	var all []registry.Opening
	for c := eventv1.Compartment(1); c <= 16; c++ {
		wide = append(wide, c)
		for i := range 16 {
			o := openings(theCase, "XB")[0]
			o.Compartment, o.Country = uint32(c), "X"+string(rune('A'+i))
			all = append(all, o)
		}
	}
	for _, test := range []struct {
		name   string
		drafts []event.Draft
		to     []registry.Opening
		want   string
	}{
		{"nothing", nil, twoCompartments(), "batch of 0 events"},
		{"too many", make([]event.Draft, seal.MaxEvents+1), twoCompartments(), "batch of 1001 events"},
		{"a compartment that no desk works in", some, openings(theCase, "XA", "XB"), "compartment 2: no desk"},
		{"sealed already", half, openings(theCase, "XB"), "not in clear"},
		{"not a key", half, other, "opening key of XB for compartment 1"},
		{"two keys of one desk", some, append(openings(theCase, "XB"), openingsAt(2, theCase, "XB")...), "two opening keys of XB"},
		{"too many recipients", some, many, "65 recipients"},
		{"a record too large", drafts(1000, wide...), all, "fewer events"},
	} {
		if sealed, err := seal.Seal(police, test.drafts, test.to); err == nil || sealed != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error about %q", test.name, err, test.want)
		}
	}
}

// What the estimate lets pass fits: a record at its bounds is signed and read.
func TestLargestRecord(t *testing.T) {
	compartments := []eventv1.Compartment{1, 2, 3, 4}
	var to []registry.Opening
	for _, c := range compartments {
		for i := range seal.MaxRecipients {
			o := openings(theCase, "XB")[0]
			o.Compartment, o.Epoch, o.Country = uint32(c), 1<<32-1, string([]byte{'A' + byte(i/26), 'A' + byte(i%26)})
			to = append(to, o)
		}
	}
	b := publish(t, event.Head{}, drafts(seal.MaxEvents, compartments...), to...)
	if size := len(b.record.Data); size > 620_000 {
		t.Errorf("%d bytes", size)
	}
}

func TestRecordIsOfTheSignedBatch(t *testing.T) {
	key, _ := signer(t, "XA", "police")
	other, _ := signer(t, "XA", "border")
	sealed, err := seal.Seal(police, drafts(3, theCase), openings(theCase, "XB"))
	if err != nil {
		t.Fatal(err)
	}
	signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, sealed.Drafts)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := append([]event.Signed{}, signed...)
	elsewhere[1].Place.Batch[0] ^= 1
	others, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, drafts(4, theCase)[1:])
	if err != nil {
		t.Fatal(err)
	}
	for name, fails := range map[string]func() error{
		"other events": func() error { _, err := sealed.Record(key, others, expires); return err },
		"fewer events": func() error { _, err := sealed.Record(key, signed[:2], expires); return err },
		"another order": func() error {
			_, err := sealed.Record(key, []event.Signed{signed[1], signed[0], signed[2]}, expires)
			return err
		},
		"another key":    func() error { _, err := sealed.Record(other, signed, expires); return err },
		"two batches":    func() error { _, err := sealed.Record(key, elsewhere, expires); return err },
		"no expiry":      func() error { _, err := sealed.Record(key, signed, time.Time{}); return err },
		"no year 10,000": func() error { _, err := sealed.Record(key, signed, start.AddDate(8000, 0, 0)); return err },
	} {
		if fails() == nil {
			t.Errorf("%s: a record was made", name)
		}
	}
	if _, err := sealed.Record(key, signed, expires); err != nil {
		t.Errorf("after what was refused: %v", err)
	}
	if _, err := sealed.Record(key, signed, expires); err == nil || !strings.Contains(err.Error(), "made before") {
		t.Errorf("a second record of one batch: %v", err)
	}
}

func TestErase(t *testing.T) {
	b := publish(t, event.Head{}, drafts(4, theCase, identity), twoCompartments()...)
	key, registered := signer(t, "XA", "police")
	next, err := seal.Erase(key, b.record, b.events[1].ID, b.events[2].ID)
	if err != nil {
		t.Fatal(err)
	}
	before := b.record
	b.record = arrive(t, next.Data, registered)
	for i, want := range []string{",", "erased,erased", "erased,erased", ","} {
		if got := b.openAs(t, "XB", i); got != want {
			t.Errorf("event %d: %q, want %q", i, got, want)
		}
	}
	if next.Revision != 2 || next.Subject() != before.Subject() || next.Expires != before.Expires {
		t.Errorf("revision %d on %s until %s", next.Revision, next.Subject(), next.Expires)
	}
	for _, p := range before.Portion("XB").Grants {
		for _, piece := range p.Pieces {
			gone := piece.Event == b.events[1].ID || piece.Event == b.events[2].ID
			if bytes.Contains(next.Data, piece.Wrapped) == gone {
				t.Errorf("place %d, compartment %d: erased %t, and the wrapped key is otherwise", piece.Place, p.Compartment, gone)
			}
		}
	}
	if _, err := seal.Erase(key, b.record, b.events[1].ID); err == nil {
		t.Error("an event was erased twice")
	}
	if _, err := seal.Erase(key, b.record); err == nil {
		t.Error("nothing was erased")
	}
	// The rest too: the record stays, with nothing to open.
	last, err := seal.Erase(key, b.record, b.events[0].ID, b.events[3].ID)
	if err != nil {
		t.Fatal(err)
	}
	b.record = arrive(t, last.Data, registered)
	if got := b.openAs(t, "XB", 0); got != "erased,erased" {
		t.Errorf("after all: %q", got)
	}
}

// An agency that has another key since erases what was sealed under the old one.
func TestEraseUnderARotatedKey(t *testing.T) {
	b := publish(t, event.Head{}, drafts(2, theCase), openings(theCase, "XB")...)
	rotated, err := event.NewSigningKey(Key("next publisher XA/police"))
	if err != nil {
		t.Fatal(err)
	}
	next, err := seal.Erase(rotated, b.record, b.events[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	b.record = arrive(t, next.Data, registry.Key{Country: "XA", Agency: "police", Public: Public("next publisher XA/police")})
	if got := b.openAs(t, "XB", 0) + "|" + b.openAs(t, "XB", 1); got != "erased|" {
		t.Errorf("after the erasure: %q", got)
	}
}

// A desk deletes pieces of its own, without the originator.
func TestDeletedPiece(t *testing.T) {
	b := publish(t, event.Head{}, drafts(3, theCase), openings(theCase, "XB")...)
	portion := b.record.Portion("XB")
	portion.Grants[0].Pieces = append(portion.Grants[0].Pieces[:1:1], portion.Grants[0].Pieces[2:]...)
	for i, want := range []string{"", "erased", ""} {
		if got := reasons(t, i, desk("XB").Open(b.events[i], start, portion)); got != want {
			t.Errorf("event %d: %q, want %q", i, got, want)
		}
	}
}

func TestRelease(t *testing.T) {
	b := publish(t, event.Head{}, drafts(4, theCase, identity), twoCompartments()...)
	key, registered := signer(t, "XA", "police")
	var sections []seal.Released
	for _, i := range []int{3, 1} { // in any order
		for _, s := range desk("XA").Open(b.events[i], start, b.record.Portion("XA")) {
			if s.Compartment == identity {
				sections = append(sections, seal.Released{Event: b.events[i], Compartment: identity, Key: s.Key})
			}
		}
	}
	record, err := seal.Release(key, openings(identity, "XC"), 1, expires, sections)
	if err != nil {
		t.Fatal(err)
	}
	record = arrive(t, record.Data, registered)
	if record.Subject() != b.record.Subject()+"-XC" || record.Recipient != "XC" {
		t.Errorf("the release lies on %s, for %q", record.Subject(), record.Recipient)
	}
	for i, want := range []string{",not-granted", ",", ",not-granted", ","} {
		for _, order := range [][]seal.Portion{
			{b.record.Portion("XC"), record.Portion("XC")}, {record.Portion("XC"), b.record.Portion("XC")},
		} {
			got := reasons(t, i, desk("XC").Open(b.events[i], start, order...))
			if got != want && (want != ",not-granted" || got != ",erased") {
				t.Errorf("event %d: %q, want %q", i, got, want)
			}
		}
		if got := reasons(t, i, desk("XD").Open(b.events[i], start, record.Portion("XD"))); got != "not-granted,not-granted" {
			t.Errorf("XD, event %d: %q", i, got)
		}
	}
	next, err := seal.Erase(key, record, b.events[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := reasons(t, 1, desk("XC").Open(b.events[1], start, next.Portion("XC"))); got != "erased,erased" { // nothing opens that would tell which is which
		t.Errorf("after the release was erased: %q", got)
	}
}

func TestReleaseRefuses(t *testing.T) {
	b := publish(t, event.Head{}, drafts(2, theCase), openings(theCase, "XA")...)
	after := publish(t, b.head, drafts(3, theCase)[2:], openings(theCase, "XA")...)
	key, registered := signer(t, "XA", "police")
	released := func(b batch, i int) seal.Released {
		return seal.Released{Event: b.events[i], Compartment: theCase, Key: desk("XA").Open(b.events[i], start, b.record.Portion("XA"))[0].Key}
	}
	signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, drafts(1, theCase))
	if err != nil {
		t.Fatal(err)
	}
	clear := seal.Released{Event: verified(t, signed[0], registered), Compartment: theCase}
	wrong := released(b, 0)
	wrong.Key[5] ^= 1
	absent := released(b, 0)
	absent.Compartment = identity
	for _, test := range []struct {
		name     string
		to       []registry.Opening
		sections []seal.Released
		want     string
	}{
		{"nothing", openings(theCase, "XC"), nil, "nothing"},
		{"to nobody", nil, []seal.Released{released(b, 0)}, "nobody"},
		{"a key that the header does not commit to", openings(theCase, "XC"), []seal.Released{wrong}, seal.WrongKey.Error()},
		{"a section in clear", openings(theCase, "XC"), []seal.Released{clear}, seal.WrongKey.Error()},
		{"a section that is not there", openings(identity, "XC"), []seal.Released{absent}, seal.WrongKey.Error()},
		{"a compartment in which the desk has no key", openings(identity, "XC"), []seal.Released{released(b, 0)}, "no opening key"},
		{"two batches", openings(theCase, "XC"), []seal.Released{released(b, 0), released(after, 0)}, "another batch"},
		{"two countries", openings(theCase, "XB", "XC"), []seal.Released{released(b, 0)}, "release to X"},
		{"one section twice", openings(theCase, "XC"), []seal.Released{released(b, 0), released(b, 0)}, "named twice"},
	} {
		if _, err := seal.Release(key, test.to, 1, expires, test.sections); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error about %q", test.name, err, test.want)
		}
	}
}

// Batch keys are remembered, and a key that is destroyed opens nothing more.
func TestDestroyedPrivateKey(t *testing.T) {
	b := publish(t, event.Head{}, drafts(200, theCase), openings(theCase, "XB")...)
	uses, destroyed := 0, false
	opener := seal.NewOpener(func(eventv1.Compartment, uint32) hpke.PrivateKey {
		if destroyed {
			return nil
		}
		uses++
		return Opening(openingName("XB", theCase, 1))
	})
	portion := b.record.Portion("XB")
	for i := range b.events {
		if got := reasons(t, i, opener.Open(b.events[i], start, portion)); got != "" {
			t.Fatalf("event %d: %q", i, got)
		}
	}
	destroyed = true
	if got := reasons(t, 0, opener.Open(b.events[0], start, portion)); got != "no-private-key" {
		t.Errorf("after the key was destroyed: %q", got)
	}
}

func TestRecipientsAreThoseOfTheRegistry(t *testing.T) {
	log := NewLogOf(t, Bare())
	apply := func(change *registryv1.Update, signers ...string) {
		t.Helper()
		log.Apply(t, change, signers...)
	}
	apply(EnrolOpening("XA", 1, "a1"), "root XA")
	apply(EnrolOpening("XB", 1, "b1"), "root XB")
	apply(EnrolOpening("XB", 2, "b2"), "root XB")
	apply(EnrolOpening("XC", 1, "c1"), "root XC")
	before := log.Next
	log.Next++ // a message of another kind
	apply(RotateOpening("XB", 1, "next b1"), "root XB")
	apply(RevokeKey(DeskOwner("XB", 2), 0), "root XB")
	list := func(id string, index uint64) []string {
		audience, _ := log.State.Audience(id)
		var names []string
		for _, o := range seal.Recipients(log.State, audience, index) {
			names = append(names, fmt.Sprintf("%s/%d/%d", o.Country, o.Compartment, o.Epoch))
		}
		return names
	}
	if diff := cmp.Diff([]string{"XA/1/1", "XB/1/2"}, list("pair", log.Next)); diff != "" {
		t.Errorf("now (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"XA/1/1", "XB/1/1", "XB/2/1", "XC/1/1"}, list("region", before)); diff != "" {
		t.Errorf("before the rotation (-want +got):\n%s", diff)
	}
}

// No key gets into a log line or an error.
func TestKeysAreNotPrinted(t *testing.T) {
	key := seal.ContentKey{1, 2, 3}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, value := range []any{key, &key, seal.Section{Key: key}, seal.Released{Key: key}} {
			if got := fmt.Sprintf(verb, value); strings.Contains(got, "010203") || strings.Contains(got, "1 2 3") || strings.Contains(got, "0x1, 0x2") {
				t.Errorf("%s of %T: %s", verb, value, got)
			}
		}
	}
}

func TestReasonsHaveWords(t *testing.T) {
	err := fmt.Errorf("opening: %w", seal.Expired)
	if seal.ReasonOf(err) != seal.Expired || seal.ReasonOf(errors.New("other")) != "" || seal.ReasonOf(nil) != "" {
		t.Error("ReasonOf does not find the reason")
	}
	if !strings.Contains(err.Error(), "expired") || seal.Reason("made-up").Error() != "made-up" {
		t.Errorf("words: %v", err)
	}
}
