package console

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/tripoint/tripoint/pkg/casework"
)

// chromium starts a browser with a new profile and returns its tab, and what
// the browser has complained about. It fails, and does not skip, where there is
// none: a console that nobody looked at is not tested.
func chromium(t *testing.T) (context.Context, func() []string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing. Run scripts/test: it installs what the tests need.")
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true))
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	if err := chromedp.Do(tab); err != nil { // without a timeout: it would end the browser
		t.Fatalf("starting %s: %v", path, err)
	}
	var mu sync.Mutex
	var complaints []string
	err = chromedp.Listen(tab, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *log.EventEntryAdded:
			complaints = append(complaints, fmt.Sprintf("%s: %s %s", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL))
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, "exception: "+ev.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return tab, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return complaints
	}
}

// do runs steps in the tab within half a minute.
func do(t *testing.T, tab context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func ask[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, 30*time.Second)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return answer
}

// until waits for something that the page does by itself: the browser tells when
// it has come, and whoever asks does nothing meanwhile.
func until(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, 20*time.Second)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression))
	for err != nil && ctx.Err() == nil { // the page has given way to another one
		_, err = chromedp.Run(ctx, chromedp.Poll[bool](expression))
	}
	if err != nil {
		t.Fatalf("%v: waiting for %s on %s", err, expression, ask[string](t, tab, "location.href + '\\n' + document.body.innerText"))
	}
}

func TestInABrowser(t *testing.T) {
	v := february(newMemoryView(t))
	c := open(t, v, nil)
	server := httptest.NewServer(c)
	defer server.Close()
	tab, complaints := chromium(t)
	defer func() {
		for _, complaint := range complaints() {
			t.Errorf("the browser says: %s", complaint)
		}
	}()
	do(t, tab, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL+linkFor(t, c, "officer")))
	if got := ask[string](t, tab, "location.pathname + ' ' + document.querySelector('h1').textContent"); got != "/ Now" {
		t.Fatalf("the link leads to %q", got)
	}
	if got := ask[string](t, tab, "location.href"); strings.Contains(got, "token") {
		t.Errorf("the token stays in the address: %s", got)
	}
	t.Run("pages fit", func(t *testing.T) { pagesFit(t, tab, server.URL, everyPage) })
	t.Run("handover", func(t *testing.T) { handover(t, tab, server.URL) })
	t.Run("live", func(t *testing.T) { liveFeed(t, tab, server.URL, v) })
	t.Run("sign out", func(t *testing.T) {
		do(t, tab, chromedp.Click(chromedp.CSS(".signed button")))
		until(t, tab, `document.title.startsWith("Signed out")`)
		if got := c.sessions; len(got.open) != 0 {
			t.Errorf("%d sessions are still open", len(got.open))
		}
	})
	t.Run("protection", func(t *testing.T) { protectionInABrowser(t, tab) })
	t.Run("alarms", func(t *testing.T) {
		c := open(t, alarmed(t), nil)
		server := httptest.NewServer(c)
		defer server.Close()
		do(t, tab, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL+linkFor(t, c, "officer")),
			chromedp.Click(chromedp.CSS(`.alarm a[href="/alarms"]`)), chromedp.WaitVisible(chromedp.CSS("#alarm-3 .chip.open")))
		pagesFit(t, tab, server.URL, everyPage)
	})
}

// pagesFit looks at every page on a desk and on a telephone: nothing to scroll
// sideways, nothing too small to touch.
func pagesFit(t *testing.T, tab context.Context, url string, pages []string) {
	for _, width := range []int64{1280, 390} {
		do(t, tab, chromedp.EmulateViewport(width, 844))
		for _, path := range pages {
			do(t, tab, chromedp.Navigate(url+path))
			if wide := ask[int64](t, tab, "document.documentElement.scrollWidth"); wide > width {
				t.Errorf("%s at %d px is %d px wide: %s", path, width, wide, ask[string](t, tab, widest))
			}
			if small := ask[string](t, tab, tooSmall); small != "" {
				t.Errorf("%s at %d px has targets under 24 px: %s", path, width, small)
			}
			if width == 1280 { // neither structure nor colours depend on it
				accessible(t, tab, path)
			}
		}
	}
}

