package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/tripoint/tripoint/pkg/view"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// control stands for the publishers of TH. It has that of police alone.
type control struct {
	mu      sync.Mutex
	decided []string
	err     error // of the next
}

func (c *control) Reaches(_ context.Context, agency string) string {
	if agency != "police" {
		return "the publisher that is configured is another agency's."
	}
	return ""
}

func (c *control) note(format string, args ...any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.err; err != nil {
		c.err = nil
		return err
	}
	c.decided = append(c.decided, fmt.Sprintf(format, args...))
	return nil
}

func (c *control) Erase(_ context.Context, agency, id, reason string) error {
	return c.note("erase %s %s: %s", agency, id, reason)
}

func (c *control) Say(_ context.Context, agency string, report *caseworkv1.Report) error {
	text, err := protojson.MarshalOptions{}.Marshal(report)
	if err != nil {
		return err
	}
	return c.note("say %s %s", agency, strings.ReplaceAll(string(text), " ", ""))
}

func (c *control) Release(_ context.Context, agency string, release Releasing) error {
	return c.note("release %s %d %v to %s by %s, for %s, TLP %v, key %.10s", agency, release.Index, release.Compartments, release.To, release.Audience,
		release.Marking.GetPurpose(), release.Marking.GetTlp(), release.Key)
}

func (c *control) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.decided)
}

// post sends a form, and follows where it leads to as browsers do: with a GET.
func (b *browser) post(path string, form url.Values) (page, address string) {
	b.t.Helper()
	request := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	request.AddCookie(b.cookie)
	answer := httptest.NewRecorder()
	b.console.ServeHTTP(answer, request)
	if answer.Code != http.StatusSeeOther {
		b.t.Fatalf("POST %s: status %d: %s", path, answer.Code, plainText(answer.Body.String()))
	}
	address = answer.Header().Get("Location")
	return b.get(address), address
}

var draftOf = regexp.MustCompile(`name="draft" value="([^"]+)"`)

// decides opens a console over a view of a day, with a publisher of TH police.
func decides(t testing.TB) (*memoryView, *Console, *control) {
	v := sealedView(t)
	c := open(t, v, nil)
	publisher := &control{}
	c.config.Control = publisher
	return v, c, publisher
}

