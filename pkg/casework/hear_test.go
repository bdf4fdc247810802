package casework_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

var (
	recorded = time.Date(2025, 2, 12, 9, 30, 0, 5, time.UTC)

	report    = &caseworkv1.CaseSection{Occurred: "2025-02-12", Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"}}}
	persons   = &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{PersonId: "P-1", Name: "nobody"}}}
	screening = &caseworkv1.ProtectionSection{Screenings: []*caseworkv1.Screening{{PersonId: "P-1", Act: "recruitment"}}}
	sources   = &caseworkv1.IntelligenceSection{Text: "from a map"}
)

const (
	caseC         = eventv1.Compartment_COMPARTMENT_CASE
	identityC     = eventv1.Compartment_COMPARTMENT_IDENTITY
	protectionC   = eventv1.Compartment_COMPARTMENT_PROTECTION
	intelligenceC = eventv1.Compartment_COMPARTMENT_INTELLIGENCE
)

// verified makes an event of sections, through signing and verifying.
func verified(t testing.TB, sections ...event.Section) event.Verified {
	t.Helper()
	return verifiedTo(t, "region", sections...)
}

func verifiedTo(t testing.TB, address string, sections ...event.Section) event.Verified {
	t.Helper()
	key, err := event.NewSigningKey(registrytest.Key("publisher XA/police"))
	if err != nil {
		t.Fatal(err)
	}
	var parts []byte
	if slices.ContainsFunc(sections, func(s event.Section) bool { return s.Form == eventv1.SectionForm_SECTION_FORM_SEALED }) {
		parts = make([]byte, 32)
	}
	signed, _, err := event.SignBatch(key, event.Chain{Country: "XA", Agency: "police", Audience: address}, event.Head{}, event.Seen{}, []event.Draft{{
		ID: event.NextID(recorded, [10]byte{}, event.ID{}), Kind: "site.reported", Retention: "case", Recorded: recorded, Sections: sections, Parts: parts,
	}})
	if err != nil {
		t.Fatal(err)
	}
	u, err := event.Decode(signed[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	v, err := u.Verify(registrytest.Public("publisher XA/police"), nil, &event.Roots{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// open is a clear section with a message.
func open(t testing.TB, compartment eventv1.Compartment, message proto.Message) event.Section {
	t.Helper()
	content, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return raw(compartment, content)
}

func raw(compartment eventv1.Compartment, content []byte) event.Section {
	return event.Section{Compartment: compartment, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: content}
}

// sealed is a section that holds ciphertext, which here is a readable message:
// nobody may look.
func sealed(t testing.TB, compartment eventv1.Compartment, message proto.Message) event.Section {
	t.Helper()
	section := open(t, compartment, message)
	section.Compartment, section.Form, section.Commitment = 0, eventv1.SectionForm_SECTION_FORM_SEALED, make([]byte, 32)
	section.Commitment[0] = byte(compartment) // for the order
	return section
}

// closed are compartments for which a reader has no keys.
func closed(compartments ...string) (list []casework.Closed) {
	for _, compartment := range compartments {
		list = append(list, casework.Closed{Compartment: compartment, Reason: "no-private-key"})
	}
	return list
}

func TestHear(t *testing.T) {
	for name, test := range map[string]struct {
		sections []event.Section
		want     casework.Said // its sections alone
	}{
		"the case alone": {
			[]event.Section{open(t, caseC, report)},
			casework.Said{Case: report},
		},
		"every compartment": {
			[]event.Section{open(t, caseC, report), open(t, identityC, persons), open(t, protectionC, screening), open(t, intelligenceC, sources)},
			casework.Said{Case: report, Identity: persons, Protection: screening, Intelligence: sources},
		},
		"an empty section is there": {
			[]event.Section{raw(caseC, nil), raw(identityC, nil)},
			casework.Said{Case: &caseworkv1.CaseSection{}, Identity: &caseworkv1.IdentitySection{}},
		},
		"sealed ones are named and not read": {
			[]event.Section{open(t, caseC, report), sealed(t, identityC, persons), sealed(t, intelligenceC, sources)},
			casework.Said{Case: report, Closed: closed("", "")},
		},
		"all sealed": {
			[]event.Section{sealed(t, caseC, report), sealed(t, protectionC, screening)},
			casework.Said{Closed: closed("", "")},
		},
		"no messages": {
			[]event.Section{raw(caseC, []byte{0xff}), raw(identityC, []byte("\x0a\x7f")), open(t, protectionC, screening), raw(intelligenceC, []byte{0x0a, 1, 0xff})},
			casework.Said{Protection: screening, Unreadable: []string{"case", "identity", "intelligence"}},
		},
		"one sealed, one unreadable": {
			[]event.Section{raw(caseC, []byte{0xff}), sealed(t, identityC, persons)},
			casework.Said{Unreadable: []string{"case"}, Closed: closed("")},
		},
		"compartments of a later version": {
			[]event.Section{open(t, caseC, report), open(t, 98, sources), sealed(t, 99, sources)},
			casework.Said{Case: report, Closed: closed(""), Unreadable: []string{"98"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := verified(t, test.sections...)
			test.want.Index, test.want.EventID = 7, v.ID.String()
			test.want.Country, test.want.Agency, test.want.Audience = "XA", "police", "region"
			test.want.Kind, test.want.Retention, test.want.Recorded = "site.reported", "case", recorded
			test.want.Purposes, test.want.Classes = []string{"rescue"}, []string{"case", "notice"}
			test.want.Members = []string{"XA", "XB"}
			got := casework.Hear(7, v, casework.InClear(v), registry.Audience{
				ID: "region", Members: []string{"XA", "XB"}, Purposes: []string{"rescue"}, Retention: []string{"case", "notice"}})
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("Hear (-want +got):\n%s", diff)
			}
			if _, err := casework.Fold(&casework.Memory{}, got); err != nil {
				t.Errorf("Fold of what was heard: %v", err)
			}
		})
	}
}

// Who reads an audience changes, and with it the address. What was said to it stays together.
func TestHearNamesTheAudienceAndNotItsCircle(t *testing.T) {
	v := verifiedTo(t, "region_30", open(t, caseC, report))
	said := casework.Hear(31, v, casework.InClear(v), registry.Audience{ID: "region"})
	if said.Audience != "region" {
		t.Errorf("said to %q, want region", said.Audience)
	}
}

// What cannot be read is kept as nil, never as the half that could be: a name in
// it would surface as if the agency had said it.
func TestHearKeepsNoHalfOfASection(t *testing.T) {
	section := open(t, identityC, persons)
	section.Content = append(section.Content, 0xff)
	v := verified(t, open(t, caseC, report), section)
	said := casework.Hear(1, v, casework.InClear(v), registry.Audience{})
	if said.Identity != nil || len(said.Unreadable) != 1 {
		t.Errorf("of a broken section was heard %v, unreadable %v", said.Identity, said.Unreadable)
	}
	change, err := casework.Fold(&casework.Memory{}, said)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(change.Summary, "nobody") || !breached(change, casework.BreachUnreadable) {
		t.Errorf("the fold says %q with breaches %v", change.Summary, change.Breaches)
	}
}

func breached(c casework.Change, code string) bool {
	for _, b := range c.Breaches {
		if b.Code == code {
			return true
		}
	}
	return false
}

// FuzzHear: whatever an agency signs as content, hearing and folding it comes to an end.
func FuzzHear(f *testing.F) {
	for _, message := range []proto.Message{report, persons, screening, sources} {
		content, err := proto.Marshal(message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content, content)
	}
	f.Add([]byte{0xff}, []byte(nil))
	f.Fuzz(func(t *testing.T, first, other []byte) {
		if len(first)+len(other) > event.MaxMessage/2 {
			return
		}
		v := verified(t, raw(caseC, first), raw(identityC, other), raw(protectionC, other), raw(intelligenceC, other))
		said := casework.Hear(3, v, casework.InClear(v), registry.Audience{})
		if (said.Case == nil) != (len(said.Unreadable) > 0 && said.Unreadable[0] == "case") {
			t.Errorf("the case is %v and unreadable are %v", said.Case, said.Unreadable)
		}
		if len(said.Closed) > 0 {
			t.Errorf("clear sections are called closed: %v", said.Closed)
		}
		if _, err := casework.Fold(&casework.Memory{}, said); err != nil {
			t.Errorf("what was heard cannot be folded: %v", err)
		}
	})
}

// sectionsFrom makes of arbitrary bytes what a faulty or hostile reader might say that it
// opened: a compartment, whether it says why it is closed, and content, again and again.
func sectionsFrom(data []byte) (sections []casework.Opened) {
	for len(data) >= 3 {
		n := min(int(data[2]), len(data)-3)
		o := casework.Opened{Compartment: eventv1.Compartment(data[0]), Content: data[3 : 3+n]}
		if data[1]%2 == 1 {
			o.Closed = "reason"
		}
		sections, data = append(sections, o), data[3+n:]
	}
	return sections
}

// FuzzHearOpened: whatever a reader says that it opened, each section of the event is
// heard, closed or unreadable, once; what is closed is not heard; and folding comes to an end.
func FuzzHearOpened(f *testing.F) {
	content, err := proto.Marshal(report)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte{1, 0, byte(len(content))}, content...))
	f.Add(append([]byte{1, 1, byte(len(content))}, content...))
	f.Add([]byte{2, 1, 0, 2, 0, 0, 77, 0, 0})
	f.Add([]byte(nil))
	v := verified(f, open(f, protectionC, screening), sealed(f, caseC, report), sealed(f, identityC, persons), sealed(f, 99, sources))
	f.Fuzz(func(t *testing.T, data []byte) {
		sections := sectionsFrom(data)
		said := casework.Hear(3, v, sections, registry.Audience{})
		heard := 0
		for _, is := range []bool{said.Case != nil, said.Identity != nil, said.Protection != nil, said.Intelligence != nil} {
			if is {
				heard++
			}
		}
		if heard+len(said.Closed)+len(said.Unreadable) != 4 {
			t.Errorf("heard %d, closed %v, unreadable %v of 4 sections", heard, said.Closed, said.Unreadable)
		}
		opened := slices.ContainsFunc(sections[:min(len(sections), 4)], func(o casework.Opened) bool { return o.Compartment == caseC && o.Closed == "" })
		if said.Case != nil && !opened {
			t.Error("a case section was read that nobody opened")
		}
		if len(sections) == 0 && len(said.Closed) != 4 {
			t.Errorf("nothing was opened, and only %v are closed", said.Closed)
		}
		if _, err := casework.Fold(&casework.Memory{}, said); err != nil {
			t.Errorf("what was heard cannot be folded: %v", err)
		}
	})
}

// What a sealed section holds is read only as its reader opened it; a reason closes it
// whatever stands beside the reason.
func TestHearTakesWhatWasOpened(t *testing.T) {
	v := verified(t, open(t, protectionC, screening), sealed(t, caseC, report), sealed(t, identityC, persons))
	content := open(t, identityC, persons).Content
	recalled := casework.Opened{Compartment: protectionC, Closed: "recalled", Content: open(t, protectionC, screening).Content}
	opened := casework.Opened{Compartment: identityC, Content: content}
	for name, test := range map[string]struct {
		sections   []casework.Opened
		closed     []casework.Closed
		unreadable []string
	}{
		"nothing is said of the last": {[]casework.Opened{recalled, opened},
			[]casework.Closed{{Compartment: "", Reason: "no-record"}, {Compartment: "protection", Reason: "recalled"}}, nil},
		"one more than the event has": {[]casework.Opened{recalled, {Closed: "erased"}, opened, {Compartment: intelligenceC, Content: content}},
			[]casework.Closed{{Compartment: "", Reason: "erased"}, {Compartment: "protection", Reason: "recalled"}}, nil},
		"two of one compartment": {[]casework.Opened{recalled, opened, opened},
			[]casework.Closed{{Compartment: "protection", Reason: "recalled"}}, []string{"identity"}},
	} {
		said := casework.Hear(3, v, test.sections, registry.Audience{})
		if diff := cmp.Diff(test.closed, said.Closed); diff != "" {
			t.Errorf("%s: closed (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(test.unreadable, said.Unreadable); diff != "" {
			t.Errorf("%s: unreadable (-want +got):\n%s", name, diff)
		}
		if !proto.Equal(said.Identity, persons) || said.Case != nil || said.Protection != nil || said.Intelligence != nil {
			t.Errorf("%s: heard %+v", name, said)
		}
	}
}

func TestOpenNamesWhatTheReaderHas(t *testing.T) {
	for want, said := range map[string]casework.Said{
		"":                          {Closed: []casework.Closed{{Compartment: "case", Reason: "erased"}}},
		"case":                      {Case: &caseworkv1.CaseSection{}, Closed: []casework.Closed{{Compartment: "identity", Reason: "not-granted"}}},
		"identity,protection":       {Identity: &caseworkv1.IdentitySection{}, Protection: &caseworkv1.ProtectionSection{}},
		"case,intelligence":         {Case: &caseworkv1.CaseSection{}, Intelligence: &caseworkv1.IntelligenceSection{}},
		"case,compartment_99,other": {Case: &caseworkv1.CaseSection{}, Unreadable: []string{"other", "compartment_99", "case"}},
	} {
		if got := strings.Join(said.Open(), ","); got != want {
			t.Errorf("open: %q, want %q", got, want)
		}
	}
}