const (
	widest = `[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll")).map(e => e.outerHTML.slice(0, 80)).slice(0, 3).join(" | ")`
	// WCAG 2.2, 2.5.8: targets of 24 px, but for links within a sentence.
	tooSmall = `[...document.querySelectorAll("a, button, select")].filter(e => e.offsetParent && !e.classList.contains("skip") && !e.closest("p, dd, .warned li"))
		.filter(e => { const r = e.getBoundingClientRect(); return r.height < 24 || r.width < 24 }).map(e => e.outerHTML.slice(0, 80)).slice(0, 3).join(" | ")`
)

func handover(t *testing.T, tab context.Context, url string) {
	for _, width := range []int64{1280, 390} {
		do(t, tab, chromedp.EmulateViewport(width, 844), chromedp.Navigate(url+"/"), chromedp.Click(chromedp.CSS(`a[href="/transfers/T-2025-02-12"]`)), chromedp.WaitVisible(chromedp.CSS("table.compare")))
		if got := ask[string](t, tab, `[...document.querySelectorAll("table.compare tr.total td.n")].map(e => e.innerText).join("/")`); got != "53/261/260" {
			t.Errorf("at %d px the handover reads %q", width, got)
		}
		if got := ask[string](t, tab, `[...document.querySelectorAll(".card")].map(e => e.innerText).join("\n")`); !strings.Contains(got, "announced-departed") || !strings.Contains(got, "open") {
			t.Errorf("at %d px the discrepancies read %q", width, got)
		}
	}
}

func liveFeed(t *testing.T, tab context.Context, url string, v *memoryView) {
	do(t, tab, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url+"/feed"))
	until(t, tab, `document.querySelector("[data-state]").textContent.startsWith("Live")`)
	ask[bool](t, tab, "window.notReloaded = true")
	shown := func(index uint64) string {
		return fmt.Sprintf(`document.getElementById("entry-%d") !== null`, index)
	}
	first := report(v, "MM")
	until(t, tab, shown(first))
	if got := ask[string](t, tab, "document.querySelector('#entries > li').innerText"); !strings.Contains(got, "S-KK-PARK") || !strings.Contains(got, "TLP:AMBER") {
		t.Errorf("the new entry reads %q", got)
	}
	do(t, tab, chromedp.Click(chromedp.CSS("#live button")))
	until(t, tab, `document.querySelector("#live button").getAttribute("aria-pressed") === "true"`)
	second := report(v, "TH")
	hidden := v.refuse("bad-body", hostile)
	do(t, tab, chromedp.Click(chromedp.CSS("#live button")))
	until(t, tab, shown(hidden))
	if !ask[bool](t, tab, shown(second)) || ask[int](t, tab, `new Set([...document.querySelectorAll("#entries > li")].map(e => e.id)).size - document.querySelectorAll("#entries > li").length`) != 0 {
		t.Error("after a pause an entry is missing or there twice")
	}
	if got := ask[string](t, tab, fmt.Sprintf(`document.getElementById("entry-%d").innerText`, hidden)); !strings.Contains(got, "content altered") || !strings.Contains(got, "<script>") {
		t.Errorf("the refused entry reads %q", got)
	}
	if !ask[bool](t, tab, "window.notReloaded === true") {
		t.Error("the page was loaded again")
	}
}

// protectionInABrowser looks at the pages under /protection, at sections that are sealed, and at
// one that comes in live.
func protectionInABrowser(t *testing.T, tab context.Context) {
	v := controlled(sealedView(t))
	c := open(t, v, nil)
	server := httptest.NewServer(c)
	defer server.Close()
	do(t, tab, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL+linkFor(t, c, "officer")))
	pagesFit(t, tab, server.URL, append([]string{"/feed", "/events/23", "/events/24", "/events/25", "/people/P-" + caseText, "/people/P-0001"}, protectionPages...))
	do(t, tab, chromedp.Navigate(server.URL+"/feed"))
	until(t, tab, `document.querySelector("[data-state]").textContent.startsWith("Live")`)
	v.mu.Lock()
	told := v.person("MM.police")
	told.Identity, told.Closed = nil, []casework.Closed{{Compartment: inIdentity, Reason: "not-granted"}}
	came := v.hear(told)
	v.mu.Unlock()
	entry := fmt.Sprintf(`document.getElementById("entry-%d")`, came)
	until(t, tab, entry+" !== null")
	live := ask[string](t, tab, `[...`+entry+`.querySelectorAll(".chip.section")].map(e => e.dataset.state + "=" + e.innerText).join("; ")`)
	if want := "open=case: open; closed=identity sealed: its agency gave this country no key for it; elsewhere=sealed for protection; elsewhere=sealed for intelligence"; live != want {
		t.Errorf("the live entry's sections read %q, want %q", live, want)
	}
	html := ask[string](t, tab, "document.documentElement.outerHTML")
	if strings.Contains(html, protectionText) || strings.Contains(html, intelligenceText) {
		t.Error("the live feed shows what is sealed for others")
	}
	do(t, tab, chromedp.Navigate(server.URL+"/feed"))
	if loaded := ask[string](t, tab, `[...`+entry+`.querySelectorAll(".chip.section")].map(e => e.dataset.state + "=" + e.innerText).join("; ")`); loaded != live {
		t.Errorf("live an entry reads %q, loaded again %q", live, loaded)
	}
	v.mu.Lock()
	told = v.person("TH.police")
	told.Audience = "mm-th"
	bilateral := v.hear(told)
	v.entries[bilateral].Audience = "mm-th" // which CN does not read
	v.mu.Unlock()
	decideInABrowser(t, tab, server.URL, c, bilateral)
	do(t, tab, chromedp.Navigate(server.URL+"/about")) // the server closes once the stream has ended
}

