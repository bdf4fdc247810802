package console

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// hostile is text that tries to be markup, script, an attribute, and to turn
// the line around. A publisher that checks nothing can put it on the stream.
const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{.}}\u202E\u2066\u2028\x00\x1b end"

// everythingHostile says hostile text in every field that takes text.
func everythingHostile(v *memoryView) {
	mark := marking(hostile)
	mark.LegalBasis, mark.Offence, mark.HandlingText, mark.ReviewDate = hostile, hostile, hostile, hostile
	say := func(section *caseworkv1.CaseSection, identity ...*caseworkv1.Identity) {
		section.Source, section.Note, section.Occurred, section.Marking = hostile, hostile, hostile, proto.CloneOf(mark)
		v.say("TH.police", section, identity...)
	}
	count := &caseworkv1.Count{Total: 3, Male: proto.Uint32(1), ByNationality: []*caseworkv1.NationalityCount{{Nationality: hostile, Total: 2, Male: proto.Uint32(5)}}}
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: "S-X", Name: hostile, Near: hostile, ControlledBy: hostile}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_MeasureInForce{MeasureInForce: &caseworkv1.MeasureInForce{
		MeasureId: "M-X", Kinds: []caseworkv1.MeasureKind{99}, Points: []*caseworkv1.CutPoint{{From: hostile, To: hostile}}, LegalOrder: hostile, Exemptions: []string{hostile}, LiftConditions: hostile}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_MeasureObserved{MeasureObserved: &caseworkv1.MeasureObserved{MeasureId: "M-X", Observation: 1, At: hostile, What: hostile}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_MeetingHeld{MeetingHeld: &caseworkv1.MeetingHeld{MeetingId: "K-X", Place: hostile, Parties: []string{hostile, "TH"}}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_CommitmentMade{CommitmentMade: &caseworkv1.CommitmentMade{CommitmentId: "C-X", MeetingId: "K-X", Text: hostile, Owners: []string{hostile}, Due: hostile}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_CommitmentProgress{CommitmentProgress: &caseworkv1.CommitmentProgress{CommitmentId: "C-X", State: 99, Proof: hostile}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_TransferAnnounced{TransferAnnounced: &caseworkv1.TransferAnnounced{TransferId: "T-X", From: hostile, To: hostile, Crossing: hostile, Count: count}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_TransferReceived{TransferReceived: &caseworkv1.TransferReceived{TransferId: "T-X", Crossing: hostile, Count: &caseworkv1.Count{Total: 9}}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_TransferExplained{TransferExplained: &caseworkv1.TransferExplained{TransferId: "T-X", Discrepancy: "announced-received", Reason: hostile}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_TransferScreening{TransferScreening: &caseworkv1.TransferScreening{TransferId: "T-X", WithinDays: 5, Under: hostile}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_TransferReleased{TransferReleased: &caseworkv1.TransferReleased{TransferId: "T-X", ReleasedBy: hostile}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_GroupListed{GroupListed: &caseworkv1.GroupListed{GroupId: "G-X", Title: hostile, SentBy: hostile, Count: count}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_PersonReported{PersonReported: &caseworkv1.PersonReported{PersonId: "P-X", Nationality: hostile, Sex: 99, AgeBand: 99, TransferId: hostile}}},
		&caseworkv1.Identity{PersonId: "P-X", Name: hostile, Transliteration: hostile, DateOfBirth: hostile})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_RepatriationDeparted{RepatriationDeparted: &caseworkv1.RepatriationDeparted{RepatriationId: "R-X", To: hostile, Count: count, Via: hostile, How: hostile}}})
	say(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_RepatriationArrived{RepatriationArrived: &caseworkv1.RepatriationArrived{RepatriationId: "R-X", Count: count, Labelled: hostile}}})
	v.refuse("bad-body", hostile)
}

func TestHostileTextStaysText(t *testing.T) {
	v := newMemoryView(t)
	everythingHostile(v)
	officer := signIn(t, open(t, v, nil), "officer")
	tag := regexp.MustCompile(`(?i)<(script|img)[^>]*>`)
	for _, path := range []string{
		"/", "/feed", "/events/1", "/events/7", "/events/16", "/transfers", "/transfers/T-X", "/sites", "/sites/S-X", "/measures", "/measures/M-X",
		"/commitments", "/commitments/C-X", "/meetings/K-X", "/groups", "/groups/G-X", "/repatriations", "/repatriations/R-X", "/people", "/people/P-X", "/about",
	} {
		page := officer.get(path)
		for _, found := range tag.FindAllString(page, -1) {
			if !strings.Contains(found, `src="/assets/`) {
				t.Errorf("%s holds %s", path, found)
			}
		}
		if at := strings.IndexFunc(page, isHidden); at >= 0 {
			t.Errorf("%s holds the hidden character %q: ...%s", path, page[at:at+4], page[max(0, at-80):at])
		}
		if path != "/about" && path != "/measures" && !strings.Contains(page, "&lt;script&gt;alert(1)") && !strings.Contains(page, "\\u003cscript") {
			t.Errorf("%s does not show the hostile text at all, so it shows nothing about it", path)
		}
	}
}

func TestHostileTextStaysTextInTheStream(t *testing.T) {
	v := newMemoryView(t)
	everythingHostile(v)
	c := open(t, v, nil)
	follow := listen(t, c, signIn(t, c, "officer"), "/feed/live", "")
	for range v.size() {
		message := follow.next()
		if strings.IndexFunc(message.data, isHidden) >= 0 || strings.Contains(message.data, "<script") {
			t.Errorf("the stream holds %q", message.data)
		}
		var entry liveEntry
		if err := json.Unmarshal([]byte(message.data), &entry); err != nil {
			t.Errorf("entry %s: %v", message.id, err)
		}
	}
}

// The script may only ever write text: the page's policy would stop anything
// else, and then the feed would stand still.
func TestTheScriptWritesTextAlone(t *testing.T) {
	script, err := os.ReadFile(filepath.Join("assets", "feed.js"))
	if err != nil {
		t.Fatal(err)
	}
	for _, forbidden := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "setTimeout(\"", ".style"} {
		if strings.Contains(string(script), forbidden) {
			t.Errorf("feed.js uses %s", forbidden)
		}
	}
	if len(script) > 15<<10 {
		t.Errorf("feed.js has %d bytes, at most %d", len(script), 15<<10)
	}
}

func TestRevealControls(t *testing.T) {
	for in, want := range map[string]string{
		"plain 張 မြန်မာ ไทย\t\n": "plain 張 မြန်မာ ไทย\t\n",
		"a\u202Eb":               "a[U+202E]b",
		"\u2066x\u2069":          "[U+2066]x[U+2069]",
		"nul\x00 esc\x1b":        "nul[U+0000] esc[U+001B]",
		"c1 \u0085 bom \uFEFF":   "c1 [U+0085] bom [U+FEFF]",
		"joiners \u200d\u200c":   "joiners \u200d\u200c",
		"broken \xff\xfe \u202E": "broken \xff\xfe [U+202E]",
		"":                       "",
	} {
		if got := string(revealControls([]byte(in))); got != want {
			t.Errorf("revealControls(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzRevealControls(f *testing.F) {
	f.Add([]byte(hostile))
	f.Add([]byte("\xe2\x80"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out := revealControls(in)
		if strings.IndexFunc(string(out), isHidden) >= 0 {
			t.Errorf("revealControls(%q) leaves hidden characters: %q", in, out)
		}
	})
}

func FuzzFeedQuery(f *testing.F) {
	f.Add("/feed?before=5&family=transfer&country=TH")
	f.Add("/events/18446744073709551616")
	f.Add("/transfers?after=%00")
	c := open(f, february(newMemoryView(f)), nil)
	officer := signIn(f, c, "officer")
	f.Fuzz(func(t *testing.T, path string) {
		if !regexp.MustCompile(`^/[!-~]*$`).MatchString(path) || strings.HasPrefix(path, "/feed/live") || strings.HasPrefix(path, "//") || strings.Contains(path, "%") && !regexp.MustCompile(`^([^%]|%[0-9a-fA-F]{2})*$`).MatchString(path) {
			return
		}
		if code := officer.do("GET", path).Code; code >= 500 {
			t.Errorf("GET %s: status %d", path, code)
		}
	})
}
