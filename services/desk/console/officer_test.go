package console

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/view"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// What sections say: each planted text is in one compartment alone.
const (
	caseText         = "PlantedInCase"
	identityText     = "PlantedInIdentity"
	protectionText   = "PlantedInProtection"
	intelligenceText = "PlantedInIntelligence"
)

var planted = map[string]string{inCase: caseText, inIdentity: identityText, inProtection: protectionText, inIntelligence: intelligenceText}

// person says something of an invented person in all four compartments.
func (v *memoryView) person(by string) casework.Said {
	told := v.told(by, "person.reported")
	mark := marking("anti-trafficking")
	mark.LegalBasis, mark.Offence, mark.HandlingText, mark.ReviewDate = caseText, caseText, caseText, "2025-03-01"
	told.Case = &caseworkv1.CaseSection{Marking: mark, Source: caseText, Note: caseText, Occurred: "2025-02-12T15:45:27+07:00",
		Content: &caseworkv1.CaseSection_PersonReported{PersonReported: &caseworkv1.PersonReported{
			PersonId: "P-" + caseText, Nationality: "KE", AgeBand: caseworkv1.AgeBand_AGE_BAND_CHILD, TransferId: "T-" + caseText}}}
	told.Identity = &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{
		PersonId: "P-" + caseText, Name: identityText + " (invented)", Transliteration: identityText, DateOfBirth: "1990-01-01"}}}
	told.Protection = &caseworkv1.ProtectionSection{Screenings: []*caseworkv1.Screening{{
		PersonId: "P-" + caseText, Act: protectionText, Means: protectionText, Purpose: protectionText}}}
	told.Intelligence = &caseworkv1.IntelligenceSection{Text: intelligenceText}
	return told
}

// sealedView has an event with content in all four compartments, one of which the desk
// can open the case section alone, and one of which it can open nothing.
func sealedView(t testing.TB) *memoryView {
	t.Helper()
	v := february(newMemoryView(t))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hear(v.person("TH.protection"))
	part := v.person("MM.police")
	part.Identity, part.Protection, part.Intelligence = nil, nil, nil
	part.Closed = []casework.Closed{{Compartment: inIdentity, Reason: "not-granted"}, {Compartment: inProtection, Reason: "erased"}, {Compartment: inIntelligence, Reason: "no-private-key"}}
	v.hear(part)
	none := v.told("MM.police", "person.reported")
	none.Closed = []casework.Closed{{Compartment: inCase, Reason: "recalled"}, {Compartment: inIdentity, Reason: "recalled"}}
	v.hear(none)
	wrong := v.told("MM.police", "person.reported") // broken in ways that quote it
	wrong.Case = &caseworkv1.CaseSection{Marking: marking(caseText), Occurred: caseText, Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: "S-" + caseText, Name: caseText}}}
	wrong.Retention, wrong.Classes = "other", []string{"case"}
	v.hear(wrong)
	return v
}

// crawl fetches every address that pages lead to, with what was answered.
func crawl(b *browser, from ...string) map[string]*httptest.ResponseRecorder {
	links := regexp.MustCompile(`(?:href|action)="(/[^"#]*)`)
	found := map[string]*httptest.ResponseRecorder{}
	for len(from) > 0 {
		path := strings.ReplaceAll(from[0], "&amp;", "&")
		from = from[1:]
		if found[path] != nil || strings.HasPrefix(path, "/feed/live") || strings.HasPrefix(path, "/sign-out") {
			continue
		}
		found[path] = b.do("GET", path)
		for _, link := range links.FindAllStringSubmatch(found[path].Body.String(), -1) {
			from = append(from, link[1])
		}
	}
	return found
}

// subsets are all sets of compartments but the empty one.
func subsets() [][]string {
	var all [][]string
	for set := 1; set < 1<<len(compartments); set++ {
		var one []string
		for i, compartment := range compartments {
			if set&(1<<i) != 0 {
				one = append(one, compartment)
			}
		}
		all = append(all, one)
	}
	return all
}

