package keyring

import (
	"bytes"
	"crypto/hpke"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

const (
	theCase    = eventv1.Compartment_COMPARTMENT_CASE
	protection = eventv1.Compartment_COMPARTMENT_PROTECTION
)

var start = time.Date(2025, 2, 12, 9, 30, 0, 0, time.UTC)

// world is the registry with opening keys of XA and XB, and XA's police as publisher.
type world struct {
	t    testing.TB
	book *Log
	head event.Head
	at   int

	signer   string    // whose key signs
	recorded time.Time // of the drafts
	class    string    // their retention
}

func newWorld(t testing.TB) *world {
	t.Helper()
	founding := Founding()
	for _, a := range founding.GetAgencies() { // so that each can rotate its key to "next publisher ..."
		next := registry.CommitmentOf(Public("next publisher " + a.GetCountry() + "/" + a.GetAgency()))
		a.PublisherNext = next[:]
	}
	w := &world{t: t, book: NewLogOf(t, founding), signer: "publisher XA/police", recorded: start, class: "case"}
	return w
}

// ring opens XB's.
func (w *world) ring(directory string) *Ring {
	w.t.Helper()
	r, err := Open(w.t.Context(), filepath.Join(directory, "keys.db"), "XB")
	must(w.t, err)
	w.t.Cleanup(func() { r.Close() })
	return r
}

// opener has XB's private key of the case compartment, and not that of protection.
func (w *world) opener(r *Ring) *Opener {
	return r.Opener([]hpke.PrivateKey{OpeningOf("XB", uint32(theCase))}, func() registry.State { return w.book.State })
}

func signer(t testing.TB, owner string) event.SigningKey { return keyOf(t, "publisher "+owner) }

func keyOf(t testing.TB, name string) event.SigningKey {
	t.Helper()
	key, err := event.NewSigningKey(Key(name))
	must(t, err)
	return key
}

// batch is a sealed batch with its record.
type batch struct {
	record seal.Record
	events []event.Verified
}

// says publishes n events of XA's police with a section in each compartment.
func (w *world) says(n int, to ...registry.Opening) batch {
	w.t.Helper()
	return w.saysUntil(start.AddDate(1, 0, 0), n, to...)
}

func (w *world) saysUntil(expires time.Time, n int, to ...registry.Opening) batch {
	w.t.Helper()
	chain := event.Chain{Country: "XA", Agency: "police", Audience: "pair"}
	if len(to) == 0 {
		audience, _ := w.book.State.Audience("pair")
		to = seal.Recipients(w.book.State, audience, w.book.Next)
	}
	var drafts []event.Draft
	last := w.head.LastID
	for range n {
		w.at++
		var random [10]byte
		binary.BigEndian.PutUint32(random[6:], uint32(w.at))
		last = event.NextID(start.Add(time.Duration(w.at)*time.Millisecond), random, last)
		draft := event.Draft{ID: last, Kind: "site.reported", Retention: w.class, Recorded: w.recorded}
		for _, c := range []eventv1.Compartment{theCase, protection} {
			draft.Sections = append(draft.Sections, event.Section{Compartment: c, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: []byte(text(w.at, c))})
		}
		drafts = append(drafts, draft)
	}
	key := keyOf(w.t, w.signer)
	sealed, err := seal.Seal(chain, drafts, to)
	must(w.t, err)
	signed, head, err := event.SignBatch(key, chain, w.head, event.Seen{}, sealed.Drafts)
	must(w.t, err)
	record, err := sealed.Record(key, signed, expires)
	must(w.t, err)
	w.head = head
	b := batch{record: record}
	for _, s := range signed {
		u, err := event.Decode(s.Data)
		must(w.t, err)
		v, err := u.Verify(Public(w.signer), nil, &event.Roots{})
		must(w.t, err)
		b.events = append(b.events, v)
	}
	return b
}

func text(n int, c eventv1.Compartment) string {
	return fmt.Sprintf("invented: event %d says %s", n, c)
}

func (w *world) known(now time.Time) Known {
	return Known{State: w.book.State, Next: w.book.Next, Now: now}
}

// take offers records on their own subjects.
func (w *world) take(r *Ring, now time.Time, records ...seal.Record) Taken {
	w.t.Helper()
	var offered []Offered
	place, err := r.Place(w.t.Context())
	must(w.t, err)
	for _, record := range records {
		place++
		offered = append(offered, Offered{Sequence: place, Subject: record.Subject(), Data: record.Data})
	}
	taken, err := r.Take(w.t.Context(), w.known(now), offered)
	must(w.t, err)
	return taken
}

// reads is what an opener makes of an event: content, or why there is none.
func reads(t testing.TB, o *Opener, e event.Verified, now time.Time) []string {
	t.Helper()
	got := opens(t, o, e, now)
	must(t, o.Note(t.Context(), start))
	return got
}

// opens is reads, unnoted. It is in the order of compartments, those of none last.
func opens(t testing.TB, o *Opener, e event.Verified, now time.Time) []string {
	t.Helper()
	sections, err := o.Open(t.Context(), 10, e, now)
	must(t, err)
	slices.SortStableFunc(sections, func(a, b seal.Section) int { return int(a.Compartment-1)&0xff - int(b.Compartment-1)&0xff })
	var got []string
	for _, s := range sections {
		if s.Err != nil {
			got = append(got, string(seal.ReasonOf(s.Err)))
		} else {
			got = append(got, string(s.Content))
		}
	}
	return got
}

// caseKey is what the case section opened with, wherever it stands.
func caseKey(sections []seal.Section) seal.ContentKey {
	at := slices.IndexFunc(sections, func(s seal.Section) bool { return s.Compartment == theCase })
	return sections[at].Key
}

// raw are the bytes of all files in a directory.
func raw(t testing.TB, directory string) []byte {
	t.Helper()
	var all []byte
	entries, err := os.ReadDir(directory)
	must(t, err)
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		must(t, err)
		all = append(all, data...)
	}
	return all
}

// wraps are the content keys of an event in a record's portion for XB, as they lie there.
func wraps(r seal.Record, id event.ID) [][]byte {
	var found [][]byte
	for _, g := range r.Portion("XB").Grants {
		for _, p := range g.Pieces {
			if p.Event == id {
				found = append(found, p.Wrapped)
			}
		}
	}
	return found
}

func isIn(data []byte, parts [][]byte) (n int) {
	for _, part := range parts {
		if bytes.Contains(data, part) {
			n++
		}
	}
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
