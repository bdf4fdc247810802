package keyfile

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecondKeyIsKeptLikeAnyOther(t *testing.T) {
	for name, lock := range map[string]Lock{"sealed": cheap("pass"), "unsealed": Unsealed} {
		path := filepath.Join(t.TempDir(), "a.key.second")
		made, err := CreateSecond(path, lock)
		must(t, err)
		read, err := LoadSecond(path, lock)
		if err != nil || !bytes.Equal(read.Public(), made.Public()) {
			t.Fatalf("%s: another key, or none: %v", name, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, error %v", name, info.Mode(), err)
		}
		content, err := os.ReadFile(path)
		must(t, err)
		if plain := bytes.Contains(content, []byte("PRIVATE KEY")); plain != (lock == Unsealed) {
			t.Errorf("%s: the file shows a private key: %v", name, plain)
		}
		if _, err := CreateSecond(path, lock); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: a second key is written over: %v", name, err)
		}
		key, check := ExamineSecond("second key file", path, lock)
		if key == nil || !check.OK || !strings.Contains(check.Detail, "second public key") {
			t.Errorf("%s: %+v", name, check)
		}
	}
}

// The two kinds of key are never taken for one another, and an error shows nothing.
func TestKindsOfKeysAreToldApart(t *testing.T) {
	directory := t.TempDir()
	first, other, secret := filepath.Join(directory, "first"), filepath.Join(directory, "other"), filepath.Join(directory, "secret")
	_, err := Create(first, Unsealed)
	must(t, err)
	_, err = CreateSecond(other, Unsealed)
	must(t, err)
	must(t, Put(secret, Unsealed, make([]byte, ed25519.SeedSize)))
	for _, path := range []string{first, secret, filepath.Join(directory, "none")} {
		if _, check := ExamineSecond("second key file", path, Unsealed); check.OK || check.Hint == "" {
			t.Errorf("%s: %+v", path, check)
		}
		content, _ := os.ReadFile(path)
		if _, err := LoadSecond(path, Unsealed); err == nil || len(content) > 60 && strings.Contains(err.Error(), string(content[40:60])) {
			t.Errorf("%s: LoadSecond = %v", path, err)
		}
	}
	if _, err := Load(other, Unsealed); err == nil {
		t.Error("a second key was taken for a first")
	}
}
