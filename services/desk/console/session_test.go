package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHeadersOfEveryAnswer(t *testing.T) {
	c := open(t, february(newMemoryView(t)), nil)
	officer, stranger := signIn(t, c, "officer"), &browser{t: t, console: c}
	for name, answer := range map[string]*httptest.ResponseRecorder{
		"page": officer.do("GET", "/"), "missing page": officer.do("GET", "/x"), "no session": stranger.do("GET", "/"),
		"asset": stranger.do("GET", c.assets.path("console.css")), "sign-in": stranger.do("GET", linkFor(t, c, "officer")), "bad stream": officer.do("GET", "/feed/live?after=x"),
	} {
		header := answer.Header()
		policy := header.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self'", "connect-src 'self'", "font-src 'self'",
			"form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
		} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: policy %q has no %s", name, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", name, header)
		}
		if cache := header.Get("Cache-Control"); name != "asset" && cache != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, cache)
		}
	}
	if got := officer.do("GET", "/assets/000000000000/console.css").Code; got != http.StatusNotFound {
		t.Errorf("an asset of another version: status %d", got)
	}
	if got := stranger.do("GET", c.assets.path("feed.js")).Header().Get("Content-Type"); !strings.HasPrefix(got, "text/javascript") {
		t.Errorf("the script has the type %q", got)
	}
}

func TestNothingWithoutASession(t *testing.T) {
	c := open(t, february(newMemoryView(t)), nil)
	for name, stranger := range map[string]*browser{
		"no cookie":    {t: t, console: c},
		"empty cookie": {t: t, console: c, cookie: &http.Cookie{Name: c.sessions.cookie, Value: "x"}},
		"forged":       {t: t, console: c, cookie: &http.Cookie{Name: c.sessions.cookie, Value: newSecret()}},
		"other desk":   {t: t, console: c, cookie: &http.Cookie{Name: "tripoint_desk_MM", Value: signIn(t, c, "officer").cookie.Value}},
	} {
		for _, path := range append([]string{"/feed/live", "/nothing"}, everyPage...) {
			answer := stranger.do("GET", path)
			body := answer.Body.String()
			if answer.Code != http.StatusUnauthorized || !strings.Contains(body, "Open a sign-in link") || answer.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s: GET %s: status %d", name, path, answer.Code)
			}
			if strings.Contains(body, "261") || strings.Contains(body, "witnessed") {
				t.Errorf("%s: GET %s tells something", name, path)
			}
		}
	}
}

func TestALinkWorksOnceForADay(t *testing.T) {
	var later time.Duration
	c := open(t, newMemoryView(t), &later)
	stranger := &browser{t: t, console: c}
	link := linkFor(t, c, "officer")
	if !strings.HasPrefix(link, "/sign-in?token=") || len(link) < len("/sign-in?token=")+43 {
		t.Fatalf("link %q: want a path with 32 random bytes", link)
	}
	first := stranger.do("GET", link)
	if first.Code != http.StatusSeeOther || first.Header().Get("Location") != "/" {
		t.Fatalf("a fresh link: status %d to %q", first.Code, first.Header().Get("Location"))
	}
	cookie := first.Result().Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || len(cookie.Value) != 43 {
		t.Errorf("cookie %v", cookie)
	}
	for name, token := range map[string]string{"used": link, "none": "/sign-in", "guessed": "/sign-in?token=" + newSecret()} {
		answer := stranger.do("GET", token)
		if answer.Code != http.StatusGone || len(answer.Result().Cookies()) != 0 || !strings.Contains(answer.Body.String(), "new link") {
			t.Errorf("%s link: status %d, cookies %v", name, answer.Code, answer.Result().Cookies())
		}
	}
	late := linkFor(t, c, "officer")
	later = linkLife
	if answer := stranger.do("GET", late); answer.Code != http.StatusGone {
		t.Errorf("a link after a day: status %d", answer.Code)
	}
}

func TestLookingAheadDoesNotUseUpALink(t *testing.T) {
	c := open(t, newMemoryView(t), nil)
	link := linkFor(t, c, "officer")
	request := httptest.NewRequest("GET", link, nil)
	request.Header.Set("Sec-Purpose", "prefetch;prerender")
	answer := httptest.NewRecorder()
	c.ServeHTTP(answer, request)
	if answer.Code != http.StatusNoContent || len(answer.Result().Cookies()) != 0 {
		t.Errorf("a prefetch: status %d", answer.Code)
	}
	if answer := (&browser{t: t, console: c}).do("HEAD", link); len(answer.Result().Cookies()) != 0 {
		t.Errorf("HEAD signs in")
	}
	if answer := (&browser{t: t, console: c}).do("GET", link); answer.Code != http.StatusSeeOther {
		t.Errorf("the person after that: status %d", answer.Code)
	}
}

func TestSessionsEnd(t *testing.T) {
	var later time.Duration
	c := open(t, newMemoryView(t), &later)
	leaves, stays := signIn(t, c, "officer"), signIn(t, c, "officer")
	stays.get("/")
	if answer := leaves.do("POST", "/sign-out"); answer.Code != http.StatusOK || answer.Result().Cookies()[0].MaxAge != -1 {
		t.Errorf("sign-out: status %d, cookies %v", answer.Code, answer.Result().Cookies())
	}
	if got := leaves.do("GET", "/").Code; got != http.StatusUnauthorized {
		t.Errorf("after the sign-out: status %d", got)
	}
	stays.get("/")
	later = sessionLife
	if got := stays.do("GET", "/").Code; got != http.StatusUnauthorized {
		t.Errorf("after %s: status %d", sessionLife, got)
	}
	signIn(t, c, "officer")
	if got := len(c.sessions.open); got != 1 {
		t.Errorf("%d sessions kept, want the new one alone", got)
	}
}

func TestAnotherSiteCannotSignOut(t *testing.T) {
	c := open(t, newMemoryView(t), nil)
	officer := signIn(t, c, "officer")
	for name, headers := range map[string]map[string]string{
		"fetch metadata": {"Sec-Fetch-Site": "cross-site"}, "same site, other origin": {"Sec-Fetch-Site": "same-site"},
		"origin": {"Origin": "https://elsewhere.example"}, "no origin": {"Origin": "null"},
	} {
		request := httptest.NewRequest("POST", "/sign-out", nil)
		request.AddCookie(officer.cookie)
		for header, value := range headers {
			request.Header.Set(header, value)
		}
		answer := httptest.NewRecorder()
		c.ServeHTTP(answer, request)
		if answer.Code != http.StatusForbidden {
			t.Errorf("%s: status %d", name, answer.Code)
		}
	}
	officer.get("/") // still signed in
	if got := officer.do("GET", "/sign-out").Code; got != http.StatusNotFound {
		t.Errorf("GET /sign-out: status %d", got)
	}
	officer.get("/")
}
