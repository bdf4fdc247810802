package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// protectionPages are those under /protection, in a view of controlled.
var protectionPages = []string{
	"/protection", "/protection?of=all", "/protection/recalls", "/protection/recalls/TH.police.R-1", "/protection/recalls/MM.police.R-2",
	"/protection/erasures", "/protection/releases", "/protection/records", "/protection/exports",
}

// ring is what a key ring has noted.
type ring struct {
	refusals []Refusal
	exports  []Export
	owed     []Owed
	err      error
}

func (r *ring) Refusals(context.Context) ([]Refusal, error) { return r.refusals, r.err }
func (r *ring) Exports(context.Context) ([]Export, error)   { return r.exports, r.err }
func (r *ring) Owed(context.Context) ([]Owed, error)        { return r.owed, r.err }

// controlled says events of control: a review that is overdue, one that is due and one that is
// coming; a recall of TH which MM has confirmed and CN has not; one of MM, which this desk owes an
// answer; an erasure, and a release. Reasons are content.
func controlled(v *memoryView) *memoryView {
	about := func(by string, content *caseworkv1.CaseSection) uint64 {
		content.Occurred = "2025-03-03"
		return v.say(by, content)
	}
	first := report(v, "TH")
	var said []uint64
	for range 3 {
		said = append(said, report(v, "TH"))
	}
	theirs := report(v, "MM")
	for i, date := range []string{"2025-03-01", "2025-03-03", "2025-04-01"} {
		about("TH.police", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReviewed{ControlReviewed: &caseworkv1.ControlReviewed{
			EventIds: []string{idAt(said[i])}, ReviewDate: date, Reason: caseText}}})
	}
	about("MM.police", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReviewed{ControlReviewed: &caseworkv1.ControlReviewed{
		EventIds: []string{idAt(theirs)}, ReviewDate: "2025-02-20", Reason: caseText}}})
	about("TH.police", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
		RecallId: "R-1", EventIds: []string{idAt(first)}, Reason: "the wrong person " + caseText, Deadline: "2025-02-28T12:00:00Z"}}})
	about("MM.protection", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReceipt{ControlReceipt: &caseworkv1.ControlReceipt{
		RecallId: "R-1", EventIds: []string{idAt(first)}, Destroyed: "2025-02-27T08:00:00Z", Exports: 2, Country: "TH", Agency: "police"}}})
	about("MM.police", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
		RecallId: "R-2", EventIds: []string{idAt(theirs)}, Reason: caseText, Deadline: "2025-03-10T12:00:00Z"}}})
	about("TH.police", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlErased{ControlErased: &caseworkv1.ControlErased{
		Reason: "asked for by the person " + caseText, Erasures: []*caseworkv1.Erasure{{EventId: idAt(said[0]), Batch: make([]byte, 32), Revision: 2, RecordDigest: make([]byte, 32)}}}}})
	envelope := inForm(v.t, eventv1.SectionForm_SECTION_FORM_SEALED)
	unverified, err := event.Decode(envelope)
	if err != nil {
		v.t.Fatal(err)
	}
	about("TH.police", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReleased{ControlReleased: &caseworkv1.ControlReleased{
		To: "CN", Index: said[1], Subject: unverified.Claims().Subject(), Envelope: envelope, RecordDigest: make([]byte, 32),
		Compartments: []eventv1.Compartment{eventv1.Compartment_COMPARTMENT_IDENTITY}}}})
	v.ring = &ring{
		refusals: []Refusal{{noon.Add(-time.Hour), "key.border.MM.police.00112233445566778899aabbccddeeff", "conflicting-record", strings.Repeat("ab", 32)},
			{noon, "key.border.CN.police.ffeeddccbbaa99887766554433221100 " + hostile, "not-originator", strings.Repeat("cd", 32)}},
		exports: []Export{{noon.Add(-2 * time.Hour), "officer-7 " + hostile, "evidence", []string{idAt(first), idAt(theirs), "nothing here"}}},
		owed:    []Owed{{Country: "MM", Agency: "police", Recall: "R-2", Destroyed: noon.Add(-time.Minute)}},
	}
	return v
}

