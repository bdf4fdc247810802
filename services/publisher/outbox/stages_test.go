package outbox

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func putStored(t testing.TB, o *Outbox, envelopes []Envelope, first uint64) {
	t.Helper()
	if err := o.PutStored(t.Context(), "region", envelopes, first); err != nil {
		t.Fatal(err)
	}
}

func unsent(t testing.TB, o *Outbox) []Envelope {
	t.Helper()
	envelopes, err := o.Unsent(t.Context(), "region", Bounds{Events: 1000, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return envelopes
}

func unfound(t testing.TB, o *Outbox, most int) (sequences []int64) {
	t.Helper()
	err := o.EachUnfound(t.Context(), "region", func(u Unfound) (bool, error) {
		sequences = append(sequences, u.Sequence)
		return len(sequences) < most, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sequences
}

func putLog(t testing.TB, o *Outbox, news News) {
	t.Helper()
	if err := o.PutLog(t.Context(), news); err != nil {
		t.Fatal(err)
	}
}

func TestStagesOfAReport(t *testing.T) {
	directory := t.TempDir()
	o := open(t, directory)
	const secret = "what somebody said of somebody"
	accept(t, o, report("a", secret), report("b", "2"), report("c", "3"))
	signed := sign(t, o, 2)
	if diff := cmp.Diff(Counts{Accepted: 3, Waiting: 3}, counts(t, o)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(signed, unsent(t, o)); diff != "" {
		t.Errorf("unsent is not what was signed:\n%s", diff)
	}
	putStored(t, o, signed, 7)
	if diff := cmp.Diff(Counts{Accepted: 3, Waiting: 1, Stored: 2}, counts(t, o)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int64{1}, unfound(t, o, 1)); diff != "" {
		t.Error(diff)
	}
	putLog(t, o, News{Followed: Followed{Cursor: 4, Snapshot: []byte("s")},
		Found: []Found{{Sequence: 1, Cursor: 7, Index: 6}, {Sequence: 2, Cursor: 8, Index: 7}}, Witnessed: 7})
	if diff := cmp.Diff(Counts{Accepted: 3, Waiting: 1, Stored: 1, Witnessed: 1}, counts(t, o)); diff != "" {
		t.Error(diff)
	}
	shut(t, o)
	o = open(t, directory)
	followed, ok, err := o.Followed(t.Context())
	if diff := cmp.Diff(Followed{Cursor: 4, Snapshot: []byte("s")}, followed); diff != "" || !ok || err != nil {
		t.Errorf("%v, error %v\n%s", ok, err, diff)
	}
	putLog(t, o, News{Followed: followed, Witnessed: 8})
	if c := counts(t, o); c.Witnessed != 2 || c.Stored != 0 {
		t.Errorf("counts are %v", c)
	}
	if !accept(t, o, report("a", secret))[0].Repeated {
		t.Error("a witnessed report's key is forgotten")
	}
	shut(t, o)
	for _, name := range []string{"outbox.db", "outbox.db-wal"} {
		data, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%s still holds the content of a witnessed report", name)
		}
	}
}

func TestLostEventsAreUnsentFromTheFirstOn(t *testing.T) {
	o := open(t, t.TempDir())
	accept(t, o, report("a", "1"), report("b", "2"), report("c", "3"), report("d", "4"))
	signed := sign(t, o, 4)
	putStored(t, o, signed, 1)
	putLog(t, o, News{Followed: Followed{Snapshot: []byte("s")}, Found: []Found{{Sequence: 1, Cursor: 1, Index: 0}}, Lost: []Lost{{Audience: "region", Sequence: 2}}})
	if diff := cmp.Diff(signed[1:], unsent(t, o)); diff != "" {
		t.Errorf("other bytes are unsent:\n%s", diff)
	}
	if diff := cmp.Diff(Counts{Accepted: 4, Waiting: 3, Stored: 1, Returned: 3}, counts(t, o)); diff != "" {
		t.Error(diff)
	}
}

func TestSequencesMustRise(t *testing.T) {
	o := open(t, t.TempDir())
	accept(t, o, report("a", "1"), report("b", "2"), report("c", "3"))
	signed := sign(t, o, 3)
	for _, first := range []uint64{0, math.MaxInt64, math.MaxUint64} {
		if err := o.PutStored(t.Context(), "region", signed, first); !errors.Is(err, ErrMisplaced) {
			t.Errorf("sequence %d: %v, want ErrMisplaced", first, err)
		}
	}
	putStored(t, o, signed[:2], 10)
	if err := o.PutStored(t.Context(), "region", signed[:1], 20); err == nil {
		t.Error("what is stored was stored again")
	}
	if err := o.PutStored(t.Context(), "region", signed[2:], 11); !errors.Is(err, ErrMisplaced) {
		t.Errorf("error is %v, want ErrMisplaced", err)
	}
	if diff := cmp.Diff(signed, unsent(t, o)); diff != "" {
		t.Errorf("what is in doubt is not unsent:\n%s", diff)
	}
	putStored(t, o, signed, 5)
}
