package registry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

func address(t *testing.T, l *Log, audience string) string {
	t.Helper()
	a, ok := l.State.Audience(audience)
	if !ok {
		t.Fatalf("no audience %s", audience)
	}
	return a.Address()
}

func reads(t *testing.T, l *Log, want map[string][]string) {
	t.Helper()
	for country, addresses := range want {
		if diff := cmp.Diff(addresses, l.State.Reads(country)); diff != "" {
			t.Errorf("%s reads (-want +got):\n%s", country, diff)
		}
	}
}

// Who comes in reads from then on; who goes reads nothing more; who comes back
// reads nothing from before or between.
func TestCircles(t *testing.T) {
	l := NewLog(t)
	all := []string{"root XA", "root XB", "root XC"}
	reads(t, l, map[string][]string{"XA": {"pair", "region"}, "XC": {"region"}, "XD": nil})
	l.Apply(t, Admit("XD"), append(all, "root XD", "mirror XD")...)
	reads(t, l, map[string][]string{"XD": nil})
	l.Next = 30
	l.Apply(t, Join("region", "XD"), append(all, "root XD")...)
	if got := address(t, l, "region"); got != "region_30" {
		t.Errorf("address %s", got)
	}
	reads(t, l, map[string][]string{"XA": {"pair", "region", "region_30"}, "XC": {"region", "region_30"}, "XD": {"region_30"}})
	l.Apply(t, Quit("region", "XD"), "root XD")
	reads(t, l, map[string][]string{"XD": nil, "XC": {"region", "region_30"}})
	if got := address(t, l, "region"); got != "region_30" {
		t.Errorf("after a leave: address %s", got)
	}
	l.Next = 40
	l.Apply(t, Join("region", "XD"), append(all, "root XD")...)
	reads(t, l, map[string][]string{"XA": {"pair", "region", "region_30", "region_40"}, "XD": {"region_40"}})
	l.Apply(t, AmendCharter(2, 2), "root XA", "root XB", "root XC", "root XD")
	l.Apply(t, Suspend("XB"), "root XA", "root XC")
	reads(t, l, map[string][]string{"XB": nil, "XA": {"pair", "region", "region_30", "region_40"}})
	if a, _ := l.State.Audience("pair"); a.Has("XB") || !a.Has("XA") || a.Address() != "pair" {
		t.Errorf("pair has %v at %s", a.Members, a.Address())
	}
	l.Next = 50
	l.Apply(t, Reinstate("XB"), "root XA", "root XC")
	reads(t, l, map[string][]string{"XB": {"pair_50", "region_50"}, "XC": {"region", "region_30", "region_40", "region_50"}})
	l.Apply(t, Leave("XC"), "root XC")
	reads(t, l, map[string][]string{"XC": nil})
	if m, _ := l.State.Member("XC"); m.Status != registry.Left || m.Mirror != nil {
		t.Errorf("member XC: %+v", m)
	}
	if slices.Contains(l.State.Countries(), "XC") {
		t.Error("XC is still a member")
	}
}

// Whoever publishes names the newest circle: nobody reads what was not meant for it.
func TestOnlyTheNewestAddressIsOpen(t *testing.T) {
	l := NewLog(t)
	l.Apply(t, Admit("XD"), "root XA", "root XB", "root XC", "root XD", "mirror XD")
	l.Apply(t, Join("region", "XD"), "root XA", "root XB", "root XC", "root XD")
	for _, test := range []struct{ country, address, want string }{
		{"XA", "region_2", ""}, {"XD", "region_2", ""}, {"XA", "pair", ""},
		{"XA", "region", "those who read audience region now are region_2"},
		{"XA", "region_1", "somebody has come in since"}, {"XA", "region_3", "somebody has come in since"},
		{"XD", "pair", "not open to XD"}, {"XE", "region_2", "not open to XE"}, {"XA", "nowhere", "no audience"}, {"XA", "_2", "no audience"},
	} {
		_, err := l.State.Open(test.country, test.address)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s to %s: %v, want %q", test.country, test.address, err, test.want)
		}
	}
}

// An audience is its members' own: a majority cannot let anybody in, nor change what it is for.
func TestAudiencesAreTheirMembers(t *testing.T) {
	l := lenient(t)
	formed := l.Apply(t, Form("three", "XA", "XB"), "root XA", "root XB")
	if got := address(t, l, "three"); got != "three_"+string(rune('0'+formed)) {
		t.Errorf("address %s, formed at %d", got, formed)
	}
	refused(t, l, "not signed by XB", Form("four", "XA", "XB"), "root XA", "root XC")
	refused(t, l, "not signed by XA", Join("pair", "XC"), "root XB", "root XC")
	refused(t, l, "not signed by XC", Join("pair", "XC"), "root XA", "root XB")
	refused(t, l, "not signed by XB", AmendAudience("pair", "prosecution"), "root XA", "root XC")
	for what, change := range map[string]*registryv1.Update{
		"is in it already": Join("pair", "XA"), "no audience": Join("nowhere", "XA"), "is no member": Join("pair", "XD"),
		"is not in it": Quit("pair", "XC"), "stands twice": Form("pair", "XA"), "XA twice": Form("x", "XA", "XA"), "no members": Form("x"),
		"has no purpose": AmendAudience("pair"), "want the form": AmendAudience("pair", "two words"),
	} {
		unproposed(t, l, what, change)
	}
	l.Apply(t, Quit("pair", "XA"), "root XA")
	l.Apply(t, Quit("pair", "XB"), "root XB")
	unproposed(t, l, "nobody is in audience pair", Join("pair", "XA"))
}

