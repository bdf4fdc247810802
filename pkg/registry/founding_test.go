package registry_test

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// signedBy is an update with a signature of each country's root.
func signedBy(t testing.TB, update []byte, countries ...string) *registryv1.SignedUpdate {
	t.Helper()
	signed := &registryv1.SignedUpdate{Update: update}
	for _, country := range countries {
		signature, err := registry.SignRoot(country, registrytest.Key("root "+country), update)
		if err != nil {
			t.Fatal(err)
		}
		signed.Signatures = append(signed.Signatures, signature)
	}
	return signed
}

// updateOf serialises any founding, without Draft's checks.
func updateOf(t testing.TB, founding *registryv1.Founding) []byte {
	t.Helper()
	return marshal(t, &registryv1.Update{Version: 1, Change: &registryv1.Update_Founding{Founding: founding}})
}

// refuse applies a message to a state whose charter is the message's own update,
// and checks that it is refused for the reason and leaves the state as it was.
func refuse(t *testing.T, signed *registryv1.SignedUpdate, want string) {
	t.Helper()
	before := registry.New(event.DigestOf(signed.GetUpdate()))
	after, err := before.Apply(0, registry.FoundingSubject, marshal(t, signed))
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want one about %q", err, want)
	}
	if after != before || after.Founded() {
		t.Error("a refused update changed the state")
	}
}

func TestFoundingAccepted(t *testing.T) {
	charter := registrytest.Charter(t)
	state := registry.New(charter.Digest)
	if _, ok := state.Audience("region"); ok || state.Founded() || state.HasRetention("case") || state.Countries() != nil || state.Agencies() != nil || state.AudiencesOf("XA") != nil {
		t.Error("a state without a founding knows something")
	}
	if _, err := state.Policy(); err == nil {
		t.Error("a state without a founding has a policy")
	}
	state, err := state.Apply(0, registry.FoundingSubject, charter.Message)
	if err != nil {
		t.Fatal(err)
	}
	if !state.Founded() || state.Charter() != charter.Digest {
		t.Errorf("founded %t on %s, want %s", state.Founded(), state.Charter(), charter.Digest)
	}
	if diff := cmp.Diff([]string{"XA", "XB", "XC"}, state.Countries()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"pair", "region"}, state.AudiencesOf("XB")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"region"}, state.AudiencesOf("XC")); diff != "" {
		t.Error(diff)
	}
	if !state.HasRetention("case") || state.HasRetention("other") || len(state.Agencies()) != 6 {
		t.Errorf("retention classes or %d agencies are not the charter's", len(state.Agencies()))
	}
	policy, err := state.Policy()
	if err != nil || policy.Quorum != 2 || policy.Origin != registrytest.Origin || len(policy.Mirrors) != 3 || !policy.Notary.Equal(registrytest.Public("notary")) {
		t.Errorf("policy = %+v, %v", policy, err)
	}
}

// A publisher's key is known under its role alone, and valid from the index after the founding.
func TestKeysOfTheFounding(t *testing.T) {
	charter := registrytest.Charter(t)
	state, err := registry.New(charter.Digest).Apply(0, registry.FoundingSubject, charter.Message)
	if err != nil {
		t.Fatal(err)
	}
	public := registrytest.Public("publisher XB/border")
	key, ok := state.Key(event.KeyIDOf(event.RolePublisher, public))
	if !ok || key.Country != "XB" || key.Agency != "border" || !key.Public.Equal(public) {
		t.Fatalf("key = %+v, %t", key, ok)
	}
	for index, want := range map[uint64]bool{0: false, 1: true, 1 << 48: true} {
		if key.ValidAt(index) != want {
			t.Errorf("valid at %d: %t", index, !want)
		}
	}
	for _, other := range []event.KeyID{
		event.KeyIDOf(event.RoleMirror, public), event.KeyIDOf(event.RolePublisher, registrytest.Public("mirror XB")),
		event.KeyIDOf(event.RolePublisher, registrytest.Public("root XB")), {},
	} {
		if _, ok := state.Key(other); ok {
			t.Errorf("%s is a publisher's key", other)
		}
	}
}

func TestSignaturesRefused(t *testing.T) {
	update := updateOf(t, registrytest.Founding())
	tests := []struct {
		name   string
		signed func() *registryv1.SignedUpdate
		want   string
	}{
		{"none", func() *registryv1.SignedUpdate { return signedBy(t, update) }, "not signed by XA"},
		{"one missing", func() *registryv1.SignedUpdate { return signedBy(t, update, "XA", "XB") }, "not signed by XC"},
		{"by a stranger too", func() *registryv1.SignedUpdate { return signedBy(t, update, "XA", "XB", "XC", "XD") }, "no member"},
		{"twice by the same", func() *registryv1.SignedUpdate { return signedBy(t, update, "XA", "XB", "XC", "XB") }, "twice by XB"},
		{"of other bytes", func() *registryv1.SignedUpdate {
			s := signedBy(t, append(slices.Clone(update), 0x50, 1), "XA", "XB", "XC") // an unknown field more
			s.Update = update
			return s
		}, "XA does not verify"},
		{"of the bytes without their label", func() *registryv1.SignedUpdate {
			s := signedBy(t, update, "XA", "XB", "XC")
			s.Signatures[1].Signature = ed25519.Sign(registrytest.Key("root XB"), update)
			return s
		}, "XB does not verify"},
		{"by the mirror's key", func() *registryv1.SignedUpdate {
			s := signedBy(t, update, "XA", "XB", "XC")
			mirror, err := registry.SignRoot("XC", registrytest.Key("mirror XC"), update)
			if err != nil {
				t.Fatal(err)
			}
			s.Signatures[2] = mirror
			return s
		}, "XC does not verify"},
		{"exchanged", func() *registryv1.SignedUpdate {
			s := signedBy(t, update, "XA", "XB", "XC")
			s.Signatures[0].Country, s.Signatures[1].Country = "XB", "XA"
			return s
		}, "does not verify"},
		{"cut short", func() *registryv1.SignedUpdate {
			s := signedBy(t, update, "XA", "XB", "XC")
			s.Signatures[0].Signature = s.Signatures[0].Signature[:63]
			return s
		}, "XA does not verify"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { refuse(t, test.signed(), test.want) })
	}
	// The order of signatures means nothing, and no signature covers the message.
	if _, err := registry.New(event.DigestOf(update)).Apply(0, registry.FoundingSubject, marshal(t, signedBy(t, update, "XC", "XA", "XB"))); err != nil {
		t.Errorf("signatures in another order: %v", err)
	}
}

