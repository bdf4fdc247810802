// Package hub is the broker that everybody shares: an embedded NATS server with
// the streams, the accounts, and one durable consumer for each reader. It is
// trusted for availability and for nothing else.
//
// Who may connect, publish where and read what is a function of the registry's
// state, which the hub folds from its own stream. It holds that against the
// broker after every update, and so enforces once more what every reader judges.
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
	"sync"
	"sync/atomic"
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
	Shares    Shares           // what may lie here of one agency, and of one country
	Logger    *slog.Logger     // nil: silent
}

// Hub is a running broker.
type Hub struct {
	config Config
	lock   *os.File // two servers on one set of streams would destroy it
	server *server.Server
	nc     *nats.Conn // the administrator's
	js     jetstream.JetStream
	gate   *gate
	ledger *ledger
	intake *intake
}

// New starts the server, makes what is missing of streams, folds the registry
// that they hold, and derives accounts and consumers from it. When it returns,
// members can connect.
func New(ctx context.Context, config Config) (*Hub, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if _, _, err := address(config.Listen); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
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
		h.stop()
		return nil, errors.Join(fmt.Errorf("hub: %w", err), h.lock.Close())
	}
	return h, nil
}

// open lets the administrator in first, alone: nobody connects under a registry
// that the stream has left behind.
func (h *Hub) open(ctx context.Context) error {
	if _, err := h.house().finish(); err != nil {
		return err
	}
	if err := h.house().clear(); err != nil { // there are copies of key records in it
		return fmt.Errorf("dropping what a restoration has left: %w", err)
	}
	keys, err := openKeyring(h.secret(), h.config.Lock, h.streams())
	if err != nil {
		return err
	}
	if err := h.start(keys, h.streams()); err != nil {
		return err
	}
	if err := provideStreams(ctx, h.js, h.config.Charter); err != nil {
		return err
	}
	if h.ledger, err = openLedger(ctx, h.js, h.config.Charter); err != nil {
		return err
	}
	nc, err := h.dial()
	if err != nil {
		return err
	}
	if h.intake, err = newIntake(nc, h.config.Shares, h.config.Logger); err != nil {
		nc.Close()
		return err
	}
	return h.gate.apply(ctx, h.js, tenancyOf(h.ledger.state))
}

// start runs a server on a directory of streams and connects to it.
func (h *Hub) start(keys keyring, streams string) error {
	issuer, err := newIssuer(keys)
	if err != nil {
		return err
	}
	h.gate = &gate{issuer: issuer, resolver: &server.MemAccResolver{}, credentials: h.Credentials,
		log: h.config.Logger, consumers: map[string]consumer{}, accounts: map[string]string{}, users: map[string]string{}}
	if err := h.gate.found(); err != nil {
		return err
	}
	if err := h.serve(streams); err != nil {
		return err
	}
	return h.connect()
}

// URL is where NATS clients connect.
func (h *Hub) URL() string { return h.server.ClientURL() }

// Credentials is the path of a user's .creds file; see the names in pkg/stream.
func (h *Hub) Credentials(user string) string {
	return filepath.Join(h.credentials(), user+".creds")
}

// Run serves, and follows the registry, until ctx ends; then it stops the server
// with everything on disk.
func (h *Hub) Run(ctx context.Context) error {
	var beside sync.WaitGroup
	beside.Go(func() { erase(ctx, h.js, h.config.Logger) })
	beside.Go(func() { h.intake.run(ctx, h.js, h.config.Directory) })
	h.follow(ctx)
	beside.Wait()
	h.stop()
	return h.lock.Close()
}

func (h *Hub) house() house        { return house{h.config.Directory} }
func (h *Hub) streams() string     { return h.house().streams() }
func (h *Hub) credentials() string { return filepath.Join(h.config.Directory, "credentials") }
func (h *Hub) secret() string      { return filepath.Join(h.config.Directory, "keys", "broker.key") }

func (h *Hub) stop() {
	if h.intake != nil {
		h.intake.nc.Close()
	}
	if h.nc != nil {
		h.nc.Close()
	}
	if h.server != nil {
		h.server.Shutdown()
		h.server.WaitForShutdown()
	}
}

// serve starts the server. Without an address it is for this process alone.
func (h *Hub) serve(streams string) error {
	operator, _, err := h.gate.issuer.operatorClaims()
	if err != nil {
		return err
	}
	options := &server.Options{
		ServerName: "tripoint-hub", NoSigs: true, NoLog: true, DontListen: h.config.Listen == "",
		JetStream: true, StoreDir: streams, SyncAlways: true,
		TrustedOperators: []*jwt.OperatorClaims{operator}, SystemAccount: operator.SystemAccount,
		AccountResolver: h.gate.resolver, MaxPayload: 4 << 20,
		// Else 1,000 a stream: one member's agencies would take all.
		JetStreamLimits: server.JSLimitOpts{DefaultMaxConsumers: -1},
	}
	if !options.DontListen {
		if options.Host, options.Port, err = address(h.config.Listen); err != nil {
			return err
		}
	}
	if h.server, err = server.NewServer(options); err != nil {
		return fmt.Errorf("configuring the server: %w", err)
	}
	h.gate.server = h.server
	fatal := &atomic.Pointer[string]{}
	h.server.SetLoggerV2(serverLog{h.config.Logger, fatal}, false, false, false)
	h.server.Start()
	if reason := fatal.Load(); reason != nil {
		return fmt.Errorf("the server does not start: %s", *reason)
	}
	if !h.server.ReadyForConnections(20 * time.Second) {
		return errors.New("the server is not ready after 20 s: another one may hold the address or the directory")
	}
	return nil
}

// address reads host:port; port 0 is any that is free.
func address(listen string) (host string, port int, err error) {
	host, portText, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("listen address %q: %w", listen, err)
	}
	number, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("listen address %q: the port is no number of 0 to 65535", listen)
	}
	if number == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(number), nil
}

func (h *Hub) connect() error {
	var err error
	if h.nc, err = h.dial(); err != nil {
		return err
	}
	if h.js, err = jetstream.New(h.nc); err != nil {
		return fmt.Errorf("opening JetStream: %w", err)
	}
	return nil
}

// dial makes a connection of the administrator's.
func (h *Hub) dial() (*nats.Conn, error) {
	nc, err := nats.Connect(h.URL(), nats.UserCredentials(h.Credentials(hubUser)), nats.MaxReconnects(-1), nats.Timeout(20*time.Second),
		nats.CustomInboxPrefix(stream.InboxPrefix(hubUser)), nats.InProcessServer(h.server))
	if err != nil {
		return nil, fmt.Errorf("connecting to the own server: %w", err)
	}
	return nc, nil
}
