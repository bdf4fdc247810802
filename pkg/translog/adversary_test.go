package translog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// Sizes with which tlog would loop for ever or overflow are refused at once, wherever they come in.
func TestAdversary_L01_SizesRefusedAtOnce(t *testing.T) {
	l := newLog(t)
	good := l.add(2)
	f := l.follow()
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, size := range []uint64{MaxSize + 1, 1<<62 + 1, 1<<63 - 1, math.MaxUint64} {
		text := fmt.Sprintf("%s\n%d\n%s\nregistry %s\n", origin, size, root, root)
		start := proto.Clone(good).(*logv1.Leaves)
		start.Start = size
		for name, call := range map[string]func() error{
			"ParseCheckpoint": func() error { _, err := ParseCheckpoint(text); return err },
			"OpenCheckpoint": func() error {
				_, err := OpenCheckpoint(signText(t, text), origin, l.policy.Notary)
				return err
			},
			"Notary.Sign":     func() error { _, err := l.notary.Sign(Checkpoint{Origin: origin, Size: size}); return err },
			"Mirror.Cosign":   func() error { _, err := l.mirrors["AA"].Cosign(Checkpoint{Origin: origin, Size: size}, 1); return err },
			"StoredHashes":    func() error { _, err := StoredHashes(size, Hash{}, l); return err },
			"StoredHashCount": func() error { _, err := StoredHashCount(size); return err },
			"TreeRoot":        func() error { _, err := TreeRoot(size, l); return err },
			"Prove":           func() error { _, err := Prove(size-1, size, l); return err },
			"CheckInclusion":  func() error { return CheckInclusion(nil, size-1, size, Hash{}, Hash{}) },
			"Leaves start":    func() error { _, err := f.Leaves(start); return err },
			"Leaves size": func() error {
				m := proto.Clone(good).(*logv1.Leaves)
				m.Checkpoint = signText(t, text)
				_, err := f.Leaves(m)
				return err
			},
		} {
			done := make(chan error, 1)
			go func() { done <- call() }()
			select {
			case err := <-done:
				if err == nil {
					t.Errorf("%s took the size %d", name, size)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s of size %d does not end", name, size)
			}
		}
	}
	if _, err := ParseCheckpoint(Checkpoint{Origin: origin, Size: MaxSize}.Text()); err != nil {
		t.Errorf("2^48 itself: %v", err)
	}
}

// signText signs any text with the notary's key, as a notary gone bad would.
func signText(t *testing.T, text string) []byte {
	t.Helper()
	public := publicOf(testKey(1))
	signature, err := signEd25519(testKey(1), public, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	hash := keyHash(NotaryName(origin), algEd25519, public)
	line := append([]byte{byte(hash >> 24), byte(hash >> 16), byte(hash >> 8), byte(hash)}, signature...)
	return fmt.Appendf(nil, "%s\n— %s %s\n", text, NotaryName(origin), base64.StdEncoding.EncodeToString(line))
}

// The notary goes back to a smaller tree and signs it correctly: the follower
// keeps the larger one and holds both signatures as proof.
func TestAdversary_L02_RollbackCorrectlySigned(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(3), l.add(4))
	for _, size := range []uint64{0, 2, 3, 5, 6} {
		old := &logv1.Leaves{Start: size, Checkpoint: l.sign(l.at(size))}
		unchanged(t, f, func() {
			_, err := f.Leaves(old)
			rollback, ok := errors.AsType[*Rollback](err)
			if !ok {
				t.Fatalf("size %d after 7: error = %v, want Rollback", size, err)
			}
			wantProof(t, l, rollback.Have, l.at(7))
			wantProof(t, l, rollback.Got, l.at(size))
		})
	}
	l.must(f, l.add(1))
}

// wantProof checks that evidence is a note that convicts on its own.
func wantProof(t *testing.T, l *testLog, s Signed, want Checkpoint) {
	t.Helper()
	c, err := OpenCheckpoint(s.Note, origin, l.policy.Notary)
	if err != nil || c != want || s.Checkpoint != want {
		t.Errorf("evidence = %+v, note %+v, %v; want %+v", s.Checkpoint, c, err, want)
	}
}

// Two roots for one size, by the notary at the newest and at a covered size, and by a mirror.
func TestAdversary_L03_OneSizeTwoRoots(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(3), l.add(4))
	for _, size := range []uint64{3, 7} {
		unchanged(t, f, func() {
			_, err := f.Leaves(&logv1.Leaves{Start: size, Checkpoint: l.sign(l.forged(size))})
			fork, ok := errors.AsType[*Fork](err)
			if !ok {
				t.Fatalf("notary at %d: error = %v, want Fork", size, err)
			}
			wantProof(t, l, fork.Have, l.at(size))
			wantProof(t, l, fork.Got, l.forged(size))
		})
		unchanged(t, f, func() {
			_, err := f.Cosignature(l.cosign("BB", l.forged(size), 1))
			fork, ok := errors.AsType[*Fork](err)
			if !ok {
				t.Fatalf("mirror at %d: error = %v, want Fork", size, err)
			}
			wantProof(t, l, fork.Have, l.at(size))
			wantMirrorProof(t, l, fork.Got, "BB", l.forged(size))
		})
	}
	// A mirror that cosigns both roots of a size that is still ahead.
	if _, err := f.Cosignature(l.cosign("AA", l.forged(9), 1)); err != nil {
		t.Fatal(err)
	}
	other := l.forged(9)
	other.Root[1] = 1
	_, err := f.Cosignature(l.cosign("AA", other, 2))
	fork, ok := errors.AsType[*Fork](err)
	if !ok {
		t.Fatalf("mirror ahead: error = %v, want Fork", err)
	}
	wantMirrorProof(t, l, fork.Have, "AA", l.forged(9))
	wantMirrorProof(t, l, fork.Got, "AA", other)
}

