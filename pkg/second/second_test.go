package second_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/second"
)

func key(t testing.TB, owner string) *second.Key {
	t.Helper()
	seed := sha256.Sum256([]byte(owner))
	k, err := second.NewKey(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, k *second.Key, use second.Use, message string) []byte {
	t.Helper()
	signature, err := k.Sign(use, []byte(message))
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func TestSignatureIsOfOneKeyUseAndMessage(t *testing.T) {
	mine, other := key(t, "mine"), key(t, "other")
	signature := sign(t, mine, second.Batch, "a statement")
	if len(signature) != second.SignatureSize || len(mine.Public()) != second.KeySize {
		t.Fatalf("a signature of %d bytes by a key of %d", len(signature), len(mine.Public()))
	}
	flipped := bytes.Clone(signature)
	flipped[1000] ^= 1
	for name, c := range map[string]struct {
		public    []byte
		use       second.Use
		message   string
		signature []byte
		good      bool
	}{
		"as it was signed":    {mine.Public(), second.Batch, "a statement", signature, true},
		"another key":         {other.Public(), second.Batch, "a statement", signature, false},
		"another use":         {mine.Public(), second.Checkpoint, "a statement", signature, false},
		"no use":              {mine.Public(), "", "a statement", signature, false},
		"another message":     {mine.Public(), second.Batch, "a statement.", signature, false},
		"one bit flipped":     {mine.Public(), second.Batch, "a statement", flipped, false},
		"a short signature":   {mine.Public(), second.Batch, "a statement", signature[:second.SignatureSize-1], false},
		"a long signature":    {mine.Public(), second.Batch, "a statement", append(bytes.Clone(signature), 0), false},
		"no signature":        {mine.Public(), second.Batch, "a statement", nil, false},
		"a signature of 0":    {mine.Public(), second.Batch, "a statement", make([]byte, second.SignatureSize), false},
		"a short key":         {mine.Public()[:second.KeySize-1], second.Batch, "a statement", signature, false},
		"a long key":          {append(bytes.Clone(mine.Public()), 0), second.Batch, "a statement", signature, false},
		"no key":              {nil, second.Batch, "a statement", signature, false},
		"a key of 0":          {make([]byte, second.KeySize), second.Batch, "a statement", signature, false},
		"a key of ML-DSA-65":  {make([]byte, 1952), second.Batch, "a statement", make([]byte, 3309), false},
		"an Ed25519 pair":     {make([]byte, ed25519.PublicKeySize), second.Batch, "a statement", make([]byte, ed25519.SignatureSize), false},
		"all bits of the key": {bytes.Repeat([]byte{0xff}, second.KeySize), second.Batch, "a statement", signature, false},
	} {
		if got := second.Verify(c.public, c.use, []byte(c.message), c.signature); got != c.good {
			t.Errorf("%s: verified %v", name, got)
		}
	}
}

func TestSigningAgainGivesTheSameBytes(t *testing.T) {
	if a, b := sign(t, key(t, "mine"), second.Batch, "x"), sign(t, key(t, "mine"), second.Batch, "x"); !bytes.Equal(a, b) {
		t.Error("two signatures of one statement")
	}
}

// A known answer, so that another implementation can be held against this one. The
// key is that of the seed of 32 zero bytes.
func TestKnownAnswer(t *testing.T) {
	k, err := second.NewKey(make([]byte, second.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	for what, known := range map[string]struct {
		data []byte
		want string
	}{
		"public key": {k.Public(), "eb4e7302842153b0fa19e8620739ad258af4929c26dd89079a7ec7d4282208e1"},
		"signature":  {sign(t, k, second.Checkpoint, "abc"), "6214ae2cfe365a142cdee4efe583532a1f29193a34d10027e6e806400b09bcad"},
	} {
		if got := fmt.Sprintf("%x", sha256.Sum256(known.data)); got != known.want {
			t.Errorf("SHA-256 of the %s is %s, want %s", what, got, known.want)
		}
	}
}

func TestKeyIsReadAsItWasWritten(t *testing.T) {
	made, err := second.Generate()
	if err != nil {
		t.Fatal(err)
	}
	der, err := made.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := second.Parse(der)
	if err != nil || !bytes.Equal(read.Public(), made.Public()) {
		t.Fatalf("another key, or none: %v", err)
	}
	ed, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "cut": der[:len(der)-1], "longer": append(bytes.Clone(der), 0), "Ed25519": ed} {
		if _, err := second.Parse(bad); err == nil || strings.Contains(err.Error(), hex.EncodeToString(der[len(der)-4:])) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []int{0, 31, 33, 64} {
		if _, err := second.NewKey(make([]byte, n)); err == nil {
			t.Errorf("a seed of %d bytes made a key", n)
		}
	}
	if shown := fmt.Sprintf("%v %+v %x", made, made, made); shown != "second key second key second key" {
		t.Errorf("a key prints as %q", shown)
	}
}

// FuzzVerify: whatever comes, Verify returns, and accepts nothing but what was signed.
func FuzzVerify(f *testing.F) {
	k := key(f, "mine")
	signature := sign(f, k, second.Batch, "a statement")
	f.Add(k.Public(), []byte("a statement"), signature)
	f.Add(k.Public(), []byte("another"), signature)
	f.Add([]byte{}, []byte{}, []byte{})
	f.Add(k.Public()[:32], []byte("a statement"), signature[:64])
	f.Fuzz(func(t *testing.T, public, message, candidate []byte) {
		signed := bytes.Equal(public, k.Public()) && string(message) == "a statement" && bytes.Equal(candidate, signature)
		if bytes.Equal(public, k.Public()) && second.Verify(public, second.Batch, message, candidate) != signed {
			t.Errorf("verified: %v, signed: %v", !signed, signed)
		}
		second.Verify(public, second.Checkpoint, message, candidate)
	})
}
