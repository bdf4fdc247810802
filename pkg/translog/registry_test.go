package translog

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// registryTerms: the same signers always, and another registry from sizes 1, 3 and 6 on.
func registryTerms() Policies {
	p := Policies{{0, testPolicy()}}
	for _, from := range []uint64{1, 3, 6} {
		p = append(p, Term{from, amended(testPolicy(), func(p *Policy) { p.Registry = Hash{byte(from)} })})
	}
	return p
}

// The notary leaves an update out, or brings an old registry back, and signs that
// correctly over the true tree: whoever knows the updates below the size refuses it,
// and keeps what it signed.
func TestAdversary_R05_NotarySignsAnotherRegistry(t *testing.T) {
	for name, lie := range map[string]Hash{"the one before": {1}, "one of later": {6}, "none": {}, "one that never was": {9}} {
		l := newLog(t)
		l.policies = registryTerms()
		f := l.follow(l.add(2))
		honest := l.add(3)
		told := l.at(5)
		told.Registry = lie
		unchanged(t, f, func() {
			_, err := f.Leaves(&logv1.Leaves{Start: 2, Hashes: honest.Hashes,
				Audiences: honest.Audiences, Labels: honest.Labels, Checkpoint: l.sign(told)})
			other, ok := errors.AsType[*OtherRegistry](err)
			if !ok || other.Want != (Hash{3}) {
				t.Fatalf("%s: error = %v, want OtherRegistry", name, err)
			}
			c, err := OpenCheckpoint(other.Got.Note, origin, l.policy.Notary)
			if err != nil || c != told || other.Got.Checkpoint != told {
				t.Errorf("%s: evidence = %+v, note %+v, %v; want %+v", name, other.Got.Checkpoint, c, err, told)
			}
		})
		if _, err := l.policies.OpenCheckpoint(l.sign(told)); !sameKind(err, &OtherRegistry{}) {
			t.Errorf("%s: OpenCheckpoint = %v, want OtherRegistry", name, err)
		}
		l.must(f, honest)
	}
}

