package notary

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/translog"
)

const hashSize = 32

// store holds the hashes of the tree in tlog's storage order, in one file that
// only grows. What append has returned from is on disk: nothing is signed before.
// A crash inside append leaves a tail that belongs to no whole leaf; open cuts it
// off. What is on disk after a fault is not known here: then it is opened again,
// and of what it holds only that counts which leads to a published root.
type store struct {
	directory string
	disk      disk.Maker
	lock      *os.File // two notaries on one store would tear it
	file      *os.File
	size      uint64 // leaves
	held      uint64 // hashes
}

func openStore(directory string, maker disk.Maker) (*store, error) {
	if err := maker.MakeDirectory(directory, 0o700); err != nil {
		return nil, fmt.Errorf("leaf store: %w", err)
	}
	lock, err := daemon.Lock(directory)
	if err != nil {
		return nil, fmt.Errorf("leaf store: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(directory, "hashes"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("leaf store: %w", err), lock.Close())
	}
	s := &store{directory: directory, disk: maker, lock: lock, file: file}
	if err := errors.Join(maker.SyncDirectory(directory), s.recover()); err != nil {
		return nil, errors.Join(fmt.Errorf("leaf store: %w", err), s.close())
	}
	return s, nil
}

// recover finds the largest tree whose hashes are all here, and drops what follows.
func (s *store) recover() error {
	if err := s.measure(); err != nil {
		return err
	}
	if err := s.cut(s.held); err != nil {
		return err
	}
	return s.disk.Make(disk.Sync, s.file.Name(), s.file.Sync) // a sync before may have failed
}

// measure finds the largest tree whose hashes are all here.
func (s *store) measure() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	available := uint64(info.Size()) / hashSize
	low, high := uint64(0), available // a tree of n leaves has at least n hashes
	for low < high {
		middle := low + (high-low+1)/2
		needed, err := translog.StoredHashCount(middle)
		if err != nil {
			return err
		}
		if needed <= available {
			low = middle
		} else {
			high = middle - 1
		}
	}
	s.size = low
	s.held, err = translog.StoredHashCount(low)
	return err
}

func (s *store) close() error { return errors.Join(s.file.Close(), s.lock.Close()) }

// append adds leaves at the end and syncs. After an error the store must be
// opened again: it does not know what the disk holds.
func (s *store) append(leaves []translog.Hash) error {
	fresh := &freshHashes{store: s}
	for i, leaf := range leaves {
		hashes, err := translog.StoredHashes(s.size+uint64(i), leaf, fresh)
		if err != nil {
			return fmt.Errorf("adding leaf %d: %w", s.size+uint64(i), err)
		}
		fresh.hashes = append(fresh.hashes, hashes...)
	}
	data := make([]byte, 0, len(fresh.hashes)*hashSize)
	for _, hash := range fresh.hashes {
		data = append(data, hash[:]...)
	}
	err := s.disk.Make(disk.Write, s.file.Name(), func() error {
		_, err := s.file.WriteAt(data, int64(s.held)*hashSize)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing %d leaves: %w", len(leaves), err)
	}
	if err := s.disk.Make(disk.Sync, s.file.Name(), s.file.Sync); err != nil {
		return fmt.Errorf("syncing %d leaves: %w", len(leaves), err)
	}
	s.held += uint64(len(fresh.hashes))
	s.size += uint64(len(leaves))
	return nil
}

// published is the checkpoint of the largest tree that is known to have been
// published from this store; nil before the first.
func (s *store) published() (note []byte, err error) {
	note, err = os.ReadFile(filepath.Join(s.directory, "published"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return note, err
}

// publishedSize is the size of that checkpoint, 0 before the first, whoever signed it.
func (s *store) publishedSize() (uint64, error) {
	note, err := s.published()
	if err != nil || note == nil {
		return 0, err
	}
	checkpoint, err := claimed(note)
	if err != nil {
		return 0, fmt.Errorf("the checkpoint that was published last is damaged: %w", err)
	}
	return checkpoint.Size, nil
}

// note keeps a checkpoint that was published. A crash before it forgets one
// publication, which then stands on the log stream itself.
func (s *store) note(note []byte) error {
	return s.disk.Replace(filepath.Join(s.directory, "published"), note, 0o600)
}

// truncate drops all leaves from size on.
func (s *store) truncate(size uint64) error {
	held, err := translog.StoredHashCount(size)
	if err != nil {
		return err
	}
	if held > s.held {
		return fmt.Errorf("cannot grow from %d to %d leaves", s.size, size)
	}
	if err := s.cut(held); err != nil {
		return fmt.Errorf("truncating to %d leaves: %w", size, err)
	}
	s.size, s.held = size, held
	return nil
}

// cut drops all hashes from a position on. It need not be on disk: what comes back
// after a power cut was not published, and is cut off again.
func (s *store) cut(held uint64) error {
	if info, err := s.file.Stat(); err == nil && info.Size() == int64(held)*hashSize {
		return nil
	}
	return s.disk.Make(disk.Truncate, s.file.Name(), func() error { return s.file.Truncate(int64(held) * hashSize) })
}

// leaf is the stored hash of the leaf at an index.
func (s *store) leaf(index uint64) (translog.Hash, error) {
	if index >= s.size {
		return translog.Hash{}, fmt.Errorf("leaf %d of %d", index, s.size)
	}
	hashes, err := s.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(index))})
	if err != nil {
		return translog.Hash{}, err
	}
	return hashes[0], nil
}

// ReadHashes makes the store a tlog.HashReader.
func (s *store) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(positions))
	for i, position := range positions {
		if position < 0 || uint64(position) >= s.held {
			return nil, fmt.Errorf("hash %d of %d", position, s.held)
		}
		if _, err := s.file.ReadAt(hashes[i][:], position*hashSize); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// freshHashes reads a store together with hashes that are not written yet.
type freshHashes struct {
	store  *store
	hashes []tlog.Hash
}

func (f *freshHashes) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(positions))
	for i, position := range positions {
		if fresh := position - int64(f.store.held); fresh >= 0 && fresh < int64(len(f.hashes)) {
			hashes[i] = f.hashes[fresh]
			continue
		}
		stored, err := f.store.ReadHashes([]int64{position})
		if err != nil {
			return nil, err
		}
		hashes[i] = stored[0]
	}
	return hashes, nil
}
