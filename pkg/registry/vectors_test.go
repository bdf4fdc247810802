package registry_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

var update = flag.Bool("update", false, "write the known answers anew")

// vectors is proto/testdata/registry.json: what another implementation must
// compute too. All bytes are hexadecimal. proto/README.md says how to use it.
type vectors struct {
	Subject   string       `json:"subject"`
	Update    string       `json:"update"`
	Charter   string       `json:"charter"`   // digest of the update
	Statement string       `json:"statement"` // what each root signs
	Roots     []rootVector `json:"roots"`
	Message   string       `json:"message"`
	Head      string       `json:"head"` // of the chain over updates, after this message at index 0
	Keys      []keyVector  `json:"keys"` // of publishers
	Bad       []badVector  `json:"bad"`
	Sealed    sealedVector `json:"sealed"` // another founding: the same, with opening keys
}

type sealedVector struct {
	Charter  string          `json:"charter"`
	Message  string          `json:"message"`
	Head     string          `json:"head"`
	Openings []openingVector `json:"openings"`
}

// openingVector is one opening key as it stands in the registry after the founding.
type openingVector struct {
	Country     string `json:"country"`
	Compartment uint32 `json:"compartment"`
	Epoch       uint32 `json:"epoch"`
	From        uint64 `json:"from"`   // the first log index at which content may be sealed to it
	Seed        string `json:"seed"`   // private key, as HPKE serialises it
	Digest      string `json:"digest"` // SHA-256 of the public key
	Next        string `json:"next"`   // commitment to its successor; empty: none
}

type rootVector struct {
	Country   string `json:"country"`
	Seed      string `json:"seed"` // Ed25519 private key seed
	Public    string `json:"public"`
	Signature string `json:"signature"`
}

type keyVector struct {
	Country string `json:"country"`
	Agency  string `json:"agency"`
	Seed    string `json:"seed"`
	Public  string `json:"public"`
	ID      string `json:"key_id"`
}

// badVector is a message whose charter is the digest of its own update, and which is refused.
type badVector struct {
	What    string `json:"what"`
	Message string `json:"message"`
	Because string `json:"because"` // part of the reason in this implementation's words
}

func computeVectors(t *testing.T) vectors {
	t.Helper()
	founding := registrytest.Bare()
	charter := registrytest.Sign(t, founding)
	signed := &registryv1.SignedUpdate{}
	if err := proto.Unmarshal(charter.Message, signed); err != nil {
		t.Fatal(err)
	}
	v := vectors{
		Subject: registry.FoundingSubject, Update: hex.EncodeToString(signed.GetUpdate()), Charter: charter.Digest.String(),
		Statement: hex.EncodeToString(pae.Encode(pae.Registry, signed.GetUpdate())), Message: hex.EncodeToString(charter.Message),
	}
	state, err := charter.State()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := state.Policy()
	if err != nil {
		t.Fatal(err)
	}
	v.Head, v.Sealed = hex.EncodeToString(policy.Registry[:]), computeSealed(t)
	for i, member := range founding.GetMembers() {
		v.Roots = append(v.Roots, rootVector{
			Country: member.GetCountry(), Seed: hex.EncodeToString(registrytest.Key("root " + member.GetCountry()).Seed()),
			Public: hex.EncodeToString(member.GetRootKey()), Signature: hex.EncodeToString(signed.GetSignatures()[i].GetSignature()),
		})
	}
	for _, agency := range founding.GetAgencies() {
		v.Keys = append(v.Keys, keyVector{
			Country: agency.GetCountry(), Agency: agency.GetAgency(), Public: hex.EncodeToString(agency.GetPublisherKey()),
			Seed: hex.EncodeToString(registrytest.Key("publisher " + agency.GetCountry() + "/" + agency.GetAgency()).Seed()),
			ID:   event.KeyIDOf(event.RolePublisher, agency.GetPublisherKey()).String(),
		})
	}
	v.Bad = badVectors(t)
	return v
}

// sealedFounding is the founding of the vectors with two opening keys; the second cannot be rotated.
func sealedFounding() *registryv1.Founding {
	f := registrytest.Bare()
	all := registrytest.Founding().GetOpeningKeys()
	f.OpeningKeys = []*registryv1.OpeningKey{all[0], all[5]}
	f.OpeningKeys[1].Next = nil
	return f
}

