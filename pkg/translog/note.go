package translog

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Signature types of C2SP signed-note.
const (
	algEd25519     = 0x01
	algCosignature = 0x04 // Ed25519 with a timestamp, tlog-cosignature v1
	algOther       = 0xff // the type's name follows
)

// secondType names the notary's second signature: ML-DSA-44 over the note's text. C2SP
// assigns no type to that. Its 0x06 is a timestamped cosignature, which leaves a
// checkpoint's extension lines out, and so the registry.
const secondType = "tripoint/v1/checkpoint/ML-DSA-44"

// keyHash is C2SP signed-note's key ID.
func keyHash(name string, alg byte, key []byte) uint32 {
	data := append([]byte(name), '\n', alg)
	sum := sha256.Sum256(append(data, key...))
	return binary.BigEndian.Uint32(sum[:])
}

// publicKey is the Ed25519 key of a signer.
func publicKey(key crypto.Signer) (ed25519.PublicKey, error) {
	if key == nil {
		return nil, errors.New("no signing key")
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(public) != ed25519.PublicKeySize {
		return nil, errors.New("the signing key is not Ed25519")
	}
	return public, nil
}

// signEd25519 signs and verifies its own signature: a faulty device must not
// publish a signature that betrays its key, nor one that nobody accepts.
func signEd25519(key crypto.Signer, public ed25519.PublicKey, message []byte) ([]byte, error) {
	signature, err := key.Sign(nil, message, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	if !ed25519.Verify(public, message, signature) {
		return nil, errors.New("the signing key made an invalid signature")
	}
	return signature, nil
}

// noteSigner is a note.Signer made of a function.
type noteSigner struct {
	name string
	hash uint32
	sign func(text []byte) ([]byte, error)
}

func (s noteSigner) Name() string                     { return s.name }
func (s noteSigner) KeyHash() uint32                  { return s.hash }
func (s noteSigner) Sign(text []byte) ([]byte, error) { return s.sign(text) }

// noteVerifier is a note.Verifier made of a function.
type noteVerifier struct {
	name   string
	hash   uint32
	verify func(text, signature []byte) bool
}

func (v noteVerifier) Name() string                       { return v.name }
func (v noteVerifier) KeyHash() uint32                    { return v.hash }
func (v noteVerifier) Verify(text, signature []byte) bool { return v.verify(text, signature) }

// secondKeyHash is the key ID of a second key.
func secondKeyHash(name string, key []byte) uint32 {
	return keyHash(name, algOther, append([]byte(secondType), key...))
}

// openNote reads a signed note that carries signatures of exactly so many of the
// verifiers, and returns its checkpoint, those signatures in the verifiers' order, and
// a note with nothing but them. Signatures of strangers are passed over, as C2SP asks.
func openNote(data []byte, want int, verifiers ...note.Verifier) (Signed, []note.Signature, error) {
	fail := func(err error) (Signed, []note.Signature, error) { return Signed{}, nil, err }
	n, err := openKnown(data, verifiers...)
	if err != nil {
		return fail(err)
	}
	if len(n.Sigs) < want {
		return fail(errUnsigned)
	}
	if len(n.Sigs) > want {
		return fail(malformed("%d known signatures on one note, not %d", len(n.Sigs), want))
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return fail(err)
	}
	var found []note.Signature
	plain := []byte(n.Text + "\n")
	for _, v := range verifiers {
		for _, s := range n.Sigs {
			if s.Name == v.Name() && s.Hash == v.KeyHash() {
				found, plain = append(found, s), fmt.Appendf(plain, "— %s %s\n", s.Name, s.Base64)
			}
		}
	}
	return Signed{Checkpoint: c, Note: plain}, found, nil
}

// errUnsigned: none of the wanted signatures is on the note.
var errUnsigned = errors.New("unsigned")

// claimedSize is the size that a note states, in the text that openNote verifies.
// Nobody has verified it here: it chooses whose signature the note must have, and
// is good for nothing else. Errors: *Malformed.
func claimedSize(data []byte) (uint64, error) {
	if err := checkNote(data); err != nil {
		return 0, err
	}
	c, err := ParseCheckpoint(string(data[:bytes.LastIndex(data, []byte("\n\n"))+1]))
	return c.Size, err
}

// checkNote refuses what package note lets pass although it has a second
// spelling: loose base64, and a signature line repeated for one key.
func checkNote(data []byte) error {
	if len(data) > MaxNote {
		return malformed("note of %d bytes is above %d", len(data), MaxNote)
	}
	split := bytes.LastIndex(data, []byte("\n\n"))
	if split < 0 || data[len(data)-1] != '\n' {
		return malformed("not a signed note")
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(data[split+2:])) {
		name, text, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(line, "— "), "\n"), " ")
		signature, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(signature) < 5 || base64.StdEncoding.EncodeToString(signature) != text {
			return malformed("signature line is not in standard base64")
		}
		key := name + " " + string(signature[:4])
		if seen[key] {
			return malformed("one key signed a note twice")
		}
		seen[key] = true
	}
	return nil
}
