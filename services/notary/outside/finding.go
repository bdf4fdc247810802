package outside

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/translog"
)

// Finding is a checkpoint that a witness refused as none of the tree that it has
// cosigned: this log has shown it another tree than it publishes, or it is wrong.
type Finding struct {
	Witness string // key name
	Size    uint64 // of the checkpoint
	Status  int    // HTTP status: 409 two roots of one size, 422 the proof does not lead to what it has
	Path    string // file with the first such refusal by this witness
}

// Findings are what was found since the start, one a witness: its last one.
func (c *Circle) Findings() []Finding {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.findings)
}

// find keeps a finding. The file of a witness's first one is never written over:
// it is nearest to the lie. It holds a few lines for a person, an empty line, and what was submitted.
func (w *asked) find(f Finding, s translog.Submission, answer []byte) {
	f.Path = filepath.Join(w.config.Findings, "witness-"+w.key.ID())
	first, _, _ := strings.Cut(string(answer), "\n")
	text := fmt.Appendf(nil, "A witness refused a checkpoint of %d leaves as none of the tree that it has cosigned.\nwitness %s\nasked at %s, %s\nanswer %d %.200q\n\n%s",
		f.Size, w.key, w.address, time.Now().UTC().Format(time.RFC3339), f.Status, first, s.Bytes())
	if err := keep(f.Path, text); err != nil {
		w.config.Logger.Error("keeping a finding", "error", err)
	}
	w.mu.Lock()
	w.findings = append(slices.DeleteFunc(w.findings, func(old Finding) bool { return old.Path == f.Path }), f)
	w.mu.Unlock()
	w.config.Logger.Error("an outside witness has cosigned another tree of this log", "witness", w.key.Name, "size", f.Size, "status", f.Status, "kept", f.Path)
}

func keep(path string, text []byte) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := disk.Maker(nil).MakeDirectory(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return disk.Replace(path, text, 0o600)
}
