package registry_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// everyChange is one change of each kind, in an order in which all apply.
func everyChange() []*registryv1.Update {
	return []*registryv1.Update{
		AmendCharter(2, 2), AmendRetention("case", 9), Admit("XD"), Enrol("XD", "police"), Join("region", "XD"), Form("three", "XA", "XD"),
		AmendAudience("pair", "rescue", "prosecution"), Quit("pair", "XB"), Suspend("XC"), Reinstate("XC"),
		RevokeKey(AgencyOwner("XA", "police"), 1), EnrolKey(AgencyOwner("XA", "police"), "key 0"), RotateKey(AgencyOwner("XA", "police"), "next key 0"),
		RevokeKey(MirrorOwner("XB"), 0), EnrolKey(MirrorOwner("XB"), "key 1"),
		RevokeKey(DeskOwner("XA", 2), 0), EnrolOpening("XA", 2, "desk"), RotateOpening("XA", 2, "next desk"), RotateOpening("XB", 1, "next opening XB/1"),
		ReplaceRoot("XB", "key 2"), RotateRoot("XB", "next key 2"), Retire("XC", "border"), Leave("XC"),
	}
}

// rich is a log in which everything has happened once.
func rich(t testing.TB) *Log {
	t.Helper()
	l := NewLog(t)
	for _, change := range everyChange() {
		update, err := l.State.Propose(change, 1000)
		if err != nil {
			t.Fatal(err)
		}
		signed := signedWith(t, l.State, update, append(everyName(3), "next key 2"))
		l.Take(t, registry.SubjectOf(change), marshal(t, signed))
	}
	return l
}

// FuzzUpdate: whatever change comes, also one that everybody has signed, Apply
// returns; a refusal leaves the state as it was and gives a short reason, and what
// is accepted keeps the invariants. Reviews and words never fail where Apply does not.
func FuzzUpdate(f *testing.F) {
	full := rich(f)
	early := NewLog(f)
	for _, change := range everyChange() {
		f.Add(marshal(f, change))
	}
	for _, entry := range full.Entries {
		f.Add(entry.GetMessage())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, l := range []*Log{early, full} {
			for _, subject := range []string{"reg.member.admitted", "reg.x"} {
				tryMessage(t, l, subject, data)
			}
			change := &registryv1.Update{}
			if proto.Unmarshal(data, change) != nil {
				continue
			}
			l.State.Say(change)
			update, err := l.State.Propose(change, 1000)
			if err != nil {
				continue
			}
			signed := signedWith(t, l.State, update, everyName(3))
			tryMessage(t, l, registry.SubjectOf(change), marshal(t, signed))
			if _, err := l.State.Review(l.Next, signed); err != nil && len(err.Error()) > 8192 {
				t.Errorf("a review of %d bytes", len(err.Error()))
			}
		}
	})
}

func tryMessage(t *testing.T, l *Log, subject string, message []byte) {
	t.Helper()
	after, err := l.State.Apply(l.Next, subject, message)
	again, errAgain := l.State.Apply(l.Next, subject, message)
	switch {
	case (err == nil) != (errAgain == nil):
		t.Errorf("%v, then %v", err, errAgain)
	case err != nil && (after != l.State || len(err.Error()) > 4096):
		t.Errorf("refused with %d bytes, state kept: %t", len(err.Error()), after == l.State)
	case err != nil:
		return
	}
	if len(after.Overview().Facts()) != len(again.Overview().Facts()) {
		t.Error("two folds of one message differ")
	}
	policies, err := after.Policies()
	if err != nil || policies.Validate() != nil {
		t.Errorf("policies: %v, %v", err, policies.Validate())
	}
	if _, err := after.Apply(l.Next+1, subject, message); !errors.Is(err, registry.ErrApplied) {
		t.Errorf("applied twice: %v", err)
	}
}