// everyEntity are addresses that somebody may try who has seen them elsewhere.
var everyEntity = []string{
	"/people/P-" + caseText, "/sites/S-" + caseText, "/transfers/T-" + caseText, "/transfers/T-2025-02-12", "/groups/G-7141", "/people/none",
	"/events/23", "/events/24", "/events/25", "/events/26",
}

// D05: an officer of one compartment asks for another's section, everywhere that the console answers.
func TestAdversary_D05_OfficerAsksForAnotherCompartment(t *testing.T) {
	v := controlled(sealedView(t))
	c := open(t, v, nil)
	for _, works := range subsets() {
		role := "officer"
		if slices.Contains(works, inProtection) {
			role = "protection"
		}
		t.Run(strings.Join(works, "+"), func(t *testing.T) {
			b := signIn(t, c, role, works...)
			answers := crawl(b, slices.Concat(everyPage, everyEntity, protectionPages)...)
			seen := map[string]bool{}
			check := func(at, answer string) {
				for compartment, text := range planted {
					if !strings.Contains(answer, text) {
						continue
					}
					seen[compartment] = true
					if !slices.Contains(works, compartment) {
						t.Errorf("%s shows what is sealed for %s", at, compartment)
					}
				}
			}
			for path, answer := range answers {
				whole := answer.Body.String()
				if strings.Contains(path, caseText) { // whoever asks has the address: the page must not add to it
					whole = strings.ReplaceAll(whole, strings.TrimPrefix(path, "/"), "")
				}
				check(path, fmt.Sprint(answer.Header())+whole)
				if answer.Code >= 500 {
					t.Errorf("%s: status %d", path, answer.Code)
				}
			}
			f := listen(t, c, b, "/feed/live", "")
			for range v.size() {
				check("the live feed", f.next().data)
			}
			f.stop()
			for _, compartment := range works {
				if !seen[compartment] {
					t.Errorf("nothing of %s is shown anywhere to who works there", compartment)
				}
			}
		})
	}
}

func TestWhoDoesNotWorkInTheCaseSeesWhoAndWhen(t *testing.T) {
	v := sealedView(t)
	c := open(t, v, nil)
	b := signIn(t, c, "protection", inProtection)
	for path, wants := range map[string][]string{
		"/":          {"Sealed for case.", "TH protection: sealed report", "sealed for case", "protection: open"},
		"/feed":      {"MM police: sealed report", "recorded 2025-03-03 12:23:00 UTC", "sealed for case", "sealed for identity", "protection sealed: its agency has erased the key", "TLP:AMBER", "bad signature"},
		"/events/23": {"sealed for case sealed for identity protection: open sealed for intelligence", protectionText, "TH protection", "Recorded 2025-03-03 12:23:00 UTC", "TLP:AMBER"},
		"/events/26": {"of retention class"},
		"/registry":  {"The registry"},
	} {
		text := plainText(b.get(path))
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", path, want, text)
			}
		}
		if strings.Contains(text, "15:45:27") || strings.Contains(text, "B2") || strings.Contains(text, "person reported") {
			t.Errorf("%s says when it happened, its grade or its kind, which the case section has: %s", path, text)
		}
	}
	for _, path := range []string{"/people/P-0001", "/people/none", "/people", "/feed?family=person", "/transfers/T-2025-02-12", "/sites/none", "/commitments"} {
		answer := b.do("GET", path)
		if text := plainText(answer.Body.String()); answer.Code != http.StatusForbidden || !strings.Contains(text, "Sealed for case") || strings.Contains(text, "P-0001") {
			t.Errorf("GET %s: status %d, %s", path, answer.Code, text)
		}
	}
	there, missing := b.do("GET", "/people/P-0001"), b.do("GET", "/people/none")
	if there.Body.String() != missing.Body.String() {
		t.Error("the refusal tells whether there is such a person")
	}
}

