// Package chunks keeps what a desk has fetched of attachments: ciphertext, a file for each chunk under
// the name of its digest, in a directory for each event. It is a cache: it may be lost, it
// is compared with its name each time, and what has no open section any more goes.
package chunks

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
)

// Store is the cache of one desk. It is safe for concurrent use.
type Store struct {
	directory string
	limit     int64 // bytes

	mu   sync.Mutex // held while a chunk is entered or anything goes, so that what has gone does not come back
	size int64      // at most: what was put twice is counted twice until it is measured again
}

// Open opens a cache in a directory, which is made when it is needed, of at most so many bytes.
func Open(directory string, limit int64) (*Store, error) {
	s := &Store{directory: directory, limit: limit}
	if _, err := s.list(); err != nil {
		return nil, fmt.Errorf("opening the cache of attachments: %w", err)
	}
	return s, nil
}

// Get is a chunk of the event at a log index; nil where it is not here, or not what its name says.
func (s *Store) Get(index uint64, name event.Digest) []byte {
	data, err := os.ReadFile(s.path(index, name))
	if err != nil || event.DigestOf(data) != name {
		return nil
	}
	return data
}

// Put enters a chunk, where wanted still says that the event has it. Where something goes in
// between, the chunk does not come after it.
func (s *Store) Put(index uint64, name event.Digest, data []byte, wanted func() (bool, error)) (kept bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept, err = wanted(); err != nil || !kept {
		return false, err
	}
	path := s.path(index, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return true, fmt.Errorf("keeping a chunk: %w", err)
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return true, fmt.Errorf("keeping a chunk: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return true, fmt.Errorf("keeping a chunk: %w", err)
	}
	s.size += int64(len(data))
	return true, s.shrink()
}

// Sweep removes what named does not name of each event that something is here of.
func (s *Store) Sweep(named func(index uint64) (map[event.Digest]bool, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, err := s.list()
	if err != nil {
		return fmt.Errorf("sweeping the cache of attachments: %w", err)
	}
	var wanted map[event.Digest]bool
	for i, k := range kept {
		if i == 0 || kept[i-1].index != k.index {
			if wanted, err = named(k.index); err != nil {
				return err
			}
		}
		if !wanted[k.name] {
			if err := s.remove(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// shrink lets the oldest go where there is too much.
func (s *Store) shrink() error {
	if s.size <= s.limit {
		return nil
	}
	kept, err := s.list()
	if err != nil {
		return err
	}
	slices.SortFunc(kept, func(a, b chunk) int { return a.since.Compare(b.since) })
	for _, k := range kept {
		if s.size <= s.limit/4*3 {
			break
		}
		if err := s.remove(k); err != nil {
			return err
		}
	}
	return nil
}

// chunk is one that is here; zero of name is something else that lies there.
type chunk struct {
	index uint64
	name  event.Digest
	path  string
	size  int64
	since time.Time
}

// list is all that is here, by event, and measures it.
func (s *Store) list() ([]chunk, error) {
	var kept []chunk
	s.size = 0
	err := filepath.WalkDir(s.directory, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		k := chunk{path: path, size: info.Size(), since: info.ModTime()}
		if k.index, err = strconv.ParseUint(filepath.Base(filepath.Dir(path)), 10, 64); err == nil {
			if name, err := hex.DecodeString(entry.Name()); err == nil && len(name) == len(k.name) {
				k.name = event.Digest(name)
			}
		}
		kept, s.size = append(kept, k), s.size+k.size
		return nil
	})
	return kept, err
}

func (s *Store) remove(k chunk) error {
	if err := os.Remove(k.path); err != nil && !errors.Is(err, fs.ErrNotExist) { // whoever empties the cache beside us does no harm
		return fmt.Errorf("removing a chunk: %w", err)
	}
	s.size -= k.size
	_ = os.Remove(filepath.Dir(k.path)) // where it was the last
	return nil
}

func (s *Store) path(index uint64, name event.Digest) string {
	return filepath.Join(s.directory, fmt.Sprintf("%020d", index), name.String())
}
