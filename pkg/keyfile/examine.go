package keyfile

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tripoint/tripoint/pkg/checkup"
)

// Examine opens a signing key with its lock. key is nil where that fails; the
// check then says why.
func Examine(name, path string, lock Lock) (key crypto.Signer, found checkup.Check) {
	key, err := Load(path, lock)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, checkup.Bad(name, "bring the key here, or correct its path in the configuration", "%v", err)
	case err != nil:
		return nil, checkup.Bad(name, "the role cannot start with it: see the detail", "%v", err)
	}
	return key, checkup.Good(name, "%s opens (%v); public key %.8x…", path, lock, []byte(key.Public().(ed25519.PublicKey)))
}

// ExamineSecret is Examine for a secret that is no signing key.
func ExamineSecret(name, path string, lock Lock) checkup.Check {
	if _, err := Secret(path, lock, nil); err != nil {
		return checkup.Bad(name, "the role cannot start with it: see the detail", "%v", err)
	}
	return checkup.Good(name, "%s opens (%v)", path, lock)
}

// ExaminePlain looks whether a plain secret (a token, credentials) is there and for
// its owner alone. It does not read it.
func ExaminePlain(name, path string) checkup.Check {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return checkup.Bad(name, "bring the file here, or correct its path in the configuration", "%v", err)
	case !info.Mode().IsRegular():
		return checkup.Bad(name, "correct its path in the configuration", "%s is no plain file", path)
	case info.Mode().Perm()&0o077 != 0:
		return checkup.Bad(name, "chmod 600 "+path, "%s: others than its owner may use it (mode %04o)", path, info.Mode().Perm())
	}
	return checkup.Good(name, "%s, for its owner alone", path)
}

// ExamineAll is ExaminePlain for every file in a directory, in one row.
func ExamineAll(name, directory string) checkup.Check {
	paths, err := filepath.Glob(filepath.Join(directory, "*"))
	if err != nil {
		return checkup.Bad(name, "correct the path", "%v", err)
	}
	for _, path := range paths {
		if check := ExaminePlain(name, path); !check.OK {
			return check
		}
	}
	return checkup.Good(name, "%d files in %s, each for its owner alone", len(paths), directory)
}
