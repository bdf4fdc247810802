package keyfile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Token reads a bearer token, or makes it where there is none: 256 random bits.
// It is plain, with mode 0600: the programs that present it read it too.
func Token(path string) (string, error) {
	text, err := OrCreate(path, func() ([]byte, error) {
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			return nil, err
		}
		return []byte(hex.EncodeToString(raw)), nil
	})
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	return string(text), nil
}

// OrCreate reads a plain file, or puts what create makes in place. A crash
// leaves either no file or the whole one.
func OrCreate(path string, create func() ([]byte, error)) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return data, err
	}
	if data, err = create(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return data, Replace(path, data)
}

// Replace puts a file in place of the one before, whole or not at all. A path
// has one writer: what a crash left half-written is begun again.
func Replace(path string, data []byte) error {
	staged := path + ".new"
	if err := os.Remove(staged); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := fill(file, data); err != nil {
		return err
	}
	if err := os.Rename(staged, path); err != nil {
		return err
	}
	return syncDirectory(path)
}

// fill writes a file's content, onto the disk.
func fill(file *os.File, data []byte) error {
	_, err := file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// syncDirectory makes the new name survive a power cut too.
func syncDirectory(path string) error {
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
