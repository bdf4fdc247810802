// Package notary turns the stream into a transparency log: a leaf for every
// message, a tree over the leaves, and signed checkpoints. It judges no event.
// It is trusted for nothing that a country's mirror does not check.
//
// Order, so that it never signs a root that its disk could forget: read, append
// to the leaf store, sync, sign, publish by compare-and-swap. If it crashes
// between two of these, it drops what was not published and reads that again.
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
	Stream    stream.Config // as stream.NotaryUser, in the hub's own account
	Interval  time.Duration // between checkpoints; 0: 200 ms
	Logger    *slog.Logger  // nil: silent
}

const (
	defaultInterval = 200 * time.Millisecond
	maxLeaves       = 4096 // leaves of one message on log.leaves
	retryAfter      = 250 * time.Millisecond
)

// ErrAltered says that the stream no longer holds what this notary has signed.
// It never signs again over such a stream by itself.
var ErrAltered = errors.New("the stream does not hold what was signed")

// Notary follows one log.
type Notary struct {
	config Config
	policy translog.Policy
	signer *translog.Notary
	store  *store
	conn   *stream.Conn
	log    *slog.Logger
}

// New opens the leaf store and checks that the key is the charter's.
func New(config Config) (*Notary, error) {
	if config.Interval == 0 {
		config.Interval = defaultInterval
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	state, err := config.Charter.State()
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	policy, err := state.Policy()
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	if !policy.Notary.Equal(config.Key.Public()) {
		return nil, errors.New("notary: this key is not the charter's notary key")
	}
	signer, err := translog.NewNotary(policy.Origin, config.Key)
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	leaves, err := openStore(config.Directory)
	if err != nil {
		return nil, fmt.Errorf("notary: %w", err)
	}
	conn, err := stream.Dial(config.Stream)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("notary: %w", err), leaves.close())
	}
	return &Notary{config: config, policy: policy, signer: signer, store: leaves, conn: conn, log: config.Logger}, nil
}

