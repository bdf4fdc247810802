package registry_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// The broker issues a user's credentials anew for each key that was ended. What was
// issued before a country left must open nothing when it is back with new keys.
func TestReturnEndsCredentialsFromBefore(t *testing.T) {
	l := NewLog(t)
	l.Apply(t, AmendCharter(2, 2), "root XA", "root XB", "root XC")
	l.Apply(t, RevokeKey(AgencyOwner("XC", "border"), 0), "root XC")
	l.Apply(t, Leave("XC"), "root XC")
	back := proto.Clone(Admit("XC")).(*registryv1.Update)
	member := back.GetMemberAdmitted().GetMember()
	member.RootKey, member.MirrorKey = Public("root again"), Public("mirror again")
	update, err := l.State.Propose(back, l.Next+10)
	if err != nil {
		t.Fatal(err)
	}
	signed := SignUpdate(t, update, "root XA", "root XB", "mirror again")
	consent := SignUpdate(t, update, "root again").GetSignatures()[0]
	consent.Country = "XC"
	signed.Signatures = append(signed.Signatures, consent)
	message, err := proto.Marshal(signed)
	if err != nil {
		t.Fatal(err)
	}
	l.Take(t, "reg.member.admitted", message)
	if m, _ := l.State.Member("XC"); m.MirrorsRevoked != 1 {
		t.Errorf("%d mirrors ended, want 1", m.MirrorsRevoked)
	}
	for _, agency := range []string{"police", "border"} { // one had its key to the end
		if a, _ := l.State.Agency("XC", agency); a.KeysRevoked != 1 {
			t.Errorf("%s: %d keys ended, want 1", agency, a.KeysRevoked)
		}
	}
}
