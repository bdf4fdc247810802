package translog

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

const origin = "log.example/tripoint"

var countries = []string{"AA", "BB", "CC"}

// testKey is the Ed25519 key whose seed is 32 times b.
func testKey(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey {
	return key.Public().(ed25519.PublicKey)
}

// testPolicy: the notary has seed 1, the mirrors 2, 3 and 4; two of the three are a quorum.
func testPolicy() Policy {
	p := Policy{Origin: origin, Notary: publicOf(testKey(1)), Mirrors: map[string]ed25519.PublicKey{}, Quorum: 2}
	for i, country := range countries {
		p.Mirrors[country] = publicOf(testKey(byte(2 + i)))
	}
	return p
}

// testLog plays the notary and the mirrors over one tree.
type testLog struct {
	t        testing.TB
	stored   []Hash // as a store would hold them
	leaves   []Hash
	notary   *Notary
	mirrors  map[string]*Mirror
	policy   Policy
	policies Policies // policy always, unless a test says otherwise
	epoch    uint64
	shift    uint64 // makes another log of it
}

func newLog(t testing.TB) *testLog {
	t.Helper()
	policy := testPolicy()
	l := &testLog{t: t, policy: policy, policies: policy.Always(), mirrors: map[string]*Mirror{}}
	l.newNotary(1)
	for i, country := range countries {
		l.newMirror(country, byte(2+i))
	}
	return l
}

// newMirror gives a country's mirror the key whose seed is 32 times b.
func (l *testLog) newMirror(country string, b byte) {
	l.t.Helper()
	var err error
	if l.mirrors[country], err = NewMirror(origin, country, testKey(b)); err != nil {
		l.t.Fatal(err)
	}
}

// newNotary gives the notary such a key.
func (l *testLog) newNotary(b byte) {
	l.t.Helper()
	var err error
	if l.notary, err = NewNotary(origin, testKey(b)); err != nil {
		l.t.Fatal(err)
	}
}

// ReadHashes makes the log a tlog.HashReader.
func (l *testLog) ReadHashes(indexes []int64) ([]Hash, error) {
	out := make([]Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= int64(len(l.stored)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		out[i] = l.stored[index]
	}
	return out, nil
}

var _ tlog.HashReader = (*testLog)(nil)

func testLeaf(i uint64) Hash {
	return LeafHash(i, "evt.all.AA.police.note", fmt.Appendf(nil, "message %d", i))
}

// add appends n leaves and returns the notary's message about them.
func (l *testLog) add(n int) *logv1.Leaves {
	l.t.Helper()
	out := &logv1.Leaves{
		Epoch: l.epoch, Start: uint64(len(l.leaves)),
		Audiences: []string{"", "all"},
	}
	for range n {
		index := uint64(len(l.leaves))
		leaf := testLeaf(index + l.shift)
		hashes, err := StoredHashes(index, leaf, l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.stored = append(l.stored, hashes...)
		l.leaves = append(l.leaves, leaf)
		out.Hashes = append(out.Hashes, leaf[:]...)
		out.Labels = append(out.Labels, uint32(index%2))
	}
	out.Checkpoint = l.sign(l.at(uint64(len(l.leaves))))
	return out
}

// at is the log's true checkpoint of a size.
func (l *testLog) at(size uint64) Checkpoint {
	l.t.Helper()
	root, err := TreeRoot(size, l)
	if err != nil {
		l.t.Fatal(err)
	}
	return Checkpoint{Origin: origin, Size: size, Root: root, Registry: l.policies.At(size).Registry}
}

func (l *testLog) sign(c Checkpoint) []byte {
	l.t.Helper()
	data, err := l.notary.Sign(c)
	if err != nil {
		l.t.Fatal(err)
	}
	return data
}

func (l *testLog) cosign(country string, c Checkpoint, unixSeconds uint64) []byte {
	l.t.Helper()
	data, err := l.mirrors[country].Cosign(c, unixSeconds)
	if err != nil {
		l.t.Fatal(err)
	}
	return data
}

// follow starts a follower and gives it messages that it must take.
func (l *testLog) follow(messages ...*logv1.Leaves) *Follower {
	l.t.Helper()
	f, err := NewFollower(l.policies)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, m := range messages {
		l.must(f, m)
	}
	return f
}

func (l *testLog) must(f *Follower, m *logv1.Leaves) Batch {
	l.t.Helper()
	batch, err := f.Leaves(m)
	if err != nil {
		l.t.Fatalf("Leaves from %d: %v", m.GetStart(), err)
	}
	return batch
}

// forged is the true checkpoint of a size with another root.
func (l *testLog) forged(size uint64) Checkpoint {
	c := Checkpoint{Origin: origin, Size: size, Registry: l.policies.At(size).Registry}
	c.Root[0] = 0xff
	return c
}

// unchanged fails the test when act changes what the follower knows.
func unchanged(t *testing.T, f *Follower, act func()) {
	t.Helper()
	before := f.Snapshot()
	act()
	if !bytes.Equal(before, f.Snapshot()) {
		t.Error("a refused message changed the follower")
	}
}
