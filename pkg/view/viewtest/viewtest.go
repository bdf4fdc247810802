// Package viewtest is the suite that every adapter of pkg/view must pass.
package viewtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
)

// Store is an adapter's read model.
type Store interface {
	view.Reader
	view.Writer
	Close() error
}

// Open opens the read model that belongs to a directory, and makes it at the
// first time. Opened again after Close it must have what was committed.
type Open func(t *testing.T, directory string) Store

// Run holds an adapter to the contract.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"an empty view":                          empty,
		"a batch is visible wholly or not":       atomic,
		"entries come back as they were":         roundTrip,
		"filters":                                filters,
		"chains":                                 chains,
		"documents":                              documents,
		"the digest is that of memory":           digests,
		"a digest is of one moment":              oneMoment,
		"committed is committed after reopening": reopened,
		"a log index is used once":               once,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// fresh is a new view that is closed with the test.
func fresh(t *testing.T, open Open) Store {
	t.Helper()
	s := open(t, t.TempDir())
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get is a result that must be there.
func get[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		must(t, err)
		return value
	}
}

func begin(t *testing.T, s Store) view.Tx {
	t.Helper()
	return get[view.Tx](t)(s.Begin(t.Context()))
}

// commit takes in one batch.
func commit(t *testing.T, s Store, c view.Cursor, fill func(view.Tx)) {
	t.Helper()
	tx := begin(t, s)
	fill(tx)
	must(t, tx.Commit(c))
}

func cursorAt(sequence uint64) view.Cursor {
	return view.Cursor{Sequence: sequence, Index: sequence - 1, Digest: event.DigestOf(fmt.Append(nil, sequence))}
}

// accepted is the entry of an accepted event, with the head that follows from it.
func accepted(index uint64, chain event.Chain, counter uint64, kind string, refs ...casework.Ref) (view.Entry, event.Head) {
	head := event.Head{Counter: counter, Digest: event.DigestOf(fmt.Append(nil, chain, counter))}
	head.LastID[15] = byte(counter)
	return view.Entry{
		Index: index, Sequence: index + 1, Subject: event.Subject(chain, kind), Verdict: verdict.Accepted,
		EventID: head.LastID.String(), HeaderDigest: head.Digest,
		Country: chain.Country, Agency: chain.Agency, Audience: chain.Audience, Renewal: chain.Renewal,
		Kind: kind, Counter: counter, Retention: "case", Recorded: time.Date(2025, 2, 12, 6, 30, 0, 0, time.UTC),
		Summary: "something", Refs: refs,
	}, head
}

func refused(index uint64, code verdict.Code) view.Entry {
	return view.Entry{Index: index, Sequence: index + 1, Subject: "evt.x.AA.y.a.b", Verdict: code, Reason: "because"}
}

var (
	first  = event.Chain{Country: "AA", Agency: "police", Audience: "all"}
	second = event.Chain{Country: "BB", Agency: "police", Audience: "all"}
)

func indexes(t *testing.T, s Store, f view.Filter) []uint64 {
	t.Helper()
	var got []uint64
	for _, entry := range get[[]view.Entry](t)(s.Entries(t.Context(), f)) {
		got = append(got, entry.Index)
	}
	return got
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func digestOf(t *testing.T, s Store) (event.Digest, view.Cursor) {
	t.Helper()
	digest, cursor, err := s.Digest(context.Background())
	must(t, err)
	return digest, cursor
}
