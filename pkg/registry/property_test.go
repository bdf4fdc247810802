package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/paper"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// The world of the properties: three founders, two that may come, and what they can do.
var (
	someCountries = []string{"XA", "XB", "XC", "XD", "XE"}
	someAgencies  = []string{"police", "border", "navy"}
	someAudiences = []string{"region", "pair", "new"}
)

// aChange draws any change about anybody. serial makes keys that nobody had.
func aChange(t *rapid.T, serial int) *registryv1.Update {
	country := rapid.SampledFrom(someCountries).Draw(t, "country")
	agency := rapid.SampledFrom(someAgencies).Draw(t, "agency")
	audience := rapid.SampledFrom(someAudiences).Draw(t, "audience")
	owners := []*registryv1.KeyOwner{AgencyOwner(country, agency), MirrorOwner(country), DeskOwner(country, 2)}
	owner := rapid.SampledFrom(owners).Draw(t, "owner")
	fresh := fmt.Sprintf("key %d", serial)
	changes := []func() *registryv1.Update{
		func() *registryv1.Update { return Admit(country) },
		func() *registryv1.Update { return Suspend(country) },
		func() *registryv1.Update { return Reinstate(country) },
		func() *registryv1.Update { return Leave(country) },
		func() *registryv1.Update { return Enrol(country, agency) },
		func() *registryv1.Update { return Retire(country, agency) },
		func() *registryv1.Update { return EnrolKey(owner, fresh) },
		func() *registryv1.Update { return EnrolOpening(country, 2, fresh) },
		func() *registryv1.Update {
			return RotateOpening(country, 2, rapid.SampledFrom([]string{"next opening " + country + "/2", "next next opening " + country + "/2"}).Draw(t, "next"))
		},
		func() *registryv1.Update { return RevokeKey(owner, 0) },
		func() *registryv1.Update {
			return RotateKey(owner, rapid.SampledFrom(nextNames(country, agency, serial)).Draw(t, "next"))
		},
		func() *registryv1.Update { return RotateRoot(country, fresh) },
		func() *registryv1.Update { return ReplaceRoot(country, fresh) },
		func() *registryv1.Update { return Form(audience, country, "XA") },
		func() *registryv1.Update { return Join(audience, country) },
		func() *registryv1.Update { return Quit(audience, country) },
		func() *registryv1.Update { return AmendAudience(audience, "rescue", "prosecution") },
		func() *registryv1.Update {
			return AmendCharter(uint32(rapid.IntRange(1, 4).Draw(t, "threshold")), uint32(rapid.IntRange(1, 4).Draw(t, "quorum")))
		},
		func() *registryv1.Update { return AmendRetention("case", uint32(rapid.IntRange(1, 9).Draw(t, "days"))) },
	}
	return rapid.SampledFrom(changes).Draw(t, "change")()
}

// nextNames are keys that may have been announced as successors.
func nextNames(country, agency string, serial int) []string {
	names := []string{"next publisher " + country + "/" + agency, "next mirror " + country}
	for n := range serial {
		names = append(names, fmt.Sprintf("next key %d", n))
	}
	return names
}

// signedWith puts on an update every signature that these names can give, and
// that belongs on it.
func signedWith(t testing.TB, s registry.State, update []byte, names []string) *registryv1.SignedUpdate {
	t.Helper()
	signed := &registryv1.SignedUpdate{Update: update}
	for _, name := range names {
		_, _ = s.Sign(signed, Key(name)) // a key without a part in it signs nothing
	}
	return signed
}

// everyName are the keys of this world.
func everyName(serial int) []string {
	var names []string
	for _, country := range someCountries {
		names = append(names, "root "+country, "mirror "+country, "next mirror "+country)
		for _, agency := range someAgencies {
			names = append(names, "publisher "+country+"/"+agency, "next publisher "+country+"/"+agency)
		}
	}
	for n := range serial + 1 {
		names = append(names, fmt.Sprintf("key %d", n), fmt.Sprintf("next key %d", n))
	}
	return names
}

