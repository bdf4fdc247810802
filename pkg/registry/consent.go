package registry

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/second"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// consent is one condition of an update: so many of these countries' roots.
type consent struct {
	of   []string
	need int
	why  string
}

// Lack is what one condition still misses.
type Lack struct {
	Why    string   // whose consent it is, in words
	Need   int      // signatures that are still missing
	AnyOf  []string // countries whose roots could give them, sorted
	Signed []string // countries whose roots have
}

// Unsigned says which signatures an update lacks.
type Unsigned struct {
	Lacks []Lack
	Keys  [][]byte // new keys whose holders have not signed
}

func (u *Unsigned) Error() string {
	var parts []string
	for _, l := range u.Lacks {
		missing, signed := strings.Join(l.AnyOf, ", "), "nobody"
		if l.Need < len(l.AnyOf) {
			missing = fmt.Sprintf("%d more of %s", l.Need, missing)
		}
		if len(l.Signed) > 0 {
			signed = strings.Join(l.Signed, ", ")
		}
		parts = append(parts, fmt.Sprintf("not signed by %s: it takes %s, and %s has signed", missing, l.Why, signed))
	}
	for _, key := range u.Keys {
		parts = append(parts, fmt.Sprintf("not signed with the new key %.8x, which its holder does", key))
	}
	return strings.Join(parts, "; ")
}

// verify checks every signature that is there, and that those which must be there are.
func verify(signed *registryv1.SignedUpdate, before, after *book, c change) error {
	given, err := verifyRoots(signed, before, after)
	if err != nil {
		return err
	}
	held, err := verifyPossessions(signed, c.keys())
	if err != nil {
		return err
	}
	lacking := &Unsigned{}
	for _, condition := range c.consents(before, after) {
		if lack := condition.lack(given); lack.Need > 0 {
			lacking.Lacks = append(lacking.Lacks, lack)
		}
	}
	for _, key := range c.keys() {
		if !held[string(key)] {
			lacking.Keys = append(lacking.Keys, key)
		}
	}
	if len(lacking.Lacks)+len(lacking.Keys) > 0 {
		return lacking
	}
	return nil
}

func (c consent) lack(given map[string]bool) Lack {
	lack := Lack{Why: c.why, Need: c.need}
	for _, country := range c.of {
		if given[country] {
			lack.Signed = append(lack.Signed, country)
			lack.Need--
		} else {
			lack.AnyOf = append(lack.AnyOf, country)
		}
	}
	return lack
}

// verifyRoots gives the countries whose roots have signed. A country that comes
// in with this update signs with the root that it brings.
func verifyRoots(signed *registryv1.SignedUpdate, before, after *book) (map[string]bool, error) {
	statement := pae.Encode(pae.Registry, signed.GetUpdate())
	given := map[string]bool{}
	for _, signature := range signed.GetSignatures() {
		country := signature.GetCountry()
		root := rootOf(country, before, after)
		switch {
		case root == nil:
			return nil, fmt.Errorf("signed by %.2q, which is no member", country)
		case given[country]:
			return nil, fmt.Errorf("signed twice by %s", country)
		case !ed25519.Verify(root, statement, signature.GetSignature()):
			return nil, fmt.Errorf("the signature of %s does not verify", country)
		}
		given[country] = true
	}
	return given, nil
}

func rootOf(country string, before, after *book) ed25519.PublicKey {
	if before != nil {
		if m, ok := before.members[country]; ok && m.Status != Left {
			return m.Root
		}
	}
	return after.members[country].Root
}

func verifyPossessions(signed *registryv1.SignedUpdate, keys [][]byte) (map[string]bool, error) {
	statement := pae.Encode(pae.Possession, signed.GetUpdate())
	held := map[string]bool{}
	for _, p := range signed.GetPossessions() {
		key := p.GetPublicKey()
		switch {
		case !slices.ContainsFunc(keys, func(k []byte) bool { return string(k) == string(key) }):
			return nil, fmt.Errorf("signed with the key %.8x, which it does not bring", key)
		case held[string(key)]:
			return nil, fmt.Errorf("signed twice with the new key %.8x", key)
		case !verifyPossession(key, statement, p.GetSignature()):
			return nil, fmt.Errorf("the signature with the new key %.8x does not verify", key)
		}
		held[string(key)] = true
	}
	return held, nil
}

// verifyPossession verifies with a key of either kind: their lengths differ. The book
// has taken both, so there are no other lengths.
func verifyPossession(key, statement, signature []byte) bool {
	if len(key) == second.KeySize {
		return second.Verify(key, second.Possession, statement, signature)
	}
	return ed25519.Verify(key, statement, signature)
}

// SignRoot is one member's consent to an update's exact bytes.
func SignRoot(country string, root crypto.Signer, update []byte) (*registryv1.RootSignature, error) {
	signature, err := root.Sign(nil, pae.Encode(pae.Registry, update), crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("signing an update as the root of %s: %w", country, err)
	}
	return &registryv1.RootSignature{Country: country, Signature: signature}, nil
}

// SignPossession shows to an update that enrols a key that its signer has it.
func SignPossession(key crypto.Signer, update []byte) (*registryv1.Possession, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("signing an update with a new key: it is not Ed25519")
	}
	signature, err := key.Sign(nil, pae.Encode(pae.Possession, update), crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("signing an update with a new key: %w", err)
	}
	return &registryv1.Possession{PublicKey: public, Signature: signature}, nil
}

// charterConsents are the threshold as it was and as it will be.
func charterConsents(before, after *book) []consent {
	return []consent{
		{of: before.active(), need: before.required(), why: "the charter's threshold"},
		{of: after.active(), need: after.required(), why: "the threshold as it will be"},
	}
}

// rootConsent is a country's own root.
func rootConsent(country string) consent {
	return consent{of: []string{country}, need: 1, why: "the consent of " + country + "'s own root"}
}

// allConsent is every one of these countries.
func allConsent(why string, countries []string) consent {
	return consent{of: countries, need: len(countries), why: why}
}

// SignSecondPossession is SignPossession by a second key.
func SignSecondPossession(key *second.Key, update []byte) (*registryv1.Possession, error) {
	signature, err := key.Sign(second.Possession, pae.Encode(pae.Possession, update))
	if err != nil {
		return nil, fmt.Errorf("signing an update with a new second key: %w", err)
	}
	return &registryv1.Possession{PublicKey: key.Public(), Signature: signature}, nil
}
