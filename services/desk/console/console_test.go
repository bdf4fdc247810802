package console

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/registry"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// open builds a console over a view. The clock is noon, moved by *later.
func open(t testing.TB, v *memoryView, later *time.Duration) *Console {
	t.Helper()
	c, err := New(Config{
		Country: "TH", State: func() registry.State { return v.registry }, Reader: v, Changes: v, Status: v.status, History: v.history, Alarms: v.alarmed, Ring: noted{v},
		Now: func() time.Time {
			if later == nil {
				return noon
			}
			return noon.Add(*later)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// browser is one signed-in browser without an engine.
type browser struct {
	t       testing.TB
	console *Console
	cookie  *http.Cookie
}

// linkFor is a sign-in link for a role, in its usual compartments where none is named.
func linkFor(t testing.TB, c *Console, role string, compartments ...string) string {
	t.Helper()
	officer, err := OfficerOf(role, compartments...)
	if err != nil {
		t.Fatal(err)
	}
	link, err := c.SignInLink(officer)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func signIn(t testing.TB, c *Console, role string, compartments ...string) *browser {
	t.Helper()
	answer := httptest.NewRecorder()
	c.ServeHTTP(answer, httptest.NewRequest("GET", linkFor(t, c, role, compartments...), nil))
	if answer.Code != http.StatusSeeOther || len(answer.Result().Cookies()) != 1 {
		t.Fatalf("signing in: status %d, cookies %v", answer.Code, answer.Result().Cookies())
	}
	return &browser{t: t, console: c, cookie: answer.Result().Cookies()[0]}
}

func (b *browser) do(method, path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	request := httptest.NewRequest(method, path, nil)
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	if b.cookie != nil {
		request.AddCookie(b.cookie)
	}
	b.console.ServeHTTP(answer, request)
	return answer
}

// get expects a page with status 200 and gives its text.
func (b *browser) get(path string) string {
	b.t.Helper()
	answer := b.do("GET", path)
	if answer.Code != http.StatusOK {
		b.t.Fatalf("GET %s: status %d\n%s", path, answer.Code, plainText(answer.Body.String()))
	}
	return answer.Body.String()
}

var tags = regexp.MustCompile(`<[^>]*>`)

// plainText is a page without its markup and with single spaces.
func plainText(page string) string {
	if _, body, ok := strings.Cut(page, "<body>"); ok {
		page = body
	}
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(page, " "))), " ")
}

// everyPage is one address of each kind.
var everyPage = []string{
	"/", "/feed", "/feed?family=transfer&country=TH", "/feed?before=5", "/events/0", "/events/10", "/events/22",
	"/transfers", "/transfers/T-2025-02-12", "/sites", "/sites/S-SHWE-KOKKO", "/measures", "/measures/M-2025-02-05",
	"/commitments", "/commitments/C-1", "/meetings/TALKS-2025-02-16", "/groups", "/groups/G-7141",
	"/repatriations", "/repatriations/R-2025-02-20", "/people", "/people/P-0001", "/about", "/registry", "/alarms",
}

func TestPagesShowWhatWasSaid(t *testing.T) {
	officer := signIn(t, open(t, february(newMemoryView(t)), nil), "officer")
	for path, wants := range map[string][]string{
		"/": {"What stands out", "53 against 261", "261 against 260", "Released by", "Myanmar authorities", "DKBA", "In force by TH: electricity, internet, fuel.",
			"circumvention observed: 1", "The stated total is 7141", "23 of 23 events witnessed by MM, TH", "Messages that this desk did not accept: 1.", "immigration", "was due 2025-02-28"},
		"/feed":                   {"bad signature", "the signature does not verify", "260 people in transfer T-2025-02-12", "TLP:AMBER"},
		"/events/10":              {"Index in the log 10", "accepted", "Anti-trafficking", "read by CN, MM, TH", "TH police (test)", "yes: enough countries"},
		"/events/22":              {"bad signature", "nobody can say who wrote it"},
		"/transfers":              {"T-2025-02-12", "MM → TH", "53", "261", "260", "to be explained"},
		"/transfers/T-2025-02-12": {"Announced TH police", "Departed MM police", "Received TH protection", "Announced 53 TH police Departed 261 MM police Received 260 TH protection", "138 + 23 + 16 + 15 + 12 + 10 + 8 + 7 + 7 + 6 + 6 + 2 + 2 + 2 + 1 + 1 + 1 + 1 + 1 + 1 = 260", "221 + 39 = 260", "announced-departed", "Still to be explained by MM, TH.", "explained by one side", "Still to be explained by MM.", "due 2025-02-27", "One person was taken to hospital", "happened 2025-02-12 15:45:00 +07:00", "TLP:AMBER", "B2 on the Admiralty scale", "May be used for: anti-trafficking."},
		"/sites/S-SHWE-KOKKO":     {"Shwe Kokko", "claims differ", "not under government control", "Karen Border Guard Force area", "16.8, 98.5"},
		"/measures/M-2025-02-05":  {"Cut points: 5, by TH", "Three Pagodas Pass", "circumvention", "generators and solar panels", "No harm has been reported."},
		"/commitments":            {"a regular mechanism against cross-border crime", "CN, MM", "in progress", "overdue", "no date named", "TALKS-2025-02-16"},
		"/groups/G-7141":          {"4,860", "The total of PK is 78; male and female together are 68.", "the nationalities add up to 7158", "Rows: 28. Rows that do not add up: 1.", "stateless"},
		"/repatriations":          {"200", "suspects of telecom fraud"},
		"/people":                 {"P-0001", "victim of trafficking TH protection", "not a victim of trafficking CN police", "treated as a child"},
		"/about":                  {"tripoint.example/test", "anti-trafficking, online-fraud", "MM protection (test)", "bad signature 1", "when 2 countries", "A quorum last signed that at 2025-03-03 11:00:00 UTC"},
	} {
		text := plainText(officer.get(path))
		for _, want := range wants {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
				t.Errorf("%s does not say %q:\n%s", path, want, text)
			}
		}
	}
}

func TestPagesAreWellFormedAndBuiltTheSame(t *testing.T) {
	c := open(t, february(newMemoryView(t)), nil)
	officer := signIn(t, c, "officer")
	stranger := &browser{t: t, console: c}
	check := func(name, page string) {
		t.Helper()
		decoder := xml.NewDecoder(strings.NewReader(page))
		decoder.Entity = xml.HTMLEntity
		seen, headings := map[string]bool{}, 0
		for {
			token, err := decoder.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Errorf("%s is not well-formed: %v", name, err)
				return
			}
			start, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			if start.Name.Local == "h1" {
				headings++
			}
			for _, attribute := range start.Attr {
				if attribute.Name.Local == "id" && attribute.Value != "entry-0" { // the mould has that too, inside its template
					if seen[attribute.Value] {
						t.Errorf("%s has the id %q twice", name, attribute.Value)
					}
					seen[attribute.Value] = true
				}
				if attribute.Name.Local == "style" || strings.HasPrefix(attribute.Name.Local, "on") {
					t.Errorf("%s has an inline %s, which the policy forbids", name, attribute.Name.Local)
				}
			}
		}
		if headings != 1 || !strings.Contains(page, `<html lang="en">`) || !seen["main"] {
			t.Errorf("%s: %d h1, main %v", name, headings, seen["main"])
		}
		if strings.Contains(page, "%!") {
			t.Errorf("%s has a text with missing arguments", name)
		}
	}
	for _, path := range everyPage {
		check(path, officer.get(path))
	}
	check("404", officer.do("GET", "/nothing").Body.String())
	check("405", officer.do("POST", "/feed").Body.String())
	check("401", stranger.do("GET", "/").Body.String())
	check("used link", stranger.do("GET", "/sign-in?token=x").Body.String())
	check("signed out", officer.do("POST", "/sign-out").Body.String())
}

