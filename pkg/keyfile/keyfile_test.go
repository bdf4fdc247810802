package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// cheap is a passphrase's lock for tests: the real cost is a second each time.
func cheap(passphrase string) Lock {
	lock := Passphrase([]byte(passphrase))
	lock.made, lock.read = 2, 4
	return lock
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func public(key crypto.Signer) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func TestSignerIsMadeOnceAndPrivate(t *testing.T) {
	for name, lock := range map[string]Lock{"sealed": cheap("pass"), "unsealed": Unsealed} {
		path := filepath.Join(t.TempDir(), "deep", "a.key")
		made, err := Signer(path, lock)
		must(t, err)
		for what, read := range map[string]func(string, Lock) (crypto.Signer, error){"Signer": Signer, "Load": Load} {
			if key, err := read(path, lock); err != nil || !public(made).Equal(public(key)) {
				t.Errorf("%s: %s gives another key, or fails: %v", name, what, err)
			}
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, error %v; want only the owner to read it", name, info.Mode(), err)
		}
		content, err := os.ReadFile(path)
		must(t, err)
		if plain := bytes.Contains(content, []byte("PRIVATE KEY")); plain != (lock == Unsealed) {
			t.Errorf("%s: the file shows a private key: %v", name, plain)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("%s: %d files are left, error %v", name, len(entries), err)
		}
	}
}

func TestKeyIsNeverWrittenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.key")
	made, err := Create(path, cheap("pass"))
	must(t, err)
	for name, lock := range map[string]Lock{"same lock": cheap("pass"), "another": cheap("other"), "unsealed": Unsealed} {
		if _, err := Create(path, lock); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: Create = %v", name, err)
		}
	}
	if read, err := Load(path, cheap("pass")); err != nil || !public(made).Equal(public(read)) {
		t.Errorf("the key has changed: %v", err)
	}
}

func TestLoadMakesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.key")
	if _, err := Load(path, Unsealed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load = %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("Load made a file")
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "text": "not a key\n", "other PEM": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"X25519": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n",
	} {
		for _, lock := range []Lock{Unsealed, cheap("pass")} {
			path := filepath.Join(t.TempDir(), "a.key")
			must(t, Put(path, lock, []byte(content)))
			_, err := Signer(path, lock)
			if err == nil || strings.Contains(err.Error(), "not a key") || strings.Contains(err.Error(), "AAAA") {
				t.Errorf("%s: Signer = %v", name, err)
			}
		}
	}
}

// Whoever loses the race gets the winner's secret, and the file holds it.
func TestTwoMakersGetOneSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	got := make([][]byte, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			secret, err := Secret(path, cheap("pass"), func() ([]byte, error) { return bytes.Repeat([]byte{byte(i)}, 32), nil })
			if err != nil {
				t.Error(err)
			}
			got[i] = secret
		})
	}
	all.Wait()
	kept, err := Secret(path, cheap("pass"), nil)
	must(t, err)
	for i, secret := range got {
		if !bytes.Equal(secret, kept) {
			t.Errorf("maker %d has %x, the file %x", i, secret, kept)
		}
	}
}

func TestFileForOthersIsRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604, 0o610, 0o660, 0o644} {
		path := filepath.Join(t.TempDir(), "a.key")
		_, err := Create(path, Unsealed)
		must(t, err)
		must(t, os.Chmod(path, mode))
		if _, err := Signer(path, Unsealed); err == nil || !strings.Contains(err.Error(), "run: chmod 600 "+path) {
			t.Errorf("mode %o: %v", mode, err)
		}
		must(t, os.Chmod(path, 0o400))
		if _, err := Signer(path, Unsealed); err != nil {
			t.Errorf("after chmod 400: %v", err)
		}
	}
}

func TestWhatIsNoPlainSmallFileIsRefused(t *testing.T) {
	directory := t.TempDir()
	large := filepath.Join(directory, "large")
	must(t, os.WriteFile(large, make([]byte, largest+1), 0o600))
	for path, says := range map[string]string{directory: "no plain file", large: "larger than", os.DevNull: "no plain file"} {
		if _, err := Load(path, Unsealed); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q", path, err, says)
		}
	}
	if err := Put(filepath.Join(directory, "new"), Unsealed, make([]byte, largest/2+1)); err == nil {
		t.Error("a secret was kept that cannot be read again")
	}
	most := filepath.Join(directory, "most")
	must(t, Put(most, cheap("pass"), make([]byte, largest/2)))
	if secret, err := Secret(most, cheap("pass"), nil); err != nil || len(secret) != largest/2 {
		t.Errorf("the largest secret: %d bytes, %v", len(secret), err)
	}
}

func TestFailedCreationLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	no := func() ([]byte, error) { return nil, errors.New("no") }
	_, plain := OrCreate(path, no)
	_, secret := Secret(path, Unsealed, no)
	if plain == nil || secret == nil {
		t.Error("a failed creation is no error")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was left: %v", err)
	}
}

func TestTornWriteIsNotTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	must(t, os.WriteFile(path+".new", []byte("half"), 0o644))
	data, err := OrCreate(path, func() ([]byte, error) { return []byte("whole"), nil })
	if err != nil || string(data) != "whole" {
		t.Errorf("OrCreate = %q, %v", data, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}
