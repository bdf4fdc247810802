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
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/second"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// Config is what a publisher needs. All but NextKey, SecondKeys and Logger must be set.
type Config struct {
	Country   string           // ISO 3166-1 alpha-2 code of the agency's member
	Agency    string           // the agency's identifier in the registry
	Directory string           // holds the outbox; made where it is missing
	Charter   registry.Charter // the party's own copy
	Key       crypto.Signer    // Ed25519, enrolled for this agency
	NextKey   crypto.Signer    // its successor, to which its enrolment is committed; nil: not here
	Stream    stream.Config    // how to reach the hub
	Listen    string           // host:port of the API; port 0 picks a free one
	Token     string           // the bearer token that the agency's systems present
	Logger    *slog.Logger     // nil: silent

	// SecondKeys sign beside Key or NextKey, whichever of them the registry names beside it; see pkg/second. None: it may name none.
	SecondKeys []*second.Key
}

// hub is what the publisher needs of a stream.Conn, and logReader of its Reader;
// faults are injected here.
type hub interface {
	Away() error        // nil while connected; a *refusal where the hub does not admit us
	Reconnects() uint64 // how often the connection was made again
	PublishBatch(ctx context.Context, messages []stream.Message) (last uint64, err error)
	PutRecord(ctx context.Context, subject string, data []byte, after uint64, life time.Duration) (sequence uint64, err error)
	Reader(ctx context.Context, stream string) (logReader, error)
	Close()
}

type logReader interface {
	Reset(ctx context.Context, sequence uint64) error
	Pending(ctx context.Context) (uint64, error)
	Fetch(ctx context.Context, limit int, wait time.Duration) ([]stream.Message, error)
	Ack() error
}

// connection is the hub as it is.
type connection struct {
	*stream.Conn
	user string // also the name of its consumers
}

var errAway = errors.New("no connection to the hub")

// refusal is the hub's refusal of a connection.
type refusal struct{ reason error }

func (e *refusal) Error() string {
	return fmt.Sprintf("the hub does not admit this publisher (%v)", e.reason)
}

func (c connection) Away() error {
	if c.Connected() {
		return nil
	}
	if reason := c.Refused(); reason != nil {
		return &refusal{reason}
	}
	return errAway
}

// Reader opens this publisher's reader of a stream: of the log, or of the registry
// among the events.
func (c connection) Reader(ctx context.Context, stream string) (logReader, error) {
	return c.Conn.Reader(ctx, stream, c.user)
}

// Publisher is one agency's publisher.
type Publisher struct {
	config   Config
	keys     []event.SigningKey
	check    *checker
	outbox   *outbox.Outbox
	hub      hub
	listener net.Listener
	lanes    *lanes
	tender   *tender
	shipper  *shipper
	patience time.Duration // how long the hub may take to deliver a message of the registry
	freeze   time.Duration // how long what is stored may take to be witnessed
	clear    bool          // a benchmark's other side: nothing is sealed

	// flight is held for reading from the signature of a parcel until the hub's
	// answer is on disk, and for writing while leaves are compared with the
	// outbox, and what is refused becomes a draft again: so a leaf is never compared
	// before the answer it belongs to, and nothing is sent that is being taken back.
	flight   sync.RWMutex
	log      atomic.Pointer[logView]
	blind    atomic.Bool   // the registry is known to have gone on, and not how: nothing is published
	awake    atomic.Bool   // the log was followed to where it was when this process began: see awaken
	caughtUp atomic.Uint64 // Reconnects of the connection over which the log was last read to its end
	troubles troubles
	missed   uint64 // message of the log that did not arrive; for follow alone
	doubted  int    // see doubts; likewise
}

// logView is what of the log concerns signing and status. It is on disk.
type logView struct {
	chapter          // the registry as of size
	size      uint64 // 0: no checkpoint was seen yet
	witnessed uint64
	seen      event.Seen // the newest witnessed checkpoint
	at        uint64     // when a quorum had last cosigned it or a larger one, in seconds since 1970, by the mirrors' clocks
	strange   strangers  // chains that somebody else has gone on with
}

// New opens the outbox and the listener; the hub may be away. It refuses a key
// that is somebody else's, and a directory in use.
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
	p := &Publisher{config: config, patience: defaultPatience, freeze: defaultFreeze}
	for _, signer := range []crypto.Signer{config.Key, config.NextKey} {
		if signer == nil {
			continue
		}
		key, err := event.NewSigningKey(signer)
		if err != nil {
			return nil, err
		}
		p.keys = append(p.keys, key)
	}
	if p.check, err = newChecker(p); err != nil {
		return nil, err
	}
	p.log.Store(&logView{chapter: chapter{from: 1, state: state}})
	p.troubles.logger = config.Logger
	return p, p.checkKeys(state)
}

// defaultPatience is long for a link that works and short for people who wait.
const defaultPatience = 10 * time.Second

func (p *Publisher) connect(ctx context.Context) error {
	p.tender = &tender{publisher: p, wake: make(chan struct{}, 1)}
	p.lanes = newLanes(p)
	p.shipper = &shipper{publisher: p, wake: make(chan struct{}, 1)}
	if _, err := p.resume(ctx); err != nil {
		return err
	}
	view := p.log.Load()
	if err := p.checkKeys(view.state); err != nil {
		return err
	}
	waiting, err := p.outbox.Waiting(ctx)
	if err != nil {
		return err
	}
	for _, audience := range slices.Concat(view.state.AudiencesOf(p.config.Country), slices.Collect(maps.Keys(waiting))) {
		p.lanes.of(audience)
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
	p.shipper.hub = conn
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
		{Name: "watch", Run: func(ctx context.Context) error { p.watch(ctx); return nil }},
		{Name: "relay", Run: func(ctx context.Context) error { p.lanes.run(ctx); return nil }},
		{Name: "keys", Run: func(ctx context.Context) error { p.tender.run(ctx); return nil }},
		{Name: "files", Run: func(ctx context.Context) error { p.shipper.run(ctx); return nil }},
	}
	err := daemon.Run(ctx, roles...)
	if closing := p.close(); closing != nil {
		err = errors.Join(err, fmt.Errorf("publisher: closing: %w", closing))
	}
	return err
}
