package registrytest

import (
	"crypto/hpke"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/tripoint/tripoint/pkg/registry"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Compartments are how many there are: 1 to 4.
const Compartments = 4

// OpeningOf is the private opening key that Founding has of a country's desk.
func OpeningOf(country string, compartment uint32) hpke.PrivateKey {
	return Opening(openingName(country, compartment))
}

// OpeningsOf are a country's private opening keys of some compartments, or of all
// where none is named: what its desk is configured with.
func OpeningsOf(country string, compartments ...uint32) []hpke.PrivateKey {
	if len(compartments) == 0 {
		compartments = []uint32{1, 2, 3, 4}
	}
	var keys []hpke.PrivateKey
	for _, compartment := range compartments {
		keys = append(keys, OpeningOf(country, compartment))
	}
	return keys
}

// openingName is the owner, as in Opening, of a founding's key; "next NAME" follows it.
func openingName(country string, compartment uint32) string {
	return fmt.Sprintf("opening %s/%d", country, compartment)
}

// openingKeys are those of all members, in the one order that a founding has them in.
func openingKeys(members []*registryv1.Member) []*registryv1.OpeningKey {
	var keys []*registryv1.OpeningKey
	for _, member := range members {
		for compartment := range uint32(Compartments) {
			name := openingName(member.GetCountry(), compartment+1)
			keys = append(keys, &registryv1.OpeningKey{
				Country: member.GetCountry(), Compartment: compartment + 1, PublicKey: openingPublic(name), Next: openingNext(name),
			})
		}
	}
	return keys
}

// openings are the keys by name: a test founds many logs, and making these costs more than all else.
var openings sync.Map

// Opening is the private opening key of a name.
func Opening(name string) hpke.PrivateKey {
	if made, ok := openings.Load(name); ok {
		return made.(hpke.PrivateKey)
	}
	seed := sha256.Sum256([]byte("a test key, known to everybody: " + name))
	key, err := hpke.MLKEM768X25519().DeriveKeyPair(seed[:])
	if err != nil {
		panic(err) // the seed has a good length
	}
	openings.Store(name, key)
	return key
}

func openingPublic(name string) []byte { return Opening(name).PublicKey().Bytes() }

func openingNext(name string) []byte {
	digest := registry.CommitmentOf(openingPublic("next " + name))
	return digest[:]
}

// EnrolOpening gives a desk an opening key of that name. Signer: the root.
func EnrolOpening(country string, compartment uint32, name string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_KeyEnrolled{KeyEnrolled: &registryv1.KeyEnrolled{
		Owner: DeskOwner(country, compartment), PublicKey: openingPublic(name), Next: openingNext(name)}}}
}

// RotateOpening exchanges a desk's opening key for the one of that name. Signer: the root.
func RotateOpening(country string, compartment uint32, name string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_KeyRotated{KeyRotated: &registryv1.KeyRotated{
		Owner: DeskOwner(country, compartment), PublicKey: openingPublic(name), Next: openingNext(name)}}}
}
