package translog

import (
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// amended is p with a change.
func amended(p Policy, change func(*Policy)) Policy {
	p = p.clone()
	change(&p)
	return p
}

// testTerms: from 4 on AA's mirror has seed 12, from 6 on the notary has seed 11,
// from 8 on CC is gone and DD there, with seed 5.
func testTerms() Policies {
	first := testPolicy()
	second := amended(first, func(p *Policy) { p.Mirrors["AA"] = publicOf(testKey(12)) })
	third := amended(second, func(p *Policy) { p.Notary = publicOf(testKey(11)) })
	fourth := amended(third, func(p *Policy) { delete(p.Mirrors, "CC"); p.Mirrors["DD"] = publicOf(testKey(5)) })
	return Policies{{0, first}, {4, second}, {6, third}, {8, fourth}}
}

func TestPoliciesAt(t *testing.T) {
	p := testTerms()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	for size, term := range map[uint64]int{0: 0, 3: 0, 4: 1, 5: 1, 6: 2, 7: 2, 8: 3, 9: 3, MaxSize: 3} {
		if !p.At(size).Equal(p[term].Policy) {
			t.Errorf("At(%d) is not term %d", size, term)
		}
	}
	if p[0].Policy.Equal(p[1].Policy) || p[1].Policy.Equal(p[2].Policy) {
		t.Error("policies with other keys are equal")
	}
	for name, none := range map[string]Policies{"no terms": nil, "a late one": p[1:]} {
		if none.At(3).Validate() == nil {
			t.Errorf("%s: a valid policy for a size without one", name)
		}
	}
}

func TestPoliciesValidate(t *testing.T) {
	for name, spoil := range map[string]func(Policies) Policies{
		"no terms":        func(Policies) Policies { return nil },
		"none from 0":     func(p Policies) Policies { return p[1:] },
		"twice from 4":    func(p Policies) Policies { p[2].From = 4; return p },
		"falling":         func(p Policies) Policies { p[2].From = 3; return p },
		"above 2^48":      func(p Policies) Policies { p[3].From = MaxSize + 1; return p },
		"no quorum later": func(p Policies) Policies { p[3].Policy.Quorum = 0; return p },
		"another log":     func(p Policies) Policies { p[1].Policy.Origin = "other"; return p },
		"one key twice":   func(p Policies) Policies { p[3].Policy.Mirrors["EE"] = publicOf(testKey(5)); return p },
		"short key later": func(p Policies) Policies { p[1].Policy.Notary = make(ed25519.PublicKey, 31); return p },
	} {
		bad := spoil(testTerms())
		if err := bad.Validate(); !sameKind(err, &Malformed{}) {
			t.Errorf("%s: Validate = %v, want Malformed", name, err)
		}
		l := newLog(t)
		if _, err := NewFollower(bad); err == nil {
			t.Errorf("%s: a follower was made", name)
		}
		f := l.follow()
		if err := f.Adopt(bad); err == nil {
			t.Errorf("%s: adopted", name)
		}
	}
}

// A note is good under the key for its size and no other, whoever opens it.
func TestPoliciesOpen(t *testing.T) {
	l := newLog(t)
	l.add(9)
	p := testTerms()
	for _, test := range []struct {
		size   uint64
		notary byte
		good   bool
	}{{5, 1, true}, {6, 1, false}, {5, 11, false}, {6, 11, true}, {9, 11, true}} {
		l.newNotary(test.notary)
		c, err := p.OpenCheckpoint(l.sign(l.at(test.size)))
		if test.good && (err != nil || c != l.at(test.size)) || !test.good && !sameKind(err, &BadSignature{}) {
			t.Errorf("notary of seed %d at %d: %+v, %v", test.notary, test.size, c, err)
		}
	}
	for _, test := range []struct {
		country string
		seed    byte
		size    uint64
		good    bool
	}{
		{"AA", 2, 3, true}, {"AA", 2, 4, false}, {"AA", 12, 3, false}, {"AA", 12, 4, true}, {"AA", 12, 9, true},
		{"CC", 4, 7, true}, {"CC", 4, 8, false}, {"DD", 5, 7, false}, {"DD", 5, 8, true},
	} {
		l.newMirror(test.country, test.seed)
		country, c, at, err := p.OpenCosignature(l.cosign(test.country, l.at(test.size), 7))
		if test.good && (err != nil || country != test.country || c != l.at(test.size) || at != 7) || !test.good && !errors.Is(err, ErrUnknownWitness) {
			t.Errorf("%s with seed %d at %d: %s, %+v, %v", test.country, test.seed, test.size, country, c, err)
		}
	}
	for name, p := range map[string]Policies{"no terms": nil, "a bad key": {{0, Policy{Origin: origin, Quorum: 1, Mirrors: map[string]ed25519.PublicKey{"AA": {1}}}}}} {
		if _, err := p.OpenCheckpoint(l.sign(l.at(3))); err == nil {
			t.Errorf("%s: opened a checkpoint", name)
		}
		if _, _, _, err := p.OpenCosignature(l.cosign("AA", l.at(3), 1)); err == nil {
			t.Errorf("%s: opened a cosignature", name)
		}
	}
}

func TestFollowerAfterANewNotary(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(3))
	if err := f.Adopt(testTerms()); err != nil {
		t.Fatal(err)
	}
	unchanged(t, f, func() {
		if _, err := f.Leaves(l.add(4)); !sameKind(err, &BadSignature{}) {
			t.Errorf("the old notary's key at 7: error = %v", err)
		}
	})
	again := newLog(t)
	again.add(3)
	again.newNotary(11)
	again.must(f, again.add(4))
	if _, err := NewFollowerAt(l.policies, f.Snapshot()); !sameKind(err, &BadSignature{}) {
		t.Errorf("restored without the terms adopted: error = %v", err)
	}
	if _, err := NewFollowerAt(testTerms(), f.Snapshot()); err != nil {
		t.Error(err)
	}
}

