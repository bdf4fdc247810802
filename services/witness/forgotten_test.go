package witness

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/translog"
)

// A witness's directory was set back to a backup, and the log whose larger tree it had
// cosigned shows it its own signature: it signs nothing any more, for nobody.
func TestAdversary_L06_WitnessSetBack(t *testing.T) {
	o, l, evil := newOffice(t), newLog(t, "a", 20), newLog(t, "b", 20)
	o.cosigns(l.submission(0, 5))
	backup := t.TempDir()
	must(t, os.CopyFS(backup+"/witness", os.DirFS(o.directory)))
	large := l.submission(5, 9)
	code, _, line := o.post(large.Bytes())
	if code != http.StatusOK {
		t.Fatal(code, line)
	}
	signed := append(large.Note, line...)
	same := translog.Submission{Old: 9, Note: signed}
	o.cosigns(same) // its own word is no news to it
	o.stop()
	o.directory = backup + "/witness"
	o.start()

	// Another's line under its name is no signature of its own.
	o.cosigns(translog.Submission{Old: 5, Note: append(l.submission(5, 5).Note, line...)})
	o.refuses("what it has signed and does not know", translog.Submission{Old: 5, Proof: large.Proof, Note: signed}.Bytes(), http.StatusServiceUnavailable)
	o.refuses("the log going on", l.submission(5, 12).Bytes(), http.StatusServiceUnavailable)
	o.refuses("another tree", evil.submission(5, 9).Bytes(), http.StatusServiceUnavailable)
	o.refuses("what it knows", l.submission(5, 5).Bytes(), http.StatusServiceUnavailable)
	o.stop()
	if _, err := New(o.config()); err == nil || !strings.Contains(err.Error(), "signed 9 leaves") || !strings.Contains(err.Error(), "new key") {
		t.Errorf("it starts again: %v", err)
	}
}

// One size, and the own signature over another root: two witnesses have one key.
func TestAdversary_L05_TwoWitnessesWithOneKey(t *testing.T) {
	o, twin := newOffice(t), newOffice(t)
	l, evil := newLog(t, "a", 20), newLog(t, "b", 20)
	o.cosigns(l.submission(0, 9))
	s := evil.submission(0, 9)
	_, _, line := twin.post(s.Bytes())
	o.refuses("the twin's word", translog.Submission{Old: 9, Note: append(s.Note, line...)}.Bytes(), http.StatusServiceUnavailable)
	o.refuses("the log going on", l.submission(9, 12).Bytes(), http.StatusServiceUnavailable)
}