func TestProtectionPagesSayWhatBecame(t *testing.T) {
	c := open(t, controlled(february(newMemoryView(t))), nil)
	b := signIn(t, c, "protection")
	for path, wants := range map[string][]string{
		"/protection": {"Overdue 0 Due today 1 Coming 1", "2025-03-03 due today", "2025-04-01 coming", "TH police", "reviewed before: 1",
			"Recalls that wait for an answer", "Recall R-1 TH police Answers are due by 2025-02-28 12:00:00 UTC. CN: late by 3 days MM: confirmed", "Recall R-2 MM police"},
		"/protection?of=all": {"Overdue 0 Due today 1 Coming 1", "Show only TH"},
		"/protection/recalls": {"Recall R-1", "TH police Events: 1. Answers are due by 2025-02-28 12:00:00 UTC.", "the wrong person", "CN: late by 3 days", "MM: confirmed",
			"Recall R-2", "CN: still has 7 days", "TH: still has 7 days", "This desk has destroyed it (2025-03-03 11:59:00 UTC). Its receipt waits"},
		"/protection/recalls/TH.police.R-1": {"CN late by 3 days not said", "MM confirmed, late 2025-02-27 08:00:00 UTC 2", "#23", "protection", "the wrong person"},
		"/protection/recalls/MM.police.R-2": {"waiting has 7 days left", "Its receipt waits"},
		"/protection/erasures":              {"TH police", "asked for by the person", "#24"},
		"/protection/releases":              {"TH police CN identity person reported", "#25"},
		"/protection/records":               {"not used", "It has the same number as another record", "It is not signed by the agency", "key.border.MM.police.0011", "newest 2 of 2"},
		"/protection/exports":               {"officer-7", "evidence", "#23", "#27", "nothing here"},
	} {
		text := plainText(b.get(path))
		for _, want := range wants {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
				t.Errorf("%s does not say %q:\n%s", path, want, text)
			}
		}
	}
	if page := b.get("/protection/records"); strings.Index(page, "not signed by") > strings.Index(page, "the same number") {
		t.Error("the newest refused record is not the first")
	}
}

// An answer that came late says so, and one that names fewer events than were recalled too. What a
// publisher says against this desk's own answer is shown in its words.
func TestAnswersThatAreLateOrOfLess(t *testing.T) {
	v := controlled(february(newMemoryView(t)))
	said := func(by string, content *caseworkv1.CaseSection) {
		content.Occurred = "2025-03-03"
		v.say(by, content)
	}
	one, two := report(v, "TH"), report(v, "TH")
	said("TH.police", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
		RecallId: "R-7", EventIds: []string{idAt(one), idAt(two)}, Reason: "wrong", Deadline: "2025-02-28T12:00:00Z"}}})
	said("MM.protection", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReceipt{ControlReceipt: &caseworkv1.ControlReceipt{
		RecallId: "R-7", EventIds: []string{idAt(one)}, Destroyed: "2025-02-28T12:00:01Z", Country: "TH", Agency: "police"}}})
	said("CN.police", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReceipt{ControlReceipt: &caseworkv1.ControlReceipt{
		RecallId: "R-7", EventIds: []string{idAt(one), idAt(two)}, Destroyed: "2025-03-01T12:00:00Z", Country: "TH", Agency: "police"}}})
	v.ring.owed[0].Refused = "no purpose of this audience " + hostile
	b := signIn(t, open(t, v, nil), "protection")
	for path, wants := range map[string][]string{
		"/protection/recalls":               {"CN: confirmed, late", "MM: confirmed in part, late", "MM: confirmed ", "Its receipt was not taken: the publisher of this country says", "no purpose of this audience"},
		"/protection/recalls/TH.police.R-7": {"MM confirmed in part, late names 1 of 2", "CN confirmed, late 2025-03-01"},
		"/protection/recalls/MM.police.R-2": {"Its receipt was not taken"},
	} {
		text := plainText(b.get(path))
		for _, want := range wants {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
				t.Errorf("%s does not say %q:\n%s", path, want, text)
			}
		}
		if strings.Contains(text, "Its receipt waits") {
			t.Errorf("%s says that the receipt waits", path)
		}
	}
}

