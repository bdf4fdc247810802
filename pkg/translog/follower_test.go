package translog

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

func TestFollowerFollows(t *testing.T) {
	l := newLog(t)
	f := l.follow()
	if _, ok := f.Checkpoint(); ok {
		t.Error("a checkpoint before the first")
	}
	l.must(f, l.add(0)) // the notary states the empty tree
	l.must(f, l.add(3))
	batch := l.must(f, l.add(2))
	want := Batch{
		Start:  3,
		Hashes: []Hash{testLeaf(3), testLeaf(4)}, Labels: []string{"all", ""}, Checkpoint: l.at(5),
	}
	if diff := cmp.Diff(want, batch); diff != "" {
		t.Error(diff)
	}
	if c, ok := f.Checkpoint(); !ok || c != l.at(5) || f.Size() != 5 {
		t.Errorf("Checkpoint = %+v, %v at size %d", c, ok, f.Size())
	}
}

func TestFollowerTakesARepeatedCheckpoint(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(3))
	repeat := l.add(0)
	unchanged(t, f, func() {
		if batch := l.must(f, repeat); len(batch.Hashes) != 0 || batch.Checkpoint != l.at(3) {
			t.Errorf("batch = %+v", batch)
		}
	})
}

func TestFollowerAcceptsANewEpoch(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(5))
	l.epoch = 1 // the stream was restored
	if batch := l.must(f, l.add(2)); batch.Epoch != 1 || batch.Start != 5 {
		t.Errorf("batch = %+v", batch)
	}
	l.epoch = 0
	if _, err := f.Leaves(l.add(1)); !sameKind(err, &Malformed{}) {
		t.Errorf("an older epoch: error = %v", err)
	}
}

// TestFollowerRefuses spoils the second message to a follower of 3 leaves.
func TestFollowerRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*testLog, *logv1.Leaves)
		want  error
	}{
		{"nothing in it", func(_ *testLog, m *logv1.Leaves) { proto.Reset(m) }, &Malformed{}},
		{"half a hash", func(_ *testLog, m *logv1.Leaves) { m.Hashes = m.Hashes[:50] }, &Malformed{}},
		{"label too few", func(_ *testLog, m *logv1.Leaves) { m.Labels = m.Labels[:1] }, &Malformed{}},
		{"label too many", func(_ *testLog, m *logv1.Leaves) { m.Labels = append(m.Labels, 0) }, &Malformed{}},
		{"label not in table", func(_ *testLog, m *logv1.Leaves) { m.Labels[1] = 2 }, &Malformed{}},
		{"huge label", func(_ *testLog, m *logv1.Leaves) { m.Labels[1] = math.MaxUint32 }, &Malformed{}},
		{"audience twice", func(_ *testLog, m *logv1.Leaves) { m.Audiences = append(m.Audiences, "all") }, &Malformed{}},
		{"epoch left out", func(_ *testLog, m *logv1.Leaves) { m.Epoch = 2 }, &Malformed{}},
		{"last epoch", func(_ *testLog, m *logv1.Leaves) { m.Epoch = math.MaxUint64 }, &Malformed{}},
		{"leaf withheld", func(_ *testLog, m *logv1.Leaves) { m.Hashes, m.Labels = m.Hashes[:32], m.Labels[:1] }, &Malformed{}},
		{"overlap", func(l *testLog, m *logv1.Leaves) {
			m.Start--
			m.Hashes = append(l.leaves[2][:], m.Hashes...)
			m.Labels = append(m.Labels, 0)
		}, &Malformed{}},
		{"leaves again", func(l *testLog, m *logv1.Leaves) {
			*m = logv1.Leaves{Start: 2, Audiences: []string{""}, Labels: []uint32{0}, Hashes: l.leaves[2][:], Checkpoint: l.sign(l.at(3))}
		}, &Malformed{}},
		{"altered leaf", func(_ *testLog, m *logv1.Leaves) { m.Hashes[40] ^= 1 }, &Mismatch{}},
		{"leaves exchanged", func(_ *testLog, m *logv1.Leaves) {
			m.Hashes = append(slices.Clone(m.Hashes[32:]), m.Hashes[:32]...)
		}, &Mismatch{}},
		{"root of nothing", func(l *testLog, m *logv1.Leaves) { m.Checkpoint = l.sign(l.forged(5)) }, &Mismatch{}},
		{"gap", func(l *testLog, m *logv1.Leaves) { proto.Reset(m); proto.Merge(m, l.add(1)) }, &Gap{}},
		{"unsigned", func(_ *testLog, m *logv1.Leaves) { m.Checkpoint = nil }, &Malformed{}},
		{"altered signature", func(_ *testLog, m *logv1.Leaves) {
			at := len(m.Checkpoint) - 10
			m.Checkpoint[at] = map[bool]byte{true: 'B', false: 'A'}[m.Checkpoint[at] == 'A']
		}, &BadSignature{}},
		{"signed by a mirror", func(l *testLog, m *logv1.Leaves) { m.Checkpoint = l.cosign("AA", l.at(5), 1) }, &BadSignature{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLog(t)
			f := l.follow(l.add(3))
			good := l.add(2)
			spoilt := proto.Clone(good).(*logv1.Leaves)
			test.spoil(l, spoilt)
			unchanged(t, f, func() {
				batch, err := f.Leaves(spoilt)
				if !sameKind(err, test.want) {
					t.Errorf("error = %v, want %T", err, test.want)
				}
				if diff := cmp.Diff(Batch{}, batch); diff != "" {
					t.Error(diff)
				}
			})
			l.must(f, good)
		})
	}
}

