package verdict_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// use is one thing that a signature is for: what is signed, and a verifier that
// takes any 64 bytes for it. key holds the role that signs there.
type use struct {
	key       string
	statement []byte
	accepts   func(signature []byte) error
}

// uses are all signatures of the format, each over something real.
func uses(t *testing.T) map[string]use {
	t.Helper()
	checkpoint := translog.Checkpoint{Origin: registrytest.Origin, Size: 9, Root: translog.Hash(sha256.Sum256([]byte("root")))}
	const seconds = 1_700_000_000
	return map[string]use{
		"batch":      batchUse(t),
		"consent":    consentUse(t),
		"possession": possessionUse(t),
		"checkpoint": {"notary", []byte(checkpoint.Text()), func(signature []byte) error {
			note := signedNote(checkpoint.Text(), registrytest.Origin, 1, registrytest.Public("notary"), signature)
			_, err := translog.OpenCheckpoint(note, registrytest.Origin, registrytest.Public("notary"))
			return err
		}},
		"cosignature": {"mirror XA", fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, checkpoint.Text()), func(signature []byte) error {
			timed := append(binary.BigEndian.AppendUint64(nil, seconds), signature...)
			note := signedNote(checkpoint.Text(), registrytest.Origin+"/mirror/XA", 4, registrytest.Public("mirror XA"), timed)
			policies, err := newReader(t).state.Policies()
			if err != nil {
				t.Fatal(err)
			}
			_, _, _, err = policies.OpenCosignature(note)
			return err
		}},
	}
}

func batchUse(t *testing.T) use {
	m := newAgency(t, "XA", "police", "region").says(t, 1)[0]
	envelope, _ := open(t, m)
	key := envelope.GetProof().GetKeyId()
	leaf := sha256.Sum256(append([]byte{0}, pae.Encode(pae.Event, key, envelope.GetHeader())...))
	return use{"publisher XA/police", pae.Encode(pae.Batch, key, pae.Uint64(1), leaf[:]), func(signature []byte) error {
		signed := altered(t, m, func(e *eventv1.Envelope) { e.Proof.Signature = signature })
		if got := newReader(t).reads(t, signed); got.Code != verdict.Accepted {
			return fmt.Errorf("%s: %s", got.Code, got.Reason)
		}
		return nil
	}}
}

func consentUse(t *testing.T) use {
	return updateUse(t, "root XA", registrytest.Retire("XA", "police"), pae.Registry, func(signature []byte, signed *registryv1.SignedUpdate) {
		signed.Signatures = []*registryv1.RootSignature{{Country: "XA", Signature: signature}}
	})
}

// possessionUse is a rotation, which takes the new key's signature and no other.
func possessionUse(t *testing.T) use {
	return updateUse(t, "next publisher XA/coast", registrytest.RotateKey(registrytest.AgencyOwner("XA", "coast"), "next publisher XA/coast"),
		pae.Possession, func(signature []byte, signed *registryv1.SignedUpdate) {
			signed.Possessions = []*registryv1.Possession{{PublicKey: registrytest.Public("next publisher XA/coast"), Signature: signature}}
		})
}

func updateUse(t *testing.T, key string, change *registryv1.Update, label pae.Label, put func([]byte, *registryv1.SignedUpdate)) use {
	log := registrytest.NewLogOf(t, registrytest.Bare())
	log.Apply(t, registrytest.Enrol("XA", "coast"), "root XA", "publisher XA/coast")
	update := log.Signed(t, change).GetUpdate()
	return use{key, pae.Encode(label, update), func(signature []byte) error {
		signed := &registryv1.SignedUpdate{Update: update}
		put(signature, signed)
		_, err := log.State.Apply(log.Next, registry.SubjectOf(change), marshal(t, signed))
		return err
	}}
}

// signedNote is a note (C2SP signed-note) with one signature, whatever that is of.
func signedNote(text, name string, algorithm byte, public ed25519.PublicKey, signature []byte) []byte {
	hash := sha256.Sum256(append(append([]byte(name+"\n"), algorithm), public...))
	return fmt.Appendf(nil, "%s\n— %s %s\n", text, name, base64.StdEncoding.EncodeToString(append(hash[:4], signature...)))
}

