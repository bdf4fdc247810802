package keyfile

import (
	"crypto/hpke"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tripoint/tripoint/pkg/checkup"
)

// openingType is the PEM type of an opening key. No PKCS #8 form of it is standard; what
// lies in the block is the private key as draft-ietf-hpke-pq serialises it: a seed of 32 bytes.
const openingType = "MLKEM768-X25519 PRIVATE KEY"

// Opening reads a key that opens content (HPKE, MLKEM768-X25519), or makes one where
// there is no file.
func Opening(path string, lock Lock) (hpke.PrivateKey, error) {
	text, err := Secret(path, lock, generateOpening)
	if err != nil {
		return nil, err
	}
	return parseOpening(path, text)
}

// LoadOpening reads a key as Opening does, and fails where there is none.
func LoadOpening(path string, lock Lock) (hpke.PrivateKey, error) {
	text, err := Secret(path, lock, nil)
	if err != nil {
		return nil, err
	}
	return parseOpening(path, text)
}

// LoadOpenings reads every *.key of a directory, in the order of their names. It fails
// with fs.ErrNotExist where there is no directory, and where there is no key in it.
func LoadOpenings(directory string, lock Lock) ([]hpke.PrivateKey, error) {
	paths, err := openingsIn(directory)
	if err != nil {
		return nil, err
	}
	var keys []hpke.PrivateKey
	for _, path := range paths {
		key, err := LoadOpening(path, lock)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// openingsIn are the files of opening keys in a directory. Successors and public halves
// (.key.next, .key.pub), which tripoint key new leaves there too, are none.
func openingsIn(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, fmt.Errorf("opening keys: %w", err)
	}
	var paths []string
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) == ".key" {
			paths = append(paths, filepath.Join(directory, entry.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("opening keys: %s: %w: no file ends in .key", directory, fs.ErrNotExist)
	}
	return paths, nil
}

// CreateOpening makes an opening key, and fails with fs.ErrExist where there is a file.
func CreateOpening(path string, lock Lock) (hpke.PrivateKey, error) {
	text, err := generateOpening()
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	if err := Put(path, lock, text); err != nil {
		return nil, err
	}
	return parseOpening(path, text)
}

func generateOpening() ([]byte, error) {
	key, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, err
	}
	seed, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: openingType, Bytes: seed}), nil
}

// parseOpening never says what it read: every text of 32 bytes is a key.
func parseOpening(path string, text []byte) (hpke.PrivateKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(rest) != 0 || block.Type != openingType {
		return nil, fmt.Errorf("key file %s: holds no opening key: not one PEM block of an %s", path, openingType)
	}
	key, err := hpke.MLKEM768X25519().NewPrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key file %s: holds no opening key: its seed is not 32 bytes", path)
	}
	return key, nil
}

// ExamineOpening is Examine for an opening key.
func ExamineOpening(name, path string, lock Lock) (hpke.PrivateKey, checkup.Check) {
	key, err := LoadOpening(path, lock)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, checkup.Bad(name, "bring the key here, or correct its path in the configuration", "%v", err)
	case err != nil:
		return nil, checkup.Bad(name, "the role cannot start with it: see the detail", "%v", err)
	}
	digest := sha256.Sum256(key.PublicKey().Bytes())
	return key, checkup.Good(name, "%s opens (%v); digest of its public key %.8x…", path, lock, digest[:])
}

// ExamineOpenings looks at a directory of opening keys, and at each key in it. keys are
// those that open.
func ExamineOpenings(name, directory string, lock Lock) (keys []hpke.PrivateKey, found []checkup.Check) {
	info, err := os.Stat(directory)
	if err != nil {
		return nil, []checkup.Check{checkup.Bad(name, "bring the keys here, or correct the path in the configuration", "%v", err)}
	}
	paths, err := openingsIn(directory)
	if err != nil {
		return nil, []checkup.Check{checkup.Bad(name, "make one with tripoint key new --opening and enrol it, or correct the path in the configuration", "%v", err)}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		found = append(found, checkup.Bad(name, "chmod 700 "+directory, "%s: others than its owner may look into it (mode %04o)", directory, mode))
	} else {
		found = append(found, checkup.Good(name, "%d in %s, for its owner alone", len(paths), directory))
	}
	for _, path := range paths {
		key, check := ExamineOpening(name+" "+filepath.Base(path), path, lock)
		if key != nil {
			keys = append(keys, key)
		}
		found = append(found, check)
	}
	return keys, found
}
