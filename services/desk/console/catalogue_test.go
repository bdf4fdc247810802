package console

import (
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/verdict"
)

func english(t *testing.T) catalogue {
	t.Helper()
	texts, err := loadCatalogue("en")
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// source is all of the console's own templates and code.
func source(t *testing.T, patterns ...string) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range patterns {
		names, err := fs.Glob(os.DirFS("."), pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("no files %s: %v", pattern, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}

func TestEveryTextIsThereAndUsed(t *testing.T) {
	texts := english(t)
	templates := source(t, "templates/*.html")
	for _, used := range regexp.MustCompile(`[({]\s*t "([^"]+)"`).FindAllStringSubmatch(templates, -1) {
		if texts[used[1]] == "" {
			t.Errorf("a template uses the text %q, which is not in the catalogue", used[1])
		}
	}
	everything := templates + source(t, "*.go")
	groups := map[string]bool{} // of words for codes, whose keys no template spells out
	for _, group := range regexp.MustCompile(`words? "([a-z0-9-]+)"|words?\("([a-z-]+)"|: +"([a-z-]+)",`).FindAllStringSubmatch(everything, -1) {
		groups[group[1]+group[2]+group[3]] = true
	}
	for key, text := range texts {
		group, _, _ := strings.Cut(key, ".")
		if !strings.Contains(everything, `"`+key+`"`) && !groups[group] && !strings.HasSuffix(key, ".title") {
			t.Errorf("the text %q is used nowhere", key)
		}
		if strings.ContainsAny(text, "<>") {
			t.Errorf("the text %q has markup in it", key)
		}
	}
}

func TestEveryCodeHasAWord(t *testing.T) {
	texts := english(t)
	want := map[string][]string{
		"kind": append(casework.Kinds(), casework.KindSealed), "family": families(), "nationality": {"stateless", "unknown"},
		"state":            {casework.StateOpen, casework.StateExplainedByOne, casework.StateExplained},
		"commitment-state": {casework.CommitmentOpen, casework.CommitmentInProgress, casework.CommitmentFulfilled, casework.CommitmentDisputed},
		"type":             slices.Collect(maps.Keys(paths)),
	}
	for _, code := range []verdict.Code{
		verdict.Undecodable, verdict.UnknownKey, verdict.KeyNotValid, verdict.WrongAgency, verdict.AudienceClosed, verdict.BadSignature,
		verdict.BadBody, verdict.Duplicate, verdict.Equivocation, verdict.Gap, verdict.Broken, verdict.NotUpdate, verdict.Accepted,
	} {
		want["verdict"] = append(want["verdict"], string(code))
		want["verdict-why"] = append(want["verdict-why"], string(code))
	}
	for group, codes := range want {
		for _, code := range codes {
			if texts[group+"."+code] == "" {
				t.Errorf("no word for %s %q", group, code)
			}
		}
	}
	if got := texts.word("kind", "person.consent_given"); got != "person: consent given" {
		t.Errorf("a kind of a later version reads %q", got)
	}
}

func TestNumbers(t *testing.T) {
	texts := english(t)
	for n, want := range map[uint64]string{0: "0", 53: "53", 999: "999", 1000: "1,000", 7141: "7,141", 1234567: "1,234,567"} {
		if got := texts.number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestTimesAreShownAsStated(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "2025-02-12": "2025-02-12", "2025-02-12T15:45:00+07:00": "2025-02-12 15:45:00 +07:00", "2025-02-12T08:45:00Z": "2025-02-12 08:45:00 UTC",
		"soon": "soon", "about the twelfth of the month": "about the twelfth of the month",
	} {
		if got := stated(in); got != want {
			t.Errorf("stated(%q) = %q, want %q", in, got, want)
		}
	}
}

// Text has a contrast of at least 4.5 to what it stands on (WCAG 2.2, 1.4.3),
// in both schemes.
func TestContrast(t *testing.T) {
	css := source(t, "assets/console.css")
	schemes := regexp.MustCompile(`:root \{([^}]*--ground[^}]*)\}`).FindAllStringSubmatch(css, -1)
	if len(schemes) != 3 { // light, dark, print
		t.Fatalf("%d schemes in the style sheet", len(schemes))
	}
	for i, scheme := range schemes[:2] {
		colours := map[string]string{}
		for _, one := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(scheme[1], -1) {
			colours[one[1]] = one[2]
		}
		for text, grounds := range map[string][]string{
			"ink": {"ground", "sheet", "rule", "warn-ground", "fresh"}, "soft": {"ground", "sheet", "warn-ground", "fresh"}, "link": {"ground", "sheet", "fresh"},
			"warn": {"warn-ground", "sheet", "fresh"}, "bad": {"bad-ground", "sheet", "fresh"}, "good": {"good-ground"}, "head-ink": {"head"}, "head-soft": {"head"},
		} {
			for _, ground := range grounds {
				if got := contrast(t, colours[text], colours[ground]); got < 4.5 {
					t.Errorf("scheme %d: %s on %s has a contrast of %.2f", i, text, ground, got)
				}
			}
		}
	}
}

// contrast is the contrast ratio of WCAG 2.2.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(colour string) float64 {
		n, err := strconv.ParseUint(colour, 16, 24)
		if err != nil {
			t.Fatal(fmt.Errorf("colour %q: %w", colour, err))
		}
		var sum float64
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			part := float64(n>>(16-8*i)&0xff) / 255
			if part <= 0.04045 {
				part /= 12.92
			} else {
				part = math.Pow((part+0.055)/1.055, 2.4)
			}
			sum += weight * part
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}
