package outside_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/translog"
)

// The log shows a witness another tree than it publishes: at the same size, and at a
// larger one. The witness refuses; the refusal is kept, with what was submitted, and
// the other witness and the log go on.
func TestAdversary_L04_WitnessWasShownAnotherTree(t *testing.T) {
	for name, test := range map[string]struct {
		size   uint64
		status int
	}{"one size": {7, 409}, "a larger one": {12, 422}} {
		lie, h := newHouse(t, "b"), newHouse(t, "a")
		fooled, other := body(t, "fooled.example/w"), body(t, "other.example/w")
		end := lie.ask(fooled)
		lie.publish(7)
		lie.cosigned(7, fooled)
		end()
		stop := h.ask(fooled, other)
		h.publish(test.size)
		h.says("an outside witness has cosigned another tree of this log")
		h.cosigned(test.size, other)
		found := h.Findings()
		if len(found) != 1 || found[0].Witness != "fooled.example/w" || found[0].Size != test.size || found[0].Status != test.status {
			t.Fatalf("%s: findings %+v", name, found)
		}
		kept, err := os.ReadFile(found[0].Path)
		must(t, err)
		_, submitted, _ := strings.Cut(string(kept), "\n\n")
		s, err := translog.ParseSubmission([]byte(submitted))
		if err != nil || s.Old != 7 || string(s.Note) != string(h.note(test.size)) {
			t.Errorf("%s: kept %q, %v", name, kept, err)
		}
		// The first one is nearest to the lie, and stays, after a restart too.
		stop()
		h.ask(fooled)
		h.publish(20)
		h.until(func() string {
			if found := h.Findings(); len(found) != 1 || found[0].Size != 20 {
				return "no finding at 20"
			}
			return ""
		})
		if again, err := os.ReadFile(found[0].Path); err != nil || string(again) != string(kept) {
			t.Errorf("%s: the first refusal was written over: %v", name, err)
		}
	}
}

// The log was set back below what a witness has cosigned, and grows another way:
// nothing is claimed while the witness is ahead, and all once the trees meet.
func TestAdversary_L02_WitnessIsAhead(t *testing.T) {
	for _, honest := range []bool{true, false} {
		before := newHouse(t, "a")
		w := body(t, "one.example/w")
		end := before.ask(w)
		before.publish(9)
		before.cosigned(9, w)
		end()
		h := newHouse(t, map[bool]string{true: "a", false: "b"}[honest])
		h.ask(w)
		h.publish(4)
		h.says("9 leaves, and 4 are published")
		if found := h.Findings(); len(found) != 0 {
			t.Errorf("findings while it is ahead: %+v", found)
		}
		h.publish(12)
		if honest {
			h.cosigned(12, w)
			continue
		}
		h.says("another tree of this log")
		if h.own(w) != nil {
			t.Error("it is shown as cosigned")
		}
	}
}

// A witness goes on with an older directory, or an empty one. The log reminds it of what
// it has cosigned, and asks for nothing less; the witness signs nothing any more.
func TestAdversary_L06_WitnessThatForgot(t *testing.T) {
	for name, empty := range map[string]bool{"a backup": false, "an empty directory": true} {
		t.Run(name, func(t *testing.T) {
			h, directory, backup := newHouse(t, "a"), t.TempDir(), t.TempDir()
			w, closeDown := bodyIn(t, "one.example/w", directory)
			stop := h.ask(w)
			h.publish(5)
			h.cosigned(5, w)
			if !empty {
				must(t, os.CopyFS(backup+"/copy", os.DirFS(directory)))
			}
			h.publish(9)
			h.cosigned(9, w)
			stop()
			closeDown()
			own := h.own(w)

			w, _ = bodyIn(t, "one.example/w", backup+"/copy")
			h.ask(w)
			published := h.publish(12)
			h.says("an outside witness has forgotten what it cosigned")
			h.says("signs nothing more")
			if note, err := os.ReadFile(filepath.Join(h.directory, "checkpoint")); err != nil || string(note) != string(published) || string(h.own(w)) != string(own) {
				t.Errorf("it is shown as cosigned: %q, %v", note, err)
			}
		})
	}
}
