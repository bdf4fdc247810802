package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// alarmed is a desk with three alarms: one of a fork that people have settled, one
// that ended by itself, and one that stands, with a message as its evidence.
func alarmed(t testing.TB) *memoryView {
	t.Helper()
	v := february(newMemoryView(t))
	v.alarms = []Alarm{
		{Number: 1, Raised: noon.Add(-48 * time.Hour), Code: "fork", Index: new(uint64(21)), What: "There are two signed roots for the log's first 22 events: somebody was shown another log.",
			Have: []byte("log.example\n22\nAAAA\n"), Got: []byte("log.example\n22\nBBBB\n"),
			Ended: &Ended{When: noon.Add(-24 * time.Hour), Person: "Head of desk, " + hostile, Reason: "the notary's operator has shown how it came about"}},
		{Number: 2, Raised: noon.Add(-time.Hour), Code: "withheld", Index: new(uint64(5)), What: "Event 5 of the log is for this country, and the hub has not delivered it.",
			Got: []byte("log.example\n6\nCCCC\n"), Ended: &Ended{When: noon, Reason: "The message has come."}},
		{Number: 3, Raised: noon, Code: "altered", Index: new(uint64(0)), What: "The log has another content for event 0 " + hostile,
			Have: []byte(hostile), Got: []byte("leaf 0")},
	}
	return v
}

func TestAlarmsShowWhatIsWrong(t *testing.T) {
	officer := signIn(t, open(t, alarmed(t), nil), "officer")
	page := plainText(officer.get("/alarms"))
	last := -1
	for _, want := range []string{
		"An event was altered stands", "Raised 2025-03-03 12:00:00 UTC", "3, altered", "Index in the log #0", "What to do now Do not act on this event", "What this desk holds file, bytes: ",
		"An event for this country is missing over", "How it ended 2025-03-03 12:00:00 UTC: The message has come.",
		"There are two versions of the log settled", "Index in the log #21", "settled by Head of desk,", "the notary's operator has shown",
	} {
		at := strings.Index(page, want)
		if at <= last {
			t.Errorf("%q is not there, or not in its place:\n%s", want, page)
		}
		last = at
	}
	for _, path := range everyPage {
		if page := officer.get(path); !strings.Contains(page, `role="alert"`) || !strings.Contains(page, `<a href="/alarms">What it means, and the evidence</a>`) {
			t.Errorf("%s does not say that an alarm stands", path)
		} else if strings.Contains(page, "<script>alert(1)") || strings.ContainsAny(page, "\u202E\x1b") {
			t.Errorf("%s holds hostile text as it came", path)
		}
	}
	v := alarmed(t)
	v.alarms = v.alarms[:2]
	officer = signIn(t, open(t, v, nil), "officer")
	if page := officer.get("/alarms"); strings.Contains(page, `role="alert"`) || !strings.Contains(page, "None of these stands now.") {
		t.Error("alarms that have ended are shown as if one stood")
	}
	if page := signIn(t, open(t, newMemoryView(t), nil), "officer").get("/alarms"); !strings.Contains(page, "has never raised an alarm") {
		t.Error("a desk without alarms does not say so")
	}
}

func TestEvidenceIsAFileForThoseWhoMayHaveIt(t *testing.T) {
	v := alarmed(t)
	c := open(t, v, nil)
	officer, auditor, stranger := signIn(t, c, "officer"), signIn(t, c, "auditor"), &browser{t: t, console: c}
	for _, side := range []struct {
		path string
		want []byte
	}{{"/alarms/3/have", v.alarms[2].Have}, {"/alarms/3/got", v.alarms[2].Got}, {"/alarms/1/have", v.alarms[0].Have}} {
		answer := officer.do("GET", side.path)
		header := answer.Header()
		if answer.Code != http.StatusOK || answer.Body.String() != string(side.want) {
			t.Errorf("%s: status %d, %d bytes, want the exact %d", side.path, answer.Code, answer.Body.Len(), len(side.want))
		}
		if header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(header.Get("Content-Disposition"), `attachment; filename="alarm-TH-`) ||
			header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: a browser may show it: %v", side.path, header)
		}
		if answer := stranger.do("GET", side.path); answer.Code != http.StatusUnauthorized || strings.Contains(answer.Body.String(), "log.example") {
			t.Errorf("%s: a stranger gets status %d", side.path, answer.Code)
		}
	}
	// A note is for whoever is signed in, a message is not.
	if answer := auditor.do("GET", "/alarms/1/got"); answer.Code != http.StatusOK {
		t.Errorf("an auditor gets a note with status %d", answer.Code)
	}
	if answer := auditor.do("GET", "/alarms/3/have"); answer.Code != http.StatusNotFound || answer.Header().Get("Content-Disposition") != "" {
		t.Errorf("an auditor gets a message with status %d", answer.Code)
	}
	if page := auditor.get("/alarms"); strings.Contains(page, "/alarms/3/") || !strings.Contains(page, "/alarms/1/got") {
		t.Error("an auditor is offered what it may not have, or not what it may")
	}
	for _, path := range []string{"/alarms/2/have", "/alarms/4/have", "/alarms/0/got", "/alarms/x/got", "/alarms/-1/have", "/alarms/3/both", "/alarms/3", "/alarms?before=x"} {
		if answer := officer.do("GET", path); answer.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, answer.Code)
		}
	}
}

func TestManyAlarmsGoOnWhereThePageEnds(t *testing.T) {
	v := newMemoryView(t)
	for i := range int64(2*alarmsOnPage + 3) {
		v.alarms = append(v.alarms, Alarm{Number: i + 1, Raised: noon, Code: "withheld", What: fmt.Sprintf("Event %d.", i), Ended: &Ended{When: noon, Reason: "The message has come."}})
	}
	officer := signIn(t, open(t, v, nil), "officer")
	seen := 0
	for path := "/alarms"; path != ""; {
		page := officer.get(path)
		seen += strings.Count(page, `id="alarm-`)
		_, rest, _ := strings.Cut(page, `href="/alarms?before=`)
		number, _, ok := strings.Cut(rest, `"`)
		path = ""
		if ok {
			path = "/alarms?before=" + number
		}
	}
	if seen != len(v.alarms) {
		t.Errorf("%d of %d alarms are shown", seen, len(v.alarms))
	}
}
