package viewtest

import (
	"math"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
)

func empty(t *testing.T, open Open) {
	s := fresh(t, open)
	same(t, "cursor", view.Cursor{}, get[view.Cursor](t)(s.Cursor(t.Context())))
	same(t, "entries", []uint64(nil), indexes(t, s, view.Filter{}))
	same(t, "counts", map[verdict.Code]uint64{}, get[map[verdict.Code]uint64](t)(s.Counts(t.Context())))
	if _, ok, err := s.Document(t.Context(), casework.Ref{Type: "transfer", ID: "T"}); ok || err != nil {
		t.Errorf("Document in an empty view: %t, %v", ok, err)
	}
	digest, _ := digestOf(t, s)
	want, err := new(casework.Memory).Digest()
	must(t, err)
	same(t, "digest", event.Digest(want), digest)
}

func atomic(t *testing.T, open Open) {
	s := fresh(t, open)
	ref := casework.Ref{Type: "site", ID: "S-1"}
	nothing := func(when string) {
		t.Helper()
		same(t, "cursor "+when, view.Cursor{}, get[view.Cursor](t)(s.Cursor(t.Context())))
		same(t, "entries "+when, []uint64(nil), indexes(t, s, view.Filter{}))
		if _, ok, err := s.Document(t.Context(), ref); ok || err != nil {
			t.Errorf("document %s: %t, %v", when, ok, err)
		}
	}
	fill := func(tx view.Tx) {
		must(t, tx.Put(ref, []byte(`{}`)))
		must(t, tx.Take(accepted(0, first, 1, "site.reported", ref)))
	}
	tx := begin(t, s)
	fill(tx)
	nothing("while the batch is open") // and a reader does not wait for it
	must(t, tx.Rollback())
	nothing("after the batch was rolled back")

	tx = begin(t, s)
	head, err := tx.Head(first)
	must(t, err)
	same(t, "head after the batch was rolled back", event.Head{}, head)
	fill(tx)
	must(t, tx.Commit(cursorAt(1)))
	if err := tx.Rollback(); err != nil {
		t.Errorf("Rollback after Commit: %v", err)
	}
	same(t, "cursor", cursorAt(1), get[view.Cursor](t)(s.Cursor(t.Context())))
	same(t, "entries", []uint64{0}, indexes(t, s, view.Filter{Ref: ref}))
}

func roundTrip(t *testing.T, open Open) {
	s := fresh(t, open)
	full, head := accepted(0, first, 1, "site.reported", casework.Ref{Type: "site", ID: "S-2"}, casework.Ref{Type: "breach", ID: "0"})
	full.Occurred, full.Source = "2025-02-12", "張偉, မောင်, สมชาย <script>\u202e\x00"
	full.Marking = casework.Marking{TLP: "AMBER+STRICT", Handling: []string{"H1", "H3"}, Purpose: "p"}
	full.Released = 77
	full.Open = []string{"case", "intelligence"}
	full.Closed = []casework.Closed{{Compartment: "identity", Reason: "not-granted"}, {Compartment: "protection", Reason: "recalled"}}
	full.Breaches = []casework.Breach{{Code: "purpose", Index: 0, What: "quoted \"'; DROP TABLE entries"}}
	full.Recorded = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	gap := refused(1, verdict.Gap)
	gap.Country, gap.Agency, gap.Audience, gap.Kind = "AA", "police", "all", "site.reported"
	gap.Counter = math.MaxUint64 // a header can say so
	gap.Recorded = time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)
	far := refused(1<<48-1, verdict.Undecodable)
	far.Sequence = math.MaxUint64
	want := []view.Entry{full, gap, far}
	cursor := view.Cursor{Sequence: math.MaxUint64, Index: far.Index, Digest: event.DigestOf(nil)}
	commit(t, s, cursor, func(tx view.Tx) {
		must(t, tx.Take(full, head))
		must(t, tx.Take(gap, event.Head{}))
		must(t, tx.Take(far, event.Head{}))
	})
	same(t, "entries", want, get[[]view.Entry](t)(s.Entries(t.Context(), view.Filter{})))
	same(t, "cursor", cursor, get[view.Cursor](t)(s.Cursor(t.Context())))
}

func filters(t *testing.T, open Open) {
	s := fresh(t, open)
	site, transfer := casework.Ref{Type: "site", ID: "1"}, casework.Ref{Type: "transfer", ID: "1"}
	commit(t, s, cursorAt(8), func(tx view.Tx) {
		must(t, tx.Take(refused(0, verdict.Undecodable), event.Head{}))
		must(t, tx.Take(accepted(1, first, 1, "site.reported", site)))
		must(t, tx.Take(accepted(2, first, 2, "transfer.departed", transfer)))
		must(t, tx.Take(accepted(4, second, 1, "transfer.received", transfer, site)))
		must(t, tx.Take(accepted(5, second, 2, "site.status", site)))
		must(t, tx.Take(refused(7, verdict.UnknownKey), event.Head{}))
	})
	for _, c := range []struct {
		name   string
		filter view.Filter
		want   []uint64
	}{
		{"all", view.Filter{}, []uint64{0, 1, 2, 4, 5, 7}},
		{"newest first", view.Filter{Newest: true}, []uint64{7, 5, 4, 2, 1, 0}},
		{"from an index on, itself included", view.Filter{After: 4}, []uint64{4, 5, 7}},
		{"from an index that is not there", view.Filter{After: 3, Limit: 2}, []uint64{4, 5}},
		{"newest, with a lower bound", view.Filter{After: 2, Newest: true, Limit: 9}, []uint64{7, 5, 4, 2}},
		{"the newest two", view.Filter{Newest: true, Limit: 2}, []uint64{7, 5}},
		{"family", view.Filter{Family: "transfer"}, []uint64{2, 4}},
		{"a family is not a prefix", view.Filter{Family: "trans"}, nil},
		{"country", view.Filter{Country: "BB"}, []uint64{4, 5}},
		{"verdict", view.Filter{Verdict: verdict.UnknownKey}, []uint64{7}},
		{"entity", view.Filter{Ref: site}, []uint64{1, 4, 5}},
		{"type and identifier belong together", view.Filter{Ref: casework.Ref{Type: "site", ID: "2"}}, nil},
		{"all at once", view.Filter{After: 2, Family: "site", Country: "BB", Verdict: verdict.Accepted, Ref: site}, []uint64{5}},
	} {
		t.Run(c.name, func(t *testing.T) { same(t, "indexes", c.want, indexes(t, s, c.filter)) })
	}
	same(t, "counts", map[verdict.Code]uint64{verdict.Accepted: 4, verdict.Undecodable: 1, verdict.UnknownKey: 1},
		get[map[verdict.Code]uint64](t)(s.Counts(t.Context())))
}

func once(t *testing.T, open Open) {
	s := fresh(t, open)
	commit(t, s, cursorAt(1), func(tx view.Tx) { must(t, tx.Take(accepted(0, first, 1, "site.reported"))) })
	tx := begin(t, s)
	defer tx.Rollback()
	if err := tx.Take(refused(0, verdict.Gap), event.Head{}); err == nil {
		t.Error("a second entry was taken at log index 0")
	}
}
