// Package notary turns the stream into a transparency log: a leaf for every
// message, a tree over the leaves, and signed checkpoints. It judges no event, and
// folds the registry for two things alone: whose key signs which size, and the head
// of the updates that applied, which every checkpoint names.
// It is trusted for nothing that a country's mirror does not check.
//
// Order, so that it never signs a root that its disk could forget: read, keep the
// registry's updates, append to the leaf store, sync, sign, publish by compare-and-swap.
// If it crashes between two of these, it drops what was not published and reads that again.
//
// Three things are held against each other: the leaf store, the log stream, and the
// stream of events. A store that does not lead to what was published is read again
// from the events, and has to come to the published root. Where the store leads to
// it, and a stream contradicts it, the notary ends with ErrAltered and keeps the
// store: a hub is restored from it.
//
// When the charter names another key, from some size on, whoever holds that key goes
// on: this notary where it is its NextKey, else another one. The old key signs the
// sizes below and no other.
package notary

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/second"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary/outside"
	"github.com/tripoint/tripoint/services/notary/scrub"
	"github.com/tripoint/tripoint/services/notary/tiles"
)

// Config is what a notary needs.
type Config struct {
	Directory string // holds the leaf store, and under tiles the tree as static files
	Charter   registry.Charter
	Key       crypto.Signer     // Ed25519, the charter's notary key
	NextKey   crypto.Signer     // likewise, for sizes for which the charter names it; nil: none
	Stream    stream.Config     // as stream.NotaryUser, a standby as stream.StandbyUser
	Listen    string            // host:port where the tiles are served; empty: nowhere
	Witnesses []outside.Witness // outside of the log; asked to cosign what is published
	Interval  time.Duration     // between checkpoints; 0: 200 ms
	Standby   bool              // follows the log, and publishes only while no other notary does
	Patience  time.Duration     // how long a standby lets leaves wait before it does; 0: 5 s
	Scrub     scrub.Pace        // how fast the stream is read again, to compare it with the tree
	Replicas  int               // how many servers must keep each stream, at least; 0: 1
	Logger    *slog.Logger      // nil: silent

	// SecondKeys sign beside a key where the charter names one of them there; see pkg/second. None: it may name none.
	SecondKeys []*second.Key

	faults faults
}

// faults are what a test injects; the zero value is none.
type faults struct {
	disk    disk.Maker
	publish func(do func() error) error // around the publication of leaves
	step    func(name string) error     // after each step that leaves a trace; an error is a crash there
}

const (
	defaultInterval = 200 * time.Millisecond
	defaultPatience = 5 * time.Second
	maxLeaves       = 4096 // leaves of one message on log.leaves
	maxSpan         = 1e5  // likewise where the sizes between had a notary that did not sign; 3.3 MB
	sweepAtOnce     = 8    // tiles that are read again at each turn
	retryAfter      = 250 * time.Millisecond
)

// ErrAltered says that the stream no longer holds what this notary has signed.
// It never signs again over such a stream by itself.
var ErrAltered = errors.New("the stream does not hold what was signed")

// ErrReplaced says that the charter names a notary key, or a second key beside it, which
// this notary does not have. What its own keys may sign is published.
var ErrReplaced = errors.New("the charter names another notary's key")

// Notary follows one log.
type Notary struct {
	config Config
	origin string
	keys   signers
	store  *store
	trust  *trust
	tiles  *tiles.Directory
	circle *outside.Circle
	signed signed
	conn   *stream.Conn
	log    *slog.Logger

	whole   bool             // this process has read all leaves of the store from the stream
	settled bool             // the tiles were found to be of the published tree
	missing []translog.Range // indices whose messages the stream has not, and has not said are lost

	looked map[translog.Range]int // how often such indices were left out

	listener net.Listener // nil: the tiles are not served
}

// New opens the leaf store. Whether the keys are the charter's shows once the
// registry is read: Run says it.
func New(config Config) (*Notary, error) {
	if config.Interval == 0 {
		config.Interval = defaultInterval
	}
	if config.Patience == 0 {
		config.Patience = defaultPatience
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	known, err := newTrust(config.Directory, config.Charter)
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	origin := known.founded.At(0).Origin // never changes
	keys, err := newSigners(config, origin)
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	leaves, err := openStore(config.Directory, config.faults.disk)
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	known.disk = config.faults.disk
	n := &Notary{config: config, origin: origin, keys: keys, store: leaves, trust: known, log: config.Logger, looked: map[translog.Range]int{}}
	if err := n.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("notary: %w", err), leaves.close())
	}
	return n, nil
}

// open takes in what is on disk, and reaches out. A store that contradicts itself,
// or the registry that is kept, is read again.
func (n *Notary) open() error {
	n.whole = n.store.size == 0
	err := n.store.verify()
	if err == nil {
		err = n.trust.open(n.store)
	}
	if err != nil {
		if err := n.again(err); err != nil {
			return err
		}
	}
	if n.tiles, err = tiles.Open(n.shelf(), n.trust.policies()); err != nil {
		return err
	}
	n.tiles.Disk = n.config.faults.disk
	if n.circle, err = n.witnesses(); err != nil {
		return err
	}
	n.openSigned()
	if n.config.Listen != "" {
		if n.listener, err = net.Listen("tcp", n.config.Listen); err != nil {
			return fmt.Errorf("listening: %w", err)
		}
	}
	if n.conn, err = stream.Dial(n.config.Stream); err != nil && n.listener != nil {
		return errors.Join(err, n.listener.Close())
	}
	return err
}

