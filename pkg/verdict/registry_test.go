package verdict_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/verdict"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// tale is a stream on which the registry changes, as it is written.
type tale struct {
	t   testing.TB
	log *registrytest.Log
	all []told // after the founding, so that the next index is one more than their number
}

func newTale(t testing.TB) *tale {
	return &tale{t: t, log: registrytest.NewLogOf(t, registrytest.Bare())}
}

func (s *tale) add(what string, code verdict.Code, messages ...message) {
	for _, m := range messages {
		s.all = append(s.all, told{what, m, code})
	}
}

// enacts is a change that applies; it returns its index.
func (s *tale) enacts(what string, change *registryv1.Update, signers ...string) uint64 {
	s.t.Helper()
	s.log.Next = uint64(len(s.all)) + 1
	subject, data := s.log.Message(s.t, change, signers...)
	s.add(what, verdict.Accepted, message{subject, data})
	return s.log.Take(s.t, subject, data)
}

// forces writes a change that nobody could propose in the place of one that
// somebody could in its scope, signed all the same.
func (s *tale) forces(what string, change, possible *registryv1.Update, signers ...string) message {
	s.t.Helper()
	s.log.Next = uint64(len(s.all)) + 1
	draft, err := s.log.State.Propose(possible, s.log.Next+1000)
	if err != nil {
		s.t.Fatal(err)
	}
	update := &registryv1.Update{}
	if err := proto.Unmarshal(draft, update); err != nil {
		s.t.Fatal(err)
	}
	update.Change = change.Change
	m := message{registry.SubjectOf(change), marshal(s.t, registrytest.SignUpdate(s.t, marshal(s.t, update), signers...))}
	s.add(what, verdict.NotUpdate, m)
	return m
}

// with is the agency under another key.
func (a *agency) with(t testing.TB, owner string) *agency {
	t.Helper()
	key, err := event.NewSigningKey(registrytest.Key(owner))
	if err != nil {
		t.Fatal(err)
	}
	other := *a
	other.key = key
	return &other
}

// tries is what an agency could say next, without its chain moving on.
func (a *agency) tries(t testing.TB) message {
	t.Helper()
	messages, _ := a.signs(t, a.head, a.draft())
	return messages[0]
}

var roots = []string{"root XA", "root XB", "root XC"}

// changes is a stream with what can happen to keys, agencies, members and
// audiences, and the verdict on what is said before and after.
func changes(t testing.TB) []told {
	t.Helper()
	s := newTale(t)
	s.keys()
	s.agencies()
	s.members()
	s.audiences()
	s.signatures()
	s.theft()
	return s.all
}

// keys: XA's police has its key revoked, gets another, rotates it, and loses that too.
func (s *tale) keys() {
	t, owner := s.t, registrytest.AgencyOwner("XA", "police")
	const second, third, fourth = "publisher XA/police 2", "next publisher XA/police 2", "publisher XA/police 4"
	police := newAgency(t, "XA", "police", "region")
	s.add("under the founding's key", verdict.Accepted, police.says(t, 2)...)
	spare := registrytest.Retire("XA", "border") // possible, in the same scope
	s.forces("a rotation of a key that was committed to no successor", registrytest.RotateKey(owner, second), spare, second)
	before := police.tries(t)
	s.enacts("the key was lost, its last event is doubted", registrytest.RevokeKey(owner, 2), "root XA")
	s.add("under the revoked key", verdict.KeyNotValid, before)
	early := police.with(t, second)
	s.add("under a key that is not enrolled yet", verdict.UnknownKey, early.tries(t))
	s.enacts("another key", registrytest.EnrolKey(owner, second), "root XA", second)
	police.key = early.key
	police.head = event.Head{}
	s.add("a new chain under it", verdict.Accepted, police.says(t, 2)...)
	s.add("under the revoked key, again", verdict.KeyNotValid, police.with(t, "publisher XA/police").tries(t))
	s.forces("a rotation to another key than was committed to", registrytest.RotateKey(owner, "thief"), spare, "thief")
	s.enacts("the rotation that was committed to, by the new key alone", registrytest.RotateKey(owner, third), third)
	s.add("under the rotated key", verdict.KeyNotValid, police.tries(t))
	police = police.with(t, third)
	s.add("the chain goes on under the key that followed", verdict.Accepted, police.says(t, 1)...)
	s.enacts("revoked, and nothing doubted", registrytest.RevokeKey(owner, 0), "root XA")
	s.forces("the first key enrolled again", registrytest.EnrolKey(owner, "publisher XA/police"), spare, "root XA", "publisher XA/police")
	s.forces("the last key enrolled again", registrytest.EnrolKey(owner, third), spare, "root XA", third)
	s.add("under the key that was revoked", verdict.KeyNotValid, police.tries(t))
	s.enacts("a new one", registrytest.EnrolKey(owner, fourth), "root XA", fourth)
	s.add("that update again", verdict.Duplicate, s.all[len(s.all)-1].message)
	police = police.with(t, fourth)
	police.head = event.Head{}
	s.add("the third chain begins under the fourth key", verdict.Accepted, police.says(t, 1)...)
}

