package registry_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// FuzzApply: whatever comes, Apply returns, a refusal leaves the state as it was,
// and an accepted founding keeps the package's invariants. The update is also
// signed by every member that it names, so that what lies behind the signatures is reached.
func FuzzApply(f *testing.F) {
	small := registrytest.Bare()
	small.Members, small.Agencies, small.Audiences = small.Members[:1], nil, nil
	small.Threshold, small.Quorum = 1, 1
	for _, founding := range []*registryv1.Founding{registrytest.Founding(), registrytest.Bare(), registrytest.SecondFounding(), small} {
		f.Add(registrytest.Sign(f, founding).Message)
	}
	unsound := registrytest.Founding()
	unsound.Quorum = 4
	f.Add(marshal(f, signedBy(f, updateOf(f, unsound), "XA", "XB", "XC")))
	f.Add(marshal(f, &registryv1.SignedUpdate{Update: marshal(f, &registryv1.Update{Version: 1})}))
	f.Fuzz(func(t *testing.T, message []byte) {
		signed := &registryv1.SignedUpdate{}
		if proto.Unmarshal(message, signed) != nil {
			signed.Update = message
		}
		before := registry.New(event.DigestOf(signed.GetUpdate()))
		apply(t, before, message)
		update := &registryv1.Update{}
		if proto.Unmarshal(signed.GetUpdate(), update) != nil || len(update.GetFounding().GetMembers()) > 8 {
			return
		}
		var countries []string
		for _, member := range update.GetFounding().GetMembers() {
			countries = append(countries, member.GetCountry())
		}
		apply(t, before, marshal(t, signedBy(t, signed.GetUpdate(), countries...)))
	})
}

func apply(t *testing.T, before registry.State, message []byte) {
	t.Helper()
	after, err := before.Apply(0, registry.FoundingSubject, message)
	if err != nil {
		if after != before {
			t.Error("a refused update changed the state")
		}
		return
	}
	if !after.Founded() || after.Charter() != before.Charter() {
		t.Error("accepted, and not founded on its charter")
	}
	policy, err := after.Policy()
	if err != nil {
		t.Fatal(err)
	}
	if err := policy.Validate(); err != nil || policy.Quorum > len(after.Countries()) {
		t.Errorf("a quorum of %d of %d: %v", policy.Quorum, len(after.Countries()), err)
	}
	keys := map[string]bool{string(policy.Notary): true}
	for _, country := range after.Countries() {
		keys[string(policy.Mirrors[country])] = true
		if event.CheckCountry(country) != nil {
			t.Errorf("member %q", country)
		}
		for _, id := range after.AudiencesOf(country) {
			audience, ok := after.Audience(id)
			if !ok || !audience.Has(country) || !slices.IsSorted(audience.Members) || event.CheckToken("audience", id) != nil {
				t.Errorf("audience %q of %v", id, audience.Members)
			}
		}
	}
	if len(keys) != 1+len(after.Countries()) {
		t.Errorf("%d keys of the notary and %d mirrors", len(keys), len(after.Countries()))
	}
	for _, agency := range after.Agencies() {
		if !slices.Contains(after.Countries(), agency.Country) || event.CheckToken("agency", agency.ID) != nil {
			t.Errorf("agency %q of %q", agency.ID, agency.Country)
		}
	}
	sealedSoundly(t, after)
	if _, err := after.Apply(8, registry.FoundingSubject, message); err == nil {
		t.Error("founded twice")
	}
}

// sealedSoundly: in a founding each member has at most one opening key a compartment, valid
// from index 1, and no bytes are two of them.
func sealedSoundly(t *testing.T, s registry.State) {
	t.Helper()
	for _, country := range s.Countries() {
		bytes := map[string]bool{}
		for compartment := range uint32(65) {
			for i, o := range s.Openings(country, compartment) {
				if i > 0 || compartment == 0 || o.Epoch != 1 || o.From != 1 || len(o.Public) != 1216 || bytes[string(o.Public)] {
					t.Errorf("opening key %d of %s for compartment %d: epoch %d from %d, %d bytes", i, country, compartment, o.Epoch, o.From, len(o.Public))
				}
				bytes[string(o.Public)] = true
			}
		}
	}
}
