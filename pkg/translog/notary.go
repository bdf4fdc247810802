package translog

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// NotaryName is the note key name of the log's notary.
func NotaryName(origin string) string { return origin }

// Notary signs the checkpoints of one log. It keeps no state: that a signed
// size never shrinks is its owner's to ensure.
type Notary struct {
	origin string
	signer note.Signer
}

// NewNotary makes a notary of an Ed25519 key.
func NewNotary(origin string, key crypto.Signer) (*Notary, error) {
	if err := checkName("origin", origin); err != nil {
		return nil, err
	}
	public, err := publicKey(key)
	if err != nil {
		return nil, fmt.Errorf("making the notary of %q: %w", origin, err)
	}
	name := NotaryName(origin)
	return &Notary{origin: origin, signer: noteSigner{
		name: name,
		hash: keyHash(name, algEd25519, public),
		sign: func(text []byte) ([]byte, error) { return signEd25519(key, public, text) },
	}}, nil
}

// Sign returns the checkpoint as a note with the notary's Ed25519 signature.
func (n *Notary) Sign(c Checkpoint) ([]byte, error) {
	return signCheckpoint(c, n.origin, n.signer)
}

func signCheckpoint(c Checkpoint, origin string, signer note.Signer) ([]byte, error) {
	if c.Origin != origin {
		return nil, malformed("checkpoint is of another log")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
	if err != nil {
		return nil, fmt.Errorf("signing the checkpoint of size %d: %w", c.Size, err)
	}
	return signed, nil
}

// OpenCheckpoint verifies the notary's signature on a note and returns its
// checkpoint. Other signatures may stand beside it. Errors: *Malformed, *BadSignature.
func OpenCheckpoint(data []byte, origin string, notary ed25519.PublicKey) (Checkpoint, error) {
	signed, err := openCheckpoint(data, origin, notary)
	return signed.Checkpoint, err
}

func openCheckpoint(data []byte, origin string, notary ed25519.PublicKey) (Signed, error) {
	if err := checkName("origin", origin); err != nil {
		return Signed{}, err
	}
	if len(notary) != ed25519.PublicKeySize {
		return Signed{}, malformed("the notary's key has %d bytes, not %d", len(notary), ed25519.PublicKeySize)
	}
	name := NotaryName(origin)
	signed, _, err := openNote(data, noteVerifier{
		name: name,
		hash: keyHash(name, algEd25519, notary),
		verify: func(text, signature []byte) bool {
			return ed25519.Verify(notary, text, signature)
		},
	})
	if errors.Is(err, errUnsigned) {
		return Signed{}, &BadSignature{Name: name}
	}
	if err != nil {
		return Signed{}, fmt.Errorf("opening a checkpoint: %w", err)
	}
	if signed.Checkpoint.Origin != origin {
		return Signed{}, malformed("checkpoint is of another log")
	}
	return signed, nil
}
