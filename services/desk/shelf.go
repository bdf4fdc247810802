package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
	"github.com/tripoint/tripoint/pkg/view/sqlite"
)

// shelf keeps the view's files and is the view.Reader that outlives a swap.
//
// Each rebuild has a file of its own, view-000002.db after view-000001.db, and
// the highest number is the view. A file is built under another name and gets
// its number by a rename once it is closed and complete. A new file is never
// renamed over an old one: SQLite would find the old write-ahead log beside it
// and play it into the new file.
type shelf struct {
	directory string
	log       *slog.Logger

	mu     sync.RWMutex // held for reading while a page reads, so that no file closes under it
	number int
	view   *sqlite.View
	hidden concealed
}

const (
	viewPattern = "view-%06d.db"
	viewGlob    = "view-*.db"
	building    = "view.building.db" // does not fit viewGlob
)

// openShelf opens the newest view. One that cannot be opened (damaged, or of
// another version) gives way to an empty one, which the owner fills from its journal.
func openShelf(ctx context.Context, directory string, log *slog.Logger) (*shelf, error) {
	s := &shelf{directory: directory, log: log, number: 1}
	if err := s.remove(building); err != nil {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(directory, viewGlob))
	if err != nil {
		return nil, err
	}
	for _, path := range found {
		var number int
		if _, err := fmt.Sscanf(filepath.Base(path), viewPattern, &number); err == nil {
			s.number = max(s.number, number)
		}
	}
	s.view, err = sqlite.Open(ctx, s.path())
	if err != nil && len(found) > 0 && ctx.Err() == nil {
		log.Warn("the view cannot be opened: it is built again from the journal", "error", err)
		s.number++
		s.view, err = sqlite.Open(ctx, s.path())
	}
	if err != nil {
		return nil, err
	}
	return s, s.removeOlder()
}

func (s *shelf) path() string {
	return filepath.Join(s.directory, fmt.Sprintf(viewPattern, s.number))
}

// build begins an empty view beside the live one.
func (s *shelf) build(ctx context.Context) (*sqlite.View, error) {
	if err := s.remove(building); err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, filepath.Join(s.directory, building))
}

// swap closes a view that was built, makes it the live one, and returns it. If
// we crash before the rename, the old one is still the view; after it, the new one is.
func (s *shelf) swap(ctx context.Context, built *sqlite.View) (*sqlite.View, error) {
	if err := built.Close(); err != nil {
		return nil, fmt.Errorf("closing the view that was built: %w", err)
	}
	s.mu.Lock() // waits for the pages that are being read from the old one
	defer s.mu.Unlock()
	next := filepath.Join(s.directory, fmt.Sprintf(viewPattern, s.number+1))
	if err := os.Rename(filepath.Join(s.directory, building), next); err != nil {
		return nil, fmt.Errorf("swapping the view in: %w", err)
	}
	opened, err := sqlite.Open(ctx, next)
	if err != nil {
		return nil, err
	}
	old := s.view
	s.view, s.number = opened, s.number+1
	return opened, errors.Join(old.Close(), s.removeOlder())
}

// removeOlder removes the views below the live one.
func (s *shelf) removeOlder() error {
	found, err := filepath.Glob(filepath.Join(s.directory, viewGlob))
	if err != nil {
		return err
	}
	slices.Sort(found)
	for _, path := range found {
		if path != s.path() {
			if err := s.remove(filepath.Base(path)); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes a view's file with SQLite's own beside it.
func (s *shelf) remove(name string) error {
	for _, suffix := range []string{"-wal", "-shm", ""} {
		err := os.Remove(filepath.Join(s.directory, name+suffix))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing an old view: %w", err)
		}
	}
	return nil
}

// writer is the live view for its one writer. A swap is made by the same goroutine.
func (s *shelf) writer() *sqlite.View {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.view
}

func (s *shelf) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view.Close()
}

func (s *shelf) Cursor(ctx context.Context) (view.Cursor, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.view.Cursor(ctx)
}

func (s *shelf) Counts(ctx context.Context) (map[verdict.Code]uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.view.Counts(ctx)
}

func (s *shelf) Digest(ctx context.Context) (event.Digest, view.Cursor, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.view.Digest(ctx)
}
