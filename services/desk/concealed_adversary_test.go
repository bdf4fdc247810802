package desk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

// The desk is killed between the end of an event's keys and the view without it. The first page
// that is asked for after the next start, before anything is folded again, shows nothing of it.
func TestAdversary_D01_KilledBeforeTheViewIsWithoutTheContent(t *testing.T) {
	t.Parallel()
	for how, c := range map[string]struct {
		step   string                                        // at which it is killed
		left   func(t *testing.T, directory string)          // done to its files after that
		others bool                                          // what it shows of other events
		end    func(w *world, clock *movable, b sealedBatch) // what ends the content
		reason string
	}{
		"recalled, and the view has not heard of it": {step: "committing view", others: true, end: recallsFirst, reason: "recalled"},
		"recalled, and the view has":                 {step: "folded", others: true, end: recallsFirst, reason: "recalled"},
		"recalled, and the key ring is lost": {step: "folded", end: recallsFirst, reason: "recalled",
			left: func(t *testing.T, directory string) { dropFiles(t, directory, "keys.db") }},
		"expired while it was off": {end: func(_ *world, clock *movable, b sealedBatch) { clock.set(b.record.Expires) }, reason: "expired"},
	} {
		t.Run(how, func(t *testing.T) {
			w, clock, planted := newWorld(t), &movable{}, "planted words that shall end"
			directory, left := t.TempDir(), filepath.Join(t.TempDir(), "left")
			clock.set(spoken)
			d := w.start("XB", directory, opening(), clock.on)
			b, other := w.tells(police, w.site("S-1", planted)), w.tells(police, w.site("S-2", "stays"))
			d.shows(b.places[0], "")
			d.shows(other.places[0], "")
			must(t, d.stop())
			if c.step == "" {
				c.end(w, clock, b)
				left = directory
			} else {
				crashing := w.start("XB", directory, opening(), clock.on, func(config *Config) {
					config.fault = func(at string) error {
						if at != c.step {
							return nil
						}
						return errors.Join(os.CopyFS(left, os.DirFS(directory)), errCrash)
					}
				})
				c.end(w, clock, b)
				if err := crashing.crashed(); !errors.Is(err, errCrash) {
					t.Fatalf("Run: %v, want the crash", err)
				}
			}
			if len(holds(t, left, []byte(planted))) == 0 {
				t.Fatal("the words are in no file: the test would find nothing")
			}
			if c.left != nil {
				c.left(t, left)
			}
			again := w.opened("XB", left, opening(), clock.on) // and not run
			shown := strings.Join(shownBy(t, again.Reader()), "\n")
			if strings.Contains(shown, planted) || strings.Contains(shown, "S-1") {
				t.Errorf("the pages show %s", shown)
			}
			if got := strings.Contains(shown, "S-2"); got != c.others {
				t.Errorf("of the other event the pages show %t, want %t: %s", got, c.others, shown)
			}
			must(t, again.Close())
			d = w.start("XB", left, opening(), clock.on)
			d.shows(b.places[0], c.reason)
			if _, ok := d.siteDocument("S-2"); ok != (c.reason == "recalled") {
				t.Errorf("the other event's entity is there: %t", ok)
			}
			same(t, "files with the words", []string(nil), holds(t, left, []byte(planted)))
		})
	}
}

func recallsFirst(w *world, _ *movable, b sealedBatch) {
	w.tells(police, w.recalls("R-1", b.events[0]))
}

// opened is a desk that does not run.
func (w *world) opened(country, directory string, change ...func(*Config)) *Desk {
	w.t.Helper()
	d, err := New(w.t.Context(), w.config(country, directory, change...))
	must(w.t, err)
	w.t.Cleanup(func() { d.Close() })
	return d
}

// shownBy is what pages can read of rows and sites. Where nothing may be read it is left out.
func shownBy(t *testing.T, r view.Reader) (shown []string) {
	t.Helper()
	entries, err := r.Entries(t.Context(), view.Filter{Limit: 1000})
	must(t, err)
	for _, e := range entries {
		for _, ref := range e.Refs {
			shown = append(shown, ref.ID)
		}
		shown = append(shown, e.Summary)
	}
	all, err := r.Documents(t.Context(), casework.TypeSite)
	if err != nil && !errors.Is(err, view.ErrFolding) {
		t.Fatal(err)
	}
	for _, document := range all {
		shown = append(shown, string(document.Data))
	}
	for _, id := range []string{"S-1", "S-2"} {
		document, _, err := r.Document(t.Context(), casework.Ref{Type: casework.TypeSite, ID: id})
		if err != nil && !errors.Is(err, view.ErrFolding) {
			t.Fatal(err)
		}
		shown = append(shown, string(document.Data))
	}
	return shown
}