// back drops all leaves from size on, and what the registry became with them.
func (n *Notary) back(size uint64) error {
	if err := n.store.truncate(size); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	if err := n.trust.fold(size); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	return nil
}

// again begins the store anew: its leaves are read from the stream, and have to lead
// to the published root.
func (n *Notary) again(reason error) error {
	n.log.Warn("reading the whole stream again", "reason", reason)
	n.whole = true
	n.signed.none()
	return n.back(0)
}

// Run signs checkpoints until ctx ends. A hub that is away is waited for; a
// stream that was altered ends it with ErrAltered, a charter that names another
// notary's key with ErrReplaced.
func (n *Notary) Run(ctx context.Context) error {
	defer n.conn.Close()
	defer n.serve(ctx)()
	stopScrubbing := n.scrub(ctx)
	for {
		err := n.follow(ctx)
		switch {
		case ctx.Err() != nil:
			stopScrubbing(false)
			return n.store.close()
		case errors.Is(err, errAgain), errors.Is(err, errBack):
			continue
		case errors.Is(err, ErrAltered), errors.Is(err, ErrReplaced), errors.Is(err, errStore), errors.Is(err, errCrash):
			stopScrubbing(errors.Is(err, ErrAltered))
			return errors.Join(fmt.Errorf("notary: %w", err), n.store.close())
		}
		n.log.Warn("starting again from the newest checkpoint", "error", err)
		pause(ctx, retryAfter)
	}
}

// errStore marks faults of the own disk: the store must be opened anew.
var errStore = errors.New("leaf store")

// errAgain says that the store is read again from its beginning.
var errAgain = errors.New("the leaf store is read again")

// errBack says that the hub was away: what it streams now is held against the last
// stored leaf first.
var errBack = errors.New("the hub was away")

// errCrash marks a crash that a test plays: nothing more is done after it.
var errCrash = errors.New("crashed")

// step is where a test crashes the notary.
func (n *Notary) step(name string) error {
	if n.config.faults.step == nil {
		return nil
	}
	if err := n.config.faults.step(name); err != nil {
		return fmt.Errorf("%w: %w", errCrash, err)
	}
	return nil
}

// follow runs from the newest published checkpoint until something fails.
func (n *Notary) follow(ctx context.Context) error {
	connected := n.conn.Reconnects()
	p, t, err := n.resume(ctx)
	if err != nil {
		return err
	}
	reader, err := n.conn.Reader(ctx, stream.Events, n.user())
	if err != nil {
		return err
	}
	messages, err := n.anchor(ctx, reader, p, t)
	if err != nil {
		return err
	}
	for w := (watch{}); ; {
		began := time.Now()
		if len(messages) == 0 {
			err = n.atEnd(ctx, reader, p, t)
		} else {
			err = n.take(ctx, p, t, messages)
		}
		if err != nil {
			return err
		}
		if err := n.turn(ctx, &w, p, t); err != nil {
			return err
		}
		if err := reader.Ack(); err != nil {
			return err
		}
		if err := n.step("acknowledged"); err != nil {
			return err
		}
		if 0 < len(messages) && len(messages) < maxLeaves {
			pause(ctx, n.config.Interval-time.Since(began))
		}
		if messages, err = reader.Fetch(ctx, maxLeaves, n.wait()); err != nil {
			return err
		}
		if n.conn.Reconnects() != connected {
			return errBack
		}
	}
}

// turn publishes what is due, and looks after the tiles.
func (n *Notary) turn(ctx context.Context, w *watch, p *publication, t *taken) error {
	due, err := n.due(ctx, w, p, t)
	if err != nil {
		return err
	}
	if due {
		if err := n.publish(ctx, w, p, t); err != nil {
			return err
		}
	}
	return n.sweep()
}

// resume looks where the published log stands, and goes back to there.
func (n *Notary) resume(ctx context.Context) (*publication, *taken, error) {
	p, err := n.published(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := n.known(p); err != nil {
		return nil, nil, err
	}
	size := min(p.size, n.store.size)
	if known, ok := n.vouched(); ok && p.size > n.store.size {
		size = known
	}
	frontier, err := n.store.frontier(size)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %v", errStore, err)
	}
	if size == p.size {
		if err := n.agree(p, frontier.Root()); err != nil {
			return nil, nil, err
		}
	}
	n.missing = slices.DeleteFunc(n.missing, func(hole translog.Range) bool { return hole.To > size })
	// Nobody has seen what was stored and not published: it is read again, so
	// that a torn write never becomes a leaf.
	if err := n.back(size); err != nil {
		return nil, nil, err
	}
	t := &taken{frontier: frontier}
	if size < p.size {
		return p, t, nil
	}
	return p, t, n.keep(p) // a crash may have come between publication and tiles
}

// atEnd is for when there is nothing to read: it ends a notary that waits for
// sizes that it may not sign, or for leaves that the stream has not.
func (n *Notary) atEnd(ctx context.Context, reader *stream.Reader, p *publication, t *taken) error {
	next := n.store.size + 1
	_, signer := n.keys.largest(n.trust.policies(), n.store.size, next)
	if signer != nil && p.size <= t.end() && len(n.missing) == 0 {
		return nil
	}
	// The hub may be slow, and the update that names this notary not here yet.
	if left, err := reader.Pending(ctx); err != nil || left > 0 {
		return err
	}
	if p.size > t.end() {
		return n.ended(ctx, p, t)
	}
	if signer != nil || len(n.missing) > 0 {
		return n.undeclared()
	}
	return fmt.Errorf("%w from size %d on", ErrReplaced, next)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