func (s *tale) agencies() {
	t := s.t
	border := newAgency(t, "XB", "border", "pair")
	s.add("XB's border", verdict.Accepted, border.says(t, 1)...)
	s.enacts("it is retired", registrytest.Retire("XB", "border"), "root XB")
	s.add("and says something", verdict.KeyNotValid, border.tries(t))
	s.forces("its identifier used again", registrytest.Enrol("XB", "border"), registrytest.Retire("XB", "police"), "root XB", "publisher XB/border")
	coast := newAgency(t, "XB", "coast", "pair")
	s.add("an agency that is not enrolled yet", verdict.UnknownKey, coast.tries(t))
	s.enacts("it is enrolled", registrytest.Enrol("XB", "coast"), "root XB", "publisher XB/coast")
	s.add("and says something", verdict.Accepted, coast.says(t, 2)...)
}

// members: XC is suspended and reinstated, and with that region has another address.
func (s *tale) members() {
	t := s.t
	suspended, other := newAgency(t, "XC", "police", "region"), newAgency(t, "XB", "police", "region")
	s.add("before the suspension", verdict.Accepted, append(suspended.says(t, 1), other.says(t, 1)...)...)
	s.enacts("XC is suspended", registrytest.Suspend("XC"), roots...)
	s.add("XC says something", verdict.KeyNotValid, suspended.tries(t))
	s.add("another member does, to the same address", verdict.Accepted, other.says(t, 1)...)
	at := s.enacts("XC is reinstated", registrytest.Reinstate("XC"), roots...)
	s.add("to the address that XC did not read for a while", verdict.AudienceClosed, suspended.tries(t), other.tries(t))
	address := fmt.Sprintf("region_%d", at)
	suspended, ahead := newAgency(t, "XC", "police", address), newAgency(t, "XB", "police", address)
	s.add("to the new address", verdict.Accepted, suspended.says(t, 1)...)
	ahead.head, ahead.said = other.head, other.said
	s.add("the new address with the counters of the old", verdict.Gap, ahead.tries(t))
	ahead.head = event.Head{}
	s.add("the new address from counter 1", verdict.Accepted, ahead.says(t, 2)...)
	s.add("to an address that begins in the future", verdict.AudienceClosed, newAgency(t, "XB", "police", address+"0").tries(t))
}

// audiences: XD is admitted and joins region, which XC leaves, and then the log.
func (s *tale) audiences() {
	t := s.t
	region := func() string { a, _ := s.log.State.Audience("region"); return a.Address() }
	old, fresh := region(), newAgency(t, "XD", "police", region())
	s.enacts("XD is admitted", registrytest.Admit("XD"), append(roots, "root XD", "mirror XD")...)
	s.enacts("its police is enrolled", registrytest.Enrol("XD", "police"), "root XD", "publisher XD/police")
	s.add("XD to an audience that it is not in", verdict.AudienceClosed, fresh.tries(t))
	s.enacts("XD joins it", registrytest.Join("region", "XD"), append(roots, "root XD")...)
	s.add("XD to the address of before", verdict.AudienceClosed, fresh.tries(t))
	s.add("XC to the address of before", verdict.AudienceClosed, newAgency(t, "XC", "border", old).tries(t))
	fresh, leaver := newAgency(t, "XD", "police", region()), newAgency(t, "XC", "border", region())
	s.add("both to the new address", verdict.Accepted, append(fresh.says(t, 2), leaver.says(t, 1)...)...)
	s.enacts("XC leaves the audience", registrytest.Quit("region", "XC"), "root XC")
	s.add("XC says something to it", verdict.AudienceClosed, leaver.tries(t))
	s.add("those who stay keep the address", verdict.Accepted, fresh.says(t, 1)...)
	s.enacts("XC forms an audience with XD", registrytest.Form("border", "XC", "XD"), "root XC", "root XD")
	border, _ := s.log.State.Audience("border")
	leaver = newAgency(t, "XC", "border", border.Address())
	s.add("XC says something to that", verdict.Accepted, leaver.says(t, 1)...)
	s.add("to the identifier without where it begins", verdict.AudienceClosed, newAgency(t, "XC", "border", "border").tries(t))
	s.enacts("XC leaves", registrytest.Leave("XC"), "root XC")
	s.add("XC says something after that", verdict.KeyNotValid, leaver.tries(t))
}

