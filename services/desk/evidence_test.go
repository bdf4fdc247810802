package desk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
)

// idOf is the identifier of the event at an index.
func (w *world) idOf(index uint64) event.ID {
	w.t.Helper()
	envelope, err := event.Decode(w.messages[index].Data)
	must(w.t, err)
	return envelope.Claims().ID
}

// evidence makes a file at a desk and verifies it with the charter alone.
func (w *world) evidence(directory string, id event.ID) (evidence.Report, error) {
	w.t.Helper()
	file, err := Evidence(w.t.Context(), Config{Country: "XC", Directory: directory, Charter: w.charter}, id)
	if err != nil {
		return evidence.Report{}, err
	}
	return evidence.Verify(file, w.charter.Digest)
}

// What a desk hands to a court, while it runs and when it does not.
func TestEvidence(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	w.cosign("XB", w.checkpoint())
	again := w.publish(w.messages[1]) // the same event again: harmless, and not where it was accepted
	w.amend(registrytest.RevokeKey(registrytest.AgencyOwner("XA", "police"), 1), "root XA")
	w.notarise()
	d.hasCosigned(again + 2)
	w.cosign("XA", w.checkpoint())
	until(t, "two countries have cosigned", func() bool { return d.Status().WitnessedSize == again+2 })
	for _, running := range []bool{true, false} {
		if !running {
			must(t, d.stop())
		}
		report, err := w.evidence(directory, w.idOf(1))
		must(t, err)
		same(t, "index", uint64(1), report.Event.Index)
		same(t, "message", event.DigestOf(w.messages[1].Data).String(), report.Event.Message)
		same(t, "size", again+2, report.Checkpoint.Size)
		same(t, "updates", 2, report.Checkpoint.Updates)
		same(t, "doubted, since its key was revoked later", true, report.Key.Doubted)
		same(t, "witnesses", 2, len(report.Witnesses))
		report, err = w.evidence(directory, w.idOf(3))
		must(t, err)
		same(t, "who", "XB/border", report.Event.Country+"/"+report.Event.Agency)
	}
}

// A mirror that is behind is no reason to wait: what the others cosigned counts for it.
func TestEvidenceOfCosignaturesOfDifferentSizes(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	w.cosign("XB", w.checkpoint())
	until(t, "two countries have cosigned", func() bool { return d.Status().WitnessedSize == 4 })
	w.amend(registrytest.Enrol("XA", "coast"), "root XA", "publisher XA/coast")
	w.notarise()
	d.hasCosigned(5) // XC alone, which reads its own cosignature back
	var report evidence.Report
	until(t, "XC is a witness by its newest cosignature", func() bool {
		var err error
		report, err = w.evidence(directory, w.idOf(1))
		must(t, err)
		return report.Witnesses[len(report.Witnesses)-1].Size == 5
	})
	same(t, "size", uint64(4), report.Checkpoint.Size)
	same(t, "updates below it", 1, report.Checkpoint.Updates)
}

func TestEvidenceThatADeskDoesNotHave(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	thief, _ := w.sign(event.Chain{Country: "XA", Agency: "border", Audience: "region"}, event.Head{}, w.draft("site.reported"))
	refused := w.publish(stream.Message{Subject: strings.Replace(thief[0].Subject, "XA.border", "XA.police", 1), Data: thief[0].Data})
	late := w.say(border)
	d.has(late)
	for name, test := range map[string]struct {
		id    event.ID
		words string
	}{
		"of an audience that is not its country's": {w.idOf(2), "this desk has no such event"},
		"of nobody":           {event.ID{15: 9}, "this desk has no such event"},
		"refused":             {w.idOf(refused), "was refused (wrong-agency: "},
		"not witnessed":       {w.idOf(1), "0 messages are witnessed so far"},
		"not in the tree yet": {w.idOf(late), "0 messages are witnessed so far"},
	} {
		_, err := w.evidence(directory, test.id)
		if err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: error = %v, want %q", name, err, test.words)
		}
		same(t, name, strings.HasPrefix(test.words, "this desk"), errors.Is(err, ErrNoEvent))
	}
	empty := t.TempDir()
	if _, err := w.evidence(empty, w.idOf(1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory without a journal: error = %v", err)
	}
	if _, err := os.Stat(filepath.Join(empty, "journal.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking for evidence has made a journal: %v", err)
	}
}

// A file that leaves a desk is on its list: a receipt of a recall counts it.
func TestEvidenceIsOnTheListOfExports(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	w.cosign("XB", w.checkpoint())
	until(t, "two countries have cosigned", func() bool { return d.Status().WitnessedSize == 4 })
	for range 2 {
		_, err := w.evidence(directory, w.idOf(1))
		must(t, err)
	}
	for id, want := range map[event.ID]uint64{w.idOf(1): 2, w.idOf(3): 0} {
		files, err := d.ring.Exports(t.Context(), []event.ID{id})
		must(t, err)
		same(t, "exports", want, files)
	}
}