func TestPagesStayWithinTheirBudget(t *testing.T) {
	v := february(newMemoryView(t))
	for range rowsOnPage + 10 { // far more than a page shows
		playPlaces(v)
		v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-02-28", Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{
			SiteId: "S-" + strings.Repeat("X", 3) + time.Duration(v.size()).String(), Name: "A site with quite a long name, invented"}}})
	}
	officer := signIn(t, open(t, v, nil), "officer")
	first := packed(t, officer, "/")
	for _, asset := range regexp.MustCompile(`/assets/[0-9a-f]+/[a-z.]+`).FindAllString(officer.get("/"), -1) {
		first += packed(t, officer, asset)
	}
	if first > 50<<10 {
		t.Errorf("the first page with its files: %d bytes, at most %d", first, 50<<10)
	}
	t.Logf("first page with its files: %d bytes", first)
	for _, path := range everyPage {
		size := packed(t, officer, path)
		t.Logf("%-34s %6d bytes", path, size)
		if size > 15<<10 {
			t.Errorf("%s: %d bytes compressed, at most %d", path, size, 15<<10)
		}
	}
}

// packed is the size of an answer to a browser that takes gzip, once checked that it unpacks.
func packed(t *testing.T, b *browser, path string) int {
	t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequest("GET", path, nil)
	request.AddCookie(b.cookie)
	request.Header.Set("Accept-Encoding", "br;q=0.5, gzip")
	b.console.ServeHTTP(answer, request)
	size := answer.Body.Len()
	if answer.Header().Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if whole, err := io.ReadAll(unpacked); err != nil || !bytes.Contains(whole, []byte("\n")) {
			t.Errorf("%s does not unpack: %v", path, err)
		}
	}
	return size
}

