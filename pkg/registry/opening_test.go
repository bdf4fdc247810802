package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// The opening keys of a founding are valid from the next message on, and live like any other.
func TestOpeningKeysOfTheFounding(t *testing.T) {
	l := lenient(t)
	for _, country := range []string{"XA", "XB", "XC"} {
		for compartment := range uint32(Compartments) {
			o, ok := l.State.Opening(country, OpeningOf(country, compartment+1).PublicKey().Bytes())
			if !ok || o.Country != country || o.Compartment != compartment+1 || o.Epoch != 1 || o.ValidAt(0) || !o.ValidAt(1) || !o.ValidAt(1<<40) {
				t.Errorf("%s, compartment %d: epoch %d, valid from %d", country, compartment+1, o.Epoch, o.From)
			}
		}
	}
	if _, ok := l.State.Opening("XB", OpeningOf("XA", 1).PublicKey().Bytes()); ok {
		t.Error("XA's key is XB's")
	}
	unproposed(t, l, "has a key", EnrolOpening("XA", 1, "another"))
	unproposed(t, l, "not the successor", RotateOpening("XA", 1, "another"))
	refused(t, l, "not signed by XA", RotateOpening("XA", 1, "next opening XA/1"), "root XB")
	rotated := l.Apply(t, RotateOpening("XA", 1, "next opening XA/1"), "root XA")
	keys := l.State.Openings("XA", 1)
	if len(keys) != 2 || keys[0].Until != rotated || keys[1].Epoch != 2 || keys[1].From != rotated+1 {
		t.Errorf("%d keys after a rotation", len(keys))
	}
	said := strings.Join(l.State.Overview().Facts(), "\n")
	for _, want := range []string{"desk XA: compartment 1 is sealed to key " + event.DigestOf(keys[1].Public).String() + " (epoch 2)", "desk XC: compartment 4 is sealed to key "} {
		if !strings.Contains(said, want) {
			t.Errorf("the overview does not say: %s", want)
		}
	}
	if (registry.State{}).Openings("XA", 1) != nil {
		t.Error("there are opening keys before the founding")
	}
	if _, ok := (registry.State{}).Opening("XA", nil); ok {
		t.Error("there is an opening key before the founding")
	}
}

func TestFoundingsWithBadOpeningKeys(t *testing.T) {
	for because, change := range map[string]func(keys []*registryv1.OpeningKey) []*registryv1.OpeningKey{
		"that of \"XA\" for compartment 1 is not above": func(k []*registryv1.OpeningKey) []*registryv1.OpeningKey { return append(k[:1], k...) },
		"that of \"XA\" for compartment 2 is not above": func(k []*registryv1.OpeningKey) []*registryv1.OpeningKey { k[1], k[2] = k[2], k[1]; return k },
		"that of \"XA\" for compartment 4 is not above": func(k []*registryv1.OpeningKey) []*registryv1.OpeningKey { k[3], k[4] = k[4], k[3]; return k },
		"was one of XA's before":                        func(k []*registryv1.OpeningKey) []*registryv1.OpeningKey { k[1].PublicKey = k[0].PublicKey; return k },
		"compartment 0":                                 func(k []*registryv1.OpeningKey) []*registryv1.OpeningKey { k[0].Compartment = 0; return k },
		"compartment 65":                                func(k []*registryv1.OpeningKey) []*registryv1.OpeningKey { k[11].Compartment = 65; return k },
		"no member":                                     func(k []*registryv1.OpeningKey) []*registryv1.OpeningKey { k[11].Country = "XD"; return k },
		"31 bytes, want 32":                             func(k []*registryv1.OpeningKey) []*registryv1.OpeningKey { k[0].Next = k[0].Next[1:]; return k },
		"not one of HPKE": func(k []*registryv1.OpeningKey) []*registryv1.OpeningKey {
			k[0].PublicKey = k[0].PublicKey[1:]
			return k
		},
	} {
		f := Founding()
		f.OpeningKeys = change(f.OpeningKeys)
		if _, err := registry.Draft(f); err == nil || !strings.Contains(err.Error(), because) {
			t.Errorf("%s: %v", because, err)
		}
	}
	// One country's bytes are no reason to refuse another's, and no successor is needed.
	f := Founding()
	f.OpeningKeys = f.OpeningKeys[3:5]
	f.OpeningKeys[1].PublicKey, f.OpeningKeys[1].Next = f.OpeningKeys[0].PublicKey, nil
	state, err := Sign(t, f).State()
	if err != nil || len(state.Openings("XA", 1)) != 0 || len(state.Openings("XB", 1)) != 1 {
		t.Errorf("two keys of other countries and compartments: %v", err)
	}
}