func TestPersonPageByRole(t *testing.T) {
	c := open(t, sealedView(t), nil)
	for role, want := range map[string]struct{ says, not []string }{
		"officer":      {[]string{"张伟民", "sealed for protection"}, []string{protectionText}},
		"supervisor":   {[]string{"张伟民", "sealed for protection"}, []string{protectionText}},
		"protection":   {[]string{"张伟民", "This desk holds no screening"}, []string{"sealed for protection"}},
		"intelligence": {[]string{"sealed for identity", "sealed for protection"}, []string{"张伟民"}},
		"auditor":      {[]string{"sealed for identity", "sealed for protection"}, []string{"张伟民"}},
	} {
		text := plainText(signIn(t, c, role).get("/people/P-0001"))
		for _, says := range want.says {
			if !strings.Contains(text, says) {
				t.Errorf("%s does not see %q: %s", role, says, text)
			}
		}
		for _, not := range want.not {
			if strings.Contains(text, not) {
				t.Errorf("%s sees %q", role, not)
			}
		}
	}
	text := plainText(signIn(t, c, "protection").get("/people/P-" + caseText))
	for _, want := range []string{"identity: open", "protection: open", "sealed for intelligence", "identity sealed: its agency gave this country no key for it", protectionText, "Act", "Means"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q: %s", want, text)
		}
	}
	officer := signIn(t, c, "officer")
	for path := range crawl(officer, everyPage...) {
		if path != "/people/P-0001" && !strings.HasPrefix(path, "/events/") && strings.Contains(officer.do("GET", path).Body.String(), "张伟民") {
			t.Errorf("%s names a person", path)
		}
	}
}

func TestEveryReasonHasItsSentence(t *testing.T) {
	texts := english(t)
	file, err := parser.ParseFile(token.NewFileSet(), "../../../pkg/seal/reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	reasons := []string{"recalled", view.Folding} // the desk's own
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok && fmt.Sprint(spec.Type) == "Reason" && len(spec.Values) == 1 {
			reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			reasons = append(reasons, reason)
		}
		return true
	})
	if len(reasons) < 15 {
		t.Fatalf("pkg/seal has the reasons %v: they are not read rightly here", reasons)
	}
	v := newMemoryView(t)
	for _, reason := range reasons {
		if texts["closed."+reason] == "" {
			t.Errorf("no sentence for %q", reason)
		}
		v.mu.Lock()
		told := v.told("MM.police", "person.reported")
		told.Closed = []casework.Closed{{Compartment: inCase, Reason: reason}}
		v.hear(told)
		v.mu.Unlock()
	}
	officer := signIn(t, open(t, v, nil), "officer")
	feed := plainText(officer.get("/feed"))
	for at, reason := range reasons {
		want := "case sealed: " + texts["closed."+reason]
		if page := plainText(officer.get(fmt.Sprintf("/events/%d", at+1))); !strings.Contains(feed, want) || !strings.Contains(page, want) {
			t.Errorf("feed or event page do not say %q: %s", want, page)
		}
	}
}

func TestOfficersAreChecked(t *testing.T) {
	c := open(t, newMemoryView(t), nil)
	for name, officer := range map[string]Officer{
		"no role": {}, "unknown role": {Role: "root", Compartments: []string{inCase}}, "no compartment": {Role: "officer"},
		"unknown compartment": {Role: "officer", Compartments: []string{inCase, "secrets"}}, "empty one": {Role: "officer", Compartments: []string{""}},
	} {
		if link, err := c.SignInLink(officer); err == nil || link != "" {
			t.Errorf("%s: link %q, error %v", name, link, err)
		}
	}
	for _, role := range slices.Collect(maps.Keys(usual)) {
		if _, err := OfficerOf(role); err != nil {
			t.Error(err)
		}
		if english(t)["role."+role] == "" {
			t.Errorf("no word for the role %q", role)
		}
	}
	mine := []string{inCase}
	link, err := c.SignInLink(Officer{"officer", mine})
	if err != nil {
		t.Fatal(err)
	}
	mine[0] = inProtection // the caller's slice is the caller's
	answer := httptest.NewRecorder()
	c.ServeHTTP(answer, httptest.NewRequest("GET", link, nil))
	b := &browser{t: t, console: c, cookie: answer.Result().Cookies()[0]}
	if text := plainText(b.get("/")); !strings.Contains(text, "officer: case Sign out") {
		t.Errorf("signed in: %s", text)
	}
}

