package translog

import (
	"slices"
	"testing"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// span is leaves from one index to another as one message, under a checkpoint that is given.
func (l *testLog) span(from, to uint64, checkpoint []byte) *logv1.Leaves {
	m := &logv1.Leaves{Start: from, Audiences: []string{"all"}, Labels: make([]uint32, to-from), Checkpoint: checkpoint}
	for _, leaf := range l.leaves[from:to] {
		m.Hashes = append(m.Hashes, leaf[:]...)
	}
	return m
}

// However the stream is cut when it is written again, a follower that had 7
// leaves comes to where it was and takes in what is new, once.
func TestRewindComesToTheSameTree(t *testing.T) {
	for _, cuts := range [][]uint64{{3, 7, 12}, {7, 12}, {12}, {5, 12}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {7, 7, 12}} {
		l := newLog(t)
		f := l.follow(l.add(3), l.add(4))
		for _, country := range []string{"AA", "BB"} {
			if _, err := f.Cosignature(l.cosign(country, l.at(7), 1)); err != nil {
				t.Fatal(err)
			}
		}
		l.add(5)
		f.Rewind()
		from, news := uint64(0), []Hash{}
		for _, to := range cuts {
			if !f.Rewound() && from < 7 {
				t.Errorf("%v: not rewound at %d", cuts, from)
			}
			batch := l.must(f, l.span(from, to, l.sign(l.at(to))))
			if len(batch.Hashes) != len(batch.Labels) || len(batch.Hashes) > 0 && batch.Start != max(from, 7) {
				t.Errorf("%v: batch from %d with %d leaves and %d labels", cuts, batch.Start, len(batch.Hashes), len(batch.Labels))
			}
			news, from = append(news, batch.Hashes...), to
			if c, by, ok := f.Witnessed(); !ok || c != l.at(7) || !slices.Equal(by, []string{"AA", "BB"}) {
				t.Errorf("%v: at %d witnessed is %v by %v, %v", cuts, to, c, by, ok)
			}
		}
		if !slices.Equal(news, l.leaves[7:]) || f.Rewound() || f.Size() != 12 {
			t.Errorf("%v: %d new leaves of 5, rewound %v, size %d", cuts, len(news), f.Rewound(), f.Size())
		}
		if c, _ := f.Checkpoint(); c != l.at(12) {
			t.Errorf("%v: newest is %v", cuts, c)
		}
	}
}

func TestRewindOfAnEmptyFollower(t *testing.T) {
	l := newLog(t)
	f := l.follow()
	f.Rewind()
	l.must(f, l.add(3))
	if f.Rewound() || f.Size() != 3 {
		t.Errorf("rewound %v, size %d", f.Rewound(), f.Size())
	}
}

// Another log under the same keys is not gone on with, wherever it shows.
func TestAdversary_L02_RewoundFollowerIsShownAnotherLog(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(l, other *testLog, f *Follower) error
		want error
	}{
		{"one size, two roots", func(_, other *testLog, f *Follower) error {
			_, err := f.Leaves(other.add(7))
			return err
		}, &Fork{}},
		{"a longer one with another beginning", func(_, other *testLog, f *Follower) error {
			_, err := f.Leaves(other.add(9))
			return err
		}, &Inconsistent{}},
		{"altered on the way", func(l, _ *testLog, f *Follower) error {
			m := l.span(0, 3, l.sign(l.at(3)))
			m.Hashes[40] ^= 1
			_, err := f.Leaves(m)
			return err
		}, &Mismatch{}},
		{"altered on the way, where it is new", func(l, _ *testLog, f *Follower) error {
			l.add(2)
			m := l.span(0, 9, l.sign(l.at(9)))
			m.Hashes[40] ^= 1
			_, err := f.Leaves(m)
			return err
		}, &Mismatch{}},
		{"a gap", func(l, _ *testLog, f *Follower) error {
			_, err := f.Leaves(l.span(3, 7, l.sign(l.at(7))))
			return err
		}, &Gap{}},
		{"an epoch left out", func(l, _ *testLog, f *Follower) error {
			l.add(2)
			m := l.span(0, 9, l.sign(l.at(9)))
			m.Epoch = 2
			_, err := f.Leaves(m)
			return err
		}, &Malformed{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, other := newLog(t), newLog(t)
			f := l.follow(l.add(3), l.add(4))
			other.shift = 1000
			f.Rewind()
			unchanged(t, f, func() {
				if err := test.play(l, other, f); !sameKind(err, test.want) {
					t.Errorf("error = %v, want %T", err, test.want)
				}
			})
			if !f.Rewound() {
				t.Error("it goes on")
			}
		})
	}
}
