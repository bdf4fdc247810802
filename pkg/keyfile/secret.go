package keyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// largest bounds what is read of a file, in bytes.
const largest = 64 << 10

// Secret reads a secret from its file, or puts what create makes there; with no
// create it fails where there is none. A crash leaves no file or the whole one,
// and of two that create at once both get the one that is kept.
func Secret(path string, lock Lock, create func() ([]byte, error)) ([]byte, error) {
	secret, err := load(path, lock)
	if create == nil || !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if secret, err = create(); err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	if err = Put(path, lock, secret); errors.Is(err, fs.ErrExist) {
		return load(path, lock)
	}
	if err != nil {
		return nil, err
	}
	return secret, nil
}

func load(path string, lock Lock) ([]byte, error) {
	content, err := read(path, 0o077)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	secret, err := lock.open(content)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return secret, nil
}

// Put makes a secret's file, and fails with fs.ErrExist where there is one: a
// key is never written over.
func Put(path string, lock Lock, secret []byte) error {
	if len(secret) > largest/2 {
		return fmt.Errorf("key file %s: a secret of %d bytes, at most %d", path, len(secret), largest/2)
	}
	content, err := lock.seal(secret)
	if err != nil {
		return fmt.Errorf("key file %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	// Under a name that nobody else writes to; its mode is 0600.
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	if err = fill(file, content); err == nil {
		err = os.Link(file.Name(), path) // unlike a renaming, never replaces
	}
	err = errors.Join(err, os.Remove(file.Name()), syncDirectory(path))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("key file %s: %w, and a key is never written over", path, fs.ErrExist)
	}
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	return nil
}

// read reads a file whose mode has none of the forbidden bits. Opening a pipe
// would wait, so what is no plain file is refused before.
func read(path string, forbidden fs.FileMode) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no plain file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return nil, fmt.Errorf("%s: others than its owner may use it (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	content, err := io.ReadAll(io.LimitReader(file, largest+1))
	if err != nil {
		return nil, err
	}
	if len(content) > largest {
		return nil, fmt.Errorf("%s: is larger than %d bytes: no key", path, largest)
	}
	return content, nil
}