func TestProtectionPagesOfAnEmptyDesk(t *testing.T) {
	v := newMemoryView(t)
	b := signIn(t, open(t, v, nil), "protection")
	for path, want := range map[string]string{
		"/protection": "No event waits", "/protection/recalls": "Nothing has been recalled", "/protection/erasures": "Nothing has been erased",
		"/protection/releases": "Nothing has been released", "/protection/records": "has used every key record", "/protection/exports": "No file has been made",
	} {
		if text := plainText(b.get(path)); !strings.Contains(text, want) {
			t.Errorf("%s does not say %q: %s", path, want, text)
		}
	}
	for _, path := range []string{"/protection/recalls/none", "/protection/recalls?from=x", "/protection?after=x", "/protection?after=2025-01-01.x", "/protection/none"} {
		if code := b.do("GET", path).Code; code != http.StatusNotFound {
			t.Errorf("GET %s: status %d", path, code)
		}
	}
	v.ring = &ring{err: errors.New("the disk is gone")}
	for _, path := range []string{"/protection/records", "/protection/exports", "/protection/recalls"} {
		if answer := b.do("GET", path); answer.Code != http.StatusInternalServerError || strings.Contains(answer.Body.String(), "disk") {
			t.Errorf("GET %s of a ring that cannot be read: status %d", path, answer.Code)
		}
	}
}

// The calendar and lists lead to each row once, however many there are and how many of one event.
func TestProtectionPagesGoOnWhereTheyStopped(t *testing.T) {
	v := newMemoryView(t)
	const many = 2*rowsOnPage + 7
	var ids []string
	for range many {
		ids = append(ids, idAt(report(v, "TH")))
	}
	v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-03-03", Content: &caseworkv1.CaseSection_ControlReviewed{ControlReviewed: &caseworkv1.ControlReviewed{
		EventIds: ids, ReviewDate: "2025-05-01", Reason: "all together"}}})
	rows := func(b *browser, path string) map[string]int {
		seen := map[string]int{}
		for path != "" {
			page := b.get(path)
			_, table, _ := strings.Cut(page, "<main")
			for at := range many {
				seen[fmt.Sprint(at+1)] += strings.Count(table, fmt.Sprintf(`href="/events/%d"`, at+1))
			}
			_, rest, ok := strings.Cut(table, `<p class="more"><a href="`)
			path = ""
			if ok {
				path, _, _ = strings.Cut(rest, `"`)
			}
		}
		return seen
	}
	b := signIn(t, open(t, v, nil), "protection")
	for at, times := range rows(b, "/protection") {
		if times != 1 {
			t.Errorf("event %s is in the calendar %d times", at, times)
		}
	}
	var erased []*caseworkv1.Erasure
	for _, id := range ids {
		erased = append(erased, &caseworkv1.Erasure{EventId: id, Batch: make([]byte, 32), Revision: 2, RecordDigest: make([]byte, 32)})
	}
	v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-03-03", Content: &caseworkv1.CaseSection_ControlErased{ControlErased: &caseworkv1.ControlErased{Reason: "all", Erasures: erased}}})
	for at, times := range rows(b, "/protection/erasures") {
		if times != 1 {
			t.Errorf("event %s is among the erasures %d times", at, times)
		}
	}
	if text := plainText(b.get("/protection")); !strings.Contains(text, "No event waits") {
		t.Errorf("erased events wait for a review: %s", text)
	}
}

func TestSpans(t *testing.T) {
	texts := english(t)
	for d, want := range map[time.Duration]string{
		0: "0 minutes", 119 * time.Minute: "119 minutes", 2 * time.Hour: "2 hours", 47 * time.Hour: "47 hours", 48 * time.Hour: "2 days", -80 * time.Hour: "3 days",
	} {
		if got := texts.span(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
