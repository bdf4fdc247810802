package event

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/second"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Two ways in which a well-formed envelope fails. They are different verdicts.
var (
	ErrSignature = errors.New("signature or path does not verify")
	ErrBody      = errors.New("body is not the one that was signed")
)

// Roots remembers batch statements whose signature was verified, so that a batch
// costs one public-key operation. It holds a bounded number and is not for
// concurrent use. The zero Roots is ready.
type Roots struct {
	known map[verifiedRoot]struct{}
	order []verifiedRoot
	next  int
}

type verifiedRoot struct {
	key       KeyID
	size      uint64
	root      Digest
	signature [ed25519.SignatureSize]byte
	second    Digest // of the second key and signature; zero: there are none
}

const rememberedRoots = 4096

func (r *Roots) has(v verifiedRoot) bool {
	_, ok := r.known[v]
	return ok
}

func (r *Roots) add(v verifiedRoot) {
	if r.known == nil {
		r.known = make(map[verifiedRoot]struct{})
	}
	r.known[v] = struct{}{}
	if len(r.order) < rememberedRoots {
		r.order = append(r.order, v)
		return
	}
	delete(r.known, r.order[r.next])
	r.order[r.next] = v
	r.next = (r.next + 1) % rememberedRoots
}

// Verify checks the batch path, the signature under public, the second signature
// under secondKey, and the body. Where secondKey is empty there must be no second
// signature: an event has one accepted form. The error wraps ErrSignature or ErrBody.
// That public is the key the envelope names, was valid, and has this second
// key beside it, is the caller's to know.
func (u Unverified) Verify(public ed25519.PublicKey, secondKey []byte, roots *Roots) (Verified, error) {
	proof := u.envelope.GetProof()
	key := u.KeyID()
	if len(public) != ed25519.PublicKeySize || KeyIDOf(RolePublisher, public) != key {
		return Verified{}, fmt.Errorf("%w: the key is not the one that the envelope names", ErrSignature)
	}
	root, ok := climb(leafHash(key, u.envelope.GetHeader()), proof)
	if !ok {
		return Verified{}, fmt.Errorf("%w: the path does not lead from leaf %d to a root of %d", ErrSignature, proof.GetIndex(), proof.GetSize())
	}
	if err := verifyRoot(public, secondKey, key, root, proof, roots); err != nil {
		return Verified{}, err
	}
	sections, err := u.openBody()
	if err != nil {
		return Verified{}, fmt.Errorf("%w: %v", ErrBody, err)
	}
	place := Place{Batch: root, Index: proof.GetIndex()}
	return Verified{Claims: u.Claims(), HeaderDigest: u.HeaderDigest(), KeyID: key, Place: place, sections: sections}, nil
}

// verifyRoot checks both signatures of a batch, or finds that they were checked.
func verifyRoot(public ed25519.PublicKey, secondKey []byte, key KeyID, root Digest, proof *eventv1.BatchProof, roots *Roots) error {
	other := proof.GetSecondSignature()
	switch {
	case len(secondKey) > 0 && len(other) == 0:
		return fmt.Errorf("%w: key %s has a second key beside it, and the second signature is missing", ErrSignature, key)
	case len(secondKey) == 0 && len(other) > 0:
		return fmt.Errorf("%w: a second signature, and key %s has no second key beside it", ErrSignature, key)
	}
	claim := verifiedRoot{key: key, size: proof.GetSize(), root: root, signature: [64]byte(proof.GetSignature())}
	if len(secondKey) > 0 {
		claim.second = DigestOf(slices.Concat(secondKey, other))
	}
	if roots.has(claim) {
		return nil
	}
	signed := statement(key, claim.size, root)
	if !ed25519.Verify(public, signed, claim.signature[:]) {
		return fmt.Errorf("%w: key %s did not sign this batch", ErrSignature, key)
	}
	if len(secondKey) > 0 && !second.Verify(secondKey, second.Batch, signed, other) {
		return fmt.Errorf("%w: the second key beside %s did not sign this batch", ErrSignature, key)
	}
	roots.add(claim)
	return nil
}

func (u Unverified) openBody() ([]Section, error) {
	if DigestOf(u.envelope.GetBody()) != Digest(u.header.GetBodyDigest()) {
		return nil, errors.New("its digest differs from the header's")
	}
	body := &eventv1.Body{}
	if err := proto.Unmarshal(u.envelope.GetBody(), body); err != nil {
		return nil, errors.New("not a protobuf message of that type")
	}
	if err := CheckGroups(body); err != nil {
		return nil, err
	}
	entries := u.header.GetSections()
	if len(body.GetSections()) != len(entries) {
		return nil, fmt.Errorf("%d sections where the header announces %d", len(body.GetSections()), len(entries))
	}
	sections := make([]Section, len(entries))
	for i, entry := range entries {
		section := body.GetSections()[i]
		if section.GetCompartment() != entry.GetCompartment() {
			return nil, fmt.Errorf("section %d is of another compartment than the header announces", i)
		}
		sections[i] = Section{
			Compartment: entry.GetCompartment(), Form: entry.GetForm(),
			Commitment: entry.GetCommitment(), Content: section.GetContent(),
		}
	}
	return sections, nil
}

func checkProof(p *eventv1.BatchProof) error {
	switch {
	case p == nil:
		return errors.New("missing")
	case len(p.GetKeyId()) != len(KeyID{}):
		return fmt.Errorf("key_id: %d bytes, want 32", len(p.GetKeyId()))
	case len(p.GetSignature()) != ed25519.SignatureSize:
		return fmt.Errorf("signature: %d bytes, want 64", len(p.GetSignature()))
	case len(p.GetSecondSignature()) != 0 && len(p.GetSecondSignature()) != second.SignatureSize:
		return fmt.Errorf("second_signature: %d bytes, want none or %d", len(p.GetSecondSignature()), second.SignatureSize)
	case p.GetSize() == 0 || p.GetSize() > MaxBatch:
		return fmt.Errorf("size: %d, want 1 to %d", p.GetSize(), MaxBatch)
	case p.GetIndex() >= p.GetSize():
		return fmt.Errorf("index: %d in a batch of %d", p.GetIndex(), p.GetSize())
	case len(p.GetPath()) > bits.Len64(MaxBatch-1):
		return fmt.Errorf("path: %d hashes, more than any batch has", len(p.GetPath()))
	}
	for i, hash := range p.GetPath() {
		if len(hash) != len(Digest{}) {
			return fmt.Errorf("path[%d]: %d bytes, want 32", i, len(hash))
		}
	}
	return nil
}

// climb follows an audit path as in RFC 9162, section 2.1.3.2.
func climb(leaf Digest, proof *eventv1.BatchProof) (root Digest, ok bool) {
	node, last := proof.GetIndex(), proof.GetSize()-1
	root = leaf
	for _, hash := range proof.GetPath() {
		if last == 0 {
			return root, false
		}
		if node&1 == 1 || node == last {
			root = nodeHash(Digest(hash), root)
			for node&1 == 0 && node != 0 {
				node, last = node>>1, last>>1
			}
		} else {
			root = nodeHash(root, Digest(hash))
		}
		node, last = node>>1, last>>1
	}
	return root, last == 0
}