func wantMirrorProof(t *testing.T, l *testLog, s Signed, country string, want Checkpoint) {
	t.Helper()
	by, c, _, err := l.policies.OpenCosignature(s.Note)
	if err != nil || by != country || c != want {
		t.Errorf("evidence is of %q over %+v, %v; want %q over %+v", by, c, err, country, want)
	}
}

// An unknown witness, one witness many times, one key under two names: none adds to the quorum.
func TestAdversary_L09_NoWitnessCountsTwice(t *testing.T) {
	l := newLog(t)
	f := l.follow(l.add(3))
	stranger, err := NewMirror(origin, "ZZ", testKey(9))
	if err != nil {
		t.Fatal(err)
	}
	strange, err := stranger.Cosign(l.at(3), 1)
	if err != nil {
		t.Fatal(err)
	}
	impostor, err := NewMirror(origin, "BB", testKey(9))
	if err != nil {
		t.Fatal(err)
	}
	imposed, err := impostor.Cosign(l.at(3), 1)
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := NewMirror(origin, "BB", testKey(2)) // the key of AA
	if err != nil {
		t.Fatal(err)
	}
	twoNames, err := renamed.Cosign(l.at(3), 1)
	if err != nil {
		t.Fatal(err)
	}
	a := string(l.cosign("AA", l.at(3), 1))
	line := a[strings.LastIndex(a, "\n\n")+2:]
	relabelled := strings.Replace(a, MirrorName(origin, "AA"), MirrorName(origin, "BB"), 1)
	b := string(l.cosign("BB", l.at(3), 1))
	both := a + b[strings.LastIndex(b, "\n\n")+2:]
	for _, test := range []struct {
		name string
		note string
		want error // nil: taken
	}{
		{"a first time", a, nil},
		{"a second time", a, nil},
		{"at another time", string(l.cosign("AA", l.at(3), 2)), nil},
		{"twice in one note", a + line, &Malformed{}},
		{"two mirrors in one note", both, &Malformed{}},
		{"unknown country", string(strange), ErrUnknownWitness},
		{"unknown key", string(imposed), ErrUnknownWitness},
		{"a key under another name", string(twoNames), ErrUnknownWitness},
		{"a signature under another name", relabelled, ErrUnknownWitness},
		{"the notary", string(l.sign(l.at(3))), ErrUnknownWitness},
	} {
		_, err := f.Cosignature([]byte(test.note))
		if test.want == nil && err != nil || test.want != nil && !sameKind(err, test.want) {
			t.Errorf("%s: error = %v, want %v", test.name, err, test.want)
		}
		if by := f.CosignedBy(3); len(by) != 1 || by[0] != "AA" {
			t.Errorf("%s: cosigned by %v, want AA alone", test.name, by)
		}
		if _, _, ok := f.Witnessed(); ok {
			t.Fatalf("%s: witnessed by one mirror", test.name)
		}
	}
	twice := testPolicy()
	twice.Mirrors["BB"] = twice.Mirrors["AA"]
	if err := twice.Validate(); err == nil {
		t.Error("a policy with one key under two names is valid")
	}
}
