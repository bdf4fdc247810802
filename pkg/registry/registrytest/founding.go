// Package registrytest founds charters for tests, with keys that everybody can
// compute. Its members are fictitious; XA to XC are codes that ISO 3166-1 leaves
// to its users.
package registrytest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"github.com/tripoint/tripoint/pkg/registry"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Origin is the log origin of the test charter.
const Origin = "test.tripoint.example/log"

// Key is the private key of an owner: "notary", "root XA", "mirror XA",
// "publisher XA/police".
func Key(owner string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("a test key, known to everybody: " + owner))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Public is the public half of Key.
func Public(owner string) ed25519.PublicKey {
	return Key(owner).Public().(ed25519.PublicKey)
}

// Founding is a charter of XA, XB and XC with two agencies each (police and
// border), an audience of all (region) and one of XA and XB (pair), a quorum of
// two, the retention class case, and opening keys for all that is sealed (OpeningOf).
func Founding() *registryv1.Founding {
	f := Bare()
	f.OpeningKeys = openingKeys(f.GetMembers())
	return f
}

// Bare is Founding without opening keys: nothing can be sealed to its desks.
func Bare() *registryv1.Founding {
	f := &registryv1.Founding{
		Name: "test", Origin: Origin, Threshold: 3, Quorum: 2, NotaryKey: Public("notary"),
		Audiences: []*registryv1.Audience{
			{Audience: "region", Members: []string{"XA", "XB", "XC"}, Purposes: []string{"rescue", "prosecution"}},
			{Audience: "pair", Members: []string{"XA", "XB"}, Purposes: []string{"rescue"}},
		},
		RetentionClasses: []*registryv1.RetentionClass{{Retention: "case", Days: 365}},
	}
	for _, country := range []string{"XA", "XB", "XC"} {
		f.Members = append(f.Members, &registryv1.Member{
			Country: country, RootKey: Public("root " + country), MirrorKey: Public("mirror " + country),
		})
		for _, agency := range []string{"police", "border"} {
			f.Agencies = append(f.Agencies, &registryv1.Agency{
				Country: country, Agency: agency, Name: agency + " of " + country,
				PublisherKey: Public("publisher " + country + "/" + agency),
			})
		}
	}
	return f
}

// Charter is Founding, signed by all its roots.
func Charter(t testing.TB) registry.Charter {
	t.Helper()
	return Sign(t, Founding())
}

// Sign makes a charter of a founding whose members' roots are those of Key.
func Sign(t testing.TB, founding *registryv1.Founding) registry.Charter {
	t.Helper()
	update, err := registry.Draft(founding)
	if err != nil {
		t.Fatal(err)
	}
	var signatures []*registryv1.RootSignature
	for _, member := range founding.GetMembers() {
		signature, err := registry.SignRoot(member.GetCountry(), Key("root "+member.GetCountry()), update)
		if err != nil {
			t.Fatal(err)
		}
		signatures = append(signatures, signature)
	}
	charter, err := registry.Seal(update, signatures)
	if err != nil {
		t.Fatal(err)
	}
	return charter
}
