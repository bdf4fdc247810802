package registry_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// refused hands an update in that must change nothing, for the reason given.
func refused(t *testing.T, l *Log, want string, change *registryv1.Update, signers ...string) {
	t.Helper()
	subject, message := l.Message(t, change, signers...)
	refusedMessage(t, l, want, subject, message)
}

func refusedMessage(t *testing.T, l *Log, want, subject string, message []byte) {
	t.Helper()
	after, err := l.State.Apply(l.Next, subject, message)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want one about %q", err, want)
	}
	if after != l.State {
		t.Error("a refused update changed the state")
	}
}

// unproposed is a change that could never apply here.
func unproposed(t *testing.T, l *Log, want string, change *registryv1.Update) {
	t.Helper()
	if _, err := l.State.Propose(change, 1000); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("proposed: %v, want an error about %q", err, want)
	}
}

// lenient is a log whose charter takes two roots of three.
func lenient(t *testing.T) *Log {
	t.Helper()
	l := NewLog(t)
	l.Apply(t, AmendCharter(2, 2), "root XA", "root XB", "root XC")
	return l
}

// R01: an update signed by too few roots says which are missing, and how many.
func TestAdversary_R01_TooFewRoots(t *testing.T) {
	l := lenient(t)
	refused(t, l, "not signed by 1 more of XB, XC: it takes the charter's threshold, and XA has signed", Suspend("XB"), "root XA")
	refused(t, l, "not signed by 2 more of XA, XB, XC", Suspend("XB"))
	refused(t, l, "not signed by XC: it takes the consent of everybody in it, and XA, XB has signed", AmendAudience("region", "rescue"), "root XA", "root XB")
	refused(t, l, "not signed by XA: it takes the consent of XA's own root", Retire("XA", "police"))
	refused(t, l, "not signed with the new key", Enrol("XA", "navy"), "root XA")
	// One root under two names, and one twice.
	update, err := l.State.Propose(Suspend("XC"), 100)
	if err != nil {
		t.Fatal(err)
	}
	twice := SignUpdate(t, update, "root XA", "root XA")
	refusedMessage(t, l, "signed twice by XA", "reg.member.suspended", marshal(t, twice))
	twice.Signatures[1].Country = "XB"
	refusedMessage(t, l, "the signature of XB does not verify", "reg.member.suspended", marshal(t, twice))
	stranger := SignUpdate(t, update, "root XA", "root XD")
	refusedMessage(t, l, `signed by "XD", which is no member`, "reg.member.suspended", marshal(t, stranger))
	lacking := &registry.Unsigned{}
	_, err = l.State.Apply(l.Next, "reg.member.suspended", marshal(t, SignUpdate(t, update, "root XA")))
	if !errors.As(err, &lacking) || lacking.Lacks[0].Need != 1 || strings.Join(lacking.Lacks[0].AnyOf, " ") != "XB XC" {
		t.Errorf("error %v", err)
	}
}

// R02: a change of the threshold takes the old and the new one.
func TestAdversary_R02_OneThresholdOnly(t *testing.T) {
	l := lenient(t)
	refused(t, l, "not signed by XC: it takes the threshold as it will be, and XA, XB has signed", AmendCharter(3, 2), "root XA", "root XB")
	l.Apply(t, AmendCharter(3, 2), "root XA", "root XB", "root XC")
	refused(t, l, "not signed by XC: it takes the charter's threshold", AmendCharter(1, 1), "root XA", "root XB")
	l.Apply(t, AmendCharter(2, 2), "root XA", "root XB", "root XC")
	// With a fourth member the threshold as it will be may count its root, the old one may not.
	refused(t, l, "not signed by 1 more of XB, XC: it takes the charter's threshold, and XA has signed", Admit("XD"), "root XA", "root XD", "mirror XD")
	// A suspended member's root is not one of those that count.
	l.Apply(t, Suspend("XC"), "root XA", "root XB")
	refused(t, l, "not signed by XB: it takes the charter's threshold, and XA has signed", AmendRetention("case", 1), "root XA", "root XC")
}

// R03: of two updates for one place, the first in the log applies, for everybody.
func TestAdversary_R03_ConflictingUpdates(t *testing.T) {
	l := lenient(t)
	subject, first := l.Message(t, AmendCharter(3, 3), "root XA", "root XB", "root XC")
	_, second := l.Message(t, AmendCharter(1, 1), "root XA", "root XB", "root XC")
	other := *l
	l.Take(t, subject, first)
	refusedMessage(t, l, "built on version 2", subject, second)
	other.Take(t, subject, second)
	refusedMessage(t, &other, "is at version 3", subject, first)
	// Another scope's updates do not stand in the way of one that is being signed.
	_, pending := l.Message(t, AmendCharter(2, 2), "root XA", "root XB", "root XC")
	l.Apply(t, Enrol("XB", "navy"), "root XB", "publisher XB/navy")
	l.Take(t, subject, pending)
}

