// Package hub is the broker that everybody shares: an embedded NATS server with
// the streams, the accounts, and one durable consumer for each reader. It is
// trusted for availability and for nothing else.
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
)

// Config is what a hub needs.
type Config struct {
	Directory string           // holds streams, the broker's secret and credentials
	Listen    string           // host:port for NATS clients; port 0 picks a free one
	Lock      keyfile.Lock     // how the broker's secret is sealed; the zero value is refused
	Charter   registry.Charter // the log's founding
	Logger    *slog.Logger     // nil: silent
}

// Hub is a running broker.
type Hub struct {
	config Config
	lock   *os.File // two servers on one set of streams would destroy it
	server *server.Server
}

// New starts the server, derives the accounts from the charter, and makes what
// is missing of streams and consumers. When it returns, members can connect.
func New(ctx context.Context, config Config) (*Hub, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Hub{config: config}
	if err := os.MkdirAll(h.credentials(), 0o700); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	var err error
	if h.lock, err = daemon.Lock(config.Directory); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	if err := h.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("hub: %w", err), h.lock.Close())
	}
	return h, nil
}

func (h *Hub) open(ctx context.Context) error {
	state, err := h.config.Charter.State()
	if err != nil {
		return err
	}
	accounts, consumers := tenancy(state)
	keys, err := h.keys()
	if err != nil {
		return err
	}
	issued, err := issue(keys, accounts)
	if err != nil {
		return err
	}
	for name, content := range issued.users {
		if err := keyfile.Replace(h.Credentials(name), content); err != nil {
			return fmt.Errorf("writing credentials: %w", err)
		}
	}
	if err := h.serve(issued); err != nil {
		return err
	}
	if err := h.provide(ctx, consumers); err != nil {
		h.stop()
		return err
	}
	return nil
}

// URL is where NATS clients connect.
func (h *Hub) URL() string { return h.server.ClientURL() }

// Credentials is the path of a user's .creds file; see the names in pkg/stream.
func (h *Hub) Credentials(user string) string {
	return filepath.Join(h.credentials(), user+".creds")
}

// Run serves until ctx ends, then stops the server with everything on disk.
func (h *Hub) Run(ctx context.Context) error {
	<-ctx.Done()
	h.stop()
	return h.lock.Close()
}

func (h *Hub) streams() string     { return filepath.Join(h.config.Directory, "streams") }
func (h *Hub) credentials() string { return filepath.Join(h.config.Directory, "credentials") }

func (h *Hub) keys() (keyring, error) {
	return openKeyring(filepath.Join(h.config.Directory, "keys", "broker.key"), h.config.Lock, h.streams())
}

func (h *Hub) stop() {
	h.server.Shutdown()
	h.server.WaitForShutdown()
}

func (h *Hub) serve(issued *claims) error {
	host, portText, err := net.SplitHostPort(h.config.Listen)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", h.config.Listen, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return fmt.Errorf("listen address %q: the port is no number of 0 to 65535", h.config.Listen)
	}
	options := &server.Options{
		ServerName: "tripoint-hub", Host: host, Port: int(port), NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: h.streams(), SyncAlways: true,
		TrustedOperators: []*jwt.OperatorClaims{issued.operator}, SystemAccount: issued.system,
		AccountResolver: issued.resolver, MaxPayload: 4 << 20,
	}
	if port == 0 {
		options.Port = server.RANDOM_PORT
	}
	if h.server, err = server.NewServer(options); err != nil {
		return fmt.Errorf("configuring the server: %w", err)
	}
	h.server.SetLoggerV2(serverLog{h.config.Logger}, false, false, false)
	h.server.Start()
	if !h.server.ReadyForConnections(20 * time.Second) {
		h.stop()
		return errors.New("the server is not ready after 20 s: another one may hold the address or the directory")
	}
	return nil
}

func (h *Hub) provide(ctx context.Context, consumers []consumer) error {
	nc, err := nats.Connect(h.URL(), nats.UserCredentials(h.Credentials(hubUser)),
		nats.CustomInboxPrefix(stream.InboxPrefix(hubUser)), nats.InProcessServer(h.server))
	if err != nil {
		return fmt.Errorf("connecting to the own server: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("opening JetStream: %w", err)
	}
	return provide(ctx, js, h.config.Charter, consumers)
}
