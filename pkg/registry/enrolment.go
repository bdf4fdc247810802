package registry

import (
	"fmt"

	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

type keyEnrolled struct{ *registryv1.KeyEnrolled }

func (c keyEnrolled) scope() scope { return countryScope(c.GetOwner().GetCountry()) }

func (c keyEnrolled) enact(b *book, index uint64) error {
	s, err := b.slotOf(c.GetOwner())
	if err != nil {
		return err
	}
	if _, ok := s.current(b); ok {
		return fmt.Errorf("%s has a key: rotate or revoke it first", s.owner())
	}
	next, err := commitment(s.owner(), c.GetNext(), true)
	if err != nil {
		return err
	}
	return s.put(b, index, c.GetPublicKey(), c.GetSecondKey(), next)
}

func (c keyEnrolled) consents(_, _ *book) []consent {
	return []consent{rootConsent(c.GetOwner().GetCountry())}
}

func (c keyEnrolled) keys() [][]byte {
	return signingKeys(c.GetOwner(), c.GetPublicKey(), c.GetSecondKey())
}

// signingKeys are the keys that an owner brings, where they can sign.
func signingKeys(owner *registryv1.KeyOwner, key, secondKey []byte) [][]byte {
	if _, opens := owner.GetPurpose().(*registryv1.KeyOwner_Compartment); opens {
		return nil
	}
	return keysOf(key, secondKey)
}

// keysOf are those of a key and its second key that are there.
func keysOf(key, secondKey []byte) [][]byte {
	var keys [][]byte
	for _, k := range [][]byte{key, secondKey} {
		if len(k) > 0 {
			keys = append(keys, k)
		}
	}
	return keys
}

type keyRotated struct{ *registryv1.KeyRotated }

// scope is the key's own: whoever has stolen it and its successor must not be able
// to rotate so often that what its country's root is signing never applies.
func (c keyRotated) scope() scope { return keyScope(c.GetOwner()) }

func (c keyRotated) enact(b *book, index uint64) error {
	s, err := b.slotOf(c.GetOwner())
	if err != nil {
		return err
	}
	announced, ok := s.current(b)
	if !ok {
		return fmt.Errorf("%s has no key to rotate: enrol one", s.owner())
	}
	if err := committedTo(s.owner(), announced, c.GetPublicKey(), c.GetSecondKey()); err != nil {
		return err
	}
	next, err := commitment(s.owner(), c.GetNext(), true)
	if err != nil {
		return err
	}
	return s.put(b, index, c.GetPublicKey(), c.GetSecondKey(), next)
}

// consents are none for a key that signs for itself.
func (c keyRotated) consents(_, _ *book) []consent {
	if len(c.keys()) > 0 {
		return nil
	}
	return []consent{rootConsent(c.GetOwner().GetCountry())}
}

func (c keyRotated) keys() [][]byte {
	return signingKeys(c.GetOwner(), c.GetPublicKey(), c.GetSecondKey())
}

type keyRevoked struct{ *registryv1.KeyRevoked }

func (c keyRevoked) scope() scope   { return countryScope(c.GetOwner().GetCountry()) }
func (c keyRevoked) keys() [][]byte { return nil }

func (c keyRevoked) enact(b *book, index uint64) error {
	s, err := b.slotOf(c.GetOwner())
	if err != nil {
		return err
	}
	if _, ok := s.current(b); !ok {
		return fmt.Errorf("%s has no key to revoke", s.owner())
	}
	if c.GetDoubtedFrom() > index {
		return fmt.Errorf("doubted from index %d, which is not reached yet: 0 doubts nothing", c.GetDoubtedFrom())
	}
	return s.end(b, index, c.GetDoubtedFrom())
}

func (c keyRevoked) consents(_, _ *book) []consent {
	return []consent{rootConsent(c.GetOwner().GetCountry())}
}