func TestListsGoOnWhereTheyStopped(t *testing.T) {
	v := newMemoryView(t)
	var want []string
	for i := range 2*rowsOnPage + 7 {
		id := "S-" + string(rune('A'+i/26)) + string(rune('A'+i%26))
		want = append(want, id)
		v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-02-28", Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: id, Name: "Invented"}}})
	}
	officer := signIn(t, open(t, v, nil), "officer")
	var got []string
	for path := "/sites"; path != ""; {
		page := officer.get(path)
		for _, link := range regexp.MustCompile(`href="/sites/([^"]+)"`).FindAllStringSubmatch(page, -1) {
			got = append(got, link[1])
		}
		path = ""
		if more := regexp.MustCompile(`class="more"><a href="([^"]+)"`).FindStringSubmatch(page); more != nil {
			path = more[1]
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the list over its pages: %v, want %v", got, want)
	}
}

func TestUnknownPagesTeach(t *testing.T) {
	officer := signIn(t, open(t, february(newMemoryView(t)), nil), "officer")
	for _, path := range []string{
		"/nothing", "/transfers/T-NONE", "/sites/none", "/measures/none", "/commitments/none", "/meetings/none", "/groups/none",
		"/repatriations/none", "/people/none", "/events/9999", "/events/007", "/events/-1", "/events/x", "/feed?family=x", "/feed?country=th",
		"/feed?before=x", "/transfers/..%2f..%2fetc", "/transfers/%3Cscript%3E", "/identity/P-0001", "/sites/S-KK-PARK/x",
	} {
		answer := officer.do("GET", path)
		if answer.Code != http.StatusNotFound || !strings.Contains(answer.Body.String(), "mistyped") {
			t.Errorf("GET %s: status %d", path, answer.Code)
		}
	}
	if answer := officer.do("POST", "/transfers"); answer.Code != http.StatusMethodNotAllowed && answer.Code != http.StatusNotFound {
		t.Errorf("POST /transfers: status %d", answer.Code)
	}
}

func TestAnEmptyDeskTeaches(t *testing.T) {
	v := newMemoryView(t)
	v.entries = nil
	officer := signIn(t, open(t, v, nil), "officer")
	for path, want := range map[string]string{
		"/": "Nothing has been reported", "/feed": "No events here yet", "/transfers": "No transfer has been reported", "/sites": "No site", "/measures": "No measure",
		"/commitments": "No commitment", "/groups": "No list", "/repatriations": "No repatriation", "/people": "No person",
	} {
		if text := plainText(officer.get(path)); !strings.Contains(text, want) {
			t.Errorf("%s does not say %q: %s", path, want, text)
		}
	}
}

func TestEveryEntityTypeHasItsPath(t *testing.T) {
	for _, kind := range []string{casework.TypeTransfer, casework.TypeSite, casework.TypeMeasure, casework.TypeCommitment, casework.TypeMeeting, casework.TypeGroup, casework.TypePerson, casework.TypeRepatriation} {
		if got := hrefOf(casework.Ref{Type: kind, ID: "a/b?c"}); !strings.HasSuffix(got, "/a%2Fb%3Fc") {
			t.Errorf("the path of a %s is %q", kind, got)
		}
	}
	if got := hrefOf(casework.Ref{Type: casework.TypeIdentity, ID: "P-1"}); got != "" {
		t.Errorf("an identity has the path %q", got)
	}
}
