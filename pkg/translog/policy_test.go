package translog

import (
	"crypto/ed25519"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPolicyValidate(t *testing.T) {
	if err := testPolicy().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Policy){
		"no quorum":               func(p *Policy) { p.Quorum = 0 },
		"negative quorum":         func(p *Policy) { p.Quorum = -1 },
		"quorum out of reach":     func(p *Policy) { p.Quorum = 4 },
		"no mirrors":              func(p *Policy) { p.Mirrors = nil },
		"one key under two names": func(p *Policy) { p.Mirrors["BB"] = p.Mirrors["AA"] },
		"the notary as a mirror":  func(p *Policy) { p.Mirrors["BB"] = p.Notary },
		"empty origin":            func(p *Policy) { p.Origin = "" },
		"origin with a space":     func(p *Policy) { p.Origin = "a b" },
		"short notary key":        func(p *Policy) { p.Notary = p.Notary[:31] },
		"no notary key":           func(p *Policy) { p.Notary = nil },
		"long mirror key":         func(p *Policy) { p.Mirrors["AA"] = make([]byte, 33) },
		"empty country":           func(p *Policy) { p.Mirrors[""] = publicOf(testKey(9)) },
		"country with a slash":    func(p *Policy) { p.Mirrors["A/B"] = publicOf(testKey(9)) },
		"long origin":             func(p *Policy) { p.Origin = strings.Repeat("o", maxName+1) },
		"origin with a plus":      func(p *Policy) { p.Origin = "a+b" },
		"origin not UTF-8":        func(p *Policy) { p.Origin = "a\xff" },
		"origin with a line end":  func(p *Policy) { p.Origin = "a\n" },
		"long notary key":         func(p *Policy) { p.Notary = make([]byte, 33) },
		"no mirror key":           func(p *Policy) { p.Mirrors["AA"] = nil },
		"long country":            func(p *Policy) { p.Mirrors[strings.Repeat("A", maxName+1)] = publicOf(testKey(9)) },
		"country with a space":    func(p *Policy) { p.Mirrors["A A"] = publicOf(testKey(9)) },
		"country with a nul":      func(p *Policy) { p.Mirrors["A\x00"] = publicOf(testKey(9)) },
		"country with a plus":     func(p *Policy) { p.Mirrors["A+B"] = publicOf(testKey(9)) },
	} {
		p := testPolicy()
		spoil(&p)
		if err := p.Validate(); !sameKind(err, &Malformed{}) {
			t.Errorf("%s: Validate = %v, want Malformed", name, err)
		}
		if _, err := NewFollower(p.Always()); err == nil {
			t.Errorf("%s: a follower was made", name)
		}
	}
}

func TestOpenCosignature(t *testing.T) {
	l := newLog(t)
	l.add(3)
	for _, at := range []uint64{0, 1_740_000_000, math.MaxInt64} {
		country, c, unixSeconds, err := l.policies.OpenCosignature(l.cosign("BB", l.at(3), at))
		if err != nil {
			t.Fatal(err)
		}
		if country != "BB" || unixSeconds != at {
			t.Errorf("OpenCosignature = %s at %d, want BB at %d", country, unixSeconds, at)
		}
		if diff := cmp.Diff(l.at(3), c); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := l.mirrors["AA"].Cosign(l.at(3), math.MaxInt64+1); err == nil {
		t.Error("cosigned a time above 2^63-1")
	}
	if _, err := l.mirrors["AA"].Cosign(Checkpoint{Origin: "other"}, 1); err == nil {
		t.Error("cosigned another log")
	}
	if _, err := NewMirror(origin, "A/A", testKey(2)); err == nil {
		t.Error("made a mirror of a country with a slash")
	}
}

func TestPolicyIsCopied(t *testing.T) {
	l := newLog(t)
	f := l.follow()
	clear(l.policy.Mirrors["AA"])
	l.policy.Mirrors["BB"] = make(ed25519.PublicKey, 32)
	l.must(f, l.add(2))
	for _, country := range []string{"AA", "BB"} {
		if _, err := f.Cosignature(l.cosign(country, l.at(2), 1)); err != nil {
			t.Errorf("%s: %v", country, err)
		}
	}
}
