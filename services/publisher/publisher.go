// Package publisher is the role that speaks for one agency: it takes reports from
// the agency's systems, signs them, and sees to it that they reach the log.
//
// A report that Publish has answered is on disk. It stays in the outbox until a
// checkpoint cosigned by a quorum of countries proves that it is in the log, and
// is published again, the same bytes, for as long as that takes. See DESIGN.md.
package publisher

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// Config is what a publisher needs. All but Logger must be set.
type Config struct {
	Country   string           // ISO 3166-1 alpha-2 code of the agency's member
	Agency    string           // the agency's identifier in the charter
	Directory string           // holds the outbox; made where it is missing
	Charter   registry.Charter // the party's own copy
	Key       crypto.Signer    // Ed25519, enrolled in the charter for this agency
	Stream    stream.Config    // how to reach the hub
	Listen    string           // host:port of the API; port 0 picks a free one
	Token     string           // the bearer token that the agency's systems present
	Logger    *slog.Logger     // nil: silent
}

// hub is what the publisher needs of a stream.Conn, and logReader of its Reader;
// faults are injected here.
type hub interface {
	Connected() bool
	PublishBatch(ctx context.Context, messages []stream.Message) (last uint64, err error)
	Log(ctx context.Context) (logReader, error)
	Close()
}

type logReader interface {
	Reset(ctx context.Context, sequence uint64) error
	Fetch(ctx context.Context, limit int, wait time.Duration) ([]stream.Message, error)
	Ack() error
}

// connection is the hub as it is.
type connection struct {
	*stream.Conn
	user string // also the name of its consumer
}

// Log opens this publisher's reader of the log stream.
func (c connection) Log(ctx context.Context) (logReader, error) {
	return c.Reader(ctx, stream.Log, c.user)
}

// Publisher is one agency's publisher.
type Publisher struct {
	config   Config
	key      event.SigningKey
	registry registry.State
	policy   translog.Policy
	check    *checker
	outbox   *outbox.Outbox
	hub      hub
	listener net.Listener
	lanes    map[string]*lane // by audience

	// flight is held for reading from the publication of a parcel until the hub's
	// answer is on disk, and for writing while leaves are compared with the
	// outbox: so a leaf is never compared before the answer it belongs to.
	flight   sync.RWMutex
	log      atomic.Pointer[logView]
	troubles troubles
	missed   uint64 // message of the log that did not arrive; for follow alone
}

// logView is what of the log concerns signing and status.
type logView struct {
	size      uint64
	witnessed uint64
	seen      event.Seen // the newest witnessed checkpoint
	founded   bool       // the log begins with our charter
}

// New opens the outbox and the listener; the hub may be away. It refuses a key
// that the charter does not give to this agency, and a directory in use.
func New(ctx context.Context, config Config) (*Publisher, error) {
	p, err := prepare(config)
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	owner := outbox.Owner{Country: config.Country, Agency: config.Agency, Charter: config.Charter.Digest}
	if p.outbox, err = outbox.Open(ctx, config.Directory, owner); err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	if err := p.connect(ctx); err != nil {
		return nil, fmt.Errorf("publisher: %w", errors.Join(err, p.close()))
	}
	return p, nil
}

// prepare does what needs neither disk nor network.
func prepare(config Config) (*Publisher, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Token == "" {
		return nil, errors.New("no token: without one anybody who reaches the API could speak for the agency")
	}
	if config.Key == nil {
		return nil, errors.New("no signing key")
	}
	state, err := config.Charter.State()
	if err != nil {
		return nil, err
	}
	policy, err := state.Policy()
	if err != nil {
		return nil, err
	}
	key, err := event.NewSigningKey(config.Key)
	if err != nil {
		return nil, err
	}
	enrolled, ok := state.Key(key.ID)
	switch {
	case !ok:
		return nil, fmt.Errorf("this key (%s) is not in the charter: have the agency's public key enrolled, or use the enrolled one", key.ID)
	case enrolled.Country != config.Country || enrolled.Agency != config.Agency:
		return nil, fmt.Errorf("this key is that of %s/%s in the charter, not of %s/%s",
			enrolled.Country, enrolled.Agency, config.Country, config.Agency)
	}
	check, err := newChecker(state, config.Country)
	if err != nil {
		return nil, err
	}
	p := &Publisher{config: config, key: key, registry: state, policy: policy, check: check, lanes: map[string]*lane{}}
	p.log.Store(&logView{})
	p.troubles.logger = config.Logger
	for _, audience := range state.AudiencesOf(config.Country) {
		p.lanes[audience] = &lane{publisher: p, audience: audience, wake: make(chan struct{}, 1), limit: parcel.Events}
	}
	return p, nil
}

func (p *Publisher) connect(ctx context.Context) error {
	if _, err := p.resume(ctx); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.config.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	p.listener = listener
	conn, err := stream.Dial(p.config.Stream)
	if err != nil {
		return err
	}
	p.hub = connection{conn, stream.PublisherUser(p.config.Country, p.config.Agency)}
	return nil
}

// close lets everything go that New has opened.
func (p *Publisher) close() error {
	if p.hub != nil {
		p.hub.Close()
	}
	var err error
	if p.listener != nil {
		if err = p.listener.Close(); errors.Is(err, net.ErrClosed) {
			err = nil
		}
	}
	return errors.Join(err, p.outbox.Close())
}

// URL is where the API is served.
func (p *Publisher) URL() string { return "http://" + p.listener.Addr().String() }

// Run serves and relays until ctx ends, then closes what New has opened. Its
// error says why it could not go on. It is called once.
func (p *Publisher) Run(ctx context.Context) error {
	roles := []daemon.Role{
		{Name: "api", Run: func(ctx context.Context) error { return daemon.Serve(ctx, p.server(), p.listener) }},
		{Name: "log", Run: func(ctx context.Context) error { p.follow(ctx); return nil }},
	}
	for _, l := range p.lanes {
		roles = append(roles, daemon.Role{Name: "relay to " + l.audience, Run: func(ctx context.Context) error { l.run(ctx); return nil }})
	}
	err := daemon.Run(ctx, roles...)
	if closing := p.close(); closing != nil {
		err = errors.Join(err, fmt.Errorf("publisher: closing: %w", closing))
	}
	return err
}
