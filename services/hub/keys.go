package hub

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nats-io/nkeys"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/pae"
)

// secretSize is the length of the broker's secret, in bytes.
const secretSize = 32

// keyring derives the broker's own keys: operator, accounts, users. They open
// connections and nothing else; no event is signed or sealed with them. All come
// from one secret, so that two hubs with that secret have the same accounts, and
// a member that joins leaves no new file to keep.
type keyring struct{ secret []byte }

// openKeyring reads the secret, or makes it for a hub that has no streams yet.
// Streams lie under the public key of their account: with another secret the
// hub would start empty beside all that it holds.
func openKeyring(path string, lock keyfile.Lock, streams string) (keyring, error) {
	secret, err := keyfile.Secret(path, lock, func() ([]byte, error) {
		switch entries, err := os.ReadDir(streams); {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, err
		case len(entries) != 0:
			return nil, fmt.Errorf("is missing, and %s holds streams that only its accounts reach: restore it from a copy", streams)
		}
		secret := make([]byte, secretSize)
		_, err := rand.Read(secret)
		return secret, err
	})
	if err != nil {
		return keyring{}, fmt.Errorf("the broker's secret: %w", err)
	}
	if len(secret) != secretSize {
		return keyring{}, fmt.Errorf("the broker's secret: %s holds %d bytes, want %d", path, len(secret), secretSize)
	}
	return keyring{secret: secret}, nil
}

func (k keyring) operator() (nkeys.KeyPair, error) {
	return k.pair(nkeys.PrefixByteOperator, "operator", "")
}

func (k keyring) account(name string) (nkeys.KeyPair, error) {
	return k.pair(nkeys.PrefixByteAccount, "account", name)
}

func (k keyring) user(name string) (nkeys.KeyPair, error) {
	return k.pair(nkeys.PrefixByteUser, "user", name)
}

// pair derives one key: its Ed25519 seed is HKDF-SHA256 (RFC 5869) of the
// secret, without salt, over the encoding of kind and name.
func (k keyring) pair(prefix nkeys.PrefixByte, kind, name string) (nkeys.KeyPair, error) {
	info := pae.Encode(pae.Broker, []byte(kind), []byte(name))
	seed, err := hkdf.Key(sha256.New, k.secret, nil, string(info), 32)
	if err != nil {
		return nil, fmt.Errorf("broker key of %s %q: %w", kind, name, err)
	}
	pair, err := nkeys.FromRawSeed(prefix, seed)
	if err != nil {
		return nil, fmt.Errorf("broker key of %s %q: %w", kind, name, err)
	}
	return pair, nil
}