// Any sequence of messages, good and bad, gives every consumer the same state and
// the same reasons: one that folds them as they come, one that begins anew in the
// middle, and one that reads them from a file later; whatever lies between them.
func TestEveryConsumerHasTheSameState(t *testing.T) {
	applied := 0
	rapid.Check(t, func(rt *rapid.T) {
		l := NewLog(t)
		for serial := range rapid.IntRange(1, 25).Draw(rt, "updates") {
			l.Next += uint64(rapid.IntRange(0, 3).Draw(rt, "events between"))
			subject, message := aMessage(t, rt, l, serial)
			after, err := l.State.Apply(l.Next, subject, message)
			if err != nil && after != l.State {
				rt.Fatalf("a refused update changed the state: %v", err)
			}
			if err == nil {
				applied++
			}
			l.State = after
			l.Entries = append(l.Entries, &registryv1.Entry{Index: l.Next, Subject: subject, Message: message})
			l.Next++
		}
		book := &registryv1.Book{Entries: l.Entries}
		data, err := paper.Encode(book)
		if err != nil {
			rt.Fatal(err)
		}
		read, err := paper.OpenBook(data)
		if err != nil {
			rt.Fatal(err)
		}
		folded, _, err := paper.Fold(l.Charter.Digest, read, l.Next)
		if err != nil {
			rt.Fatal(err)
		}
		same(rt, l.State, folded)
		// One that stopped somewhere and goes on from what it had.
		stop := rapid.Uint64Range(1, l.Next).Draw(rt, "stop")
		half, _, err := paper.Fold(l.Charter.Digest, read, stop)
		if err != nil {
			rt.Fatal(err)
		}
		for _, entry := range l.Entries {
			if entry.GetIndex() >= stop {
				half, _ = half.Apply(entry.GetIndex(), entry.GetSubject(), entry.GetMessage())
			}
		}
		same(rt, l.State, half)
		sound(rt, l.State)
	})
	if applied == 0 {
		t.Error("no update ever applied: nothing was tried")
	}
}

// aMessage is a change signed by all who can, by some, again an old one, or one
// that was built before others.
func aMessage(t *testing.T, rt *rapid.T, l *Log, serial int) (subject string, message []byte) {
	if rapid.IntRange(0, 9).Draw(rt, "again") == 0 {
		entry := rapid.SampledFrom(l.Entries).Draw(rt, "entry")
		return entry.GetSubject(), entry.GetMessage()
	}
	change := aChange(rt, serial)
	update, err := l.State.Propose(change, l.Next+uint64(rapid.IntRange(0, 50).Draw(rt, "lasting")))
	if err != nil {
		return registry.SubjectOf(change), []byte("what could never apply")
	}
	names := everyName(serial)
	if rapid.IntRange(0, 3).Draw(rt, "some") == 0 {
		names = rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID[string]).Draw(rt, "signers")
	}
	message, err = proto.Marshal(signedWith(t, l.State, update, names))
	if err != nil {
		rt.Fatal(err)
	}
	return registry.SubjectOf(change), message
}

func same(t *rapid.T, want, got registry.State) {
	if diff := cmp.Diff(want.Overview(), got.Overview()); diff != "" {
		t.Fatalf("two consumers differ (-one +other):\n%s", diff)
	}
	one, err := want.Policies()
	other, otherErr := got.Policies()
	if diff := cmp.Diff(one, other); diff != "" || err != nil || otherErr != nil {
		t.Fatalf("two consumers' policies differ: %v, %v\n%s", err, otherErr, diff)
	}
}

// sound checks the invariants that hold in every state.
func sound(t *rapid.T, s registry.State) {
	policies, err := s.Policies()
	if err != nil || policies.Validate() != nil {
		t.Fatalf("policies: %v, %v", err, policies.Validate())
	}
	overview := s.Overview()
	if overview.Threshold < 1 || overview.Quorum < 1 {
		t.Fatalf("threshold %d, quorum %d", overview.Threshold, overview.Quorum)
	}
	for _, m := range s.Members() {
		if m.Status != registry.Active && len(s.Reads(m.Country)) > 0 {
			t.Fatalf("%s, which is %s, reads %v", m.Country, m.Status, s.Reads(m.Country))
		}
	}
	for _, a := range overview.Agencies {
		if m, _ := s.Member(a.Country); m.Status != registry.Active && len(a.To) > 0 {
			t.Fatalf("%s/%s of a member that is %s publishes to %v", a.Country, a.Agency, m.Status, a.To)
		}
	}
}