func TestFollowerCountsAQuorum(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(3), l.add(4))
	for _, step := range []struct {
		country   string
		size      uint64
		witnessed uint64 // 0 for none
		by        []string
	}{
		{"CC", 3, 0, nil},
		{"CC", 3, 0, nil}, // again: still one
		{"AA", 3, 3, []string{"AA", "CC"}},
		{"BB", 3, 3, []string{"AA", "BB", "CC"}},
		{"BB", 7, 3, []string{"AA", "BB", "CC"}},
		{"CC", 7, 7, []string{"BB", "CC"}},
	} {
		got, err := f.Cosignature(l.cosign(step.country, l.at(step.size), 10))
		if err != nil {
			t.Fatalf("%s at %d: %v", step.country, step.size, err)
		}
		if diff := cmp.Diff(Cosigned{Country: step.country, Checkpoint: l.at(step.size), Time: 10}, got); diff != "" {
			t.Error(diff)
		}
		c, by, ok := f.Witnessed()
		if ok != (step.witnessed > 0) || c.Size != step.witnessed || !slices.Equal(by, step.by) {
			t.Errorf("after %s at %d: Witnessed = %d by %v, %v", step.country, step.size, c.Size, by, ok)
		}
	}
	if _, err := f.Cosignature(l.cosign("AA", l.at(3), 10)); !errors.Is(err, ErrStale) {
		t.Errorf("below the witnessed size: error = %v, want ErrStale", err)
	}
	if _, err := f.Cosignature(l.cosign("AA", l.at(0), 10)); !errors.Is(err, ErrStale) {
		t.Errorf("below the forgotten size: error = %v, want ErrStale", err)
	}
	if got := f.CosignedBy(7); !slices.Equal(got, []string{"BB", "CC"}) {
		t.Errorf("CosignedBy(7) = %v", got)
	}
	if got := f.CosignedBy(3); got != nil {
		t.Errorf("CosignedBy(3) = %v after it was forgotten", got)
	}
}

func TestFollowerRefusesAnUnpublishedSize(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(3), l.add(4))
	unchanged(t, f, func() {
		if _, err := f.Cosignature(l.cosign("AA", l.at(5), 1)); !errors.Is(err, ErrUnpublished) {
			t.Errorf("error = %v, want ErrUnpublished", err)
		}
	})
}

func TestFollowerKeepsWhatIsAhead(t *testing.T) {
	l := newLog(t)
	first, second := l.add(3), l.add(4)
	f := l.follow(first)
	for _, country := range []string{"BB", "AA"} {
		got, err := f.Cosignature(l.cosign(country, l.at(7), 9))
		if err != nil || !got.Pending {
			t.Fatalf("Cosignature = %+v, %v, want it pending", got, err)
		}
	}
	if _, err := f.Cosignature(l.cosign("AA", l.at(6), 8)); !errors.Is(err, ErrStale) {
		t.Errorf("smaller than the pending one: error = %v, want ErrStale", err)
	}
	batch := l.must(f, second)
	want := []Cosigned{{Country: "AA", Checkpoint: l.at(7), Time: 9}, {Country: "BB", Checkpoint: l.at(7), Time: 9}}
	if diff := cmp.Diff(want, batch.Counted); diff != "" {
		t.Error(diff)
	}
	if c, by, ok := f.Witnessed(); !ok || c != l.at(7) || !slices.Equal(by, []string{"AA", "BB"}) {
		t.Errorf("Witnessed = %+v by %v, %v", c, by, ok)
	}
}

