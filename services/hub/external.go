package hub

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
)

// serverConfig is what a nats-server of an external cluster is started with. Each
// server adds its own listen addresses, TLS and cluster block.
const serverConfig = `# Tripoint: accounts and permissions as the registry has them. Written by tripoint hub config.
operator: %q
system_account: %s
resolver: { type: full, dir: %q, allow_delete: false, interval: "2m" }
jetstream: { store_dir: %q, sync_interval: always, limits: { default_max_consumers: -1 } }
max_payload: 4MB
`

// WriteConfig writes what an external NATS cluster needs to enforce a state of
// the registry, by the derivation that the embedded server is held to:
//
//	nats-server.conf   operator, resolver, JetStream
//	operator.jwt       whom the servers trust
//	accounts/*.jwt     for the resolver; also to be pushed to servers that run
//	credentials/*      for the users; each goes to its owner
//	streams.json, consumers.json   for the administrator (credentials/hub.creds) to make
//
// secret is the broker's secret, made where it is missing. Written again after a
// change of the registry, the files differ where the change does.
func WriteConfig(directory, secret string, lock keyfile.Lock, state registry.State) error {
	if err := writeConfig(directory, secret, lock, state); err != nil {
		return fmt.Errorf("hub config: %w", err)
	}
	return nil
}

func writeConfig(directory, secret string, lock keyfile.Lock, state registry.State) error {
	keys, err := openKeyring(secret, lock, filepath.Join(directory, "jetstream"))
	if err != nil {
		return err
	}
	issuer, err := newIssuer(keys)
	if err != nil {
		return err
	}
	issuer.direct = true
	for _, name := range []string{"accounts", "credentials"} {
		if err := os.MkdirAll(filepath.Join(directory, name), 0o700); err != nil {
			return err
		}
	}
	operator, token, err := issuer.operatorClaims()
	if err != nil {
		return err
	}
	at := func(parts ...string) string { return filepath.Join(append([]string{directory}, parts...)...) }
	if err := disk.Replace(at("operator.jwt"), []byte(token), 0o600); err != nil {
		return err
	}
	t := tenancyOf(state)
	if err := issuer.writeAccounts(at("accounts"), t); err != nil {
		return err
	}
	if err := issuer.writeCredentials(at("credentials"), t); err != nil {
		return err
	}
	if err := writeJSON(at("streams.json"), stream.Settings()); err != nil {
		return err
	}
	if err := writeJSON(at("consumers.json"), consumerFiles(t)); err != nil {
		return err
	}
	// The server takes relative paths from where it is started.
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(serverConfig, filepath.Join(absolute, "operator.jwt"), operator.SystemAccount,
		filepath.Join(absolute, "accounts"), filepath.Join(absolute, "jetstream"))
	return disk.Replace(at("nats-server.conf"), []byte(text), 0o600)
}

func (i issuer) writeAccounts(directory string, t tenancy) error {
	system, err := i.account(systemAccount)
	if err != nil {
		return err
	}
	own, err := i.hub()
	if err != nil {
		return err
	}
	all := []*jwt.AccountClaims{system, own}
	for _, a := range t.accounts {
		claims, err := i.member(a)
		if err != nil {
			return err
		}
		all = append(all, claims)
	}
	for _, claims := range all {
		token, err := i.encode(claims)
		if err != nil {
			return err
		}
		if err := disk.Replace(filepath.Join(directory, claims.Subject+".jwt"), []byte(token), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// writeCredentials also writes the system account's: with them, accounts are
// pushed to servers that run.
func (i issuer) writeCredentials(directory string, t tenancy) error {
	own := []account{
		{name: hubAccount, users: append(notaries(), user{name: hubUser})},
		{name: systemAccount, users: []user{{name: systemUser, allow: []string{"$SYS.REQ.CLAIMS.>"}}}},
	}
	written := map[string]bool{}
	for _, a := range append(own, t.accounts...) {
		for _, u := range a.users {
			written[u.name+".creds"] = true
			content, err := i.credentials(a.name, u)
			if err != nil {
				return err
			}
			if err := keyfile.Replace(filepath.Join(directory, u.name+".creds"), content); err != nil {
				return err
			}
		}
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	for _, entry := range entries { // of those who were admitted once
		if !written[entry.Name()] {
			if err := os.Remove(filepath.Join(directory, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// systemUser pushes accounts to an external cluster.
const systemUser = "system"

// consumerFile is one durable consumer with the stream that it is of.
type consumerFile struct {
	Stream string                   `json:"stream_name"`
	Config jetstream.ConsumerConfig `json:"config"`
}

func consumerFiles(t tenancy) []consumerFile {
	var files []consumerFile
	for _, c := range slices.Concat(t.consumers, slices.Concat(notaryConsumers...)) {
		files = append(files, consumerFile{Stream: c.stream, Config: c.config()})
	}
	return files
}

func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return disk.Replace(path, append(data, '\n'), 0o600)
}