const (
	expired = "expired one index ago"
	another = "and the second"
)

// signatures: updates that nobody, or not enough of those who must, have signed.
func (s *tale) signatures() {
	t := s.t
	retire := registrytest.Retire("XB", "coast")
	bad := func(what string, subject string, data []byte) { s.add(what, verdict.NotUpdate, message{subject, data}) }
	_, whole := s.log.Message(t, retire, "root XB")
	for _, test := range []struct {
		what    string
		signers []string
	}{{"signed by nobody", nil}, {"by another country's root", []string{"root XA"}}, {"by the agency's key", []string{"publisher XB/coast"}}} {
		subject, data := s.log.Message(t, retire, test.signers...)
		bad(test.what, subject, data)
	}
	subject, data := s.log.Message(t, registrytest.AmendCharter(1, 1), "root XA", "root XB")
	bad("the charter by too few", subject, data)
	bad("on the subject of another change", "reg.agency.enrolled", whole)
	update, err := s.log.State.Propose(retire, uint64(len(s.all)))
	if err != nil {
		t.Fatal(err)
	}
	bad(expired, "reg.agency.retired", marshal(t, registrytest.SignUpdate(t, update, "root XB")))
	_, other := s.log.Message(t, registrytest.Retire("XB", "police"), "root XB")
	s.enacts("of two for one place the first", retire, "root XB")
	bad(another, "reg.agency.retired", other)
	s.add("and the first once more", verdict.Duplicate, s.all[len(s.all)-2].message)
	s.add("and life goes on", verdict.Accepted, newAgency(t, "XA", "border", "pair").says(t, 1)...)
}

// theft: somebody else has the key of XB's police, and what it says is accepted. That
// neither mutes the agency nor swallows what it had said meanwhile.
func (s *tale) theft() {
	t, owner := s.t, registrytest.AgencyOwner("XB", "police")
	const fresh = "publisher XB/police 2"
	police := newAgency(t, "XB", "police", "pair")
	s.add("before the theft", verdict.Accepted, police.says(t, 1)...)
	thief := *police
	thief.said = 10
	stolen := uint64(len(s.all)) + 1
	s.add("the thief, under the stolen key", verdict.Accepted, thief.says(t, 2)...)
	s.add("the agency, which does not know of it", verdict.Equivocation, police.tries(t))
	s.enacts("revoked, and doubted from the thief's first on", registrytest.RevokeKey(owner, stolen), "root XB")
	s.add("the thief again", verdict.KeyNotValid, thief.tries(t))
	s.enacts("the agency's new key", registrytest.EnrolKey(owner, fresh), "root XB", fresh)
	s.add("after the thief's last", verdict.Gap, thief.with(t, fresh).tries(t))
	police = police.with(t, fresh)
	police.head, police.said = event.Head{}, 1
	s.add("the agency from counter 1, with the id and content that were refused", verdict.Accepted, police.says(t, 2)...)
}

func TestChangesOfTheRegistry(t *testing.T) {
	r := newReader(t)
	for _, m := range changes(t) {
		if got := r.reads(t, m.message); got.Code != m.code {
			t.Errorf("%d, %s: %s (%s), want %s", r.index-1, m.what, got.Code, got.Reason, m.code)
		}
	}
	for index, want := range map[uint64]bool{1: false, 2: true, 3: true, 4: false} {
		if got := r.state.Doubted("XA", "police", index); got != want {
			t.Errorf("index %d is doubted: %t", index, got)
		}
	}
	for i, m := range changes(t) {
		stolen := m.what == "the thief, under the stolen key"
		if got := r.state.Doubted("XB", "police", uint64(i)+1); got != stolen && m.what != "the agency, which does not know of it" {
			t.Errorf("index %d, %s: doubted: %t", i+1, m.what, got)
		}
	}
}

// A country that came later sees the registry and its own address, and gives all
// that the verdicts that an auditor gives who sees everything.
func TestOneVerdictOfACountryThatCameLater(t *testing.T) {
	auditor, later := newReader(t), newReader(t)
	seen := 0
	for i, m := range changes(t) {
		want := auditor.reads(t, m.message)
		label, visible := verdict.Label(m.subject), false
		for _, address := range auditor.state.Reads("XD") {
			visible = visible || label == address
		}
		if label != "" && !visible {
			continue
		}
		seen++
		later.index = uint64(i) + 1
		if got := later.reads(t, m.message); got.Code != want.Code || got.Reason != want.Reason {
			t.Errorf("%s: %s (%s) to XD, %s (%s) to the auditor", m.what, got.Code, got.Reason, want.Code, want.Reason)
		}
	}
	if all := len(changes(t)); seen < all/4 || seen == all {
		t.Errorf("XD saw %d of %d messages", seen, all)
	}
}
