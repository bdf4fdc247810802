package hub

import (
	"path/filepath"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

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
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	key, err := pair.PublicKey()
	if err != nil {
		return nil, err
	}
	claims := jwt.NewUserClaims(key)
	claims.Name = "insider"
	token, err := claims.Encode(account)
	if err != nil {
		return nil, err
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, err
	}
	return jwt.FormatUserConfig(token, seed)
}

// Administrator is the hub's own connection, with which a test sees what happened.
func Administrator(h *Hub) (*nats.Conn, jetstream.JetStream) { return h.nc, h.js }

// AccountKey is the public key of an account, which the system's subjects name.
func AccountKey(h *Hub, name string) (string, error) { return public(h.gate.issuer.keys.account(name)) }
