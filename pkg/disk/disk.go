// Package disk puts bytes on disk for good: a file is replaced whole or not at
// all, and what a call has returned from survives a power cut. It knows no format
// and keeps no secrets (pkg/keyfile does).
package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Kind is what a change does.
type Kind string

// The kinds of changes.
const (
	Create        Kind = "create"
	Write         Kind = "write"
	Truncate      Kind = "truncate"
	Sync          Kind = "sync"
	Rename        Kind = "rename" // Path is the new name
	Remove        Kind = "remove"
	SyncDirectory Kind = "sync directory"
)

// Change is one change of what the disk holds.
type Change struct {
	Kind Kind
	Path string
}

// Maker makes changes, each by calling do; nil makes them all. A test puts one in
// place that fails before do, after it, or tears what do has written.
type Maker func(change Change, do func() error) error

// Make makes one change.
func (m Maker) Make(kind Kind, path string, do func() error) error {
	if m == nil {
		return do()
	}
	return m(Change{Kind: kind, Path: path}, do)
}

// Replace puts a file in place of the one before, whole or not at all, and syncs
// it. A path has one writer: what a crash left half-written is begun again.
func Replace(path string, data []byte, mode fs.FileMode) error {
	return Maker(nil).Replace(path, data, mode)
}

// Replace is the function Replace by this maker.
func (m Maker) Replace(path string, data []byte, mode fs.FileMode) error {
	staged := path + ".new"
	if err := m.fill(staged, data, mode); err != nil {
		return err
	}
	if err := m.Make(Rename, path, func() error { return os.Rename(staged, path) }); err != nil {
		return err
	}
	return m.SyncDirectory(filepath.Dir(path))
}

// fill makes a file that nobody has open, with a mode of its own.
func (m Maker) fill(path string, data []byte, mode fs.FileMode) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var file *os.File
	err := m.Make(Create, path, func() (err error) {
		file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		return err
	})
	if file == nil {
		return err
	}
	if err == nil {
		err = m.Make(Write, path, func() error {
			_, err := file.Write(data)
			return err
		})
	}
	if err == nil {
		err = m.Make(Sync, path, file.Sync)
	}
	return errors.Join(err, file.Close())
}

// RemoveAll removes a path with all that is in it, and syncs the directory that it was in.
func (m Maker) RemoveAll(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := m.Make(Remove, path, func() error { return os.RemoveAll(path) }); err != nil {
		return err
	}
	return m.SyncDirectory(filepath.Dir(path))
}

// MakeDirectory makes a directory where there is none, with those above it, and
// syncs each directory that a new one stands in.
func (m Maker) MakeDirectory(path string, mode fs.FileMode) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(path)
	if above != path {
		if err := m.MakeDirectory(above, mode); err != nil {
			return err
		}
	}
	err := m.Make(Create, path, func() error { return os.Mkdir(path, mode) })
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return m.SyncDirectory(above)
}

// SyncDirectory makes names in a directory survive a power cut too.
func (m Maker) SyncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(m.Make(SyncDirectory, path, directory.Sync), directory.Close())
}
