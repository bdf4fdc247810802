package hub

import (
	"fmt"
	"path/filepath"

	"github.com/nats-io/nkeys"

	"github.com/tripoint/tripoint/pkg/keyfile"
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
	seed, err := keyfile.OrCreate(path, func() ([]byte, error) {
		pair, err := create()
		if err != nil {
			return nil, err
		}
		return pair.Seed()
	})
	if err != nil {
		return nil, fmt.Errorf("broker key %s: %w", name, err)
	}
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return nil, fmt.Errorf("broker key %s: the file %s holds no seed", name, path)
	}
	return pair, nil
}
