package desk

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// examined wants a row of an examination to be as given, and to hold some words.
func examined(t *testing.T, checks []checkup.Check, name string, ok bool, words ...string) {
	t.Helper()
	for _, c := range checks {
		if c.Name != name {
			continue
		}
		for _, word := range words {
			if c.OK != ok || !strings.Contains(c.Detail+" "+c.Hint, word) {
				t.Errorf("row %q is %+v, want %t with %q", name, c, ok, word)
			}
		}
		if !ok && c.Hint == "" {
			t.Errorf("row %q says nothing to do: %+v", name, c)
		}
		return
	}
	t.Errorf("no row %q in %+v", name, checks)
}

func TestExamineASoundDesk(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	w.cosign("XA", w.checkpoint())
	until(t, "it is witnessed", func() bool { return d.Status().WitnessedSize == 4 })
	checks := Examine(t.Context(), d.config)
	examined(t, checks, "process", true, "running")
	examined(t, checks, "mirror", true, "cosigned 4 of 4 events, last at 20")
	examined(t, checks, "witnesses", true, "4 of 4 events are witnessed, by XA, XC; the newest lacks XB")
	examined(t, checks, "mirror key", true, fmt.Sprintf("%.8x", []byte(registrytest.Public("mirror XC"))))
	examined(t, checks, "charter", true, w.charter.Digest.String())
	examined(t, checks, "alarms", true, "none stands")
	examined(t, checks, "journal", true, "sound")
	must(t, d.stop())
	checks = Examine(t.Context(), d.config)
	examined(t, checks, "process", true, "stopped")
	examined(t, checks, "mirror", true, "; stopped")
}

func TestExamineNamesAlarmsAndTheirEvidence(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	forged := w.checkpoint()
	forged.Root[0] ^= 1
	w.send(&logv1.Leaves{Start: 4, Checkpoint: w.note(forged)})
	d.alarmed(AlarmFork)
	w.say(police)
	w.notarise()
	checks := Examine(t.Context(), d.config) // beside the running desk
	examined(t, checks, "alarm 1", false, "fork at index 3 since 20", "two signed checkpoints", "/alarms", "tripoint desk alarms --out", "acknowledge 1", "This desk no longer trusts the log")
	must(t, d.stop())
	examined(t, Examine(t.Context(), d.config), "alarm 1", false, "fork at index 3")
	settles(t, directory, AlarmFork)
	examined(t, Examine(t.Context(), d.config), "alarms", true, "none stands; 1 were settled by people")
}

// The log goes on, and nobody but this country cosigns it; then this one does not either.
func TestExamineSeesWhoIsBehind(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	examined(t, Examine(t.Context(), d.config), "witnesses", false, "0 of 4 events are witnessed, by nobody; the newest lacks XA, XB", "ask the countries named")
	w.amend(registrytest.RevokeKey(registrytest.MirrorOwner("XC"), 0), "root XC")
	size := w.notarise().Size
	until(t, "the log is followed", func() bool { return d.Status().LogSize == size })
	checks := Examine(t.Context(), d.config)
	examined(t, checks, "mirror", false, fmt.Sprintf("cosigned 4 of %d events", size))
	examined(t, checks, "mirror key", false, "was revoked", "The root of XC can enrol another")
}

func TestExamineWhatIsNotThisDesks(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	must(t, d.stop())
	config := d.config
	config.MirrorKey = registrytest.Key("mirror XA")
	examined(t, Examine(t.Context(), config), "mirror key", false, "mirror key of XA")
	config = d.config
	config.MirrorKey = registrytest.Key("somebody's")
	examined(t, Examine(t.Context(), config), "mirror key", false, "is configured with another")
	config = d.config
	founding := registrytest.Founding()
	founding.Name += ", another"
	config.Charter = registrytest.Sign(t, founding)
	examined(t, Examine(t.Context(), config), "charter", false, "another log's")
	config = d.config
	config.Directory = t.TempDir()
	must(t, os.Chmod(config.Directory, 0o755))
	checks := Examine(t.Context(), config)
	examined(t, checks, "journal", true, "has received nothing yet")
	examined(t, checks, "directory", false, "chmod 700")
	if _, err := os.Stat(journalPath(config.Directory)); err == nil {
		t.Error("the examination has made a journal")
	}
	// A damaged file.
	file, err := os.ReadFile(journalPath(directory))
	must(t, err)
	before := bytes.Clone(file)
	copy(file[:100], make([]byte, 100))
	must(t, os.WriteFile(journalPath(directory), file, 0o600))
	examined(t, Examine(t.Context(), d.config), "journal", false, "keep a copy")
	must(t, os.WriteFile(journalPath(directory), before, 0o600))
	w.start("XC", directory).hasCosigned(4)
}