// An alarm's evidence may be a whole event: it is for who works wherever it has something in clear.
func TestEvidenceByCompartment(t *testing.T) {
	v := alarmed(t)
	envelope := func(form eventv1.SectionForm) []byte { return inForm(t, form) }
	v.alarms[0].Code, v.alarms[0].Got = "dissent", envelope(eventv1.SectionForm_SECTION_FORM_CLEAR)
	v.alarms[1].Have = envelope(eventv1.SectionForm_SECTION_FORM_SEALED)
	c := open(t, v, nil)
	for role, want := range map[string]string{"officer": "404 200", "protection": "200 200", "auditor": "404 200", "intelligence": "404 200"} {
		b := signIn(t, c, role)
		if got := fmt.Sprintf("%d %d", b.do("GET", "/alarms/1/got").Code, b.do("GET", "/alarms/2/have").Code); got != want {
			t.Errorf("%s gets an event with identity and protection in clear, and a sealed one: %s, want %s", role, got, want)
		}
		if page := b.get("/alarms"); strings.Contains(page, "/alarms/1/got") != strings.HasPrefix(want, "200") {
			t.Errorf("%s: the page offers other files than there are", role)
		}
	}
}

// inForm is an event with an identity and a protection section in a form.
func inForm(t testing.TB, form eventv1.SectionForm) []byte {
	t.Helper()
	var parts []byte
	if form == eventv1.SectionForm_SECTION_FORM_SEALED {
		parts = make([]byte, 32)
	}
	section := func(compartment eventv1.Compartment) event.Section {
		s := event.Section{Compartment: compartment, Form: form, Content: []byte("content of a section")}
		if form == eventv1.SectionForm_SECTION_FORM_SEALED {
			s.Compartment, s.Commitment = 0, make([]byte, 32)
			s.Commitment[0] = byte(compartment)
		}
		return s
	}
	key, err := event.NewSigningKey(seededKey(7))
	if err != nil {
		t.Fatal(err)
	}
	signed, _, err := event.SignBatch(key, event.Chain{Country: "TH", Agency: "police", Audience: "border"}, event.Head{}, event.Seen{}, []event.Draft{{
		ID: event.NextID(noon, [10]byte{}, event.ID{}), Kind: "person.reported", Retention: "case", Recorded: noon,
		Sections: []event.Section{section(eventv1.Compartment_COMPARTMENT_IDENTITY), section(eventv1.Compartment_COMPARTMENT_PROTECTION)}, Parts: parts,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return signed[0].Data
}

func TestPagesThatAreFoldedAgainSaySo(t *testing.T) {
	v := february(newMemoryView(t))
	v.hidden = map[casework.Ref]bool{{Type: casework.TypePerson, ID: "P-0001"}: true}
	c := open(t, v, nil)
	answer := signIn(t, c, "officer").do("GET", "/people/P-0001")
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" || !strings.Contains(answer.Body.String(), "This page is being made again") {
		t.Errorf("status %d: %s", answer.Code, plainText(answer.Body.String()))
	}
	if code := signIn(t, c, "intelligence", inIntelligence).do("GET", "/people/P-0001").Code; code != http.StatusForbidden {
		t.Errorf("who does not work there learns that something was taken out: status %d", code)
	}
}

func closedFor(compartment, reason string) casework.Closed {
	return casework.Closed{Compartment: compartment, Reason: reason}
}
