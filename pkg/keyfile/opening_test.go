package keyfile

import (
	"bytes"
	"crypto/hpke"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func publicOpening(key hpke.PrivateKey) []byte { return key.PublicKey().Bytes() }

func TestOpeningKeyIsKeptLikeAnyOther(t *testing.T) {
	for name, lock := range map[string]Lock{"sealed": cheap("pass"), "unsealed": Unsealed} {
		path := filepath.Join(t.TempDir(), "opening", "identity.key")
		if _, err := LoadOpening(path, lock); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a key where there is none: %v", name, err)
		}
		made, err := Opening(path, lock)
		must(t, err)
		for what, read := range map[string]func(string, Lock) (hpke.PrivateKey, error){"Opening": Opening, "LoadOpening": LoadOpening} {
			if key, err := read(path, lock); err != nil || !bytes.Equal(publicOpening(key), publicOpening(made)) {
				t.Errorf("%s: %s gives another key, or fails: %v", name, what, err)
			}
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, error %v", name, info.Mode(), err)
		}
		content, err := os.ReadFile(path)
		must(t, err)
		if plain := bytes.Contains(content, []byte(openingType)); plain != (lock == Unsealed) {
			t.Errorf("%s: the file shows a private key: %v", name, plain)
		}
		if _, err := CreateOpening(path, lock); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: an opening key is written over: %v", name, err)
		}
		key, check := ExamineOpening("opening key", path, lock)
		if key == nil || !check.OK || !strings.Contains(check.Detail, "digest of its public key") {
			t.Errorf("%s: %+v", name, check)
		}
	}
}

// What is sealed to a key opens with the key that is read, and it was not made twice.
func TestOpeningKeyOpens(t *testing.T) {
	directory := t.TempDir()
	made, err := CreateOpening(filepath.Join(directory, "a.key"), Unsealed)
	must(t, err)
	other, err := CreateOpening(filepath.Join(directory, "b.key"), Unsealed)
	must(t, err)
	sealed, err := hpke.Seal(made.PublicKey(), hpke.HKDFSHA256(), hpke.AES256GCM(), nil, []byte("a made-up name"))
	must(t, err)
	read, err := LoadOpening(filepath.Join(directory, "a.key"), Unsealed)
	must(t, err)
	if text, err := hpke.Open(read, hpke.HKDFSHA256(), hpke.AES256GCM(), nil, sealed); err != nil || string(text) != "a made-up name" {
		t.Errorf("opened %q: %v", text, err)
	}
	if _, err := hpke.Open(other, hpke.HKDFSHA256(), hpke.AES256GCM(), nil, sealed); err == nil {
		t.Error("another key opened it")
	}
}

// Nothing else is taken for an opening key, nor an opening key for something else, and
// no error shows what lay there.
func TestWhatIsNoOpeningKeyIsRefused(t *testing.T) {
	directory := t.TempDir()
	seed := []byte("thirty-two made-up secret bytes!")
	block := func(kind string, content []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
	}
	for name, content := range map[string][]byte{
		"a bare seed": seed, "empty": {}, "another PEM": block("PRIVATE KEY", seed),
		"a short seed": block(openingType, seed[1:]), "a long seed": block(openingType, append(seed[:32:32], 0)),
		"two": append(block(openingType, seed), block(openingType, seed)...),
	} {
		path := filepath.Join(directory, name)
		must(t, Put(path, Unsealed, content))
		_, err := LoadOpening(path, Unsealed)
		if err == nil || !strings.Contains(err.Error(), "holds no opening key") || bytes.Contains([]byte(err.Error()), seed[:8]) {
			t.Errorf("%s: %v", name, err)
		}
		if _, check := ExamineOpening("opening key", path, Unsealed); check.OK || check.Hint == "" {
			t.Errorf("%s: %+v", name, check)
		}
	}
	signing, opening := filepath.Join(directory, "signing"), filepath.Join(directory, "opening")
	_, err := Create(signing, Unsealed)
	must(t, err)
	_, err = CreateOpening(opening, Unsealed)
	must(t, err)
	if _, err := LoadOpening(signing, Unsealed); err == nil {
		t.Error("a key that signs was taken for one that opens")
	}
	if _, err := Load(opening, Unsealed); err == nil {
		t.Error("a key that opens was taken for one that signs")
	}
	if _, err := LoadSecond(opening, Unsealed); err == nil {
		t.Error("a key that opens was taken for a second one")
	}
	sealed := filepath.Join(directory, "sealed")
	_, err = CreateOpening(sealed, cheap("the made-up passphrase"))
	must(t, err)
	for _, lock := range []Lock{cheap("another"), Unsealed} {
		if _, err := LoadOpening(sealed, lock); err == nil || strings.Contains(err.Error(), "made-up") {
			t.Errorf("%v: %v", lock, err)
		}
	}
}

// A desk has a directory of them; successors and public halves lie there too.
func TestDirectoryOfOpeningKeys(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "opening")
	for _, read := range []func() error{
		func() error { _, err := LoadOpenings(directory, Unsealed); return err },
		func() error {
			must(t, os.MkdirAll(directory, 0o700))
			_, err := LoadOpenings(directory, Unsealed)
			return err
		},
	} {
		if err := read(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no keys: %v", err)
		}
		if keys, checks := ExamineOpenings("opening keys", directory, Unsealed); keys != nil || len(checks) != 1 || checks[0].OK || checks[0].Hint == "" {
			t.Errorf("no keys: %+v", checks)
		}
	}
	var want [][]byte
	for _, name := range []string{"case.key", "identity.key", "case.key.next"} {
		key, err := CreateOpening(filepath.Join(directory, name), Unsealed)
		must(t, err)
		want = append(want, publicOpening(key))
	}
	must(t, os.WriteFile(filepath.Join(directory, "case.key.pub"), []byte("{}"), 0o600))
	keys, err := LoadOpenings(directory, Unsealed)
	if err != nil || len(keys) != 2 || !bytes.Equal(publicOpening(keys[0]), want[0]) || !bytes.Equal(publicOpening(keys[1]), want[1]) {
		t.Errorf("%d keys: %v", len(keys), err)
	}
	keys, checks := ExamineOpenings("opening keys", directory, Unsealed)
	if len(keys) != 2 || len(checks) != 3 || !checks[0].OK || checks[1].Name != "opening keys case.key" || !checks[2].OK {
		t.Errorf("%d keys, %+v", len(keys), checks)
	}
	must(t, os.Chmod(directory, 0o750))
	must(t, os.Chmod(filepath.Join(directory, "identity.key"), 0o640))
	keys, checks = ExamineOpenings("opening keys", directory, Unsealed)
	if len(keys) != 1 || checks[0].OK || checks[0].Hint != "chmod 700 "+directory || !checks[1].OK || checks[2].OK {
		t.Errorf("for others: %d keys, %+v", len(keys), checks)
	}
	if _, err := LoadOpenings(directory, Unsealed); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key for others: %v", err)
	}
}
