package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/view"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// indexOf is the log index of the newest event of a kind by country.agency.
func (v *memoryView) indexOf(by, kind string) uint64 {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := len(v.entries) - 1; i >= 0; i-- {
		if e := v.entries[i]; e.Country+"."+e.Agency == by && e.Kind == kind {
			return e.Index
		}
	}
	v.t.Fatalf("%s said no %s", by, kind)
	return 0
}

// An event leads to what became of it, and what became of it leads to the event.
func TestEventsAndDecisionsLeadToEachOther(t *testing.T) {
	v := controlled(february(newMemoryView(t)))
	b := signIn(t, open(t, v, nil), "officer")
	recalled, erased, recall, receipt := uint64(23), uint64(24), v.indexOf("TH.police", "control.recalled"), v.indexOf("MM.protection", "control.receipt")
	erasure, review := v.indexOf("TH.police", "control.erased"), v.indexOf("TH.police", "control.reviewed")
	for _, test := range []struct {
		at    uint64
		links []uint64
		says  []string
	}{
		{recalled, nil, []string{"What became of it", "Its agency has recalled it: Recall R-1", "the wrong person", "CN: late by 3 days", "MM: confirmed"}},
		{erased, []uint64{erasure}, []string{"has erased the keys", "asked for by the person"}},
		{recall, []uint64{recalled}, []string{"What it is about Events #23", "Recall R-1", "the wrong person"}},
		{receipt, []uint64{recalled}, []string{"Events #23", "Recall R-1", "2025-02-27 08:00:00 UTC", "Files 2"}},
		{erasure, []uint64{erased}, []string{"Events #24", "asked for by the person"}},
		{review, []uint64{26}, []string{"Events #26", "Next review 2025-04-01"}},
		{26, []uint64{review}, []string{"Next review: 2025-04-01"}},
	} {
		page := b.get(fmt.Sprintf("/events/%d", test.at))
		for _, link := range test.links {
			if !strings.Contains(page, fmt.Sprintf(`href="/events/%d"`, link)) {
				t.Errorf("#%d does not lead to #%d", test.at, link)
			}
		}
		for _, want := range test.says {
			if !strings.Contains(plainText(page), want) {
				t.Errorf("#%d does not say %q: %s", test.at, want, plainText(page))
			}
		}
	}
	sealed := signIn(t, open(t, v, nil), "protection", inProtection)
	for _, at := range []uint64{recalled, erased, recall, erasure} {
		if page := plainText(sealed.get(fmt.Sprintf("/events/%d", at))); strings.Contains(page, "became") || strings.Contains(page, "is about") || strings.Contains(page, caseText) {
			t.Errorf("who does not work in the case reads of #%d: %s", at, page)
		}
	}
}