func TestAdopt(t *testing.T) {
	known := testTerms()[:2] // the follower has 5 leaves
	other := amended(testPolicy(), func(p *Policy) { p.Quorum = 1 })
	elsewhere := amended(testPolicy(), func(p *Policy) { p.Origin = "elsewhere" })
	for _, test := range []struct {
		name  string
		terms Policies
		want  error // nil: adopted
	}{
		{"the same", known, nil},
		{"more", testTerms(), nil},
		{"more from the next size on", append(slices.Clone(known), Term{6, other}), nil},
		{"a term that changes nothing", Policies{{0, known[0].Policy}, {2, known[0].Policy}, {4, known[1].Policy}}, nil},
		{"the first changed", Policies{{0, other}, known[1]}, ErrRewritten},
		{"the second changed", Policies{known[0], {4, other}}, ErrRewritten},
		{"the second earlier", Policies{known[0], {3, known[1].Policy}}, ErrRewritten},
		{"the second later", Policies{known[0], {5, known[1].Policy}}, ErrRewritten},
		{"the second missing", known[:1], ErrRewritten},
		{"one for the size that is here", append(slices.Clone(known), Term{5, other}), ErrRewritten},
		{"another log", elsewhere.Always(), ErrRewritten},
		{"none", nil, &Malformed{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLog(t)
			l.policies = known
			f := l.follow(l.add(5))
			before := f.policies.clone()
			unchanged(t, f, func() {
				err := f.Adopt(test.terms)
				if test.want == nil && err != nil || test.want != nil && !sameKind(err, test.want) {
					t.Errorf("Adopt = %v, want %v", err, test.want)
				}
			})
			want := test.terms
			if test.want != nil {
				want = before
			}
			if diff := cmp.Diff(want, f.policies); diff != "" {
				t.Error(diff)
			}
		})
	}
	l := newLog(t)
	f := l.follow()
	if err := f.Adopt(other.Always()); !errors.Is(err, ErrRewritten) {
		t.Errorf("the founding policy changed before the first leaf: error = %v", err)
	}
}

func TestAdoptCopies(t *testing.T) {
	l := newLog(t)
	f := l.follow()
	terms := testTerms()
	if err := f.Adopt(terms); err != nil {
		t.Fatal(err)
	}
	clear(terms[0].Policy.Mirrors["AA"])
	terms[3] = Term{}
	if diff := cmp.Diff(testTerms(), f.policies); diff != "" {
		t.Error(diff)
	}
}

