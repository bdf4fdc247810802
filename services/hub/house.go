package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/stream"
)

// house is where a hub's streams lie in its directory.
//
//	streams             those that are served
//	streams.restoring   built by a restoration that is not done, or was broken off
//	streams.restored    built, read back and on disk: to become streams
//	streams.examined    a hub's directory with a copy of streams, which a restoration reads
//	streams.dry-run-N   likewise, where nothing is to be restored
//	streams.damaged-N   those of before, kept as they were found, but for what is to be erased
//
// If we crash before the rename to streams.restored, the old streams stay and the
// rest is begun again; after it, whoever opens the house next completes the exchange.
// Of key records and chunks nothing is kept twice: nobody would erase the other copy.
type house struct{ directory string }

func (h house) at(name string) string { return filepath.Join(h.directory, name) }
func (h house) streams() string       { return h.at("streams") }
func (h house) restoring() string     { return h.at("streams.restoring") }
func (h house) restored() string      { return h.at("streams.restored") }
func (h house) examined() string      { return h.at("streams.examined") }

// report is the file in restored streams that says what became of the log.
const report = "restored.json"

// waiting is what was restored and waits to become the streams; nil: nothing does.
func (h house) waiting() (*Restored, error) {
	text, err := os.ReadFile(filepath.Join(h.restored(), report))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	done := &Restored{}
	if err == nil {
		err = json.Unmarshal(text, done)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was restored: %w", err)
	}
	return done, nil
}

// finish completes an exchange, and says what was restored; nil: none was under way.
func (h house) finish() (*Restored, error) {
	done, err := h.waiting()
	if done == nil || err != nil {
		return nil, err
	}
	err = h.retire(done.Damaged)
	if err == nil && done.Unread == "" { // what could be read of them is in the restored streams
		err = h.shed(done.Damaged)
	}
	if err == nil {
		err = os.Rename(h.restored(), h.streams())
	}
	if err == nil {
		err = errors.Join(syncPath(h.directory), h.clear())
	}
	if err != nil {
		return nil, fmt.Errorf("exchanging the streams for those that were restored: %w", err)
	}
	return done, nil
}

// retire moves the streams of before to where they are kept; empty: there are none
// worth it. After a crash they may be there already.
func (h house) retire(damaged string) error {
	switch empty, err := isEmpty(h.streams()); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case empty:
		return os.Remove(h.streams())
	}
	if err := os.Rename(h.streams(), damaged); err != nil {
		return err
	}
	return syncPath(h.directory)
}

// erasable are the directories of streams of before that hold key records and chunks.
func erasable(streams string) (found []string, err error) {
	for _, name := range []string{stream.Keys, stream.Files} {
		paths, err := below(streams, "jetstream/*/streams/"+name)
		if err != nil {
			return nil, err
		}
		found = append(found, paths...)
	}
	return found, nil
}

// below are the paths in a directory that a pattern fits; the directory's own name is none.
func below(directory, pattern string) ([]string, error) {
	found, err := fs.Glob(os.DirFS(directory), pattern)
	for i, name := range found {
		found[i] = filepath.Join(directory, filepath.FromSlash(name))
	}
	return found, err
}

// shed takes from streams of before what may have to be erased some day: nobody would do it there.
func (h house) shed(damaged string) error {
	if damaged == "" {
		return nil
	}
	found, err := erasable(damaged)
	for _, path := range found {
		err = errors.Join(err, os.RemoveAll(path), syncPath(filepath.Dir(path)))
	}
	return err
}

// aside is where the streams are to be kept: nothing is ever moved over what was
// kept earlier. Empty: there is nothing to keep.
func (h house) aside() (string, error) {
	switch empty, err := isEmpty(h.streams()); {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case empty || err != nil:
		return "", err
	}
	for n := 1; ; n++ {
		path := h.at(fmt.Sprintf("streams.damaged-%d", n))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path, nil
		} else if err != nil {
			return "", err
		}
	}
}

// clear drops what a restoration that was broken off has left.
func (h house) clear() error {
	left := []string{h.restoring(), h.examined()}
	dry, err := below(h.directory, dryRunName+"*")
	for _, path := range append(left, dry...) {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

const dryRunName = "streams.dry-run-"

// dryRun makes a directory for a copy, beside the streams: there is room for them.
func (h house) dryRun() (string, error) { return os.MkdirTemp(h.directory, dryRunName) }

// examine makes a hub's directory with a copy of the streams, so that looking at them
// changes nothing: a server that opens damaged streams throws away what it cannot
// read, and a hub writes its credentials.
func (h house) examine(copied string) error {
	for _, name := range []string{"streams", "credentials"} {
		if err := os.MkdirAll(filepath.Join(copied, name), 0o700); err != nil {
			return err
		}
	}
	return os.CopyFS(filepath.Join(copied, "streams"), os.DirFS(h.streams()))
}

// seal puts what was built on disk, with its report, and makes it the one that
// becomes the streams.
func (h house) seal(done Restored) error {
	var err error
	if done.Damaged, err = h.aside(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(done, "", "  ")
	if err != nil {
		return err
	}
	if err := disk.Replace(filepath.Join(h.restoring(), report), append(text, '\n'), 0o600); err != nil {
		return err
	}
	err = filepath.WalkDir(h.restoring(), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path)
	})
	if err != nil {
		return err
	}
	if err := os.Rename(h.restoring(), h.restored()); err != nil {
		return err
	}
	return syncPath(h.directory)
}

func isEmpty(directory string) (bool, error) {
	entries, err := os.ReadDir(directory)
	return len(entries) == 0, err
}

// syncPath makes a file, or the names in a directory, survive a power cut.
func syncPath(path string) error {
	opened, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}
