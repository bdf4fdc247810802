package translog

import (
	"errors"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func seq(leaves []Hash) iter.Seq2[Hash, error] {
	return func(yield func(Hash, error) bool) {
		for _, leaf := range leaves {
			if !yield(leaf, nil) {
				return
			}
		}
	}
}

// Every proof is the one that a store of the whole tree gives.
func TestPick(t *testing.T) {
	for _, size := range []uint64{1, 2, 3, 7, 8, 13, 40} {
		l := newLog(t)
		l.add(int(size))
		pick := &Pick{}
		type proofs struct{ Inclusion, Consistency map[uint64][]Hash }
		prove := func() proofs {
			p := proofs{map[uint64][]Hash{}, map[uint64][]Hash{}}
			for i := range size {
				var err error
				if p.Inclusion[i], err = Prove(i, size, pick); err != nil {
					t.Fatal(err)
				}
				if p.Consistency[i], err = ProveConsistency(i, size, pick); err != nil {
					t.Fatal(err)
				}
			}
			return p
		}
		prove()
		if err := pick.Fill(seq(l.leaves)); err != nil {
			t.Fatal(err)
		}
		got := prove()
		root := l.at(size).Root
		for i := range size {
			want, err := Prove(i, size, l)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.Inclusion[i]); diff != "" {
				t.Errorf("leaf %d of %d: %s", i, size, diff)
			}
			if err := CheckInclusion(got.Inclusion[i], i, size, root, l.leaves[i]); err != nil {
				t.Error(err)
			}
			if err := CheckConsistency(got.Consistency[i], i, size, l.at(i).Root, root); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestPickRefusesWhatItWasNotAsked(t *testing.T) {
	l := newLog(t)
	l.add(9)
	pick := &Pick{}
	if _, err := Prove(3, 9, pick); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is gone")
	if err := pick.Fill(func(yield func(Hash, error) bool) { yield(Hash{}, broken) }); !errors.Is(err, broken) {
		t.Errorf("Fill = %v, want %v", err, broken)
	}
	if err := pick.Fill(seq(l.leaves)); err != nil {
		t.Fatal(err)
	}
	if _, err := Prove(8, 9, pick); err == nil {
		t.Error("a proof out of hashes that were never picked")
	}
}

func TestQuorum(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(3), l.add(2), l.add(2))
	if _, _, ok := f.Quorum(); ok {
		t.Error("a quorum of nobody")
	}
	larger, exact := l.cosign("AA", l.at(7), 1), l.cosign("CC", l.at(5), 2)
	for _, note := range [][]byte{l.cosign("AA", l.at(3), 1), larger, exact} {
		if _, err := f.Cosignature(note); err != nil {
			t.Fatal(err)
		}
	}
	checkpoint, cosignatures, ok := f.Quorum()
	if diff := cmp.Diff([][]byte{l.sign(l.at(5)), larger, exact}, append([][]byte{checkpoint}, cosignatures...)); diff != "" || !ok {
		t.Errorf("ok = %v, %s", ok, diff)
	}
}