func TestUpdatesRefused(t *testing.T) {
	update := updateOf(t, registrytest.Founding())
	all := []string{"XA", "XB", "XC"}
	tests := []struct {
		name   string
		update *registryv1.Update
		want   string
	}{
		{"no change", &registryv1.Update{Version: 1}, "does not know"},
		{"version 2", &registryv1.Update{Version: 2, Change: &registryv1.Update_Founding{Founding: registrytest.Founding()}}, "version 1"},
		{"version 0", &registryv1.Update{Change: &registryv1.Update_Founding{Founding: registrytest.Founding()}}, "version 1"},
		{"something before it", &registryv1.Update{Version: 1, Previous: make([]byte, 32), Change: &registryv1.Update_Founding{Founding: registrytest.Founding()}}, "nothing before"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { refuse(t, signedBy(t, marshal(t, test.update), all...), test.want) })
	}
	t.Run("a change of a later version", func(t *testing.T) {
		later := protowire.AppendBytes(protowire.AppendTag(marshal(t, &registryv1.Update{Version: 1}), 99, protowire.BytesType), []byte("?"))
		refuse(t, signedBy(t, later, all...), "does not know")
	})
	t.Run("a group", func(t *testing.T) {
		refuse(t, signedBy(t, append(slices.Clone(update), 0x7b, 0x7c), all...), "group")
		signed := signedBy(t, update, all...)
		signed.ProtoReflect().SetUnknown([]byte{0x7b, 0x7c})
		refuse(t, signed, "group")
	})
	t.Run("not protobuf", func(t *testing.T) { refuse(t, signedBy(t, []byte{0xff}, all...), "not a registry update") })
	charter := registrytest.Charter(t)
	before := registry.New(charter.Digest)
	founded, err := before.Apply(0, registry.FoundingSubject, charter.Message)
	if err != nil {
		t.Fatal(err)
	}
	other := registrytest.Founding()
	other.Name = "another"
	messages := []struct {
		name    string
		state   registry.State
		subject string
		message []byte
		want    string
	}{
		{"not a signed update", before, registry.FoundingSubject, []byte{0xff}, "not a signed registry update"},
		{"another charter, signed by all", before, registry.FoundingSubject, registrytest.Sign(t, other).Message, "is not the charter"},
		{"on another subject", before, "reg.charter.changed", charter.Message, "belongs on reg.charter.founded"},
		{"a second time", founded, registry.FoundingSubject, charter.Message, "applied before, at index 0"},
		{"another one later", founded, registry.FoundingSubject, registrytest.Sign(t, other).Message, "founded already"},
	}
	for _, test := range messages {
		t.Run(test.name, func(t *testing.T) {
			index := uint64(0)
			if test.state.Founded() {
				index = 1
			}
			after, err := test.state.Apply(index, test.subject, test.message)
			if err == nil || !strings.Contains(err.Error(), test.want) || after != test.state {
				t.Errorf("error = %v, state kept: %t; want one about %q", err, after == test.state, test.want)
			}
		})
	}
	if _, err := before.Apply(1, registry.FoundingSubject, charter.Message); err == nil || !strings.Contains(err.Error(), "log's first message") {
		t.Errorf("founded at index 1: %v", err)
	}
	// The bytes are the charter, not the message around them.
	if _, err := before.Apply(0, registry.FoundingSubject, marshal(t, signedBy(t, update, all...))); err != nil {
		t.Errorf("the same update with its signatures made anew: %v", err)
	}
}

func TestCharterOpens(t *testing.T) {
	charter := registrytest.Charter(t)
	opened, err := registry.OpenCharter(charter.Message)
	if err != nil || opened.Digest != charter.Digest || !bytes.Equal(opened.Message, charter.Message) {
		t.Errorf("opened as %s, %v", opened.Digest, err)
	}
	if state, err := opened.State(); err != nil || !state.Founded() {
		t.Errorf("its state is founded: %t, %v", state.Founded(), err)
	}
	for name, message := range map[string][]byte{"nothing": nil, "not protobuf": {0xff}, "cut short": charter.Message[:len(charter.Message)-1]} {
		if _, err := registry.OpenCharter(message); err == nil {
			t.Errorf("%s was opened as a charter", name)
		}
	}
	update := updateOf(t, registrytest.Founding())
	if _, err := registry.Seal(update, signedBy(t, update, "XA").GetSignatures()); err == nil {
		t.Error("a charter was sealed with one signature of three")
	}
	unsound := registrytest.Founding()
	unsound.Quorum = 4
	if _, err := registry.Draft(unsound); err == nil {
		t.Error("a founding that nobody could apply was drafted")
	}
}
