package translog

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestInclusion(t *testing.T) {
	l := newLog(t)
	l.add(40)
	for size := uint64(1); size <= 40; size++ {
		root := l.at(size).Root
		for index := range size {
			proof, err := Prove(index, size, l)
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckInclusion(proof, index, size, root, testLeaf(index)); err != nil {
				t.Fatalf("leaf %d of %d: %v", index, size, err)
			}
			if CheckInclusion(proof, index, size, root, testLeaf(index+1)) == nil {
				t.Fatalf("leaf %d of %d: another leaf passed", index, size)
			}
			if len(proof) > 0 {
				if CheckInclusion(proof[1:], index, size, root, testLeaf(index)) == nil {
					t.Fatalf("leaf %d of %d: a truncated proof passed", index, size)
				}
			}
			if CheckInclusion(append(slices.Clone(proof), Hash{}), index, size, root, testLeaf(index)) == nil {
				t.Fatalf("leaf %d of %d: an overlong proof passed", index, size)
			}
		}
	}
}

func TestLeafHashDependsOnEveryPart(t *testing.T) {
	base := LeafHash(1, "evt.a", []byte("b"))
	for name, other := range map[string]Hash{
		"index":    LeafHash(2, "evt.a", []byte("b")),
		"subject":  LeafHash(1, "evt.b", []byte("b")),
		"data":     LeafHash(1, "evt.a", []byte("c")),
		"boundary": LeafHash(1, "evt.ab", nil),
	} {
		if other == base {
			t.Errorf("another %s has the same leaf hash", name)
		}
	}
}

func TestStoreErrorsTravel(t *testing.T) {
	gone := errors.New("disk gone")
	broken := tlog.HashReaderFunc(func([]int64) ([]Hash, error) { return nil, gone })
	short := tlog.HashReaderFunc(func([]int64) ([]Hash, error) { return nil, nil })
	_, err1 := StoredHashes(1, Hash{}, broken)
	_, err2 := TreeRoot(3, broken)
	_, err3 := Prove(0, 3, broken)
	for i, err := range []error{err1, err2, err3} {
		if !errors.Is(err, gone) {
			t.Errorf("call %d: error = %v", i, err)
		}
	}
	if _, err := TreeRoot(3, short); err == nil {
		t.Error("a reader that returns nothing was believed")
	}
	if _, err := Prove(3, 3, broken); err == nil || errors.Is(err, gone) {
		t.Errorf("proof of a leaf outside the tree: %v", err)
	}
}
