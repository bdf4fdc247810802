package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/stream"
)

// gate holds the broker to a tenancy: consumers, accounts and credentials.
type gate struct {
	issuer      issuer
	resolver    *server.MemAccResolver
	server      *server.Server
	credentials func(user string) string // path of a user's file

	log *slog.Logger

	consumers map[string]consumer // by stream and name: those that are as they should be
	accounts  map[string]string   // what each account's claims say that are in force
	users     map[string]string   // what the credentials say that lie on disk
}

// found lets the administrator and the notaries in, and nobody else.
func (g *gate) found() error {
	system, err := g.issuer.account(systemAccount)
	if err != nil {
		return err
	}
	own, err := g.issuer.hub()
	if err != nil {
		return err
	}
	for _, claims := range []*jwt.AccountClaims{system, own} {
		token, err := g.issuer.encode(claims)
		if err != nil {
			return err
		}
		if err := g.resolver.Store(claims.Subject, token); err != nil {
			return fmt.Errorf("storing account %s: %w", claims.Name, err)
		}
	}
	for _, u := range append(notaries(), user{name: hubUser}) {
		if err := g.admit(hubAccount, u); err != nil {
			return err
		}
	}
	return nil
}

// apply makes the broker be as a tenancy says; it may be repeated. The order
// matters: nobody can publish to a new address before all its readers' consumers
// have it, and nobody reads on once he may not. A fault with one account, which is
// its country's own, is told and keeps nobody else's changes out of force.
func (g *gate) apply(ctx context.Context, js jetstream.JetStream, t tenancy) error {
	if err := g.provideConsumers(ctx, js, t.consumers); err != nil {
		return err
	}
	own, err := g.issuer.hub()
	if err != nil {
		return err
	}
	if err := g.enforce(own); err != nil {
		return err
	}
	for _, a := range t.accounts {
		if err := g.open(a); err != nil {
			g.log.Error("an account is not as the registry has it", "account", a.name, "error", err)
		}
	}
	return g.forget(t)
}

// open lets a member's users do what they may, and no others do anything.
func (g *gate) open(a account) error {
	claims, err := g.issuer.member(a)
	if err != nil {
		return err
	}
	if err := g.enforce(claims); err != nil {
		return err
	}
	for _, u := range a.users {
		if err := g.admit(a.name, u); err != nil {
			return err
		}
	}
	return nil
}

// enforce puts an account's claims into force, where they are others than
// before: connections that they no longer allow are closed.
func (g *gate) enforce(claims *jwt.AccountClaims) error {
	said := claims.String() // unsigned, so without a time
	if g.accounts[claims.Name] == said {
		return nil
	}
	token, err := g.issuer.encode(claims)
	if err != nil {
		return err
	}
	if err := g.resolver.Store(claims.Subject, token); err != nil {
		return fmt.Errorf("storing account %s: %w", claims.Name, err)
	}
	account, err := g.server.LookupAccount(claims.Subject)
	if err != nil {
		return fmt.Errorf("account %s: %w", claims.Name, err)
	}
	decoded, err := jwt.DecodeAccountClaims(token)
	if err != nil {
		return fmt.Errorf("account %s: %w", claims.Name, err)
	}
	g.server.UpdateAccountClaims(account, decoded)
	g.accounts[claims.Name] = said
	return nil
}

// admit writes a user's credentials, where they are others than before.
func (g *gate) admit(accountName string, u user) error {
	said := fmt.Sprint(accountName, u.renewed, u.allow)
	if g.users[u.name] == said {
		return nil
	}
	content, err := g.issuer.credentials(accountName, u)
	if err != nil {
		return err
	}
	if err := keyfile.Replace(g.credentials(u.name), content); err != nil {
		return fmt.Errorf("writing credentials: %w", err)
	}
	g.users[u.name] = said
	return nil
}

// forget takes the credentials of those away who may not connect any more.
func (g *gate) forget(t tenancy) error {
	admitted := map[string]bool{hubUser: true}
	for _, a := range append(slices.Clone(t.accounts), account{users: notaries()}) {
		for _, u := range a.users {
			admitted[u.name] = true
		}
	}
	files, err := os.ReadDir(filepath.Dir(g.credentials("")))
	if err != nil {
		return fmt.Errorf("listing credentials: %w", err)
	}
	for _, file := range files {
		name, ours := strings.CutSuffix(file.Name(), ".creds")
		if !ours || admitted[name] {
			continue
		}
		if err := os.Remove(g.credentials(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing credentials: %w", err)
		}
		delete(g.users, name)
	}
	return nil
}

// provideConsumers makes each consumer with its filters, and ends those of users
// who read nothing more. What is there already, as it should be, is left alone.
func (g *gate) provideConsumers(ctx context.Context, js jetstream.JetStream, consumers []consumer) error {
	consumers = slices.Concat(consumers, slices.Concat(notaryConsumers...))
	there := map[string]bool{}
	for _, name := range []string{stream.Events, stream.Log, stream.Keys, stream.Files} {
		if err := endConsumers(ctx, js, name, consumers, there); err != nil {
			return fmt.Errorf("ending consumers of %s: %w", name, err)
		}
	}
	for _, c := range consumers {
		if have, ok := g.consumers[c.key()]; ok && there[c.key()] && slices.Equal(have.filters, c.filters) {
			continue
		}
		if _, err := js.CreateOrUpdateConsumer(ctx, c.stream, c.config()); err != nil {
			return fmt.Errorf("making consumer %s of %s: %w", c.name, c.stream, err)
		}
		g.consumers[c.key()] = c
	}
	return nil
}

func (c consumer) key() string { return c.stream + " " + c.name }

// config reads from the beginning; its user says how far it has come.
func (c consumer) config() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: c.name, FilterSubjects: c.filters,
		DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckAllPolicy, MaxAckPending: 1 << 16,
	}
}

// endConsumers deletes what nobody may read through, and also a consumer that
// loses a filter: it would send again what it has sent and nobody acknowledged,
// whatever its filters are by then. Its reader notices and says where it was. A
// crash in between leaves no consumer, and the next start makes it. Those that stay
// are entered in there.
func endConsumers(ctx context.Context, js jetstream.JetStream, streamName string, wanted []consumer, there map[string]bool) error {
	s, err := js.Stream(ctx, streamName)
	if err != nil {
		return err
	}
	list := s.ListConsumers(ctx)
	for info := range list.Info() {
		// The hub's own is ephemeral; all that are derived are durable.
		if info.Config.Durable == "" || slices.ContainsFunc(wanted, func(c consumer) bool {
			return c.stream == streamName && c.name == info.Name && !c.narrows(info.Config)
		}) {
			there[consumer{stream: streamName, name: info.Name}.key()] = true
			continue
		}
		if err := s.DeleteConsumer(ctx, info.Name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return err
		}
	}
	return list.Err()
}

// narrows reports whether the consumer as it is now reads something that it must not.
func (c consumer) narrows(now jetstream.ConsumerConfig) bool {
	filters := now.FilterSubjects
	if now.FilterSubject != "" {
		filters = append(slices.Clone(filters), now.FilterSubject)
	}
	return len(c.filters) > 0 && (len(filters) == 0 || slices.ContainsFunc(filters, func(filter string) bool {
		return filter != nothing && !slices.Contains(c.filters, filter)
	}))
}
