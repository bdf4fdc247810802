package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// A list of names is compared with itself before any signature is looked at, so
// that an unsigned update of 256 KB with tens of thousands of purposes held up
// every reader for most of a second.
func TestNamesOfAnAudienceAreFew(t *testing.T) {
	l := NewLog(t)
	names := func(n int) []string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("purpose-%d", i))
		}
		return all
	}
	form := Form("many", "XA", "XB")
	form.GetAudienceFormed().Audience.Purposes = names(65)
	unproposed(t, l, "65 names, at most 64", form)
	unproposed(t, l, "65 names, at most 64", AmendAudience("pair", names(65)...))
	classes := Form("many", "XA", "XB")
	classes.GetAudienceFormed().Audience.RetentionClasses = names(65)
	unproposed(t, l, "65 names, at most 64", classes)
	form.GetAudienceFormed().Audience.Purposes = names(64)
	l.Apply(t, form, "root XA", "root XB")
}

// What anybody with a connection hands in is kept as the reason of a refusal and
// shown to people: it is neither long nor able to write other lines than its own.
func TestReasonsAreShortAndOnOneLine(t *testing.T) {
	l := NewLog(t)
	long := strings.Repeat("\x1b[2J\nindex 9  XA has signed\u202e", 4000)
	for name, change := range map[string]*registryv1.Update{
		"country":  RevokeKey(MirrorOwner(long), 0),
		"agency":   Retire("XA", long),
		"audience": Quit(long, "XA"),
		"member":   Suspend(long),
		"name":     {Change: &registryv1.Update_AgencyEnrolled{AgencyEnrolled: &registryv1.AgencyEnrolled{Agency: &registryv1.Agency{Country: "XA", Agency: "new", Name: long}}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, version := range []uint64{1, 2} {
				change.Version, change.Charter, change.LastIndex = version, l.Charter.Digest[:], 1000
				if version == 2 {
					change.Previous = l.Charter.Digest[:]
				}
				update, err := proto.Marshal(change)
				if err != nil {
					t.Fatal(err)
				}
				message, err := proto.Marshal(&registryv1.SignedUpdate{Update: update})
				if err != nil {
					t.Fatal(err)
				}
				_, err = l.State.Apply(1, registry.SubjectOf(change), message)
				if err == nil || len(err.Error()) > 1000 || strings.ContainsFunc(err.Error(), unseen) {
					t.Errorf("version %d: refused with %d bytes: %.200q", version, len(fmt.Sprint(err)), fmt.Sprint(err))
				}
			}
			for _, says := range l.State.Say(change) {
				if strings.ContainsFunc(says, unseen) {
					t.Errorf("says %.200q", says)
				}
			}
		})
	}
}

// unseen is a character that moves or hides what stands around it.
func unseen(r rune) bool { return unicode.IsControl(r) || r == '\u202e' }