// R04: a country has no say in another's affairs.
func TestAdversary_R04_AnotherCountrysAgency(t *testing.T) {
	l := lenient(t)
	for _, change := range []*registryv1.Update{
		Enrol("XB", "navy"), Retire("XB", "police"), RevokeKey(AgencyOwner("XB", "police"), 0), Leave("XB"), Quit("region", "XB"),
		RevokeKey(MirrorOwner("XB"), 0), RevokeKey(DeskOwner("XB", 1), 0), RotateOpening("XB", 1, "next opening XB/1"), EnrolOpening("XB", 5, "desk XB"),
	} {
		refused(t, l, "not signed by XB", change, "root XA", "root XC")
	}
	// The right root in a wrong place.
	update, err := l.State.Propose(Retire("XB", "police"), 100)
	if err != nil {
		t.Fatal(err)
	}
	signed := SignUpdate(t, update, "root XA")
	signed.Signatures[0].Country = "XB"
	refusedMessage(t, l, "the signature of XB does not verify", "reg.agency.retired", marshal(t, signed))
}

// R05: the registry never goes back: an older update again, one built on an
// older version, and the founding again change nothing.
func TestAdversary_R05_Rollback(t *testing.T) {
	l := lenient(t)
	stale, err := l.State.Propose(Enrol("XA", "navy"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	l.Apply(t, RevokeKey(AgencyOwner("XA", "police"), 0), "root XA")
	l.Apply(t, EnrolKey(AgencyOwner("XA", "police"), "second key"), "root XA", "second key")
	for _, entry := range l.Entries {
		after, err := l.State.Apply(l.Next, entry.GetSubject(), entry.GetMessage())
		if !errors.Is(err, registry.ErrApplied) || after != l.State {
			t.Errorf("%s again: %v", entry.GetSubject(), err)
		}
	}
	refusedMessage(t, l, "built on version 0", "reg.agency.enrolled", marshal(t, SignUpdate(t, stale, "root XA", "publisher XA/navy")))
	// Signed anew, the old update is still the old update.
	signed := &registryv1.SignedUpdate{}
	if err := proto.Unmarshal(l.Entries[1].GetMessage(), signed); err != nil {
		t.Fatal(err)
	}
	again := SignUpdate(t, signed.GetUpdate(), "root XC", "root XB", "root XA")
	if _, err := l.State.Apply(l.Next, "reg.charter.amended", marshal(t, again)); !errors.Is(err, registry.ErrApplied) {
		t.Error(err)
	}
}

// A proposal for another charter, one that has expired, and one on a wrong subject.
func TestUpdatesOutOfPlace(t *testing.T) {
	l := lenient(t)
	update, err := l.State.Propose(Retire("XA", "police"), l.Next)
	if err != nil {
		t.Fatal(err)
	}
	message := marshal(t, SignUpdate(t, update, "root XA"))
	refusedMessage(t, l, "this change belongs on reg.agency.retired", "reg.agency.enrolled", message)
	l.Next++
	refusedMessage(t, l, "expired: it could apply up to index 2, and this is 3", "reg.agency.retired", message)
	l.Next--
	l.Take(t, "reg.agency.retired", message)

	other := Founding()
	other.Name = "another log"
	elsewhere, err := Sign(t, other).State()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := elsewhere.Propose(Leave("XB"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	refusedMessage(t, l, "for the charter", "reg.member.left", marshal(t, SignUpdate(t, foreign, "root XB")))
	before := registry.New(l.Charter.Digest)
	if _, err := before.Apply(0, "reg.agency.retired", message); err == nil || !strings.Contains(err.Error(), "not founded yet") {
		t.Errorf("before the founding: %v", err)
	}
	refusedMessage(t, l, "at most 262144", "reg.member.left", make([]byte, registry.MaxUpdate+1))
}

// A possession is no consent, a consent no possession, and a batch's statement neither.
func TestAdversary_E10_SignaturesOfAnotherUse(t *testing.T) {
	l := lenient(t)
	update, err := l.State.Propose(Enrol("XA", "navy"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	good := SignUpdate(t, update, "root XA", "publisher XA/navy")
	asConsent := SignUpdate(t, update, "new root XA", "publisher XA/navy")
	asConsent.Signatures = []*registryv1.RootSignature{{Country: "XA", Signature: asConsent.Possessions[0].Signature}}
	asConsent.Possessions = asConsent.Possessions[1:]
	refusedMessage(t, l, "the signature of XA does not verify", "reg.agency.enrolled", marshal(t, asConsent))
	consent, err := registry.SignRoot("XA", Key("publisher XA/navy"), update)
	if err != nil {
		t.Fatal(err)
	}
	asPossession := proto.Clone(good).(*registryv1.SignedUpdate)
	asPossession.Possessions[0].Signature = consent.GetSignature()
	refusedMessage(t, l, "does not verify", "reg.agency.enrolled", marshal(t, asPossession))
	stolen := proto.Clone(good).(*registryv1.SignedUpdate)
	stolen.Possessions = append(stolen.Possessions, stolen.Possessions[0])
	refusedMessage(t, l, "signed twice with the new key", "reg.agency.enrolled", marshal(t, stolen))
	stolen.Possessions[1] = SignUpdate(t, update, "publisher XB/police").GetPossessions()[0]
	refusedMessage(t, l, "which it does not bring", "reg.agency.enrolled", marshal(t, stolen))
	l.Take(t, "reg.agency.enrolled", marshal(t, good))
}

// E07 in the fold: where a key's validity begins and ends, and that it ends once.
func TestAdversary_E07_ValidityOfKeys(t *testing.T) {
	l := lenient(t)
	owner := AgencyOwner("XA", "police")
	first, _ := l.State.Key(event.KeyIDOf(event.RolePublisher, Public("publisher XA/police")))
	l.Next = 10
	revoked := l.Apply(t, RevokeKey(owner, 5), "root XA")
	if err := l.State.Invalid(first, l.Next); err != nil {
		t.Errorf("the key as it was: %v", err)
	}
	ended, _ := l.State.Key(event.KeyIDOf(event.RolePublisher, Public("publisher XA/police")))
	for index, valid := range map[uint64]bool{0: false, 1: true, revoked - 1: true, revoked: false, revoked + 1: false} {
		if ended.ValidAt(index) != valid || (l.State.Invalid(ended, index) == nil) != valid {
			t.Errorf("at %d: valid %t, %v", index, !valid, l.State.Invalid(ended, index))
		}
	}
	for index, doubted := range map[uint64]bool{4: false, 5: true, revoked - 1: true, revoked: false} {
		if l.State.Doubted("XA", "police", index) != doubted {
			t.Errorf("at %d: doubted %t", index, !doubted)
		}
	}
	for what, change := range map[string]*registryv1.Update{"has no key to revoke": RevokeKey(owner, 0), "has no key to rotate": RotateKey(owner, "second key")} {
		unproposed(t, l, what, change)
	}
	// The same key never comes back: not here, not for another owner, not in another role.
	for _, again := range []*registryv1.Update{
		EnrolKey(owner, "publisher XA/police"), EnrolKey(MirrorOwner("XA"), "publisher XA/police"),
	} {
		unproposed(t, l, "", again)
	}
	l.Apply(t, EnrolKey(owner, "second key"), "root XA", "second key")
	// Rotation goes to the successor that was announced, and to no other.
	unproposed(t, l, "not the successor", RotateKey(owner, "a thief's key"))
	refused(t, l, "not signed with the new key", RotateKey(owner, "next second key"), "root XA")
	at := l.Apply(t, RotateKey(owner, "next second key"), "next second key")
	second, _ := l.State.Key(event.KeyIDOf(event.RolePublisher, Public("second key")))
	third, _ := l.State.Key(event.KeyIDOf(event.RolePublisher, Public("next second key")))
	if second.ValidAt(at) || second.ValidAt(at+1) || third.ValidAt(at) || !third.ValidAt(at+1) {
		t.Errorf("rotated at %d: %+v then %+v", at, second, third)
	}
	unproposed(t, l, "which is not reached yet", RevokeKey(owner, 1001))
}

// E11: a proposal that says more than can be shown. Every reader passes over a field
// that it does not know, as the format has it; no tool here asks a root to sign one.
func TestAdversary_E11_NobodySignsWhatCannotBeShown(t *testing.T) {
	l := lenient(t)
	update, err := l.State.Propose(Retire("XA", "police"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	decoded := &registryv1.Update{}
	if err := proto.Unmarshal(update, decoded); err != nil {
		t.Fatal(err)
	}
	decoded.GetAgencyRetired().ProtoReflect().SetUnknown([]byte{0x7a, 1, '!'})
	signed := &registryv1.SignedUpdate{Update: marshal(t, decoded)}
	if _, err := l.State.Sign(signed, Key("root XA")); err == nil || !strings.Contains(err.Error(), "cannot show") || len(signed.GetSignatures()) > 0 {
		t.Errorf("signed: %v", err)
	}
	if _, err := l.State.Review(l.Next, signed); err == nil || !strings.Contains(err.Error(), "cannot show") {
		t.Errorf("reviewed: %v", err)
	}
	l.Take(t, "reg.agency.retired", marshal(t, SignUpdate(t, signed.GetUpdate(), "root XA"))) // as every reader judges it
}
