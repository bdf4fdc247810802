// Package second is the second signature: ML-DSA-44 (FIPS 204) beside Ed25519, over
// the very bytes that Ed25519 signs. Whoever breaks Ed25519 one day, or has stolen that
// key alone, cannot speak for a party that has a second key.
//
// Who has one, the registry says; nothing here knows whether one is needed. Each use
// has its own context string, so that a signature given for one never counts as another.
package second

import (
	"errors"
	"fmt"

	"filippo.io/mldsa"
	"filippo.io/mldsa/x509"
)

// Sizes in bytes.
const (
	KeySize       = mldsa.MLDSA44PublicKeySize // 1312, of a public key
	SignatureSize = mldsa.MLDSA44SignatureSize // 2420
	SeedSize      = mldsa.PrivateKeySize       // 32, of a private key
)

// Use is what a signature is for: the context string of FIPS 204, section 5.2.
type Use string

// The uses in version 1. What is signed is what Ed25519 signs there.
const (
	Batch      Use = "tripoint/v1/batch"      // a batch statement
	KeyRecord  Use = "tripoint/v1/keyrecord"  // a key record's statement
	Possession Use = "tripoint/v1/possession" // the statement of a key that a registry update brings
	Checkpoint Use = "tripoint/v1/checkpoint" // the text of a checkpoint's note
)

// Key is a private key. Use NewKey, Generate or Parse.
type Key struct {
	private *mldsa.PrivateKey
	public  []byte
}

// NewKey makes the key of a seed of SeedSize bytes.
func NewKey(seed []byte) (*Key, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("seed of a second key: %d bytes, want %d", len(seed), SeedSize)
	}
	private, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
	if err != nil {
		return nil, fmt.Errorf("seed of a second key: %w", err)
	}
	return &Key{private: private, public: private.PublicKey().Bytes()}, nil
}

// Generate makes a new key.
func Generate() (*Key, error) {
	private, err := mldsa.GenerateKey(mldsa.MLDSA44())
	if err != nil {
		return nil, fmt.Errorf("making a second key: %w", err)
	}
	return &Key{private: private, public: private.PublicKey().Bytes()}, nil
}

// errNoKey never says what was read: it may be most of a key.
var errNoKey = errors.New("no ML-DSA-44 key in PKCS #8")

// Parse reads what Encode writes: PKCS #8 with the seed (RFC 9881, section 6).
func Parse(der []byte) (*Key, error) {
	read, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errNoKey
	}
	private, ok := read.(*mldsa.PrivateKey)
	if !ok || private.PublicKey().Parameters() != mldsa.MLDSA44() {
		return nil, errNoKey
	}
	return &Key{private: private, public: private.PublicKey().Bytes()}, nil
}

// Encode is the private key, for its owner's disk alone.
func (k *Key) Encode() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.private) }

// Public is the public key, KeySize bytes. It is shared: do not change it.
func (k *Key) Public() []byte {
	if k == nil {
		return nil
	}
	return k.public
}

// Format prints nothing of the key.
func (k *Key) Format(state fmt.State, _ rune) { fmt.Fprint(state, "second key") }

// Sign signs deterministically (FIPS 204, section 3.4), so that what is signed again
// is the same bytes. It verifies what it signed: a faulty machine must not publish a
// signature that nobody accepts, nor one that betrays its key.
func (k *Key) Sign(use Use, message []byte) ([]byte, error) {
	signature, err := k.private.SignDeterministic(message, &mldsa.Options{Context: string(use)})
	if err != nil {
		return nil, fmt.Errorf("signing with a second key: %w", err)
	}
	if !Verify(k.public, use, message, signature) {
		return nil, errors.New("the second key made an invalid signature")
	}
	return signature, nil
}

// Verify reports whether public signed message for this use. Keys and signatures of
// other sizes verify nothing.
func Verify(public []byte, use Use, message, signature []byte) bool {
	if len(public) != KeySize || len(signature) != SignatureSize {
		return false
	}
	key, err := mldsa.NewPublicKey(mldsa.MLDSA44(), public)
	return err == nil && mldsa.Verify(key, message, signature, &mldsa.Options{Context: string(use)}) == nil
}
