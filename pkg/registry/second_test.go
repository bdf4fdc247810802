package registry_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/second"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

func secondOf(t *testing.T, l *Log, owner string) []byte {
	t.Helper()
	key, ok := l.State.Key(event.KeyIDOf(event.RolePublisher, Public(owner)))
	if !ok {
		t.Fatalf("%s has no key", owner)
	}
	return key.Second
}

func notarySecond(t *testing.T, l *Log) []byte {
	t.Helper()
	policy, err := l.State.Policy()
	if err != nil {
		t.Fatal(err)
	}
	return policy.NotarySecond
}

// A founding names second keys for some; the others have none.
func TestFoundingWithSecondKeys(t *testing.T) {
	state, err := Sign(t, SecondFounding()).State()
	if err != nil {
		t.Fatal(err)
	}
	l := NewLog(t)
	l.State = state
	if !bytes.Equal(notarySecond(t, l), Second("notary").Public()) || !bytes.Equal(secondOf(t, l, "publisher XA/police"), Second("publisher XA/police").Public()) {
		t.Error("a second key of the founding is not in force")
	}
	if secondOf(t, l, "publisher XA/border") != nil || notarySecond(t, NewLog(t)) != nil {
		t.Error("a second key that nobody named is in force")
	}
	said := strings.Join(state.Overview().Facts(), "\n")
	for _, want := range []string{"the notary signs with a second key too", "agency XA/police: signs with a second key too"} {
		if !strings.Contains(said, want) {
			t.Errorf("the overview does not say that %s", want)
		}
	}
	// It is rotated to the successor with both keys, by both, and by nothing less.
	owner, next := AgencyOwner("XA", "police"), "next publisher XA/police"
	stripped := RotateKey(owner, next)
	unproposed(t, l, "not the successor", stripped)
	swapped := RotateKeyBoth(owner, next)
	swapped.GetKeyRotated().SecondKey = Second("thief").Public()
	unproposed(t, l, "not the successor", swapped)
	refused(t, l, "not signed with the new key", RotateKeyBoth(owner, next), next)
	refused(t, l, "not signed with the new key", RotateKeyBoth(owner, next), "ml-dsa "+next)
	l.Apply(t, RotateKeyBoth(owner, next), next, "ml-dsa "+next)
	if !bytes.Equal(secondOf(t, l, next), Second(next).Public()) {
		t.Error("the rotation has not brought the second key")
	}
}

func TestEnrolmentTakesPossessionOfTheSecondKey(t *testing.T) {
	for name, c := range map[string]struct {
		change *registryv1.Update
		before func(l *Log)
		owner  string
		root   string
	}{
		"agency": {EnrolBoth("XA", "navy"), func(*Log) {}, "publisher XA/navy", "root XA"},
		"key": {EnrolKeyBoth(AgencyOwner("XA", "police"), "fresh"), func(l *Log) {
			l.Apply(t, RevokeKey(AgencyOwner("XA", "police"), 0), "root XA")
		}, "fresh", "root XA"},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLog(t)
			c.before(l)
			refused(t, l, "not signed with the new key", c.change, c.root, c.owner)
			refused(t, l, "not signed with the new key", c.change, c.root, "ml-dsa "+c.owner)
			refused(t, l, "which it does not bring", c.change, c.root, c.owner, "ml-dsa thief")
			refused(t, l, "signed twice with the new key", c.change, c.root, c.owner, "ml-dsa "+c.owner, "ml-dsa "+c.owner)
			signed := l.Signed(t, c.change, c.root, c.owner, "ml-dsa "+c.owner)
			for what, forge := range map[string]func(statement []byte) []byte{
				"by another key": func(statement []byte) []byte { return sign(t, "thief", second.Possession, statement) },
				"of another use": func(statement []byte) []byte { return sign(t, c.owner, second.Batch, statement) },
				"of other bytes": func(statement []byte) []byte { return sign(t, c.owner, second.Possession, append(statement, 0)) },
				"of 64 bytes":    func([]byte) []byte { return make([]byte, 64) },
				"absent":         func([]byte) []byte { return nil },
			} {
				forged := proto.CloneOf(signed)
				forged.Possessions[1].Signature = forge(pae.Encode(pae.Possession, forged.GetUpdate()))
				after, err := l.State.Apply(l.Next, registry.SubjectOf(c.change), marshal(t, forged))
				if err == nil || !strings.Contains(err.Error(), "does not verify") || after != l.State {
					t.Errorf("%s: %v", what, err)
				}
			}
			l.Apply(t, c.change, c.root, c.owner, "ml-dsa "+c.owner)
			if !bytes.Equal(secondOf(t, l, c.owner), Second(c.owner).Public()) {
				t.Error("the second key is not in force")
			}
		})
	}
}

