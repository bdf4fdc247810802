package translog

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

func TestConsistency(t *testing.T) {
	l := newLog(t)
	l.add(40)
	for size := uint64(0); size <= 40; size++ {
		for old := range size + 1 {
			proof, err := ProveConsistency(old, size, l)
			if err != nil {
				t.Fatal(err)
			}
			oldRoot, root := l.at(old).Root, l.at(size).Root
			if err := CheckConsistency(proof, old, size, oldRoot, root); err != nil {
				t.Fatalf("%d begins %d: %v", old, size, err)
			}
			other := l.forged(size).Root
			for name, err := range map[string]error{
				"another old root": CheckConsistency(proof, old, size, other, root),
				"another root":     CheckConsistency(proof, old, size, oldRoot, other),
				"an overlong":      CheckConsistency(append(slices.Clone(proof), Hash{}), old, size, oldRoot, root),
			} {
				// From nothing to something there is nothing that could disagree.
				if err == nil && !(name == "another root" && old == 0 && size > 0) {
					t.Errorf("%d begins %d with %s: accepted", old, size, name)
				}
			}
			for i := range proof {
				bad := slices.Clone(proof)
				bad[i][7] ^= 1
				if CheckConsistency(bad, old, size, oldRoot, root) == nil {
					t.Errorf("%d begins %d with hash %d altered: accepted", old, size, i)
				}
				if CheckConsistency(slices.Delete(slices.Clone(proof), i, i+1), old, size, oldRoot, root) == nil {
					t.Errorf("%d begins %d without hash %d: accepted", old, size, i)
				}
			}
		}
	}
	gone := errors.New("disk gone")
	broken := tlog.HashReaderFunc(func([]int64) ([]Hash, error) { return nil, gone })
	if _, err := ProveConsistency(3, 7, broken); !errors.Is(err, gone) {
		t.Errorf("error = %v", err)
	}
}

// The longest proof fits into a submission.
func TestConsistencyOfTheLargestTree(t *testing.T) {
	zeros := tlog.HashReaderFunc(func(at []int64) ([]Hash, error) { return make([]Hash, len(at)), nil })
	longest := 0
	for _, size := range []uint64{MaxSize, MaxSize - 1} {
		for _, old := range []uint64{1, 2, 3, size/2 - 1, size/2 + 1, size - 1} {
			proof, err := ProveConsistency(old, size, zeros)
			if err != nil {
				t.Fatal(err)
			}
			longest = max(longest, len(proof))
		}
	}
	if longest < 48 || longest > 49 {
		t.Errorf("a proof has %d hashes", longest)
	}
}

func TestAdversary_L01_ConsistencyOfHugeTrees(t *testing.T) {
	l := newLog(t)
	l.add(2)
	for _, size := range []uint64{MaxSize + 1, 1<<62 + 1, 1<<63 - 1, math.MaxUint64} {
		for name, call := range map[string]func() error{
			"prove to":    func() error { _, err := ProveConsistency(1, size, l); return err },
			"prove from":  func() error { _, err := ProveConsistency(size, size, l); return err },
			"check to":    func() error { return CheckConsistency([]Hash{{}}, 1, size, Hash{}, Hash{}) },
			"check from":  func() error { return CheckConsistency(nil, size, size, Hash{}, Hash{}) },
			"submit from": func() error { _, err := ParseSubmission(Submission{Old: size, Note: []byte("x")}.Bytes()); return err },
		} {
			done := make(chan error, 1)
			go func() { done <- call() }()
			select {
			case err := <-done:
				if !sameKind(err, &Malformed{}) {
					t.Errorf("%s %d: %v", name, size, err)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s %d does not end", name, size)
			}
		}
	}
}