func computeSealed(t *testing.T) sealedVector {
	t.Helper()
	charter := registrytest.Sign(t, sealedFounding())
	state, err := charter.State()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := state.Policy()
	if err != nil {
		t.Fatal(err)
	}
	v := sealedVector{Charter: charter.Digest.String(), Message: hex.EncodeToString(charter.Message), Head: hex.EncodeToString(policy.Registry[:])}
	for _, key := range sealedFounding().GetOpeningKeys() {
		private := registrytest.OpeningOf(key.GetCountry(), key.GetCompartment())
		seed, err := private.Bytes()
		o, ok := state.Opening(key.GetCountry(), private.PublicKey().Bytes())
		if err != nil || !ok {
			t.Fatalf("no opening key of %s: %v", key.GetCountry(), err)
		}
		v.Openings = append(v.Openings, openingVector{
			Country: o.Country, Compartment: o.Compartment, Epoch: o.Epoch, From: o.From, Seed: hex.EncodeToString(seed),
			Digest: event.DigestOf(o.Public).String(), Next: hex.EncodeToString(key.GetNext()),
		})
	}
	return v
}

func badVectors(t *testing.T) []badVector {
	t.Helper()
	var list []badVector
	add := func(what, because string, change func(f *registryv1.Founding), signers ...string) {
		f := registrytest.Bare()
		change(f)
		list = append(list, badVector{
			What: what, Message: hex.EncodeToString(marshal(t, signedBy(t, updateOf(t, f), signers...))), Because: because,
		})
	}
	all := []string{"XA", "XB", "XC"}
	add("one root has not signed", "not signed by XC", func(*registryv1.Founding) {}, "XA", "XB")
	add("one root has signed twice", "signed twice by XB", func(*registryv1.Founding) {}, "XA", "XB", "XC", "XB")
	add("a stranger has signed too", "no member", func(*registryv1.Founding) {}, "XA", "XB", "XC", "XD")
	add("quorum 0", "quorum: 0", func(f *registryv1.Founding) { f.Quorum = 0 }, all...)
	add("quorum above the members", "quorum: 4", func(f *registryv1.Founding) { f.Quorum = 4 }, all...)
	add("one key for two roles", "is also that of", func(f *registryv1.Founding) { f.Members[0].MirrorKey = f.Members[0].RootKey }, all...)
	add("key of small order", "small order", func(f *registryv1.Founding) { f.Agencies[0].PublisherKey = append([]byte{1}, make([]byte, 31)...) }, all...)
	add("audience with a stranger", "no member", func(f *registryv1.Founding) { f.Audiences[0].Members[0] = "XD" }, all...)
	opening := func(f *registryv1.Founding) { f.OpeningKeys = registrytest.Founding().GetOpeningKeys()[:1] }
	add("an opening key of a stranger", "no member", func(f *registryv1.Founding) { opening(f); f.OpeningKeys[0].Country = "XD" }, all...)
	add("an opening key of another length", "not one of HPKE", func(f *registryv1.Founding) { opening(f); f.OpeningKeys[0].PublicKey = make([]byte, 32) }, all...)
	list = append(list, badVector{
		What: "a change of a later version", Because: "does not know",
		Message: hex.EncodeToString(marshal(t, signedBy(t, append(marshal(t, &registryv1.Update{Version: 1}), 0x9a, 0x06, 0), all...))),
	}, badVector{
		What: "an unknown field of group type", Because: "group",
		Message: hex.EncodeToString(marshal(t, signedBy(t, append(updateOf(t, registrytest.Bare()), 0x7b, 0x7c), all...))),
	})
	return list
}

func TestKnownAnswers(t *testing.T) {
	path := filepath.Join("..", "..", "proto", "testdata", "registry.json")
	got := computeVectors(t)
	if *update {
		data, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-file +computed):\n%s", path, diff)
	}
	opened, err := registry.OpenCharter(unhex(t, want.Message))
	if err != nil || opened.Digest.String() != want.Charter {
		t.Errorf("the file's charter opens as %s, %v", opened.Digest, err)
	}
	for _, bad := range want.Bad {
		if _, err := registry.OpenCharter(unhex(t, bad.Message)); err == nil || !strings.Contains(err.Error(), bad.Because) {
			t.Errorf("%s: %v, want a refusal about %q", bad.What, err, bad.Because)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
