package registry

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/translog"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Charter is a founding as the parties hold it: the message for the log, and
// the digest by which each of them recognises it.
type Charter struct {
	Message []byte // a serialised SignedUpdate
	Digest  event.Digest
}

// Draft serialises a founding, ready for the roots to sign. It refuses one that
// could never be applied.
func Draft(founding *registryv1.Founding) ([]byte, error) {
	if _, err := found(0, founding); err != nil {
		return nil, fmt.Errorf("charter: %w", err)
	}
	return proto.Marshal(&registryv1.Update{Version: 1, Change: &registryv1.Update_Founding{Founding: founding}})
}

// SignRoot is one member's consent to an update's exact bytes.
func SignRoot(country string, root crypto.Signer, update []byte) (*registryv1.RootSignature, error) {
	signature, err := root.Sign(nil, pae.Encode(pae.Registry, update), crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("signing an update as the root of %s: %w", country, err)
	}
	return &registryv1.RootSignature{Country: country, Signature: signature}, nil
}

// Seal joins an update and its signatures into a Charter, and checks that the
// result is one.
func Seal(update []byte, signatures []*registryv1.RootSignature) (Charter, error) {
	message, err := proto.Marshal(&registryv1.SignedUpdate{Update: update, Signatures: signatures})
	if err != nil {
		return Charter{}, fmt.Errorf("encoding the charter: %w", err)
	}
	return OpenCharter(message)
}

// OpenCharter reads a charter that a party holds on its own disk. It proves that
// the charter is complete, not that it is the right one: that is the party's knowledge.
func OpenCharter(message []byte) (Charter, error) {
	signed := &registryv1.SignedUpdate{}
	if err := proto.Unmarshal(message, signed); err != nil {
		return Charter{}, errors.New("not a charter: not a signed registry update")
	}
	charter := Charter{Message: message, Digest: event.DigestOf(signed.GetUpdate())}
	if _, err := New(charter.Digest).Apply(0, FoundingSubject, message); err != nil {
		return Charter{}, err
	}
	return charter, nil
}

// State is the registry right after this charter's founding, as a party that has
// not read the log yet may assume it.
func (c Charter) State() (State, error) {
	return New(c.Digest).Apply(0, FoundingSubject, c.Message)
}

func checkRoots(signed *registryv1.SignedUpdate, founding *registryv1.Founding) error {
	statement := pae.Encode(pae.Registry, signed.GetUpdate())
	consents := map[string]bool{}
	for _, signature := range signed.GetSignatures() {
		country := signature.GetCountry()
		at := slices.IndexFunc(founding.GetMembers(), func(m *registryv1.Member) bool { return m.GetCountry() == country })
		if at < 0 {
			return fmt.Errorf("signed by %.2q, which is no member", country)
		}
		if consents[country] {
			return fmt.Errorf("signed twice by %s", country)
		}
		if !ed25519.Verify(founding.GetMembers()[at].GetRootKey(), statement, signature.GetSignature()) {
			return fmt.Errorf("the signature of %s does not verify", country)
		}
		consents[country] = true
	}
	for _, member := range founding.GetMembers() {
		if !consents[member.GetCountry()] {
			return fmt.Errorf("not signed by %s: every founding member signs", member.GetCountry())
		}
	}
	return nil
}

func found(index uint64, f *registryv1.Founding) (*founded, error) {
	members := len(f.GetMembers())
	if members == 0 {
		return nil, errors.New("members: none")
	}
	if f.GetThreshold() < 1 || int(f.GetThreshold()) > members {
		return nil, fmt.Errorf("threshold: %d of %d members", f.GetThreshold(), members)
	}
	next := &founded{
		index: index, version: 1, statement: f,
		keys: map[event.KeyID]Key{}, audiences: map[string]Audience{}, retention: map[string]uint32{},
		policy: translog.Policy{
			Origin: f.GetOrigin(), Notary: f.GetNotaryKey(), Quorum: int(f.GetQuorum()),
			Mirrors: map[string]ed25519.PublicKey{},
		},
	}
	seen := map[string]string{}
	if err := takeKey(seen, "the notary", f.GetNotaryKey()); err != nil {
		return nil, err
	}
	for _, step := range []func(*founded, map[string]string) error{addMembers, addAgencies, addAudiences, addRetention} {
		if err := step(next, seen); err != nil {
			return nil, err
		}
	}
	if err := next.policy.Validate(); err != nil {
		return nil, err
	}
	return next, nil
}