func TestDecisionsReachThePublisherOnce(t *testing.T) {
	for _, test := range []struct {
		action string
		form   url.Values
		says   []string // on the page to confirm it
		want   string
	}{
		{"erase", url.Values{"reason": {" asked for by the person "}}, []string{"asked for by the person", "Copies that a dishonest reader made cannot be reached"},
			`erase police ` + idAt(1) + `: asked for by the person`},
		{"recall", url.Values{"reason": {"wrong site"}, "date": {"2025-03-10"}}, []string{"wrong site", "2025-03-10", "cannot be reached"},
			`say police {"idempotencyKey":"consolerecallKEY","audience":"border","retention":"case","case":{"marking":{"tlp":"TLP_AMBER","pap":"PAP_AMBER","purpose":"anti-trafficking"},"source":"thedeskofTH","occurred":"2025-03-03","controlRecalled":{"recallId":"R-1-KEY","eventIds":["` + idAt(1) + `"],"reason":"wrongsite","deadline":"2025-03-10T23:59:59Z"}}}`},
		{"review", url.Values{"reason": {"still needed"}, "date": {"2025-06-01"}}, []string{"Nothing is deleted, now or on that day"},
			`say police {"idempotencyKey":"consolereviewKEY","audience":"border","retention":"case","case":{"marking":{"tlp":"TLP_AMBER","pap":"PAP_AMBER","purpose":"anti-trafficking"},"source":"thedeskofTH","occurred":"2025-03-03","controlReviewed":{"eventIds":["` + idAt(1) + `"],"reviewDate":"2025-06-01","reason":"stillneeded"}}}`},
	} {
		t.Run(test.action, func(t *testing.T) {
			_, c, publisher := decides(t)
			b := signIn(t, c, "protection")
			path := "/events/1/" + test.action
			if !strings.Contains(b.get("/events/1"), `href="`+path+`"`) {
				t.Error("the event's page does not lead there")
			}
			form := with(test.form, "step", "check")
			page, address := b.post(path, form)
			text := plainText(page)
			for _, want := range test.says {
				if !strings.Contains(text, want) {
					t.Errorf("the page to confirm does not say %q: %s", want, text)
				}
			}
			if strings.Contains(address, "wrong") || strings.Contains(address, "person") {
				t.Errorf("what was written is in the address %s", address)
			}
			if len(publisher.all()) != 0 {
				t.Fatalf("decided before anybody confirmed it: %v", publisher.all())
			}
			if again := b.get(address); again != page { // loaded again, it is all there
				t.Error("the page loaded again is another one")
			}
			key := draftOf.FindStringSubmatch(page)[1]
			publisher.err = errors.New("connection reset")
			page, _ = b.post(path, url.Values{"step": {"confirm"}, "draft": {key}})
			if !strings.Contains(page, "It is not known whether it was decided") || strings.Contains(page, "connection reset") {
				t.Errorf("a lost answer reads %s", plainText(page))
			}
			publisher.err = Refused{"event_ids[0]: this publisher does not have its keys. Nothing of this request is erased"}
			page, _ = b.post(path, url.Values{"step": {"confirm"}, "draft": {key}})
			if !strings.Contains(page, "this publisher does not have its keys") {
				t.Errorf("a refusal reads %s", plainText(page))
			}
			page, _ = b.post(path, url.Values{"step": {"confirm"}, "draft": {key}})
			if !strings.Contains(page, "Decided.") {
				t.Errorf("what came of it: %s", plainText(page))
			}
			b.post(path, url.Values{"step": {"confirm"}, "draft": {key}}) // sent twice
			want := strings.NewReplacer("R-1-KEY", recallID(view.Entry{Index: 1}, draft{key: key}), "KEY", key).Replace(test.want)
			if diff := cmp.Diff([]string{want}, publisher.all()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func with(form url.Values, key, value string) url.Values {
	all := url.Values{key: {value}}
	for field, values := range form {
		all[field] = values
	}
	return all
}

func TestReleaseGivesWhatIsOpenHere(t *testing.T) {
	v, c, publisher := decides(t)
	v.mu.Lock()
	told := v.person("TH.police")
	told.Audience = "mm-th"
	told.Protection, told.Closed = nil, append(told.Closed, closedFor(inProtection, "no-private-key"))
	index := v.hear(told)
	v.entries[index].Audience = "mm-th" // which CN does not read
	v.mu.Unlock()
	b := signIn(t, c, "protection")
	path := fmt.Sprintf("/events/%d/release", index)
	page := b.get(path)
	for want, there := range map[string]bool{
		`value="case"`: true, `value="identity"`: true, `value="protection"`: false, `value="intelligence"`: false,
		"<option>CN</option>": true, "<option>MM</option>": false, "<option>TH</option>": false, `value="border"`: true,
	} {
		if strings.Contains(page, want) != there {
			t.Errorf("the form has %s: %t, want %t", want, !there, there)
		}
	}
	good := url.Values{"step": {"check"}, "compartment": {"identity", "case"}, "to": {"CN"}, "audience": {"border"}}
	for problem, change := range map[string]url.Values{
		"Choose at least one section": {"compartment": nil}, "You can give only sections that are open to you": {"compartment": {"protection"}},
		"Choose a country": {"to": {"MM"}}, "Choose an audience": {"audience": {"mm-th"}}, "that are open to you here": {"compartment": {"intelligence"}},
	} {
		form := url.Values{}
		for field, values := range good {
			form[field] = values
		}
		for field, values := range change {
			form[field] = values
		}
		page, _ := b.post(path, form)
		if !strings.Contains(plainText(page), problem) || draftOf.MatchString(page) {
			t.Errorf("%v: the page does not say %q: %s", change, problem, plainText(page))
		}
	}
	page, _ = b.post(path, good)
	page, _ = b.post(path, url.Values{"step": {"confirm"}, "draft": {draftOf.FindStringSubmatch(page)[1]}})
	want := []string{fmt.Sprintf("release police %d [case identity] to CN by border, for anti-trafficking, TLP TLP_AMBER, key console %.2s", index, publisher.all()[0][len(publisher.all()[0])-2:])}
	if diff := cmp.Diff(want, publisher.all()); diff != "" || !strings.Contains(page, "Decided.") {
		t.Errorf("%s\n%s", plainText(page), diff)
	}
}

func TestFormsSayWhatIsMissingAndKeepTheRest(t *testing.T) {
	_, c, publisher := decides(t)
	b := signIn(t, c, "supervisor")
	for name, test := range map[string]struct {
		form url.Values
		says string
	}{
		"nothing":        {url.Values{}, "Give a reason"},
		"no date":        {url.Values{"reason": {"kept words"}}, "Give a date"},
		"no calendar":    {url.Values{"reason": {"kept words"}, "date": {"2025-02-30"}}, "Give a date"},
		"past":           {url.Values{"reason": {"kept words"}, "date": {"2025-03-02"}}, "has passed"},
		"long":           {url.Values{"reason": {strings.Repeat("ก", 1001)}, "date": {"2025-04-01"}}, "too long"},
		"broken letters": {url.Values{"reason": {"\xff"}, "date": {"2025-04-01"}}, "too long"},
	} {
		page, address := b.post("/events/1/recall", with(test.form, "step", "check"))
		if !strings.Contains(plainText(page), test.says) || draftOf.MatchString(page) {
			t.Errorf("%s: the page does not say %q: %s", name, test.says, plainText(page))
		}
		if kept := test.form.Get("reason"); kept == "kept words" && !strings.Contains(b.get(address), kept) {
			t.Errorf("%s: the reason is lost over a reload", name)
		}
	}
	if got := publisher.all(); len(got) != 0 {
		t.Errorf("decided %v", got)
	}
	page, address := b.post("/events/1/recall", url.Values{"step": {"check"}, "reason": {hostile}, "date": {"2025-04-01"}})
	if strings.Contains(page, "<script>alert(1)") || !strings.Contains(b.get(address+"&change=1"), "&lt;script&gt;alert(1)") {
		t.Error("what an officer writes is not text")
	}
}

func TestWhoMayDecide(t *testing.T) {
	v, c, publisher := decides(t)
	for _, role := range []string{"officer", "auditor", "intelligence"} {
		b := signIn(t, c, role)
		if strings.Contains(b.get("/events/1"), "/events/1/erase") {
			t.Errorf("%s is led to what it may not do", role)
		}
		if got := b.do("GET", "/events/1/erase").Code; got != http.StatusForbidden {
			t.Errorf("%s: GET: status %d", role, got)
		}
		if got := b.do("POST", "/events/1/erase").Code; got != http.StatusForbidden {
			t.Errorf("%s: POST: status %d", role, got)
		}
	}
	if got := signIn(t, c, "protection", inProtection).do("POST", "/events/1/erase").Code; got != http.StatusForbidden {
		t.Errorf("who does not work in the case decides on it: status %d", got)
	}
	b := signIn(t, c, "protection")
	receipt := v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-03-03", Content: &caseworkv1.CaseSection_ControlReceipt{ControlReceipt: &caseworkv1.ControlReceipt{
		RecallId: "R-9", Destroyed: "2025-03-03T00:00:00Z", Country: "MM", Agency: "police"}}})
	for name, path := range map[string]string{
		"another country's": "/events/3/erase", "the registry": "/events/0/erase", "refused": "/events/22/erase", "control": fmt.Sprintf("/events/%d/recall", receipt),
		"none": "/events/999/erase", "no action": "/events/1/forge",
	} {
		if got := b.do("GET", path).Code; got != http.StatusNotFound {
			t.Errorf("%s: GET %s: status %d", name, path, got)
		}
		if got := b.do("POST", path).Code; got != http.StatusNotFound {
			t.Errorf("%s: POST %s: status %d", name, path, got)
		}
	}
	if got := (&browser{t: t, console: c}).do("POST", "/events/1/erase").Code; got != http.StatusUnauthorized {
		t.Errorf("a stranger: status %d", got)
	}
	if len(publisher.all()) != 0 {
		t.Errorf("decided %v", publisher.all())
	}
}

// A form that another site sends, and a draft that another session made, decide nothing.
func TestDecisionsOfOthers(t *testing.T) {
	_, c, publisher := decides(t)
	one, other := signIn(t, c, "protection"), signIn(t, c, "protection")
	page, address := one.post("/events/1/erase", url.Values{"step": {"check"}, "reason": {"mine alone"}})
	key := draftOf.FindStringSubmatch(page)[1]
	if strings.Contains(other.get(address), "mine alone") {
		t.Error("another session sees the draft")
	}
	confirm := url.Values{"step": {"confirm"}, "draft": {key}}
	if page, _ := other.post("/events/1/erase", confirm); !strings.Contains(plainText(page), "does not remember that decision") || draftOf.MatchString(page) {
		t.Errorf("a draft that is not there: %s", plainText(page))
	}
	one.post("/events/2/erase", confirm)
	one.post("/events/1/recall", confirm)
	request := httptest.NewRequest("POST", "/events/1/erase", strings.NewReader(confirm.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	request.AddCookie(one.cookie)
	answer := httptest.NewRecorder()
	c.ServeHTTP(answer, request)
	if answer.Code != http.StatusForbidden {
		t.Errorf("from another site: status %d", answer.Code)
	}
	long := httptest.NewRequest("POST", "/events/1/erase", strings.NewReader("reason="+strings.Repeat("x", longestForm)))
	long.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	long.AddCookie(one.cookie)
	answer = httptest.NewRecorder()
	c.ServeHTTP(answer, long)
	if answer.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a form without end: status %d", answer.Code)
	}
	if got := publisher.all(); len(got) != 0 {
		t.Errorf("decided %v", got)
	}
	one.do("POST", "/sign-out")
	if got := len(c.drafts.all); got != 0 {
		t.Errorf("%d drafts stay after the sign-out", got)
	}
}

func TestDraftsAreBounded(t *testing.T) {
	_, c, _ := decides(t)
	b, other := signIn(t, c, "protection"), signIn(t, c, "protection")
	_, address := other.post("/events/1/erase", url.Values{"step": {"check"}, "reason": {"of another person"}})
	for i := range draftsEach + 5 {
		b.post("/events/1/erase", url.Values{"step": {"check"}, "reason": {fmt.Sprint(i)}})
	}
	if got := len(c.drafts.all); got != draftsEach+1 || !strings.Contains(other.get(address), "of another person") {
		t.Errorf("%d drafts are kept, and another person's is %t", got, strings.Contains(other.get(address), "of another person"))
	}
}

func TestWithoutAPublisherTheCommandIsNamed(t *testing.T) {
	v := sealedView(t)
	c := open(t, v, nil)
	b := signIn(t, c, "protection")
	for action, want := range map[string]string{
		"erase":   `tripoint publisher erase ` + idAt(1) + ` --reason "WHY" --publisher URL --token-file FILE`,
		"recall":  `tripoint publisher recall ` + idAt(1) + ` --id NAME --deadline 2025-12-31T12:00:00Z --audience border --retention case --purpose "anti-trafficking" --reason "WHY"`,
		"review":  `tripoint publisher review ` + idAt(1) + ` --date 2025-12-31 --audience border`,
		"release": "There is no command for it",
	} {
		if text := plainText(b.get("/events/1/" + action)); !strings.Contains(text, want) || !strings.Contains(text, "no publisher is configured") {
			t.Errorf("%s: the page does not name %q: %s", action, want, text)
		}
	}
	c.config.Control = &control{}
	if text := plainText(b.get("/events/12/erase")); !strings.Contains(text, "another agency's") || !strings.Contains(text, "tripoint publisher erase") {
		t.Errorf("of another agency: %s", text)
	}
}

// What leads nowhere is not offered, and the page says why.
func TestDecisionsThatLeadNowhere(t *testing.T) {
	v, c, _ := decides(t)
	b := signIn(t, c, "protection")
	page := b.get("/events/1/release")
	if !strings.Contains(plainText(page), "there is none to release it to") || strings.Contains(page, `name="to"`) {
		t.Errorf("to whom can what all read be released? %s", plainText(page))
	}
	if page := plainText(b.get("/events/1")); !strings.Contains(page, "3,650 days class case") {
		t.Errorf("how long is it kept? %s", page)
	}
	v.mu.Lock()
	recall := v.told("TH.police", "control.recalled")
	recall.Case = &caseworkv1.CaseSection{Marking: marking("anti-trafficking"), Occurred: "2025-03-03",
		Content: &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
			RecallId: "R-9", EventIds: []string{idAt(1)}, Reason: "wrong site", Deadline: "2025-03-10T12:00:00Z"}}}
	v.hear(recall)
	v.mu.Unlock()
	page = b.get("/events/1")
	for action, there := range map[string]bool{"erase": true, "recall": true, "review": false, "release": false} {
		if strings.Contains(page, `href="/events/1/`+action+`"`) != there {
			t.Errorf("a recalled event's page leads to %s: %t, want %t", action, !there, there)
		}
	}
}