// A mirror that cosigns what will not come must not stop anyone.
func TestFollowerReportsPendingThatDoNotFit(t *testing.T) {
	l := newLog(t)
	first, second, third := l.add(3), l.add(4), l.add(1)
	f := l.follow(first)
	for country, c := range map[string]Checkpoint{"AA": l.forged(7), "BB": l.at(5), "CC": l.at(8)} {
		if _, err := f.Cosignature(l.cosign(country, c, 1)); err != nil {
			t.Fatal(err)
		}
	}
	batch := l.must(f, second)
	if len(batch.Refused) != 2 || !sameKind(batch.Refused[0], &Fork{}) || !errors.Is(batch.Refused[1], ErrUnpublished) {
		t.Errorf("Refused = %v, want a fork by AA and an unpublished size by BB", batch.Refused)
	}
	if batch = l.must(f, third); len(batch.Counted) != 1 || batch.Counted[0].Country != "CC" {
		t.Errorf("Counted = %v, want CC", batch.Counted)
	}
}

func TestFollowerMemoryIsBounded(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(1))
	for _, country := range []string{"AA", "BB"} {
		if _, err := f.Cosignature(l.cosign(country, l.at(1), 1)); err != nil {
			t.Fatal(err)
		}
	}
	for range maxKept + 3 {
		l.must(f, l.add(1))
	}
	if len(f.kept) != 1+maxKept {
		t.Errorf("%d checkpoints kept, want the witnessed one and %d", len(f.kept), maxKept)
	}
	if c, _, ok := f.Witnessed(); !ok || c.Size != 1 {
		t.Errorf("the witnessed checkpoint was forgotten: %d, %v", c.Size, ok)
	}
	if _, err := f.Cosignature(l.cosign("AA", l.at(3), 1)); !errors.Is(err, ErrStale) {
		t.Errorf("error = %v, want ErrStale", err)
	}
	if _, err := f.Cosignature(l.cosign("AA", l.at(5), 1)); err != nil {
		t.Errorf("a size that is kept: %v", err)
	}
}

// Check says what Leaves would, as far as that does not hang on the registry, and
// changes nothing.
func TestCheck(t *testing.T) {
	l := newLog(t)
	l.policies = registryTerms()
	f := l.follow(l.add(2))
	news := l.add(3)
	altered := l.span(2, 5, news.GetCheckpoint())
	altered.Hashes[40] ^= 1
	unsigned := l.span(2, 5, news.GetCheckpoint())
	told := l.at(5)
	told.Registry = Hash{9}
	other := l.span(2, 5, l.sign(told))
	l.newNotary(77) // as if an update among these leaves named another key
	unsigned.Checkpoint = l.sign(l.at(5))
	for name, test := range map[string]struct {
		m      *logv1.Leaves
		signed bool
		want   error
	}{
		"sound":                       {news, true, nil},
		"another registry":            {other, true, nil},
		"a key that is not known yet": {unsigned, false, nil},
		"a leaf altered":              {altered, false, &Mismatch{}},
		"a gap":                       {l.span(3, 5, news.GetCheckpoint()), false, &Gap{}},
		"not whole":                   {l.span(2, 4, news.GetCheckpoint()), false, &Malformed{}},
	} {
		unchanged(t, f, func() {
			signed, err := f.Check(test.m)
			if signed != test.signed || (err == nil) != (test.want == nil) || err != nil && !sameKind(err, test.want) {
				t.Errorf("%s: %t, %v", name, signed, err)
			}
		})
	}
}

// The epoch of leaves is what their messages make it.
func TestTurns(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(2))
	for _, test := range []struct {
		epoch    uint64
		restored []uint64
		want     bool
	}{{0, nil, true}, {1, nil, false}, {1, []uint64{2}, true}, {0, []uint64{2}, false}, {1, []uint64{3}, false}, {2, []uint64{2, 3}, false}} {
		m := l.span(2, 2, nil)
		m.Epoch = test.epoch
		if got := f.Turns(m, test.restored...); got != test.want {
			t.Errorf("epoch %d with restorations at %v: %t", test.epoch, test.restored, got)
		}
	}
}
