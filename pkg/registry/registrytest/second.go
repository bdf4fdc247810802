package registrytest

import (
	"crypto/sha256"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/second"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Second is the second key of an owner, as Key is its first.
func Second(owner string) *second.Key {
	seed := sha256.Sum256([]byte("a second test key, known to everybody: " + owner))
	key, err := second.NewKey(seed[:])
	if err != nil {
		panic(err) // the seed has a good length
	}
	return key
}

// nextBoth is the commitment to "next OWNER" with its second key as OWNER's successor.
func nextBoth(owner string) []byte {
	digest := registry.CommitmentOfBoth(Public("next "+owner), Second("next "+owner).Public())
	return digest[:]
}

// SecondFounding is Founding where the notary and the police of XA have second
// keys, and the police are committed to a successor that has one too.
func SecondFounding() *registryv1.Founding {
	f := Founding()
	f.NotarySecondKey = Second("notary").Public()
	f.Agencies[0].PublisherSecondKey = Second("publisher XA/police").Public()
	f.Agencies[0].PublisherNext = nextBoth("publisher XA/police")
	return f
}

// EnrolBoth is Enrol with a second key. Signers: the root, the key, "ml-dsa KEY".
func EnrolBoth(country, agency string) *registryv1.Update {
	update, owner := Enrol(country, agency), "publisher "+country+"/"+agency
	a := update.GetAgencyEnrolled().GetAgency()
	a.PublisherSecondKey, a.PublisherNext = Second(owner).Public(), nextBoth(owner)
	return update
}

// EnrolKeyBoth is EnrolKey with a second key. Signers: the root, the key, "ml-dsa KEY".
func EnrolKeyBoth(owner *registryv1.KeyOwner, name string) *registryv1.Update {
	update := EnrolKey(owner, name)
	update.GetKeyEnrolled().SecondKey, update.GetKeyEnrolled().Next = Second(name).Public(), nextBoth(name)
	return update
}

// RotateKeyBoth is RotateKey with a second key. Signers: the key and "ml-dsa KEY".
func RotateKeyBoth(owner *registryv1.KeyOwner, name string) *registryv1.Update {
	update := RotateKey(owner, name)
	update.GetKeyRotated().SecondKey, update.GetKeyRotated().Next = Second(name).Public(), nextBoth(name)
	return update
}

// AmendNotary exchanges the notary's key; an empty name leaves that key, or second key, away.
func AmendNotary(key, secondKey string) *registryv1.Update {
	amended := &registryv1.CharterAmended{}
	if key != "" {
		amended.NotaryKey = Public(key)
	}
	if secondKey != "" {
		amended.NotarySecondKey = Second(secondKey).Public()
	}
	return &registryv1.Update{Change: &registryv1.Update_CharterAmended{CharterAmended: amended}}
}