// Fewer roots than the threshold, with whatever else they have and in whatever
// sequence, change nothing in the charter, and nothing that is the others' own.
func TestFewerThanAThresholdChangeNothing(t *testing.T) {
	applied := 0
	rapid.Check(t, func(rt *rapid.T) {
		l := NewLog(t)
		threshold := uint32(rapid.IntRange(2, 3).Draw(rt, "threshold"))
		l.Apply(t, AmendCharter(threshold, 2), "root XA", "root XB", "root XC")
		founders := rapid.Permutation([]string{"XA", "XB", "XC"}).Draw(rt, "founders")
		coalition := founders[:rapid.IntRange(1, int(threshold)-1).Draw(rt, "coalition")]
		honest := founders[len(coalition):]
		before := l.State
		for serial := range rapid.IntRange(1, 20).Draw(rt, "attempts") {
			change := aChange(rt, serial)
			update, err := l.State.Propose(change, l.Next+10)
			if err != nil {
				continue
			}
			// All keys of all that are not honest, and of those yet to come.
			names := slices.DeleteFunc(everyName(serial), func(name string) bool {
				return slices.ContainsFunc(honest, func(c string) bool {
					return strings.HasPrefix(name, "root "+c) || strings.Contains(name, "mirror "+c) || strings.Contains(name, "publisher "+c)
				})
			})
			message, err := proto.Marshal(signedWith(t, l.State, update, names))
			if err != nil {
				rt.Fatal(err)
			}
			next, err := l.State.Apply(l.Next, registry.SubjectOf(change), message)
			if err == nil {
				applied++
			} else if lacking := (*registry.Unsigned)(nil); !errors.As(err, &lacking) {
				rt.Fatalf("refused for another reason: %v", err)
			}
			l.State, l.Next = next, l.Next+1
		}
		untouched(rt, before, l.State, honest)
	})
	if applied == 0 {
		t.Error("the coalition could change nothing at all, not even its own affairs: nothing was tried")
	}
}

// untouched compares what the coalition has no say in.
func untouched(t *rapid.T, before, after registry.State, honest []string) {
	threshold, quorum := before.Terms()
	if nowThreshold, nowQuorum := after.Terms(); nowThreshold != threshold || nowQuorum != quorum {
		t.Fatalf("threshold %d and quorum %d became %d and %d", threshold, quorum, nowThreshold, nowQuorum)
	}
	old, now := before.Overview(), after.Overview()
	if diff := cmp.Diff(old.Retention, now.Retention); diff != "" || old.Notary != now.Notary {
		t.Fatalf("retention or notary changed:\n%s", diff)
	}
	for _, m := range after.Members() {
		if _, was := before.Member(m.Country); !was {
			t.Fatalf("%s was admitted", m.Country)
		}
	}
	for _, country := range honest {
		was, _ := before.Member(country)
		is, _ := after.Member(country)
		if diff := cmp.Diff(was, is); diff != "" {
			t.Fatalf("member %s changed:\n%s", country, diff)
		}
		if diff := cmp.Diff(ofCountry(old, country), ofCountry(now, country)); diff != "" {
			t.Fatalf("the agencies of %s changed:\n%s", country, diff)
		}
		for _, id := range before.AudiencesOf(country) {
			was, _ := before.Audience(id)
			is, _ := after.Audience(id)
			for _, reader := range is.Members {
				if !was.Has(reader) {
					t.Fatalf("%s came into %s, where %s is", reader, id, country)
				}
			}
			if diff := cmp.Diff(was.Purposes, is.Purposes); diff != "" || !is.Has(country) {
				t.Fatalf("audience %s, in which %s is, changed:\n%s", id, country, diff)
			}
		}
	}
}

// ofCountry are a country's agencies with their keys. Where they may publish
// depends on the audiences, which others may leave.
func ofCountry(o registry.Overview, country string) []registry.AgencyView {
	var own []registry.AgencyView
	for _, a := range o.Agencies {
		if a.Country == country {
			a.To, a.Why = nil, ""
			own = append(own, a)
		}
	}
	return own
}