func sign(t *testing.T, owner string, use second.Use, message []byte) []byte {
	t.Helper()
	signature, err := Second(owner).Sign(use, message)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// The notary's second key comes with a key or beside the one there is, and goes with
// a key that has none.
func TestNotarysSecondKey(t *testing.T) {
	l := NewLog(t)
	all := []string{"root XA", "root XB", "root XC"}
	refused(t, l, "not signed with the new key", AmendNotary("", "notary"), all...)
	at := l.Apply(t, AmendNotary("", "notary"), append(all, "ml-dsa notary")...)
	policies, err := l.State.Policies()
	if err != nil || policies.At(at).NotarySecond != nil || !bytes.Equal(policies.At(at+1).NotarySecond, Second("notary").Public()) {
		t.Errorf("the second key is not in force from size %d on: %v", at+1, err)
	}
	if !policies.At(at + 1).Notary.Equal(Public("notary")) {
		t.Error("the notary's first key has changed")
	}
	unproposed(t, l, "is also that of", AmendNotary("notary 2", "notary"))
	said := strings.Join(l.State.Say(AmendNotary("notary 2", "")), " ")
	if !strings.Contains(said, "second signature no more") {
		t.Errorf("whoever signs is not told that the second signature goes: %s", said)
	}
	l.Apply(t, AmendCharter(3, 2), all...)
	if notarySecond(t, l) == nil {
		t.Error("an amendment of something else has taken the second key away")
	}
	l.Apply(t, AmendNotary("notary 2", "notary 2"), append(all, "notary 2", "ml-dsa notary 2")...)
	if !bytes.Equal(notarySecond(t, l), Second("notary 2").Public()) {
		t.Error("the second key was not exchanged")
	}
	l.Apply(t, AmendNotary("notary 3", ""), append(all, "notary 3")...)
	if notarySecond(t, l) != nil {
		t.Error("a notary key without a second one kept that of another")
	}
}

func TestSecondKeysThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change  *registryv1.Update
		because string
	}{
		"a mirror's":        {keyWith(MirrorOwner("XA"), Second("x").Public()), "only publishers and the notary"},
		"a short one":       {enrolWith(Second("x").Public()[:second.KeySize-1]), "1311 bytes, want 1312"},
		"a long one":        {enrolWith(append(bytes.Clone(Second("x").Public()), 0)), "1313 bytes, want 1312"},
		"an Ed25519 key":    {enrolWith(Public("x")), "32 bytes, want 1312"},
		"an opening key":    {enrolWith(Opening("x").PublicKey().Bytes()), "1216 bytes, want 1312"},
		"as the first":      {firstIsSecond(), "1312 bytes, want 32"},
		"somebody else's":   {enrolWith(Second("publisher XA/coast").Public()), "is also that of"},
		"a desk's, beside":  {openingWith(Second("x").Public()), "only publishers and the notary"},
		"alone, of nothing": {keyWith(AgencyOwner("XA", "police"), Second("x").Public()), "has a key: rotate or revoke it"},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLog(t)
			l.Apply(t, EnrolBoth("XA", "coast"), "root XA", "publisher XA/coast", "ml-dsa publisher XA/coast")
			l.Apply(t, RevokeKey(MirrorOwner("XA"), 0), "root XA")
			unproposed(t, l, c.because, c.change)
		})
	}
	founding := SecondFounding()
	founding.Agencies[1].PublisherSecondKey = founding.GetNotarySecondKey()
	if _, err := registry.Draft(founding); err == nil || !strings.Contains(err.Error(), "is also that of") {
		t.Errorf("one second key for two in a founding: %v", err)
	}
}

func keyWith(owner *registryv1.KeyOwner, secondKey []byte) *registryv1.Update {
	update := EnrolKey(owner, "fresh")
	update.GetKeyEnrolled().SecondKey = secondKey
	return update
}

func enrolWith(secondKey []byte) *registryv1.Update {
	update := Enrol("XA", "navy")
	update.GetAgencyEnrolled().GetAgency().PublisherSecondKey = secondKey
	return update
}

func firstIsSecond() *registryv1.Update {
	update := Enrol("XA", "navy")
	update.GetAgencyEnrolled().GetAgency().PublisherKey = Second("x").Public()
	return update
}

func openingWith(secondKey []byte) *registryv1.Update {
	update := EnrolOpening("XA", 5, "opening")
	update.GetKeyEnrolled().SecondKey = secondKey
	return update
}

// Without a second key, commitments and ids are what they always were.
func TestCommitmentOfOneKeyIsUnchanged(t *testing.T) {
	want := event.DigestOf(pae.Encode("tripoint/v1/next", Public("x")))
	if registry.CommitmentOf(Public("x")) != want || registry.CommitmentOfBoth(Public("x"), nil) != want {
		t.Error("the commitment to one key has changed")
	}
	both := event.DigestOf(pae.Encode("tripoint/v1/next", Public("x"), Second("x").Public()))
	if registry.CommitmentOfBoth(Public("x"), Second("x").Public()) != both {
		t.Error("the commitment to both keys is not over both")
	}
}

// A holder signs a proposal with his second key as with his first.
func TestProposalIsSignedWithASecondKey(t *testing.T) {
	l := NewLog(t)
	update, err := l.State.Propose(EnrolBoth("XA", "navy"), math.MaxInt32)
	if err != nil {
		t.Fatal(err)
	}
	signed := &registryv1.SignedUpdate{Update: update}
	for _, name := range []string{"root XA", "publisher XA/navy"} {
		if _, err := l.State.Sign(signed, Key(name)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = l.State.Apply(l.Next, "reg.agency.enrolled", marshal(t, signed))
	if unsigned, ok := errors.AsType[*registry.Unsigned](err); !ok || len(unsigned.Keys) != 1 || !bytes.Equal(unsigned.Keys[0], Second("publisher XA/navy").Public()) {
		t.Errorf("what is lacking is not the second key: %v", err)
	}
	if err := l.State.SignSecond(signed, Second("stranger")); err == nil {
		t.Error("a second key that the update does not bring has signed")
	}
	if err := l.State.SignSecond(signed, Second("publisher XA/navy")); err != nil {
		t.Fatal(err)
	}
	if err := l.State.SignSecond(signed, Second("publisher XA/navy")); err == nil || len(signed.GetPossessions()) != 2 {
		t.Error("one key has signed twice")
	}
	l.Take(t, "reg.agency.enrolled", marshal(t, signed))
}
