package keyfile

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/second"
)

// LoadSecond reads a second key (ML-DSA-44), and fails where there is none. What is
// sealed is its PKCS #8 form in PEM, with the seed alone (RFC 9881, RFC 7468).
func LoadSecond(path string, lock Lock) (*second.Key, error) {
	text, err := Secret(path, lock, nil)
	if err != nil {
		return nil, err
	}
	return parseSecond(path, text)
}

// CreateSecond makes a second key, and fails with fs.ErrExist where there is a file.
func CreateSecond(path string, lock Lock) (*second.Key, error) {
	key, err := second.Generate()
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	der, err := key.Encode()
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return key, Put(path, lock, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// parseSecond never says what it read.
func parseSecond(path string, text []byte) (*second.Key, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(rest) != 0 {
		return nil, fmt.Errorf("key file %s: holds no second key: not one PEM block", path)
	}
	key, err := second.Parse(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key file %s: holds no second key: %w", path, err)
	}
	return key, nil
}

// ExamineSecond is Examine for a second key.
func ExamineSecond(name, path string, lock Lock) (*second.Key, checkup.Check) {
	key, err := LoadSecond(path, lock)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, checkup.Bad(name, "bring the key here, or correct its path in the configuration", "%v", err)
	case err != nil:
		return nil, checkup.Bad(name, "the role cannot start with it: see the detail", "%v", err)
	}
	return key, checkup.Good(name, "%s opens (%v); second public key %.8x…", path, lock, key.Public())
}