// enveloped is an event of an identifier, in clear.
func enveloped(t testing.TB, chain event.Chain, text string) []byte {
	t.Helper()
	key, err := event.NewSigningKey(seededKey(7))
	if err != nil {
		t.Fatal(err)
	}
	id, err := event.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	signed, _, err := event.SignBatch(key, chain, event.Head{}, event.Seen{}, []event.Draft{{
		ID: id, Kind: "person.reported", Retention: "case", Recorded: noon,
		Sections: []event.Section{{Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: []byte("content")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return signed[0].Data
}

// A release leads to what it released where that is at this desk, and nowhere else. The page
// of what was released says who did it, what is open, and what this desk cannot know.
func TestReleasedEvents(t *testing.T) {
	v := controlled(february(newMemoryView(t)))
	b := signIn(t, open(t, v, nil), "officer")
	notice := v.indexOf("TH.police", "control.released")
	said := fmt.Sprintf("/events/%d", v.entries[25].Index)
	for _, path := range []string{"/protection/releases", fmt.Sprintf("/events/%d", notice)} {
		page := b.get(path)
		if !strings.Contains(plainText(page), "#25 not at this desk") || strings.Contains(page, `href="`+said+`"`) {
			t.Errorf("%s leads to what is not here: %s", path, plainText(page))
		}
	}

	v.mu.Lock()
	released := v.told("MM.police", "person.reported")
	released.Audience, released.Members = "cn-mm", []string{"CN", "MM"}
	released.Case = &caseworkv1.CaseSection{Marking: marking("anti-trafficking"), Occurred: "2025-03-03", Content: &caseworkv1.CaseSection_PersonReported{
		PersonReported: &caseworkv1.PersonReported{PersonId: "P-released"}}}
	released.Closed = []casework.Closed{{Compartment: inIdentity, Reason: "not-granted"}}
	at := v.hear(released)
	envelope := enveloped(v.t, event.Chain{Country: "MM", Agency: "police", Audience: "cn-mm"}, released.EventID)
	v.mu.Unlock()
	notice = v.say("MM.police", &caseworkv1.CaseSection{Occurred: "2025-03-03", Content: &caseworkv1.CaseSection_ControlReleased{ControlReleased: &caseworkv1.ControlReleased{
		To: "TH", Index: at, Subject: "evt.cn-mm.MM.police.person.reported", Envelope: envelope, RecordDigest: make([]byte, 32), Compartments: []eventv1.Compartment{eventv1.Compartment_COMPARTMENT_CASE}}}})
	v.mu.Lock()
	v.entries[at].Released, v.entries[at].Counter, v.entries[at].Audience = notice, 0, "cn-mm"
	v.mu.Unlock()

	page := b.get(fmt.Sprintf("/events/%d", at))
	for _, want := range []string{
		fmt.Sprintf("not said to this country. MM police released sections of it to this country: #%d", notice), "case: open", "identity sealed: its agency gave this country no key for it",
		"not known here: only readers of cn-mm", "cannot be checked here", fmt.Sprintf("#%d Its agency released it to TH: case.", notice),
	} {
		if !strings.Contains(plainText(page), want) {
			t.Errorf("the released event's page does not say %q: %s", want, plainText(page))
		}
	}
	if strings.Contains(plainText(page), "Number in its chain 0") {
		t.Error("a place in a chain is made up")
	}
	for _, path := range []string{"/protection/releases", fmt.Sprintf("/events/%d", notice)} {
		if page := b.get(path); !strings.Contains(page, fmt.Sprintf(`href="/events/%d"`, at)) {
			t.Errorf("%s does not lead to what it released: %s", path, plainText(page))
		}
	}
	if page := plainText(b.get("/protection/releases")); !strings.Contains(page, "MM police TH case person reported") {
		t.Errorf("the list does not say of which kind it is: %s", page)
	}
}

// An erasure, and a recall, of a released event is said in each audience. Pages have it once, and lead to each.
func TestWhatIsSaidToEachAudienceIsShownOnce(t *testing.T) {
	v := controlled(february(newMemoryView(t)))
	first := v.indexOf("TH.police", "control.erased")
	again := v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-03-03", Content: &caseworkv1.CaseSection_ControlErased{ControlErased: &caseworkv1.ControlErased{
		Reason: "asked for by the person " + caseText, Erasures: []*caseworkv1.Erasure{{EventId: idAt(24), Batch: make([]byte, 32), Revision: 3, RecordDigest: make([]byte, 32)}}}}})
	recalled := v.indexOf("TH.police", "control.recalled")
	recall := v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-03-03", Content: &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
		RecallId: "R-1", EventIds: []string{idAt(23)}, Reason: "the wrong person " + caseText, Deadline: "2025-02-28T12:00:00Z"}}})
	b := signIn(t, open(t, v, nil), "officer")
	for path, want := range map[string][2]uint64{
		"/protection/erasures": {first, again}, "/events/24": {first, again}, "/protection/recalls/TH.police.R-1": {recalled, recall},
	} {
		page := b.get(path)
		for _, at := range want {
			if !strings.Contains(page, fmt.Sprintf(`href="/events/%d"`, at)) {
				t.Errorf("%s does not lead to #%d", path, at)
			}
		}
		if times := strings.Count(page, "asked for by the person") + strings.Count(page, "the wrong person"); times != 1 {
			t.Errorf("%s says the reason %d times: %s", path, times, plainText(page))
		}
	}
}

// Sections that nothing tells apart are shown together, with their number; those with another reason by themselves.
func TestSectionsThatNothingTellsApart(t *testing.T) {
	c := open(t, newMemoryView(t), nil)
	e := view.Entry{Closed: []casework.Closed{{Reason: "erased"}, {Reason: "not-granted"}, {Reason: "erased"}, {Compartment: inIdentity, Reason: "erased"}}}
	for _, test := range []struct {
		works []string
		want  string
	}{
		{[]string{inCase, inIdentity}, "identity sealed: its agency has erased the key|2 sealed parts: its agency has erased the key|a sealed part: its agency gave this country no key for it"},
		{[]string{inProtection}, "sealed for identity|3 parts sealed for others"},
	} {
		var got []string
		for _, s := range c.sections(e, session{compartments: test.works}) {
			got = append(got, s.Text)
		}
		if strings.Join(got, "|") != test.want {
			t.Errorf("who works in %v reads %q, want %q", test.works, got, test.want)
		}
	}
}
