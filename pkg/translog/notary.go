package translog

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/tripoint/tripoint/pkg/second"
)

// NotaryName is the note key name of the log's notary.
func NotaryName(origin string) string { return origin }

// Notary signs the checkpoints of one log. It keeps no state: that a signed
// size never shrinks is its owner's to ensure.
type Notary struct {
	origin  string
	signers []note.Signer
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
	return &Notary{origin: origin, signers: []note.Signer{noteSigner{
		name: name,
		hash: keyHash(name, algEd25519, public),
		sign: func(text []byte) ([]byte, error) { return signEd25519(key, public, text) },
	}}}, nil
}

// WithSecond is the notary with a second key, which signs each text beside the first.
func (n *Notary) WithSecond(key *second.Key) *Notary {
	name := NotaryName(n.origin)
	return &Notary{origin: n.origin, signers: []note.Signer{n.signers[0], noteSigner{
		name: name,
		hash: secondKeyHash(name, key.Public()),
		sign: func(text []byte) ([]byte, error) { return key.Sign(second.Checkpoint, text) },
	}}}
}

// Sign returns the checkpoint as a note with the notary's Ed25519 signature, and its second one where it has a second key.
func (n *Notary) Sign(c Checkpoint) ([]byte, error) {
	return signCheckpoint(c, n.origin, n.signers...)
}

func signCheckpoint(c Checkpoint, origin string, signers ...note.Signer) ([]byte, error) {
	if c.Origin != origin {
		return nil, malformed("checkpoint is of another log")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("signing the checkpoint of size %d: %w", c.Size, err)
	}
	return signed, nil
}

// OpenCheckpoint verifies the signature on a note of a notary that has no second key, and
// returns its checkpoint. Other signatures may stand beside it. Where a Policy is at
// hand, use that: it knows of the second key. Errors: *Malformed, *BadSignature.
func OpenCheckpoint(data []byte, origin string, notary ed25519.PublicKey) (Checkpoint, error) {
	signed, err := Policy{Origin: origin, Notary: notary}.openCheckpoint(data)
	return signed.Checkpoint, err
}

// openCheckpoint verifies the notary's signature, and its second one where the policy
// names a second key. Other signatures may stand beside them. What registry the
// checkpoint names is not looked at.
func (p Policy) openCheckpoint(data []byte) (Signed, error) {
	if err := checkName("origin", p.Origin); err != nil {
		return Signed{}, err
	}
	if err := p.checkNotary(); err != nil {
		return Signed{}, err
	}
	verifiers := p.notaryVerifiers()
	signed, _, err := openNote(data, len(verifiers), verifiers...)
	if errors.Is(err, errUnsigned) {
		return Signed{}, &BadSignature{Name: NotaryName(p.Origin)}
	}
	if err != nil {
		return Signed{}, fmt.Errorf("opening a checkpoint: %w", err)
	}
	if signed.Checkpoint.Origin != p.Origin {
		return Signed{}, malformed("checkpoint is of another log")
	}
	return signed, nil
}

// notaryVerifiers are those whose signatures a checkpoint must have, all of them.
func (p Policy) notaryVerifiers() []note.Verifier {
	name := NotaryName(p.Origin)
	verifiers := []note.Verifier{NotaryVKey(p.Origin, p.Notary).verifier()}
	if len(p.NotarySecond) == 0 {
		return verifiers
	}
	return append(verifiers, noteVerifier{name: name, hash: secondKeyHash(name, p.NotarySecond), verify: func(text, signature []byte) bool {
		return second.Verify(p.NotarySecond, second.Checkpoint, text, signature)
	}})
}

// checkNotary refuses keys of other sizes, and two with one key ID, which no
// note could have both.
func (p Policy) checkNotary() error {
	switch {
	case len(p.Notary) != ed25519.PublicKeySize:
		return malformed("the notary's key has %d bytes, not %d", len(p.Notary), ed25519.PublicKeySize)
	case len(p.NotarySecond) == 0:
		return nil
	case len(p.NotarySecond) != second.KeySize:
		return malformed("the notary's second key has %d bytes, not %d", len(p.NotarySecond), second.KeySize)
	case secondKeyHash(NotaryName(p.Origin), p.NotarySecond) == keyHash(NotaryName(p.Origin), algEd25519, p.Notary):
		return malformed("the notary's two keys have one key ID")
	}
	return nil
}