// One size with two registries, by the notary at the newest and at a covered size,
// and by a mirror: both notes are proof.
func TestAdversary_L03_OneSizeTwoRegistries(t *testing.T) {
	l := newLog(t)
	l.policies = registryTerms()
	f := l.follow(l.add(4), l.add(4))
	for _, size := range []uint64{4, 8} {
		told := l.at(size)
		told.Registry[5] = 1
		unchanged(t, f, func() {
			_, err := f.Leaves(&logv1.Leaves{Start: size, Checkpoint: l.sign(told)})
			fork, ok := errors.AsType[*Fork](err)
			if !ok {
				t.Fatalf("notary at %d: error = %v, want Fork", size, err)
			}
			if fork.Have.Checkpoint != l.at(size) || fork.Got.Checkpoint != told {
				t.Errorf("notary at %d: evidence = %+v", size, fork)
			}
		})
		unchanged(t, f, func() {
			_, err := f.Cosignature(l.cosign("BB", told, 1))
			fork, ok := errors.AsType[*Fork](err)
			if !ok {
				t.Fatalf("mirror at %d: error = %v, want Fork", size, err)
			}
			wantMirrorProof(t, l, fork.Got, "BB", told)
		})
	}
	// A mirror that is ahead: judged once the checkpoint is here.
	l.add(2)
	told := l.at(10)
	told.Registry[5] = 1
	if _, err := f.Cosignature(l.cosign("AA", told, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cosignature(l.cosign("AA", l.at(10), 2)); !sameKind(err, &Fork{}) {
		t.Errorf("a second registry ahead: error = %v, want Fork", err)
	}
	again := newLog(t)
	again.policies = registryTerms()
	again.add(8)
	batch := l.must(f, again.add(2))
	if len(batch.Counted) != 0 || len(batch.Refused) != 1 || !sameKind(batch.Refused[0], &Fork{}) {
		t.Errorf("counted %v, refused %v, want a Fork refused", batch.Counted, batch.Refused)
	}
}

// Before the leaves in between are known, nothing is said of the registry above them.
func TestOtherRegistryAfterAGap(t *testing.T) {
	l := newLog(t)
	l.policies = registryTerms()
	f := l.follow(l.add(2))
	if err := f.Adopt(l.policies[:2]); err != nil {
		t.Fatal(err)
	}
	l.add(3)
	if _, err := f.Leaves(l.add(1)); !sameKind(err, &Gap{}) {
		t.Errorf("error = %v, want Gap", err)
	}
}

// A snapshot does not go on under a registry that another size had.
func TestSnapshotUnderAnotherRegistry(t *testing.T) {
	l := newLog(t)
	l.policies = registryTerms()
	f := l.follow(l.add(2), l.add(3))
	if _, err := NewFollowerAt(l.policies, f.Snapshot()); err != nil {
		t.Fatal(err)
	}
	for name, terms := range map[string]Policies{
		"an update left out": slices.Delete(slices.Clone(l.policies), 2, 3), "known too little": l.policies[:2], "one too early": {l.policies[0], l.policies[1], l.policies[3]},
	} {
		if _, err := NewFollowerAt(terms, f.Snapshot()); !sameKind(err, &OtherRegistry{}) {
			t.Errorf("%s: error = %v, want OtherRegistry", name, err)
		}
	}
}

// What was judged stays judged, also where only the registry differs.
func TestAdoptAnotherRegistry(t *testing.T) {
	known := registryTerms()
	other := amended(testPolicy(), func(p *Policy) { p.Registry = Hash{0xaa} })
	for name, test := range map[string]struct {
		terms Policies
		want  error
	}{
		"the same":                  {known, nil},
		"fewer, above the size":     {known[:3], nil},
		"another above the size":    {append(slices.Clone(known[:3]), Term{6, other}), nil},
		"one less":                  {known[:2], ErrRewritten},
		"another, and no later one": {append(slices.Clone(known[:2]), Term{3, other}), ErrRewritten},
		"one between":               {append(slices.Clone(known[:2]), Term{2, other}), ErrRewritten},
		"one for the size":          {append(slices.Clone(known[:3]), Term{5, other}), ErrRewritten},
	} {
		l := newLog(t)
		l.policies = known
		f := l.follow(l.add(5))
		if err := f.Adopt(test.terms); !errors.Is(err, test.want) {
			t.Errorf("%s: Adopt = %v, want %v", name, err, test.want)
		}
	}
	if got := known.common(known[:3]); got != 3 {
		t.Errorf("%d terms in common, want 3", got)
	}
}

// A registry of many updates is adopted at the cost of those that are new.
func TestAdoptManyUpdates(t *testing.T) {
	const updates = 20_000
	terms := Policies{{0, testPolicy()}}
	for i := uint64(1); i < updates; i++ {
		policy := terms[0].Policy
		policy.Registry = LeafHash(i, "reg.key.enrolled", fmt.Append(nil, i))
		terms = append(terms, Term{i, policy})
	}
	f, err := NewFollower(terms[:1])
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range updates {
		if err := f.Adopt(terms[:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("adopting %d updates one by one took %v: each looks at all before it", updates, took)
	}
	if !f.policies.agree(terms, 0, MaxSize) {
		t.Error("the follower has other terms")
	}
}

// A log stream that is read again must name the registry that it named before.
func TestRereadOfAnotherRegistry(t *testing.T) {
	l := newLog(t)
	l.policies = registryTerms()
	first, second := l.add(2), l.add(3)
	f := l.follow(first, second)
	f.Rewind()
	told := l.at(2)
	told.Registry = Hash{9}
	lie := &logv1.Leaves{Hashes: first.Hashes, Audiences: first.Audiences, Labels: first.Labels, Checkpoint: l.sign(told)}
	if _, err := f.Leaves(lie); !sameKind(err, &Fork{}) {
		t.Errorf("a size that is kept: error = %v, want Fork", err)
	}
	for _, country := range []string{"AA", "BB"} { // size 2 is forgotten once 5 is witnessed
		if _, err := f.Cosignature(l.cosign(country, l.at(5), 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Leaves(lie); !sameKind(err, &OtherRegistry{}) {
		t.Errorf("a size that is not kept: error = %v, want OtherRegistry", err)
	}
	l.must(f, first)
	l.must(f, second)
	if f.Rewound() {
		t.Error("it is still read again")
	}
}