// takeKey refuses a key of the wrong length or of small order, and one key for two
// purposes: whoever holds it would be two parties.
func takeKey(seen map[string]string, owner string, key []byte) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("the key of %s: %d bytes, want 32", owner, len(key))
	}
	if err := checkPoint(owner, [32]byte(key)); err != nil {
		return err
	}
	if other, ok := seen[string(key)]; ok {
		return fmt.Errorf("the key of %s is also that of %s", owner, other)
	}
	seen[string(key)] = owner
	return nil
}

func addMembers(next *founded, seen map[string]string) error {
	for _, m := range next.statement.GetMembers() {
		country := m.GetCountry()
		if err := event.CheckCountry(country); err != nil {
			return err
		}
		if _, ok := next.policy.Mirrors[country]; ok {
			return fmt.Errorf("member %s stands twice", country)
		}
		if err := errors.Join(
			takeKey(seen, country+"'s root", m.GetRootKey()),
			takeKey(seen, country+"'s mirror", m.GetMirrorKey()),
		); err != nil {
			return err
		}
		next.policy.Mirrors[country] = m.GetMirrorKey()
	}
	return nil
}

func addAgencies(next *founded, seen map[string]string) error {
	names := map[[2]string]bool{}
	for _, a := range next.statement.GetAgencies() {
		country, agency := a.GetCountry(), a.GetAgency()
		if err := event.CheckToken("agency", agency); err != nil {
			return err
		}
		if _, ok := next.policy.Mirrors[country]; !ok {
			return fmt.Errorf("agency %s is of %.2q, which is no member", agency, country)
		}
		if names[[2]string{country, agency}] {
			return fmt.Errorf("agency %s of %s stands twice", agency, country)
		}
		names[[2]string{country, agency}] = true
		if err := takeKey(seen, country+"/"+agency, a.GetPublisherKey()); err != nil {
			return err
		}
		id := event.KeyIDOf(event.RolePublisher, a.GetPublisherKey())
		next.keys[id] = Key{Country: country, Agency: agency, Public: a.GetPublisherKey(), From: next.index + 1}
	}
	return nil
}

func addAudiences(next *founded, _ map[string]string) error {
	for _, a := range next.statement.GetAudiences() {
		id := a.GetAudience()
		if err := event.CheckToken("audience", id); err != nil {
			return err
		}
		if _, ok := next.audiences[id]; ok {
			return fmt.Errorf("audience %s stands twice", id)
		}
		members := slices.Sorted(slices.Values(a.GetMembers()))
		if len(slices.Compact(slices.Clone(members))) != len(members) || len(members) == 0 {
			return fmt.Errorf("audience %s: no members, or one twice", id)
		}
		for _, country := range members {
			if _, ok := next.policy.Mirrors[country]; !ok {
				return fmt.Errorf("audience %s has %.2q, which is no member", id, country)
			}
		}
		if len(a.GetPurposes()) == 0 {
			return fmt.Errorf("audience %s has no purpose", id)
		}
		next.audiences[id] = Audience{ID: id, Members: members, Purposes: slices.Clone(a.GetPurposes())}
	}
	return nil
}

func addRetention(next *founded, _ map[string]string) error {
	for _, class := range next.statement.GetRetentionClasses() {
		if err := event.CheckToken("retention class", class.GetRetention()); err != nil {
			return err
		}
		if _, ok := next.retention[class.GetRetention()]; ok || class.GetDays() == 0 {
			return fmt.Errorf("retention class %s stands twice, or has no days", class.GetRetention())
		}
		next.retention[class.GetRetention()] = class.GetDays()
	}
	return nil
}