// A cosignature that waited is judged by what is known when its checkpoint comes.
func TestAdoptWhileCosignaturesWait(t *testing.T) {
	l := newLog(t)
	first := l.add(3)
	second := l.add(2)
	l.newNotary(11)
	third := l.add(4)
	f := l.follow(first)
	old := l.mirrors["AA"]
	for country, size := range map[string]uint64{"AA": 9, "BB": 9, "CC": 9} {
		if _, err := f.Cosignature(l.cosign(country, l.at(size), 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Adopt(testTerms()); err != nil {
		t.Fatal(err)
	}
	// Whoever has AA's old key is not in the way of the new one, at a smaller size either.
	l.newMirror("AA", 12)
	if _, err := f.Cosignature(l.cosign("AA", l.at(5), 1)); err != nil {
		t.Fatal(err)
	}
	batch := l.must(f, second)
	if len(batch.Counted) != 1 || batch.Counted[0].Country != "AA" || len(batch.Refused) != 0 {
		t.Errorf("at 5: counted %v, refused %v, want AA counted", batch.Counted, batch.Refused)
	}
	l.mirrors["AA"] = old
	if _, err := f.Cosignature(l.cosign("AA", l.at(9), 1)); !errors.Is(err, ErrUnknownWitness) {
		t.Errorf("the old key: error = %v", err)
	}
	batch = l.must(f, third)
	if len(batch.Counted) != 1 || batch.Counted[0].Country != "BB" {
		t.Errorf("at 9: counted %v, want BB", batch.Counted)
	}
	if len(batch.Refused) != 1 || !errors.Is(batch.Refused[0], ErrUnknownWitness) {
		t.Errorf("at 9: refused %v, want CC as an unknown witness", batch.Refused)
	}
	if len(f.pending) != 0 {
		t.Errorf("still waiting: %v", slices.Sorted(maps.Keys(f.pending)))
	}
}

// What a mirror cosigned states all smaller sizes too, under the key that it has there.
func TestALargerCosignatureCounts(t *testing.T) {
	l := newLog(t)
	l.policies = testTerms()
	messages := []*logv1.Leaves{l.add(2), l.add(1), l.add(2)} // 2, 3, 5
	l.newNotary(11)
	messages = append(messages, l.add(2), l.add(2)) // 7, 9
	f := l.follow(messages...)
	l.newMirror("DD", 5)
	for _, step := range []struct {
		country   string
		seed      byte
		size      uint64
		witnessed uint64 // 0 for none
		by        []string
	}{
		{"DD", 5, 9, 0, nil},
		{"CC", 4, 7, 0, nil}, // DD is no mirror for 7
		{"AA", 12, 9, 9, []string{"AA", "DD"}},
	} {
		l.newMirror(step.country, step.seed)
		if _, err := f.Cosignature(l.cosign(step.country, l.at(step.size), 1)); err != nil {
			t.Fatalf("%s at %d: %v", step.country, step.size, err)
		}
		if c, by, ok := f.Witnessed(); ok != (step.witnessed > 0) || c.Size != step.witnessed || !slices.Equal(by, step.by) {
			t.Errorf("after %s at %d: Witnessed = %d by %v, %v", step.country, step.size, c.Size, by, ok)
		}
	}

	// A new key at a larger size says nothing of the sizes of the old one.
	f = l.follow(messages...)
	for _, step := range []struct {
		country   string
		seed      byte
		size      uint64
		witnessed uint64
		by        []string
	}{
		{"CC", 4, 3, 0, nil},
		{"AA", 12, 7, 0, nil},
		{"AA", 2, 2, 2, []string{"AA", "CC"}},
		{"BB", 3, 5, 5, []string{"AA", "BB"}},
		{"CC", 4, 7, 7, []string{"AA", "CC"}},
	} {
		l.newMirror(step.country, step.seed)
		if _, err := f.Cosignature(l.cosign(step.country, l.at(step.size), 1)); err != nil {
			t.Fatalf("%s at %d: %v", step.country, step.size, err)
		}
		if c, by, ok := f.Witnessed(); ok != (step.witnessed > 0) || c.Size != step.witnessed || !slices.Equal(by, step.by) {
			t.Errorf("after %s at %d: Witnessed = %d by %v, %v", step.country, step.size, c.Size, by, ok)
		}
	}
	for size, want := range map[uint64][]string{7: {"AA", "CC"}, 9: nil, 5: nil} {
		if got := f.CosignedBy(size); !slices.Equal(got, want) {
			t.Errorf("CosignedBy(%d) = %v, want %v", size, got, want)
		}
	}
}

// A checkpoint that is witnessed by cosignatures of larger ones stays so when too many follow.
func TestWitnessedOutlastsWhatIsForgotten(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(1), l.add(1), l.add(1))
	for country, size := range map[string]uint64{"AA": 1, "BB": 3} {
		if _, err := f.Cosignature(l.cosign(country, l.at(size), 1)); err != nil {
			t.Fatal(err)
		}
	}
	for range maxKept + 3 {
		l.must(f, l.add(1))
	}
	back, err := NewFollowerAt(l.policies, f.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*Follower{"one": f, "restarted": back} {
		if c, by, ok := f.Witnessed(); !ok || c.Size != 1 || !slices.Equal(by, []string{"AA", "BB"}) {
			t.Errorf("%s: Witnessed = %d by %v, %v", name, c.Size, by, ok)
		}
		if len(f.kept) != 1+maxKept {
			t.Errorf("%s: %d kept", name, len(f.kept))
		}
		if _, err := f.Cosignature(l.cosign("AA", l.at(3), 1)); err != nil { // kept because BB cosigned it
			t.Errorf("%s: %v", name, err)
		}
		if c, _, _ := f.Witnessed(); c.Size != 3 {
			t.Errorf("%s: Witnessed = %d, want 3", name, c.Size)
		}
	}
}
