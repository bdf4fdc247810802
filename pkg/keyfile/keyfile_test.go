package keyfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestSignerIsMadeOnceAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "a.key")
	made, err := Signer(path)
	if err != nil {
		t.Fatal(err)
	}
	read, err := Signer(path)
	if err != nil || !made.Equal(read) {
		t.Errorf("the second reading gives another key, or fails: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v; want only the owner to read it", info.Mode(), err)
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "text": "not a key\n", "other PEM": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		path := filepath.Join(t.TempDir(), "a.key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Signer(path); err == nil {
			t.Errorf("%s: taken for a key", name)
		}
	}
}

func TestFailedCreationLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if _, err := OrCreate(path, func() ([]byte, error) { return nil, errors.New("no") }); err == nil {
		t.Error("a failed creation is no error")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was left: %v", err)
	}
}

func TestTornWriteIsNotTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := OrCreate(path, func() ([]byte, error) { return []byte("whole"), nil })
	if err != nil || string(data) != "whole" {
		t.Errorf("OrCreate = %q, %v", data, err)
	}
}
