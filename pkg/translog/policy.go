package translog

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Policy says whose signatures make a checkpoint of some size, what registry it
// must name, and how many cosignatures make it witnessed. Term says which sizes it is for.
type Policy struct {
	Origin       string
	Notary       ed25519.PublicKey
	NotarySecond []byte                       // its second key, see pkg/second; empty: it has none
	Mirrors      map[string]ed25519.PublicKey // by country
	Quorum       int                          // mirrors that must cosign, at least 1
	Registry     Hash                         // see Checkpoint.Registry
}

// Validate refuses a policy under which one party could count as two, or a quorum
// could not be reached or would mean nothing.
func (p Policy) Validate() error {
	if err := checkName("origin", p.Origin); err != nil {
		return err
	}
	if err := p.checkNotary(); err != nil {
		return err
	}
	owners := map[string]string{}
	for _, country := range slices.Sorted(maps.Keys(p.Mirrors)) {
		key := p.Mirrors[country]
		if err := checkMirror(p.Origin, country); err != nil {
			return fmt.Errorf("mirror %q: %w", country, err)
		}
		if len(key) != ed25519.PublicKeySize {
			return malformed("the key of mirror %q has %d bytes, not %d", country, len(key), ed25519.PublicKeySize)
		}
		if bytes.Equal(key, p.Notary) {
			return malformed("mirror %q has the notary's key", country)
		}
		if other, taken := owners[string(key)]; taken {
			return malformed("mirrors %q and %q have one key", other, country)
		}
		owners[string(key)] = country
	}
	if p.Quorum < 1 || p.Quorum > len(owners) {
		return malformed("a quorum of %d of %d mirrors", p.Quorum, len(owners))
	}
	return nil
}

// clone shares nothing with p.
func (p Policy) clone() Policy {
	p.Notary, p.NotarySecond = slices.Clone(p.Notary), slices.Clone(p.NotarySecond)
	p.Mirrors = maps.Clone(p.Mirrors)
	for country, key := range p.Mirrors {
		p.Mirrors[country] = slices.Clone(key)
	}
	return p
}

// Equal reports whether p and q accept the same checkpoints and ask for the same quorum.
func (p Policy) Equal(q Policy) bool { return p.Registry == q.Registry && p.sameSigners(q) }

// sameSigners reports whether p and q accept the same signatures and ask for the same quorum.
func (p Policy) sameSigners(q Policy) bool {
	same := func(a, b ed25519.PublicKey) bool { return bytes.Equal(a, b) }
	return p.Origin == q.Origin && p.Quorum == q.Quorum && same(p.Notary, q.Notary) && bytes.Equal(p.NotarySecond, q.NotarySecond) && maps.EqualFunc(p.Mirrors, q.Mirrors, same)
}

// admits refuses a checkpoint that names another registry.
func (p Policy) admits(s Signed) error {
	if s.Checkpoint.Registry != p.Registry {
		return &OtherRegistry{Got: s, Want: p.Registry}
	}
	return nil
}

// cosignature is one that was verified.
type cosignature struct {
	country string
	key     ed25519.PublicKey // its mirror's, under which the signature was verified
	signed  Signed
	time    uint64 // seconds since 1970
}

// openCosignature is Policies.OpenCosignature under this one policy.
func (p Policy) openCosignature(data []byte) (cosignature, error) {
	if err := p.Validate(); err != nil {
		return cosignature{}, err
	}
	verifiers := make([]note.Verifier, 0, len(p.Mirrors))
	for country, key := range p.Mirrors {
		verifiers = append(verifiers, mirrorVerifier(p.Origin, country, key))
	}
	signed, found, err := openNote(data, 1, verifiers...)
	if errors.Is(err, errUnsigned) {
		return cosignature{}, ErrUnknownWitness
	}
	if err != nil {
		return cosignature{}, fmt.Errorf("opening a cosignature: %w", err)
	}
	if signed.Checkpoint.Origin != p.Origin {
		return cosignature{}, malformed("cosigned checkpoint is of another log")
	}
	t, err := cosignatureTime(found[0])
	if err != nil {
		return cosignature{}, err
	}
	country := strings.TrimPrefix(found[0].Name, MirrorName(p.Origin, ""))
	return cosignature{country: country, key: p.Mirrors[country], signed: signed, time: t}, nil
}