// E10: what was signed for one use is offered for each other, by the very key that
// must sign there: as if one device held all keys. None is taken for another,
// and no statement is what another use would have a key sign.
func TestAdversary_E10_SignaturesOfOneUseOfferedAsAnother(t *testing.T) {
	all := uses(t)
	for offered, from := range all {
		for at, to := range all {
			err := to.accepts(ed25519.Sign(registrytest.Key(to.key), from.statement))
			if (err == nil) != (offered == at) {
				t.Errorf("a %s signature offered as a %s: %v", offered, at, err)
			}
			if offered != at && bytes.Equal(from.statement, to.statement) {
				t.Errorf("%s and %s have one statement", offered, at)
			}
		}
	}
}

// E10: the other way about: the content of one use made of the statement of
// another. No label or text of the one is a prefix of what the other signs.
func TestAdversary_E10_StatementsAsContent(t *testing.T) {
	all := uses(t)
	state := newReader(t).state
	policies, err := state.Policies()
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range all {
		if name != "checkpoint" {
			if c, err := translog.ParseCheckpoint(string(from.statement)); err == nil {
				t.Errorf("the statement of a %s reads as checkpoint %+v", name, c)
			}
		}
		for _, text := range []string{string(from.statement), string(from.statement) + "\n"} {
			note := signedNote(text, registrytest.Origin, 1, registrytest.Public("notary"), ed25519.Sign(registrytest.Key("notary"), []byte(text)))
			if c, err := policies.OpenCheckpoint(note); err == nil && name != "checkpoint" {
				t.Errorf("the statement of a %s was opened as checkpoint %+v", name, c)
			}
		}
		signed := &registryv1.SignedUpdate{Update: from.statement}
		for _, country := range []string{"XA", "XB", "XC"} {
			consent, err := registry.SignRoot(country, registrytest.Key("root "+country), from.statement)
			if err != nil {
				t.Fatal(err)
			}
			signed.Signatures = append(signed.Signatures, consent)
		}
		for _, subject := range []string{registry.FoundingSubject, "reg.charter.amended", "reg.agency.retired"} {
			if got := judgedAt(t, state, 1, message{subject, marshal(t, signed)}); got != verdict.NotUpdate {
				t.Errorf("the statement of a %s as an update: %s", name, got)
			}
		}
		m := newAgency(t, "XA", "police", "region").says(t, 1)[0]
		header := altered(t, m, func(e *eventv1.Envelope) { e.Header = from.statement })
		if got := judgedAt(t, state, 1, header); got != verdict.Undecodable {
			t.Errorf("the statement of a %s as a header: %s", name, got)
		}
	}
}

// E10: one key in two roles has two identifiers, and the registry gives it one role.
func TestAdversary_E10_OneKeyOneRole(t *testing.T) {
	ids := map[event.KeyID]bool{}
	for _, role := range []event.Role{event.RolePublisher, event.RoleNotary, event.RoleMirror, event.RoleRoot} {
		ids[event.KeyIDOf(role, registrytest.Public("notary"))] = true
	}
	if len(ids) != 4 {
		t.Errorf("%d identifiers of one key in four roles", len(ids))
	}
	r := newReader(t)
	for _, owner := range []string{"notary", "mirror XA", "root XA"} {
		private := registrytest.Key(owner)
		for _, role := range []event.Role{event.RolePublisher, event.RoleNotary, event.RoleMirror, event.RoleRoot} {
			key := event.KeyIDOf(role, private.Public().(ed25519.PublicKey))
			m := altered(t, forged(t, newAgency(t, "XA", "police", "region").says(t, 1)[0], owner, func(*eventv1.Header) {}), func(e *eventv1.Envelope) { e.Proof.KeyId = key[:] })
			if got := judgedAt(t, r.state, 1, m); got != verdict.UnknownKey {
				t.Errorf("the key of %s, as of a %s: %s", owner, role, got)
			}
		}
	}
}
