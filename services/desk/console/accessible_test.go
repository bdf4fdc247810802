package console

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// inaccessible are what of a page those cannot use who do not see it, or who have no mouse: WCAG 2.2,
// 1.1.1, 1.3.1, 2.4.6, 3.1.1, 3.3.2, 4.1.2.
const inaccessible = `(() => {
	const bad = [], all = s => [...document.querySelectorAll(s)], of = e => e.outerHTML.slice(0, 90);
	const named = e => e.getAttribute("aria-label") || e.innerText.trim() || [...e.querySelectorAll("img")].some(i => i.alt);
	if (!document.documentElement.lang) bad.push("no language");
	if (!document.title) bad.push("no title");
	if (all("h1").length !== 1) bad.push(all("h1").length + " headings of level 1");
	if (all("main").length !== 1) bad.push(all("main").length + " mains");
	let level = 0;
	for (const h of all("h1, h2, h3, h4")) { const n = +h.tagName[1]; if (n > level + 1) bad.push("level " + n + " after " + level + ": " + of(h)); level = n; }
	for (const e of all("input:not([type=hidden]), select, textarea")) if (![...e.labels].some(l => l.innerText.trim())) bad.push("no label: " + of(e));
	for (const e of all("fieldset")) if (!e.querySelector("legend")) bad.push("no legend: " + of(e));
	for (const e of all("th:not([scope])")) bad.push("no scope: " + of(e));
	for (const e of all("table")) if (!e.querySelector("thead th") && !e.querySelector("th[scope=row]")) bad.push("no header: " + of(e));
	for (const e of all("img:not([alt])")) bad.push("no text: " + of(e));
	for (const e of all("a[href], button")) if (e.offsetParent && !named(e)) bad.push("no name: " + of(e));
	for (const e of all("nav, section:not([aria-labelledby]):has(> h2)")) if (!e.getAttribute("aria-label")) bad.push("no name: " + of(e));
	for (const name of ["aria-labelledby", "aria-describedby"]) for (const e of all("[" + name + "]"))
		for (const id of e.getAttribute(name).split(" ")) if (!document.getElementById(id)) bad.push(name + " of nothing: " + of(e));
	const ids = all("[id]").map(e => e.id);
	for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) bad.push("twice: id " + id);
	return bad.slice(0, 5).join("\n");
})()`

// faint is every text whose colour has a contrast under 4.5 to what it stands on (WCAG 2.2, 1.4.3), as the browser shows it.
const faint = `(() => {
	const part = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
	const light = c => 0.2126 * part(c[0] / 255) + 0.7152 * part(c[1] / 255) + 0.0722 * part(c[2] / 255);
	const colour = text => text.match(/[\d.]+/g).map(Number);
	const ground = e => { for (; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor); if (c[3] === undefined || c[3] > 0) return c; } return [255, 255, 255]; };
	const bad = new Set();
	for (const e of document.querySelectorAll("body *")) {
		const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || ["TEXTAREA", "SELECT", "INPUT"].includes(e.tagName);
		if (!own || !e.checkVisibility()) continue;
		const a = light(colour(getComputedStyle(e).color)), b = light(ground(e)), got = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (got < 4.5) bad.add(got.toFixed(2) + ": " + e.outerHTML.slice(0, 90));
	}
	return [...bad].slice(0, 5).join("\n");
})()`

// accessible looks at the page that is in the tab, in both colour schemes.
func accessible(t *testing.T, tab context.Context, path string) {
	t.Helper()
	if bad := ask[string](t, tab, inaccessible); bad != "" {
		t.Errorf("%s cannot be used by all:\n%s", path, bad)
	}
	for _, scheme := range []string{"dark", "light"} {
		if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
			t.Fatal(err)
		}
		if bad := ask[string](t, tab, faint); bad != "" {
			t.Errorf("%s has faint text where the browser is %s:\n%s", path, scheme, bad)
		}
	}
}

// byKeyboard goes through a page with the tabulator alone, from its beginning, until what
// it looks for has the focus. Whatever has the focus on the way has to show it, and to be in view.
func byKeyboard(t *testing.T, tab context.Context, path, sought string) {
	t.Helper()
	const focus = `(() => {
		const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
		if (e === document.body) return "nothing";
		const seen = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && r.width > 0 && r.bottom > 0 && r.top < innerHeight;
		return (e.matches(%q) ? "found" : "other") + (seen ? "" : ": the focus is not seen on " + e.outerHTML.slice(0, 90));
	})()`
	for range 60 {
		do(t, tab, chromedp.KeyEvent("\t"))
		at := ask[string](t, tab, fmt.Sprintf(focus, sought))
		if strings.Contains(at, ":") {
			t.Errorf("%s: %s", path, at)
		}
		if strings.HasPrefix(at, "found") {
			return
		}
	}
	t.Errorf("%s: %s is not reached with the keyboard", path, sought)
}

// Every rule of the style sheet that gives text its colour and its ground has enough contrast between
// them, also those of states that no page of a test is in.
func TestContrastOfEveryRule(t *testing.T) {
	css := source(t, "assets/console.css")
	schemes := regexp.MustCompile(`:root \{([^}]*--ground[^}]*)\}`).FindAllStringSubmatch(css, -1)
	colour := regexp.MustCompile(`(?:^|[;{ ])color: var\(--([a-z-]+)\)`)
	ground := regexp.MustCompile(`background(?:-color)?: var\(--([a-z-]+)\)`)
	rules := 0
	for i, scheme := range schemes[:2] {
		colours := map[string]string{}
		for _, one := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(scheme[1], -1) {
			colours[one[1]] = one[2]
		}
		for _, rule := range regexp.MustCompile(`([^{}]+)\{([^{}]*)\}`).FindAllStringSubmatch(css, -1) {
			text, on := colour.FindStringSubmatch(rule[2]), ground.FindStringSubmatch(rule[2])
			if text == nil {
				continue
			}
			grounds := []string{"ground", "sheet"} // where a rule has no ground, it is for either
			switch {
			case on != nil:
				grounds = on[1:]
			case strings.HasPrefix(text[1], "head-"):
				grounds = []string{"head"}
			case text[1] == "inherit":
				continue
			}
			rules++
			for _, ground := range grounds {
				if got := contrast(t, colours[text[1]], colours[ground]); got < 4.5 {
					t.Errorf("scheme %d: %s has a contrast of %.2f: %s on %s", i, strings.TrimSpace(rule[1]), got, text[1], ground)
				}
			}
		}
	}
	if rules < 60 {
		t.Errorf("%d rules give text a colour: the style sheet is not read", rules)
	}
}