// What the founders sign says whose keys they found the log on: somebody else's key
// under a country's name would open what is sealed to it.
func TestFoundingSaysItsKeys(t *testing.T) {
	f := Founding()
	f.OpeningKeys = f.OpeningKeys[1:5]
	said := strings.Join((registry.State{}).Say(&registryv1.Update{Change: &registryv1.Update_Founding{Founding: f}}), "\n")
	for _, want := range []string{
		fmt.Sprintf("signed by the notary key %x.", f.GetNotaryKey()),
		fmt.Sprintf("The root key of XB is %x, its mirror key %x.", f.GetMembers()[1].GetRootKey(), f.GetMembers()[1].GetMirrorKey()),
		fmt.Sprintf("XA/police (police of XA) publishes under the key %x.", f.GetAgencies()[0].GetPublisherKey()),
		fmt.Sprintf("The desk of XA opens the compartment identity with the key whose SHA-256 is %s.", event.DigestOf(f.GetOpeningKeys()[0].GetPublicKey())),
		fmt.Sprintf("The desk of XB opens the compartment case with the key whose SHA-256 is %s.", event.DigestOf(f.GetOpeningKeys()[3].GetPublicKey())),
		"The desk of XC begins without an opening key",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("not said: %s\n%s", want, said)
		}
	}
}

// Opening keys have epochs, and their country's root speaks for them.
func TestOpeningKeys(t *testing.T) {
	l := NewLogOf(t, Bare())
	refused(t, l, "not signed by XA", EnrolOpening("XA", 2, "desk XA"), "root XB")
	enrolled := l.Apply(t, EnrolOpening("XA", 2, "desk XA"), "root XA")
	l.Next = 10
	rotated := l.Apply(t, RotateOpening("XA", 2, "next desk XA"), "root XA")
	revoked := l.Apply(t, RevokeKey(DeskOwner("XA", 2), 0), "root XA")
	keys := l.State.Openings("XA", 2)
	if len(keys) != 2 || keys[0].Epoch != 1 || keys[1].Epoch != 2 || keys[0].Until != rotated || keys[1].Until != revoked ||
		keys[0].ValidAt(enrolled) || !keys[0].ValidAt(enrolled+1) || len(l.State.Openings("XA", 1)) != 0 {
		t.Errorf("%d keys of epochs and times other than enrolled", len(keys))
	}
	bad := EnrolOpening("XA", 3, "desk")
	bad.GetKeyEnrolled().PublicKey = bad.GetKeyEnrolled().PublicKey[1:]
	for what, change := range map[string]*registryv1.Update{
		"not one of HPKE": bad, "compartment 0": EnrolOpening("XA", 0, "desk"), "compartment 65": EnrolOpening("XA", 65, "desk"),
		"was one of XA's before": EnrolOpening("XA", 3, "desk XA"),
	} {
		unproposed(t, l, what, change)
	}
	// Whoever takes another's opening key, which he cannot use, keeps nobody from it.
	l.Apply(t, EnrolOpening("XB", 4, "next desk XC"), "root XB")
	l.Apply(t, EnrolOpening("XC", 4, "next desk XC"), "root XC")
}
