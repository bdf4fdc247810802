package witness

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/tripoint/tripoint/pkg/translog"
)

// forgotten is the file with a note that this witness has signed and does not know:
// its directory was set back, or somebody else has its key. What else was signed
// nobody can tell. So while it is there nothing is signed any more, of any log.
const forgotten = "forgotten"

func (w *Witness) forgotten() string { return filepath.Join(w.directory, forgotten) }

// openForgotten fails where it was found before that something is forgotten.
func (w *Witness) openForgotten() error {
	note, err := os.ReadFile(w.forgotten())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	head, err := translog.ParseTreeHead(string(text) + "\n")
	if err != nil {
		return fmt.Errorf("%s is damaged: %w", w.forgotten(), err)
	}
	return fmt.Errorf("it has signed %d leaves of %q and does not know it (%s): its directory was set back, or another has its key; it needs a new key and an empty directory",
		head.Size, head.Origin, w.forgotten())
}

// remembers refuses everything once a log has shown a signature of this witness over
// more than it knows, or over another tree. A head is on disk before it is signed, so
// no crash makes that. Whoever calls it holds mu.
func (w *Witness) remembers(r *record, note []byte) error {
	if !w.forgot {
		own, err := translog.OpenTreeHead(note, []translog.VKey{w.VKey()})
		if err != nil || own.Size < r.head.Size || own.Size == r.head.Size && own.Root == r.head.Root {
			return nil
		}
		w.forgot = true
		w.log.Error("this witness has signed what it does not know: its directory was set back, or another has its key; it signs nothing more, and needs a new key",
			"origin", own.Origin, "signed", own.Size, "knows", r.head.Size, "proof", w.forgotten())
		if err := w.disk.Replace(w.forgotten(), own.Note, 0o600); err != nil {
			w.log.Error("keeping the proof", "error", err)
		}
	}
	return refuse(http.StatusServiceUnavailable, "this witness has forgotten what it has signed, and signs nothing more")
}
