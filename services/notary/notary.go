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
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// Config is what a notary needs.
type Config struct {
	Directory string // holds the leaf store
	Charter   registry.Charter
	Key       crypto.Signer // Ed25519, the charter's notary key
	NextKey   crypto.Signer // likewise, for sizes for which the charter names it; nil: none
	Stream    stream.Config // as stream.NotaryUser, in the hub's own account
	Interval  time.Duration // between checkpoints; 0: 200 ms
	Logger    *slog.Logger  // nil: silent
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
	conn   *stream.Conn
	log    *slog.Logger
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
	if n.conn, err = stream.Dial(config.Stream); err != nil {
		return nil, errors.Join(fmt.Errorf("notary: %w", err), leaves.close())
	}
	return n, nil
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
	t := &taken{start: n.store.size}
	// In the first epoch a message's sequence is its index plus one.
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

// publication is where the published log stands.
type publication struct {
	size     uint64
	note     []byte // the checkpoint of that size; agree verifies it
	sequence uint64 // of the newest message on log.leaves; 0: none
}

// published reads the newest message of a notary. Which key must have signed it
// depends on the registry at its size, which may lie ahead of the store.
func (n *Notary) published(ctx context.Context) (*publication, error) {
	newest, ok, err := n.conn.Newest(ctx, stream.Log, stream.LeavesSubject)
	if err != nil || !ok {
		return &publication{}, err
	}
	leaves := &logv1.Leaves{}
	if err := proto.Unmarshal(newest.Data, leaves); err != nil || leaves.GetStart() > translog.MaxSize {
		return nil, fmt.Errorf("%w: the newest message on %s is not one of a notary", ErrAltered, stream.LeavesSubject)
	}
	size := leaves.GetStart() + uint64(len(leaves.GetHashes())/hashSize)
	return &publication{size: size, note: leaves.GetCheckpoint(), sequence: newest.Sequence}, nil
}

// agree checks that the charter's notary signed what was published, and that the
// own tree, which reaches as far, has that root.
func (n *Notary) agree(p *publication) error {
	if p.sequence == 0 {
		return nil
	}
	checkpoint, err := n.trust.policies().OpenCheckpoint(p.note)
	if err != nil {
		return fmt.Errorf("%w: the newest checkpoint: %v", ErrAltered, err)
	}
	root, err := translog.TreeRoot(p.size, n.store)
	if err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	if checkpoint.Size != p.size || checkpoint.Root != root {
		return fmt.Errorf("%w: the published root of %d leaves is another", ErrAltered, p.size)
	}
	return nil
}

// taken are consecutive leaves with their labels, stored and not published.
type taken struct {
	start  uint64
	hashes []translog.Hash
	labels []string
}

func (t *taken) end() uint64 { return t.start + uint64(len(t.hashes)) }

// drop leaves out those below size.
func (t *taken) drop(size uint64) {
	k := size - t.start
	t.start, t.hashes, t.labels = size, t.hashes[k:], t.labels[k:]
}

// take puts the leaves of messages into the store.
func (n *Notary) take(t *taken, messages []stream.Message) error {
	fresh := len(t.hashes)
	for _, m := range messages {
		index := t.end()
		if m.Sequence != index+1 {
			return fmt.Errorf("%w: sequence %d follows where %d should", ErrAltered, m.Sequence, index+1)
		}
		t.hashes = append(t.hashes, translog.LeafHash(index, m.Subject, m.Data))
		t.labels = append(t.labels, verdict.Label(m.Subject))
		n.trust.take(index, m.Subject, m.Data)
	}
	if err := n.trust.save(t.end()); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	if err := n.store.append(t.hashes[fresh:]); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	return nil
}

// publish signs and publishes what p does not have of t, as far as the keys go.
// Where the store was behind the published log, it first shows that it has caught
// up to the same root.
func (n *Notary) publish(ctx context.Context, p *publication, t *taken) error {
	if p.size > t.start {
		if p.size <= t.end() {
			if err := n.agree(p); err != nil {
				return err
			}
		}
		t.drop(min(p.size, t.end()))
	}
	if p.size >= t.end() {
		return nil
	}
	size, signer := n.keys.largest(n.trust.policies(), p.size, t.end())
	if signer == nil {
		return n.lacking(t)
	}
	message, note, err := n.message(size, signer, t)
	if err != nil {
		return err
	}
	sequence, err := n.conn.PublishAfter(ctx, p.sequence, stream.LeavesSubject, message)
	if err != nil {
		return err
	}
	*p = publication{size: size, note: note, sequence: sequence}
	if err := n.store.publish(size); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	t.drop(size)
	return n.lacking(t)
}

// lacking decides about leaves that are read and that no key here may sign. They
// wait where an update further on may name one: somebody else's key was lost, say,
// and the charter named this one some time later.
func (n *Notary) lacking(t *taken) error {
	if len(t.hashes) == 0 || n.keys.unnamed(n.trust.policies()) && len(t.hashes) <= maxSpan-maxLeaves {
		return nil
	}
	return fmt.Errorf("%w from size %d on", ErrReplaced, t.start+1)
}

// message is the next one on log.leaves: the leaves of t below size.
func (n *Notary) message(size uint64, signer *translog.Notary, t *taken) (message, note []byte, err error) {
	root, err := translog.TreeRoot(size, n.store)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %v", errStore, err)
	}
	note, err = signer.Sign(translog.Checkpoint{Origin: n.origin, Size: size, Root: root})
	if err != nil {
		return nil, nil, fmt.Errorf("signing the checkpoint of %d leaves: %w", size, err)
	}
	leaves := &logv1.Leaves{Start: t.start, FirstSequence: t.start + 1, Checkpoint: note}
	places := map[string]uint32{}
	for i, hash := range t.hashes[:size-t.start] {
		leaves.Hashes = append(leaves.Hashes, hash[:]...)
		place, ok := places[t.labels[i]]
		if !ok {
			place = uint32(len(leaves.Audiences))
			places[t.labels[i]] = place
			leaves.Audiences = append(leaves.Audiences, t.labels[i])
		}
		leaves.Labels = append(leaves.Labels, place)
	}
	message, err = proto.Marshal(leaves)
	return message, note, err
}
