// Package notary turns the stream into a transparency log: a leaf for every
// message, a tree over the leaves, and signed checkpoints. It judges no event, and
// folds the registry for one thing alone: whose key signs which size.
// It is trusted for nothing that a country's mirror does not check.
//
// Order, so that it never signs a root that its disk could forget: read, keep the
// registry's updates, append to the leaf store, sync, sign, publish by compare-and-swap.
// If it crashes between two of these, it drops what was not published and reads that again.
//
// When the charter names another key, from some size on, whoever holds that key goes
// on: this notary where it is its NextKey, else a standby. The old key signs the
// sizes below and no other.
package notary

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/notary/outside"
	"github.com/tripoint/tripoint/services/notary/tiles"
)

// Config is what a notary needs.
type Config struct {
	Directory string // holds the leaf store, and under tiles the tree as static files
	Charter   registry.Charter
	Key       crypto.Signer     // Ed25519, the charter's notary key
	NextKey   crypto.Signer     // likewise, for sizes for which the charter names it; nil: none
	Stream    stream.Config     // as stream.NotaryUser, in the hub's own account
	Listen    string            // host:port where the tiles are served; empty: nowhere
	Witnesses []outside.Witness // outside of the log; asked to cosign what is published
	Interval  time.Duration     // between checkpoints; 0: 200 ms
	Logger    *slog.Logger      // nil: silent
}

const (
	defaultInterval = 200 * time.Millisecond
	maxLeaves       = 4096 // leaves of one message on log.leaves
	maxSpan         = 1e5  // likewise where the sizes between had a notary that did not sign; 3.3 MB
	retryAfter      = 250 * time.Millisecond
)

// ErrAltered says that the stream no longer holds what this notary has signed.
// It never signs again over such a stream by itself.
var ErrAltered = errors.New("the stream does not hold what was signed")

// ErrReplaced says that the charter names a notary key which this notary does not
// have. What its own keys may sign is published.
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
	conn   *stream.Conn
	log    *slog.Logger

	listener net.Listener // nil: the tiles are not served
}

// New opens the leaf store. Whether the keys are the charter's shows once the
// registry is read: Run says it.
func New(config Config) (*Notary, error) {
	if config.Interval == 0 {
		config.Interval = defaultInterval
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	known, err := newTrust(config.Directory, config.Charter)
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	origin := known.founded.At(0).Origin // never changes
	keys, err := newSigners(origin, config.Key, config.NextKey)
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	leaves, err := openStore(config.Directory)
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	n := &Notary{config: config, origin: origin, keys: keys, store: leaves, trust: known, log: config.Logger}
	if err := known.open(leaves); err != nil {
		n.log.Warn("reading the whole stream again", "reason", err)
		if err := n.back(0); err != nil {
			return nil, errors.Join(fmt.Errorf("notary: %w", err), leaves.close())
		}
	}
	if err := n.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("notary: %w", err), leaves.close())
	}
	return n, nil
}

// open finds the tiles and reaches out.
func (n *Notary) open() error {
	var err error
	if n.tiles, err = tiles.Open(n.shelf(), n.trust.policies()); err != nil {
		return err
	}
	if n.circle, err = n.witnesses(); err != nil {
		return err
	}
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

// Run signs checkpoints until ctx ends. A hub that is away is waited for; a
// stream that was altered ends it with ErrAltered, a charter that names another
// notary's key with ErrReplaced.
func (n *Notary) Run(ctx context.Context) error {
	defer n.conn.Close()
	defer n.serve(ctx)()
	for {
		err := n.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return n.store.close()
		case errors.Is(err, ErrAltered), errors.Is(err, ErrReplaced), errors.Is(err, errStore):
			return errors.Join(fmt.Errorf("notary: %w", err), n.store.close())
		}
		n.log.Warn("starting again from the newest checkpoint", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// errStore marks faults of the own disk: the store must be opened anew.
var errStore = errors.New("leaf store")

// follow runs from the newest published checkpoint until something fails.
func (n *Notary) follow(ctx context.Context) error {
	p, err := n.resume(ctx)
	if err != nil {
		return err
	}
	reader, err := n.conn.Reader(ctx, stream.Events, stream.NotaryUser)
	if err != nil {
		return err
	}
	if p.size > 0 && p.size == n.store.size { // a crash may have come between publication and tiles
		if err := n.shelve(p); err != nil {
			return err
		}
	}
	t := &taken{start: n.store.size}
	// A message's sequence is its index plus one.
	if err := reader.Reset(ctx, t.start+1); err != nil {
		return err
	}
	for {
		messages, err := reader.Fetch(ctx, maxLeaves, time.Second)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			if err := n.atEnd(ctx, reader); err != nil {
				return err
			}
			continue
		}
		began := time.Now()
		if err := n.take(t, messages); err != nil {
			return err
		}
		if err := n.publish(ctx, p, t); err != nil {
			return err
		}
		if err := reader.Ack(); err != nil {
			return err
		}
		if len(messages) < maxLeaves {
			pause(ctx, n.config.Interval-time.Since(began))
		}
	}
}

// resume looks where the published log stands, and goes back to there.
func (n *Notary) resume(ctx context.Context) (*publication, error) {
	p, err := n.published(ctx)
	if err != nil {
		return nil, err
	}
	// A log stream that was set back would have this notary sign other roots for
	// sizes that it has signed.
	switch known, err := n.store.published(); {
	case err != nil:
		return nil, fmt.Errorf("%w: %v", errStore, err)
	case p.size < known:
		return nil, fmt.Errorf("%w: the log stream ends at %d leaves, and %d were published", ErrAltered, p.size, known)
	}
	if p.size > n.store.size {
		return p, nil
	}
	if err := n.agree(p); err != nil {
		return nil, err
	}
	// Nobody has seen what was stored and not published: it is read again, so
	// that a torn write never becomes a leaf.
	return p, n.back(p.size)
}

// atEnd is for when there is nothing to read: it ends a notary that waits for
// sizes that it may not sign.
func (n *Notary) atEnd(ctx context.Context, reader *stream.Reader) error {
	next := n.store.size + 1
	if _, signer := n.keys.largest(n.trust.policies(), n.store.size, next); signer != nil {
		return nil
	}
	// The hub may be slow, and the update that names this notary not here yet.
	if left, err := reader.Pending(ctx); err != nil || left > 0 {
		return err
	}
	return fmt.Errorf("%w from size %d on", ErrReplaced, next)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
