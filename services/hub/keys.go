package hub

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nats-io/jwt/v2"

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

func (k keyring) operator() (seed, error) { return k.seed(operatorRole, "operator", "") }

func (k keyring) account(name string) (seed, error) { return k.seed(accountRole, "account", name) }

func (k keyring) user(name string) (seed, error) { return k.seed(userRole, "user", name) }

// seed derives one key: its Ed25519 seed is HKDF-SHA256 (RFC 5869) of the
// secret, without salt, over the encoding of kind and name.
func (k keyring) seed(role byte, kind, name string) (seed, error) {
	info := pae.Encode(pae.Broker, []byte(kind), []byte(name))
	raw, err := hkdf.Key(sha256.New, k.secret, nil, string(info), ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("broker key of %s %q: %w", kind, name, err)
	}
	return newSeed(role, raw), nil
}

// Roles of the broker's keys, from the first letter of their text form: each letter of
// base32 is five bits, the role the upper five of a byte.
const (
	seedForm     = byte('S'-'A') << 3
	operatorRole = byte('O'-'A') << 3
	accountRole  = byte(0) // A
	userRole     = byte('U'-'A') << 3
)

// seed is a private key in the text form of NATS (nkeys): base32 of role and seed, with
// a checksum. The library that signs claims reads it, and checks all of it.
type seed []byte

// newSeed writes the text form: two bytes that hold the letter S and that of the role, five
// bits each, the raw seed, and the CRC-16 (XMODEM) of all that, low byte first.
func newSeed(role byte, raw []byte) seed {
	data := append([]byte{seedForm | role>>5, role << 3}, raw...)
	data = binary.LittleEndian.AppendUint16(data, checksum(data))
	return base32.StdEncoding.WithPadding(base32.NoPadding).AppendEncode(nil, data)
}

// checksum is CRC-16/XMODEM: polynomial 0x1021, from 0, nothing reflected.
func checksum(data []byte) uint16 {
	var sum uint16
	for _, b := range data {
		sum ^= uint16(b) << 8
		for range 8 {
			carry := sum & 0x8000
			sum <<= 1
			if carry != 0 {
				sum ^= 0x1021
			}
		}
	}
	return sum
}

// public is the public key in its text form.
func (s seed) public() (string, error) {
	pair, err := jwt.ParseDecoratedNKey(s)
	if err != nil {
		return "", fmt.Errorf("a broker key: %w", err)
	}
	return pair.PublicKey()
}