// decideInABrowser erases an event, and releases another, with the keyboard alone: the form is loaded again on
// the way, and sent once more than it should be.
func decideInABrowser(t *testing.T, tab context.Context, url string, c *Console, bilateral uint64) {
	publisher := &control{}
	c.config.Control = publisher
	release := fmt.Sprintf("/events/%d/release", bilateral)
	do(t, tab, chromedp.EmulateViewport(1280, 844), chromedp.Navigate(url+linkFor(t, c, "protection")))
	pagesFit(t, tab, url, []string{"/events/1", "/events/1/review", "/events/1/recall", "/events/1/erase", "/events/1/release", release})
	for _, width := range []int64{1280, 390} {
		do(t, tab, chromedp.EmulateViewport(width, 844))
		for _, path := range []string{"/events/1/review", "/events/1/recall"} {
			do(t, tab, chromedp.Navigate(url+path))
			byKeyboard(t, tab, path, `button[value="check"]`)
		}
		do(t, tab, chromedp.Navigate(url+"/events/1/erase"))
		byKeyboard(t, tab, "/events/1/erase", "#reason")
		decidedByKeyboard(t, tab, width, "asked for by the person\t\r", "asked for by the person", "cannot be reached")
		do(t, tab, chromedp.Navigate(url+release))
		byKeyboard(t, tab, release, `input[value="identity"]`)
		do(t, tab, chromedp.KeyEvent(" "))
		byKeyboard(t, tab, release, "#to")
		do(t, tab, chromedp.KeyEvent("C\tb\t\r"))
		decidedByKeyboard(t, tab, width, "", "identity", "CN", "border")
	}
	erased, released := "erase police "+idAt(1)+": asked for by the person", fmt.Sprintf("release police %d [identity] to CN by border", bilateral)
	got := publisher.all()
	for i, want := range []string{erased, released, erased, released} {
		if len(got) != 4 || !strings.HasPrefix(got[i], want) {
			t.Fatalf("decided %q", got)
		}
	}
}

// decidedByKeyboard sends the form that has the focus with the keys, and confirms what the page to look it over says.
func decidedByKeyboard(t *testing.T, tab context.Context, width int64, keys string, says ...string) {
	t.Helper()
	do(t, tab, chromedp.KeyEvent(keys), chromedp.WaitVisible(chromedp.CSS(`button[value="confirm"]`)))
	accessible(t, tab, "the page to confirm")
	got := ask[string](t, tab, "document.querySelector('main').innerText")
	for _, want := range says {
		if !strings.Contains(got, want) {
			t.Errorf("at %d px the page to confirm does not say %q: %q", width, want, got)
		}
	}
	if wide := ask[int64](t, tab, "document.documentElement.scrollWidth"); wide > width {
		t.Errorf("the page to confirm at %d px is %d px wide: %s", width, wide, ask[string](t, tab, widest))
	}
	do(t, tab, chromedp.Reload())
	byKeyboard(t, tab, "the page to confirm", `button[value="confirm"]`)
	do(t, tab, chromedp.KeyEvent("\r"))
	until(t, tab, `document.querySelector("[role=status]") !== null && document.querySelector("[role=status]").innerText.startsWith("Decided.")`)
	do(t, tab, chromedp.Reload())
	accessible(t, tab, "the page of what was decided")
}