// Members that go take what is theirs, and never the power to decide.
func TestMembersThatGo(t *testing.T) {
	l := NewLog(t) // takes all three roots
	l.Apply(t, Leave("XC"), "root XC")
	if threshold, _ := l.State.Terms(); threshold != 3 || l.State.Overview().Threshold != 2 {
		t.Errorf("a change takes %d of the charter's %d", l.State.Overview().Threshold, threshold)
	}
	refused(t, l, "not signed by XB", AmendRetention("case", 7), "root XA")
	l.Apply(t, AmendRetention("case", 7), "root XA", "root XB")
	l.Apply(t, Leave("XB"), "root XB")
	unproposed(t, l, "no active member would be left", Leave("XA"))
	unproposed(t, l, "nobody would be left to witness", RevokeKey(MirrorOwner("XA"), 0))
	// Back again, with new keys alone.
	unproposed(t, l, "is also that of", Admit("XB"))
	unproposed(t, l, "XB has left, at index 3", Enrol("XB", "navy"))
}

// Roots: by the one that was announced, or by the others.
func TestRoots(t *testing.T) {
	l := lenient(t)
	unproposed(t, l, "without a successor", RotateRoot("XA", "new"))
	refused(t, l, "not signed by XC: it takes the charter's threshold, without XA, and XB has signed", ReplaceRoot("XA", "second root"), "root XA", "root XB", "new second root")
	unproposed(t, NewLog(t), "takes 3 roots other than that of XA, and there are 2", ReplaceRoot("XA", "second root"))
	l.Apply(t, ReplaceRoot("XA", "second root"), "root XB", "root XC", "new second root")
	refused(t, l, "the signature of XA does not verify", Retire("XA", "police"), "root XA")
	l.Apply(t, RotateRoot("XA", "next second root"), "new next second root")
	update, err := l.State.Propose(Retire("XA", "police"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	signed := &registryv1.SignedUpdate{Update: update}
	if part, err := l.State.Sign(signed, Key("next second root")); err != nil || part.Root != "XA" {
		t.Fatalf("signed as %+v, %v", part, err)
	}
	if _, err := l.State.Sign(signed, Key("next second root")); err == nil {
		t.Error("signed twice")
	}
	if _, err := l.State.Sign(signed, Key("second root")); err == nil {
		t.Error("an old root signed")
	}
	l.Take(t, "reg.agency.retired", marshal(t, signed))
}

// A thief who has a key and its successor rotates as often as he likes: what the
// root signs meanwhile still applies.
func TestRotationsDoNotHoldUpTheRoot(t *testing.T) {
	l := lenient(t)
	owner := AgencyOwner("XA", "police")
	l.Apply(t, RevokeKey(owner, 0), "root XA")
	l.Apply(t, EnrolKey(owner, "key"), "root XA", "key")
	subject, revocation := l.Message(t, RevokeKey(owner, 0), "root XA")
	for range 3 {
		name := "next key"
		if key, _ := l.State.Agency("XA", "police"); key.Key == event.KeyIDOf(event.RolePublisher, Public("next key")) {
			name = "next next key"
		}
		if _, err := l.State.Propose(RotateKey(owner, name), 1000); err == nil {
			l.Apply(t, RotateKey(owner, name), name)
		}
	}
	l.Take(t, subject, revocation)
	if a, _ := l.State.Agency("XA", "police"); a.Key != (event.KeyID{}) {
		t.Error("the thief still has a valid key")
	}
}

// A mirror signs no events that could be doubted.
func TestMirrorIsNotDoubted(t *testing.T) {
	unproposed(t, lenient(t), "cannot be doubted", RevokeKey(MirrorOwner("XA"), 1))
}

// Whose signatures count for a checkpoint is a matter of its size.
func TestPoliciesBySize(t *testing.T) {
	l := lenient(t)
	l.Next = 20
	l.Apply(t, RevokeKey(MirrorOwner("XC"), 0), "root XC")
	l.Apply(t, Suspend("XB"), "root XA", "root XC")
	policies, err := l.State.Policies()
	if err != nil {
		t.Fatal(err)
	}
	if err := policies.Validate(); err != nil {
		t.Fatal(err)
	}
	for size, want := range map[uint64]int{1: 3, 20: 3, 21: 2, 22: 1, 1000: 1} {
		if policy := policies.At(size); len(policy.Mirrors) != want || policy.Quorum != min(2, want) {
			t.Errorf("size %d: %d mirrors, quorum %d", size, len(policy.Mirrors), policy.Quorum)
		}
	}
}
