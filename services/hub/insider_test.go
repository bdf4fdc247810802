package hub

import (
	"crypto/ed25519"
	"crypto/rand"
	"path/filepath"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/keyfile"
)

// InsiderCredentials are what somebody with an account's seed could sign: a user
// whom no permission limits. The account's boundary has to hold by itself.
func InsiderCredentials(h *Hub, accountName string) ([]byte, error) {
	keys, err := openKeyring(filepath.Join(h.config.Directory, "keys", "broker.key"), keyfile.Unsealed, h.streams())
	if err != nil {
		return nil, err
	}
	account, err := keys.account(accountName)
	if err != nil {
		return nil, err
	}
	own := newSeed(userRole, []byte(rand.Text() + rand.Text())[:ed25519.SeedSize])
	key, err := own.public()
	if err != nil {
		return nil, err
	}
	claims := jwt.NewUserClaims(key)
	claims.Name = "insider"
	pair, err := jwt.ParseDecoratedNKey(account)
	if err != nil {
		return nil, err
	}
	token, err := claims.Encode(pair)
	if err != nil {
		return nil, err
	}
	return jwt.FormatUserConfig(token, own)
}

// Administrator is the hub's own connection, with which a test sees what happened.
func Administrator(h *Hub) (*nats.Conn, jetstream.JetStream) { return h.nc, h.js }

// AccountKey is the public key of an account, which the system's subjects name.
func AccountKey(h *Hub, name string) (string, error) { return public(h.gate.issuer.keys.account(name)) }
