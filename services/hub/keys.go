package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"
)

// keyring holds the broker's own keys: operator, accounts, users. They open
// connections and nothing else; no event is signed or sealed with them. Each is
// made at its first use and kept in one file that only the owner can read.
type keyring struct{ directory string }

func (k keyring) operator() (nkeys.KeyPair, error) {
	return k.pair("operator", nkeys.CreateOperator)
}

func (k keyring) account(name string) (nkeys.KeyPair, error) {
	return k.pair("account-"+name, nkeys.CreateAccount)
}

func (k keyring) user(name string) (nkeys.KeyPair, error) {
	return k.pair("user-"+name, nkeys.CreateUser)
}

func (k keyring) pair(name string, create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, error) {
	path := filepath.Join(k.directory, name+".nk")
	seed, err := os.ReadFile(path)
	if err == nil {
		pair, err := nkeys.FromSeed(seed)
		if err != nil {
			return nil, fmt.Errorf("broker key %s: the file holds no seed", path)
		}
		return pair, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("broker key: %w", err)
	}
	pair, err := create()
	if err != nil {
		return nil, fmt.Errorf("making broker key %s: %w", name, err)
	}
	if seed, err = pair.Seed(); err != nil {
		return nil, fmt.Errorf("making broker key %s: %w", name, err)
	}
	if err := writeWhole(path, seed); err != nil {
		return nil, fmt.Errorf("keeping broker key %s: %w", name, err)
	}
	return pair, nil
}

// writeWhole puts a secret file in place whole or not at all: a crash in between
// leaves the old one, or none and a temporary one that the next call overwrites.
func writeWhole(path string, data []byte) error {
	temporary := path + ".new"
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
