package translog

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/second"
)

// testSecond is the second key whose seed is 32 times b.
func testSecond(t testing.TB, b byte) *second.Key {
	t.Helper()
	key, err := second.NewKey(bytes.Repeat([]byte{b}, second.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newSecondLog is a log whose notary has a second key, with a few leaves.
func newSecondLog(t testing.TB, leaves int) *testLog {
	t.Helper()
	l := newLog(t)
	l.policy.NotarySecond = testSecond(t, 1).Public()
	l.policies = l.policy.Always()
	l.notary = l.notary.WithSecond(testSecond(t, 1))
	l.add(leaves)
	return l
}

// lines are a note's text and its signature lines.
func lines(note []byte) (text string, signatures []string) {
	text, rest, _ := strings.Cut(string(note), "\n\n")
	return text + "\n\n", slices.Collect(strings.Lines(rest))
}

func TestSecondSignatureOfACheckpoint(t *testing.T) {
	l := newSecondLog(t, 5)
	text, good := lines(l.sign(l.at(5)))
	_, smaller := lines(l.sign(l.at(4)))
	_, stranger := lines(newLog(t).notary.WithSecond(testSecond(t, 9)).mustSign(t, l.at(5)))
	_, thief := lines(mustNotary(t, 9).WithSecond(testSecond(t, 1)).mustSign(t, l.at(5)))
	id := good[1][strings.LastIndex(good[1], " ")+1:][:5] // the first bytes are the key ID
	forged := strings.Replace(stranger[1], stranger[1][strings.LastIndex(stranger[1], " ")+1:][:5], id, 1)
	for name, c := range map[string]struct {
		signatures []string
		good       bool
	}{
		"both":                           {good, true},
		"both, the other way round":      {[]string{good[1], good[0]}, true},
		"both, and a stranger's":         {append(slices.Clone(good), stranger[1]), true},
		"the second stripped":            {good[:1], false},
		"the first stripped":             {good[1:], false},
		"the second of another size":     {[]string{good[0], smaller[1]}, false},
		"the second by another key":      {stranger, false},
		"the same under the key's ID":    {[]string{good[0], forged}, false},
		"the first by another key":       {thief, false},
		"the first twice":                {[]string{good[0], good[0]}, false},
		"the second of no length":        {[]string{good[0], good[1][:strings.LastIndex(good[1], " ")+1] + good[1][strings.LastIndex(good[1], " ")+1:][:8] + "\n"}, false},
		"a bare Ed25519 under second ID": {[]string{good[0], secondLine(t, testSecond(t, 1), make([]byte, 64))}, false},
	} {
		note := []byte(text + strings.Join(c.signatures, ""))
		opened, err := l.policies.OpenCheckpoint(note)
		if c.good && (err != nil || opened != l.at(5)) || !c.good && err == nil {
			t.Errorf("%s: %v", name, err)
		}
		signed, err := l.policy.openCheckpoint(note)
		if c.good && (err != nil || string(signed.Note) != text+strings.Join(good, "")) {
			t.Errorf("%s: what is kept as evidence is not both signatures in their order: %v", name, err)
		}
	}
}

func secondLine(t *testing.T, key *second.Key, signature []byte) string {
	t.Helper()
	hash := secondKeyHash(origin, key.Public())
	data := append([]byte{byte(hash >> 24), byte(hash >> 16), byte(hash >> 8), byte(hash)}, signature...)
	return fmt.Sprintf("— %s %s\n", origin, base64.StdEncoding.EncodeToString(data))
}

func (n *Notary) mustSign(t *testing.T, c Checkpoint) []byte {
	t.Helper()
	data, err := n.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustNotary(t *testing.T, b byte) *Notary {
	t.Helper()
	n, err := NewNotary(origin, testKey(b))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Where the policy names no second key, such a line is a stranger's.
func TestSecondSignatureThatNobodyAskedFor(t *testing.T) {
	l := newLog(t)
	l.add(3)
	both := l.notary.WithSecond(testSecond(t, 1)).mustSign(t, l.at(3))
	if c, err := l.policies.OpenCheckpoint(both); err != nil || c != l.at(3) {
		t.Error(err)
	}
	if signed, err := l.policy.openCheckpoint(both); err != nil || !bytes.Equal(signed.Note, l.sign(l.at(3))) {
		t.Errorf("a stranger's signature is kept: %v", err)
	}
}

// The key ID, written a second time: the type byte 0xff, then the type's name.
func TestSecondKeyID(t *testing.T) {
	key := testSecond(t, 1)
	data := append([]byte(origin+"\n\xfftripoint/v1/checkpoint/ML-DSA-44"), key.Public()...)
	sum := sha256.Sum256(data)
	_, signatures := lines(newSecondLog(t, 1).sign(newSecondLog(t, 1).at(1)))
	line, err := base64.StdEncoding.DecodeString(strings.TrimSpace(signatures[1][strings.LastIndex(signatures[1], " "):]))
	if err != nil || !bytes.Equal(line[:4], sum[:4]) || len(line) != 4+second.SignatureSize {
		t.Errorf("key ID %x in a line of %d bytes, want %x, error %v", line[:4], len(line), sum[:4], err)
	}
}

func TestPolicyWithASecondKey(t *testing.T) {
	p := testPolicy()
	p.NotarySecond = testSecond(t, 1).Public()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	other := p.clone()
	if !p.Equal(other) || &other.NotarySecond[0] == &p.NotarySecond[0] {
		t.Error("a clone is another policy, or shares its second key")
	}
	other.NotarySecond[7] ^= 1
	if p.Equal(other) || p.Equal(testPolicy()) {
		t.Error("policies with other second keys are equal")
	}
	for _, n := range []int{1, 32, second.KeySize - 1, second.KeySize + 1} {
		p.NotarySecond = make([]byte, n)
		if p.Validate() == nil {
			t.Errorf("a second key of %d bytes is accepted", n)
		}
	}
}

// From a size on the registry names a second key: what was signed below stays good,
// what comes above needs both, and a follower and its snapshot hold to that.
func TestSecondKeyFromASizeOn(t *testing.T) {
	l := newLog(t)
	with := l.policy.clone()
	with.NotarySecond = testSecond(t, 1).Public()
	l.policies = Policies{{Policy: l.policy}, {From: 4, Policy: with}}
	plain, first := l.notary, l.add(3)
	f := l.follow(first)
	stripped := l.add(2)
	if _, err := f.Leaves(stripped); !sameKind(err, &BadSignature{}) {
		t.Errorf("without its second signature: %v", err)
	}
	l.notary = plain.WithSecond(testSecond(t, 1))
	stripped.Checkpoint = l.sign(l.at(5))
	if _, err := f.Leaves(stripped); err != nil {
		t.Fatal(err)
	}
	snapshot := f.Snapshot()
	if _, err := NewFollowerAt(l.policies, snapshot); err != nil {
		t.Errorf("the snapshot is not taken back: %v", err)
	}
	with.NotarySecond = testSecond(t, 2).Public()
	if _, err := NewFollowerAt(Policies{{Policy: l.policy}, {From: 4, Policy: with}}, snapshot); !sameKind(err, &BadSignature{}) {
		t.Errorf("under another second key: %v", err)
	}
}

// FuzzOpenBoth: whatever note opens under a policy with a second key says what was
// signed with both, and has one plain form, which opens too.
func FuzzOpenBoth(f *testing.F) {
	l := newSecondLog(f, 6)
	at3, at6 := l.at(3), l.at(6)
	good := l.sign(at3)
	signed := map[Checkpoint][]byte{at3: good, at6: l.sign(at6)}
	text, signatures := lines(good)
	f.Add(good)
	f.Add(l.sign(at6))
	f.Add([]byte(text + signatures[0]))
	f.Add([]byte(text + signatures[1] + signatures[0]))
	f.Add([]byte(text + signatures[0] + signatures[0] + signatures[1]))
	f.Add(append(bytes.Clone(good), "— stranger AAAAAAAA\n"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := l.policies.OpenCheckpoint(data)
		if err != nil {
			return
		}
		if signed[c] == nil {
			t.Errorf("forged checkpoint %+v", c)
		}
		plain, err := l.policies.Plain(data)
		if err != nil || !bytes.Equal(plain, signed[c]) {
			t.Errorf("its plain form is not what was signed: %v", err)
		}
	})
}
