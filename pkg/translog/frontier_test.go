package translog

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
)

func TestFrontierAgreesWithTlog(t *testing.T) {
	l := newLog(t)
	var f Frontier
	for size := uint64(0); size <= 300; size++ {
		want, err := tlog.TreeHash(int64(size), l)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Root(); got != want {
			t.Fatalf("root of %d leaves = %v, want %v", size, got, want)
		}
		if f.Size() != size {
			t.Fatalf("Size = %d, want %d", f.Size(), size)
		}
		if count, err := StoredHashCount(size); err != nil || count != uint64(len(l.stored)) {
			t.Fatalf("StoredHashCount(%d) = %d, %v, want %d", size, count, err, len(l.stored))
		}
		data, err := f.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var back Frontier
		if err := back.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		if back.Root() != want || back.Size() != size {
			t.Fatalf("frontier of %d leaves changed on its way through bytes", size)
		}
		l.add(1)
		if err := f.Append(testLeaf(size)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFrontierClone(t *testing.T) {
	var f Frontier
	for i := range uint64(3) {
		if err := f.Append(testLeaf(i)); err != nil {
			t.Fatal(err)
		}
	}
	before := f.Root()
	a, b := f.Clone(), f.Clone()
	if err := errors.Join(a.Append(testLeaf(3)), b.Append(testLeaf(4))); err != nil {
		t.Fatal(err)
	}
	if f.Root() != before || a.Root() == b.Root() {
		t.Error("clones share memory")
	}
}

func TestFrontierRefusesOtherEncodings(t *testing.T) {
	size := func(n uint64, hashes int) []byte {
		return append(binary.BigEndian.AppendUint64(nil, n), make([]byte, 32*hashes)...)
	}
	for name, data := range map[string][]byte{
		"nothing":        nil,
		"short size":     make([]byte, 7),
		"hash too few":   size(3, 1),
		"hash too many":  size(3, 3),
		"half a hash":    size(1, 1)[:20],
		"trailing byte":  append(size(2, 1), 0),
		"empty and more": size(0, 1),
		"above 2^48":     size(MaxSize+1, 2),
	} {
		f := Frontier{}
		if err := f.Append(testLeaf(0)); err != nil {
			t.Fatal(err)
		}
		want := f.Clone()
		var bad *Malformed
		if err := f.UnmarshalBinary(data); !errors.As(err, &bad) {
			t.Errorf("%s: error = %v, want Malformed", name, err)
		}
		if diff := cmp.Diff(want, f, cmp.AllowUnexported(Frontier{})); diff != "" {
			t.Errorf("%s: frontier changed: %s", name, diff)
		}
	}
}

func TestFullFrontierRefusesALeaf(t *testing.T) {
	var f Frontier
	if err := f.UnmarshalBinary(append(binary.BigEndian.AppendUint64(nil, MaxSize), make([]byte, 32)...)); err != nil {
		t.Fatal(err)
	}
	if err := f.Append(Hash{}); err == nil || f.Size() != MaxSize {
		t.Errorf("Append = %v at size %d", err, f.Size())
	}
}