// Run signs checkpoints until ctx ends. A hub that is away is waited for; a
// stream that was altered ends it with ErrAltered.
func (n *Notary) Run(ctx context.Context) error {
	defer n.conn.Close()
	for {
		err := n.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return n.store.close()
		case errors.Is(err, ErrAltered), errors.Is(err, errStore):
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
	p, err := n.published(ctx)
	if err != nil {
		return err
	}
	// A log stream that was set back would have this notary sign other roots for
	// sizes that it has signed.
	switch known, err := n.store.published(); {
	case err != nil:
		return fmt.Errorf("%w: %v", errStore, err)
	case p.size < known:
		return fmt.Errorf("%w: the log stream ends at %d leaves, and %d were published", ErrAltered, p.size, known)
	}
	if p.size <= n.store.size {
		if err := n.agree(p); err != nil {
			return err
		}
		// Nobody has seen what was stored and not published: it is read again, so
		// that a torn write never becomes a leaf.
		if err := n.store.truncate(p.size); err != nil {
			return fmt.Errorf("%w: %v", errStore, err)
		}
	}
	reader, err := n.conn.Reader(ctx, stream.Events, stream.NotaryUser)
	if err != nil {
		return err
	}
	next := n.store.size
	// In the first epoch a message's sequence is its index plus one.
	if err := reader.Reset(ctx, next+1); err != nil {
		return err
	}
	for {
		messages, err := reader.Fetch(ctx, maxLeaves, time.Second)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			continue
		}
		began := time.Now()
		batch, err := n.take(next, messages)
		if err != nil {
			return err
		}
		next += uint64(len(messages))
		if err := n.publish(ctx, p, batch); err != nil {
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

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// publication is where the published log stands.
type publication struct {
	size     uint64
	root     translog.Hash
	sequence uint64 // of the newest message on log.leaves; 0: none
}

func (n *Notary) published(ctx context.Context) (*publication, error) {
	newest, ok, err := n.conn.Newest(ctx, stream.Log, stream.LeavesSubject)
	if err != nil || !ok {
		return &publication{}, err
	}
	leaves := &logv1.Leaves{}
	if err := proto.Unmarshal(newest.Data, leaves); err != nil {
		return nil, fmt.Errorf("%w: the newest message on %s is not one of a notary", ErrAltered, stream.LeavesSubject)
	}
	checkpoint, err := translog.OpenCheckpoint(leaves.GetCheckpoint(), n.policy.Origin, n.policy.Notary)
	if err != nil {
		return nil, fmt.Errorf("%w: the newest checkpoint: %v", ErrAltered, err)
	}
	return &publication{size: checkpoint.Size, root: checkpoint.Root, sequence: newest.Sequence}, nil
}

// agree checks that the own tree has the root that was published.
func (n *Notary) agree(p *publication) error {
	if p.size == 0 {
		return nil
	}
	root, err := translog.TreeRoot(p.size, n.store)
	if err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	if root != p.root {
		return fmt.Errorf("%w: the published root of %d leaves is another", ErrAltered, p.size)
	}
	return nil
}

// taken are consecutive leaves with their labels.
type taken struct {
	start  uint64
	hashes []translog.Hash
	labels []string
}

// take puts the leaves of messages into the store.
func (n *Notary) take(next uint64, messages []stream.Message) (taken, error) {
	t := taken{start: next}
	for i, m := range messages {
		index := next + uint64(i)
		if m.Sequence != index+1 {
			return t, fmt.Errorf("%w: sequence %d follows where %d should", ErrAltered, m.Sequence, index+1)
		}
		t.hashes = append(t.hashes, translog.LeafHash(index, m.Subject, m.Data))
		t.labels = append(t.labels, verdict.Label(m.Subject))
	}
	if err := n.store.append(t.hashes); err != nil {
		return t, fmt.Errorf("%w: %v", errStore, err)
	}
	return t, nil
}

// publish signs and publishes what p does not have of t. Where the store was
// behind the published log, it first shows that it has caught up to the same root.
func (n *Notary) publish(ctx context.Context, p *publication, t taken) error {
	end := t.start + uint64(len(t.hashes))
	if p.size > t.start && p.size <= end {
		if err := n.agree(p); err != nil {
			return err
		}
	}
	if end <= p.size {
		return nil
	}
	skip := max(p.size, t.start) - t.start
	message, root, err := n.message(end, t.start+skip, t.hashes[skip:], t.labels[skip:])
	if err != nil {
		return err
	}
	sequence, err := n.conn.PublishAfter(ctx, p.sequence, stream.LeavesSubject, message)
	if err != nil {
		return err
	}
	*p = publication{size: end, root: root, sequence: sequence}
	if err := n.store.publish(end); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	return nil
}

func (n *Notary) message(size, start uint64, hashes []translog.Hash, labels []string) ([]byte, translog.Hash, error) {
	root, err := translog.TreeRoot(size, n.store)
	if err != nil {
		return nil, root, fmt.Errorf("%w: %v", errStore, err)
	}
	signed, err := n.signer.Sign(translog.Checkpoint{Origin: n.policy.Origin, Size: size, Root: root})
	if err != nil {
		return nil, root, fmt.Errorf("signing the checkpoint of %d leaves: %w", size, err)
	}
	leaves := &logv1.Leaves{Start: start, FirstSequence: start + 1, Checkpoint: signed}
	places := map[string]uint32{}
	for i, hash := range hashes {
		leaves.Hashes = append(leaves.Hashes, hash[:]...)
		place, ok := places[labels[i]]
		if !ok {
			place = uint32(len(leaves.Audiences))
			places[labels[i]] = place
			leaves.Audiences = append(leaves.Audiences, labels[i])
		}
		leaves.Labels = append(leaves.Labels, place)
	}
	message, err := proto.Marshal(leaves)
	return message, root, err
}
