package translog

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// busyLog is a log and a follower with something in every part of its state.
func busyLog(t testing.TB) (*testLog, *Follower) {
	t.Helper()
	l := newLog(t)
	f := l.follow(l.add(2), l.add(3), l.add(1))
	l.add(4)
	for _, step := range []struct {
		country string
		size    uint64
	}{{"AA", 5}, {"BB", 5}, {"CC", 6}, {"AA", 10}} {
		if _, err := f.Cosignature(l.cosign(step.country, l.at(step.size), 5)); err != nil {
			t.Fatal(err)
		}
	}
	return l, f
}

func TestSnapshotRoundTrip(t *testing.T) {
	l, f := busyLog(t)
	for name, f := range map[string]*Follower{"busy": f, "empty": l.follow(), "one": newLog(t).follow()} {
		back, err := NewFollowerAt(l.policies, f.Snapshot())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		opts := cmp.AllowUnexported(Follower{}, Frontier{}, seat{}, cosignature{})
		if diff := cmp.Diff(f, back, opts, cmp.Transformer("nil", func(h []Hash) int { return len(h) })); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if !bytes.Equal(back.Snapshot(), f.Snapshot()) {
			t.Errorf("%s: another snapshot after a restart", name)
		}
	}
}

// A follower that was restarted reaches what one that was not reaches.
func TestSnapshotGoesOn(t *testing.T) {
	l, f := busyLog(t)
	back, err := NewFollowerAt(l.policies, f.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	again := newLog(t)
	again.add(6)
	next := again.add(4)
	for _, f := range []*Follower{f, back} {
		l.must(f, next)
		if _, err := f.Cosignature(l.cosign("CC", l.at(10), 5)); err != nil {
			t.Fatal(err)
		}
		if c, by, ok := f.Witnessed(); !ok || c.Size != 10 || !slices.Equal(by, []string{"AA", "CC"}) {
			t.Errorf("Witnessed = %d by %v, %v", c.Size, by, ok)
		}
	}
	if !bytes.Equal(f.Snapshot(), back.Snapshot()) {
		t.Error("the restarted follower differs")
	}
}

func TestSnapshotRefusesDamage(t *testing.T) {
	l, f := busyLog(t)
	good := f.Snapshot()
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1
		if _, err := NewFollowerAt(l.policies, bad); err == nil {
			t.Fatalf("byte %d altered: accepted", i)
		}
	}
	// With a digest that fits, whatever is cut off is still noticed.
	for n := range len(good) - sha256.Size {
		digest := sha256.Sum256(good[:n])
		if _, err := NewFollowerAt(l.policies, append(slices.Clone(good[:n]), digest[:]...)); err == nil {
			t.Fatalf("cut to %d bytes: accepted", n)
		}
	}
}

func TestSnapshotUnderAnotherPolicy(t *testing.T) {
	l, f := busyLog(t)
	smaller := testPolicy()
	delete(smaller.Mirrors, "AA")
	smaller.Mirrors["BB"] = publicOf(testKey(9))
	back, err := NewFollowerAt(smaller.Always(), f.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if c, _, ok := back.Witnessed(); ok {
		t.Errorf("size %d is witnessed without the mirrors that left", c.Size)
	}
	l.newMirror("BB", 9)
	if _, err := back.Cosignature(l.cosign("BB", l.at(5), 1)); err != nil {
		t.Fatal(err)
	}
	if c, by, ok := back.Witnessed(); !ok || c.Size != 5 || !slices.Equal(by, []string{"BB", "CC"}) {
		t.Errorf("Witnessed = %d by %v, %v", c.Size, by, ok)
	}
	other := testPolicy()
	other.Notary = publicOf(testKey(9))
	if _, err := NewFollowerAt(other.Always(), f.Snapshot()); !sameKind(err, &BadSignature{}) {
		t.Errorf("another notary's key: error = %v", err)
	}
}
