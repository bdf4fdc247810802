package publisher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

const (
	fetchMessages = 500             // of the log stream, at a time
	fetchWait     = 2 * time.Second // for the first of them

	// doubts is how often in a row the message that is remembered must not come
	// before that is believed.
	doubts = 3
)

// pursuit is the log as this process follows it, ahead of the disk by at most
// the messages of one fetch. After a fault it is read from the disk again.
type pursuit struct {
	follower *translog.Follower
	known    history // the registry at the follower's size, and back to the witnessed one
	settled  uint64  // what known said from here on is witnessed, and was looked at

	registry logReader                 // of the registry and of what is the agency's own; nil before it is needed
	held     map[uint64]stream.Message // of these, not in the tree yet; by the stream's sequence
	passed   uint64                    // sequence of the last message of registry; 0: unknown

	epoch     uint64 // of what follows
	covered   uint64 // all up to this sequence are here, or not this publisher's to read
	announced uint64 // the last sequence of which the notary is known to have a leaf
	looked    bool   // behind the end of the tree, once after a start
	foreign   uint64 // the last message there that is not this outbox's

	missing map[string]int64 // the oldest envelope of an audience that the hub had not when it was looked for

	roots   event.Roots
	strange strangers
	misuse  misuse

	read    uint64      // sequence of the last message looked at
	cursor  stream.Mark // of the last one after which nothing needs to be read again
	unsaved bool
	fault   error // why cursor is behind read; nil where it is not
}

// resume reads how far the log was followed.
func (p *Publisher) resume(ctx context.Context) (*pursuit, error) {
	followed, ok, err := p.outbox.Followed(ctx)
	if err != nil {
		return nil, err
	}
	u := &pursuit{read: followed.Cursor, cursor: stream.Mark{Sequence: followed.Cursor, Digest: followed.Digest}, settled: math.MaxUint64, held: map[uint64]stream.Message{}}
	if u.known, err = p.recall(ctx); err != nil {
		return nil, err
	}
	policies, err := u.known.last().state.Policies()
	if err != nil {
		return nil, err
	}
	if ok {
		u.follower, err = translog.NewFollowerAt(policies, followed.Snapshot)
	} else {
		u.follower, err = translog.NewFollower(policies)
	}
	if err != nil {
		return nil, fmt.Errorf("following the log: %w", err)
	}
	u.strange = strangers{}
	if err := p.outbox.EachStrange(ctx, u.strange.add); err != nil {
		return nil, err
	}
	p.show(u)
	return u, nil
}

// show tells the lanes, the API and the status how far the log is. What the lanes
// sign by it must be on disk: a restart that knew less would sign with an older key.
func (p *Publisher) show(u *pursuit) {
	before := p.log.Load()
	now := &logView{size: u.follower.Size(), chapter: u.known.last(), strange: u.strange}
	if c, _, ok := u.follower.Witnessed(); ok {
		now.witnessed, now.seen = c.Size, event.Seen{Size: c.Size, Root: event.Digest(c.Root)}
		now.at = u.follower.WitnessedTime()
	}
	p.log.Store(now)
	p.troubles.note("key", p.others(now, u.strange, u.misuse))
	if now.size > 0 && before.size == 0 || now.state != before.state {
		for _, audience := range now.state.AudiencesOf(p.config.Country) {
			p.lanes.of(audience)
		}
		p.lanes.signal()
	}
}

// follow follows the log until ctx ends. No fault ends it.
func (p *Publisher) follow(ctx context.Context) {
	wait := firstWait
	for ctx.Err() == nil {
		began := time.Now()
		err := p.pursue(ctx)
		if ctx.Err() != nil {
			return
		}
		if hidden := (*withheld)(nil); errors.As(err, &hidden) {
			p.blind.Store(true)
		}
		p.troubles.note("following the log", err.Error())
		if time.Since(began) > longestWait {
			wait = firstWait
		}
		pause(ctx, wait)
		wait = min(2*wait, longestWait)
	}
}

// pursue goes on from the disk until there is a fault.
func (p *Publisher) pursue(ctx context.Context) error {
	u, err := p.resume(ctx)
	if err != nil {
		return err
	}
	if err := p.settle(ctx, u); err != nil {
		return err
	}
	if u.follower.Size() > 0 { // what was known when it was stopped, be the hub there or not
		p.troubles.note("registry", p.standing(p.log.Load()))
	}
	reader, err := p.hub.Reader(ctx, stream.Log)
	if err != nil {
		return err
	}
	if err := p.begin(ctx, u, reader); err != nil {
		return err
	}
	connection := p.hub.Reconnects()
	behind, err := reader.Pending(ctx) // of the log, since the start, or since the connection was made again
	if err != nil {
		return err
	}
	for {
		if behind == 0 {
			if err := p.awaken(ctx, u); err != nil {
				return err
			}
			p.catchUp(connection)
		}
		messages, err := reader.Fetch(ctx, fetchMessages, fetchWait)
		if err != nil {
			return err
		}
		behind -= min(behind, uint64(len(messages)))
		if err := p.takeAll(ctx, u, messages); err != nil {
			return err
		}
		if err := reader.Ack(); err != nil {
			return err
		}
		if u.fault != nil && (len(messages) == 0 || messages[len(messages)-1].Pending == 0) {
			return u.fault // nothing sound came after it: read again
		}
		if now := p.hub.Reconnects(); now != connection {
			connection = now
			if err := reader.Reset(ctx, u.read+1); err != nil {
				return err
			}
			if behind, err = reader.Pending(ctx); err != nil {
				return err
			}
			continue
		}
		if len(messages) == 0 {
			behind = 0
			// In silence, ask anew: a message may have gone to a connection of ours
			// that is dead, and the hub would keep it back until that one's time is out.
			if err := reader.Reset(ctx, u.read+1); err != nil {
				return err
			}
			if err := p.absent(ctx, u); err != nil {
				return err
			}
		}
		if u.fault != nil {
			continue
		}
		p.troubles.note("following the log", "")
		if len(messages) < fetchMessages { // as far as the log is: on the way there, much is not so yet
			p.troubles.note("registry", p.standing(p.log.Load()))
		}
	}
}

// takeAll takes in what was fetched of the log stream; it is on disk then.
func (p *Publisher) takeAll(ctx context.Context, u *pursuit, messages []stream.Message) error {
	u.announce(messages)
	for _, m := range messages {
		if m.Sequence <= u.read {
			continue // delivered twice
		}
		// The log stream has no gaps, but the hub may have handed a message to a
		// connection of ours that is dead. What is missing twice is not there.
		if expected := u.read + 1; m.Sequence != expected && p.missed != expected {
			p.missed = expected
			return fmt.Errorf("messages %d to %d did not arrive", expected, m.Sequence-1)
		}
		if err := p.take(ctx, u, m); err != nil {
			return err
		}
	}
	if !u.unsaved {
		return nil
	}
	return p.save(ctx, u, outbox.News{})
}

// catchUp says that all there was in the log when a connection was made is known.
func (p *Publisher) catchUp(connection uint64) {
	if p.caughtUp.Swap(connection) != connection {
		p.lanes.signal()
	}
}

// ready reports whether anything may be signed or sent: the registry is known as it was when this
// process began, and when its connection was made, since a key may have been
// revoked while the hub was away. follow signals when that changes.
func (p *Publisher) ready(view *logView) bool {
	return view.size > 0 && !p.blind.Load() && p.awake.Load() && p.caughtUp.Load() == p.hub.Reconnects()
}

// begin makes the message after the one that is remembered the next to be read. A
// stream that has another there, or ends before, is not the one that was followed:
// the hub had lost it. Then all of it is read again and has to come to the same
// tree, and nothing is published before.
func (p *Publisher) begin(ctx context.Context, u *pursuit, reader logReader) error {
	if u.read == 0 {
		return reader.Reset(ctx, 1)
	}
	if err := reader.Reset(ctx, u.read); err != nil {
		return err
	}
	messages, err := reader.Fetch(ctx, 1, fetchWait)
	switch {
	case err != nil:
		return err
	case len(messages) > 0 && stream.MarkOf(messages[0]) == u.cursor:
		p.doubted = 0
		return reader.Reset(ctx, u.read+1)
	}
	if p.doubted++; p.doubted < doubts { // it may have gone to a connection of ours that is dead
		return fmt.Errorf("the hub has not sent message %d of the log stream as it was", u.read)
	}
	p.troubles.note("log stream", fmt.Sprintf("the log stream is not the one that was followed: message %d is another or missing. "+
		"It is read again from its beginning, and nothing is published before it comes to the same tree", u.read))
	p.blind.Store(true)
	u.follower.Rewind()
	u.read = 0
	return reader.Reset(ctx, 1)
}

// announce keeps how far the notary's messages that were fetched go. It is not believed
// beyond what they hold, and forgotten with the first that does not fit.
func (u *pursuit) announce(messages []stream.Message) {
	size := u.follower.Size()
	for _, m := range messages {
		leaves := &logv1.Leaves{}
		if m.Subject != stream.LeavesSubject || proto.Unmarshal(m.Data, leaves) != nil || leaves.GetStart() != size {
			continue
		}
		size += uint64(len(leaves.GetHashes()) / len(translog.Hash{}))
	}
	u.announced = size
}

// next is the sequence of the next leaf's message.
func (u *pursuit) next() uint64 { return u.follower.Size() + 1 }

// take looks at one message of the log stream. A message that proves nothing is
// passed over: but the cursor on disk stays before it until the next sound one,
// so that what was altered on the way is read again.
func (p *Publisher) take(ctx context.Context, u *pursuit, m stream.Message) error {
	u.read = m.Sequence
	if m.Subject != stream.LeavesSubject {
		if err := p.takeCosignature(ctx, u, m); err != nil {
			return err
		}
		if u.fault == nil {
			u.keep(m)
		}
		return nil
	}
	leaves := &logv1.Leaves{}
	if err := proto.Unmarshal(m.Data, leaves); err != nil {
		u.fault = fmt.Errorf("message %d is unreadable", m.Sequence)
		return nil
	}
	return p.takeLeaves(ctx, u, m, leaves)
}

// keep remembers a message as the one to go on after, unless the stream is read
// again: a restart would have to begin with that anew.
func (u *pursuit) keep(m stream.Message) {
	if !u.follower.Rewound() {
		u.cursor, u.unsaved = stream.MarkOf(m), true
	}
}

func (p *Publisher) takeCosignature(ctx context.Context, u *pursuit, m stream.Message) error {
	_, err := u.follower.Cosignature(m.Data)
	switch fork := (*translog.Fork)(nil); {
	case err == nil:
		if err := p.settle(ctx, u); err != nil {
			return err
		}
		p.show(u)
	case errors.As(err, &fork):
		p.accuse(err, fork.Have, fork.Got)
	case !errors.Is(err, translog.ErrStale):
		p.config.Logger.Warn("a cosignature is passed over", "sequence", m.Sequence, "subject", m.Subject, "error", err)
	}
	return nil
}

// takeLeaves takes in what the notary published: first the registry, whose state
// says how the rest is judged, then what is the outbox's.
func (p *Publisher) takeLeaves(ctx context.Context, u *pursuit, m stream.Message, leaves *logv1.Leaves) error {
	if _, err := u.follower.Check(leaves); err != nil {
		p.refuse(u, m.Sequence, err)
		return nil
	}
	news := translog.Since(leaves, u.follower.Size())
	known, updates, err := p.learn(ctx, u, news)
	if err == nil {
		err = p.readBack(ctx, u, news)
	}
	if other := (*contrary)(nil); errors.As(err, &other) {
		return p.contradict(ctx, u, m.Sequence, leaves, other)
	}
	if err != nil {
		return err
	}
	if !u.turns(news) {
		p.refuse(u, m.Sequence, errors.New("the epoch is not that of the messages"))
		return nil
	}
	if len(updates) > 0 {
		p.lanes.interrupt() // what is on its way may wait for an answer that the hub does not give any more
	}
	p.flight.Lock()
	defer p.flight.Unlock()
	defer p.lanes.release()
	epoch := u.follower.Epoch()
	batch, err := p.adopt(u, known, leaves)
	if err != nil {
		p.refuse(u, m.Sequence, err)
		return nil
	}
	for _, refused := range batch.Refused {
		if fork := (*translog.Fork)(nil); errors.As(refused, &fork) {
			p.accuse(refused, fork.Have, fork.Got)
		}
	}
	u.known, u.fault = known, nil
	u.keep(m)
	found, err := p.compare(ctx, u, batch)
	if err != nil {
		return err
	}
	maps.DeleteFunc(u.held, func(at uint64, _ stream.Message) bool { return at < u.next() })
	found.Registry, found.Restored = updates, u.follower.Epoch() > epoch
	if len(found.Own)+len(found.Lost)+len(updates) > 0 || found.Restored {
		if err := p.save(ctx, u, found); err != nil {
			return err
		}
	}
	if err := p.settleHeld(ctx, u); err != nil {
		return err
	}
	p.show(u)
	if !u.follower.Rewound() {
		p.troubles.note("log stream", "")
		p.sees()
	}
	p.relayLost(found.Lost)
	return nil
}

// adopt takes leaves in under the policies that the registry lays down below them.
func (p *Publisher) adopt(u *pursuit, known history, leaves *logv1.Leaves) (translog.Batch, error) {
	policies, err := known.last().state.Policies()
	if err != nil {
		return translog.Batch{}, err
	}
	if err := u.follower.Adopt(policies); err != nil {
		return translog.Batch{}, err
	}
	return u.follower.Leaves(leaves)
}

// sees ends a time in which the registry was withheld.
func (p *Publisher) sees() {
	if p.blind.Swap(false) {
		p.lanes.signal()
	}
}

// contradict deals with a leaf that is not that of the message which the hub
// delivered. It is proof where the notary signed the leaf, and else a message that
// was altered on the way.
func (p *Publisher) contradict(ctx context.Context, u *pursuit, sequence uint64, leaves *logv1.Leaves, other *contrary) error {
	_, err := u.follower.Leaves(leaves)
	registry := (*translog.OtherRegistry)(nil) // of course, where the message is an update: the leaves are the notary's all the same
	if err != nil && !errors.As(err, &registry) {
		p.refuse(u, sequence, err)
		return nil
	}
	p.blind.Store(true)
	if err := p.outbox.KeepContrary(ctx, other.delivered, other.leaf[:], leaves.GetCheckpoint()); err != nil {
		return err
	}
	return other
}

func (p *Publisher) save(ctx context.Context, u *pursuit, news outbox.News) error {
	witnessed, _, _ := u.follower.Witnessed()
	news.Followed = outbox.Followed{Cursor: u.cursor.Sequence, Digest: u.cursor.Digest, Snapshot: u.follower.Snapshot()}
	news.Witnessed = witnessed.Size
	if err := p.outbox.PutLog(ctx, news); err != nil {
		return err
	}
	u.unsaved = false
	p.tender.signal()
	return nil
}

// refuse passes over leaves that do not fit. Where they contradict what the notary
// signed before, that is proof, and kept.
func (p *Publisher) refuse(u *pursuit, sequence uint64, err error) {
	u.covered, u.announced = min(u.covered, u.follower.Size()), 0 // it went by what this may have lied about
	u.fault = fmt.Errorf("message %d: %w", sequence, err)
	var fork *translog.Fork
	var rollback *translog.Rollback
	var other *translog.Inconsistent
	var registry *translog.OtherRegistry
	switch {
	case errors.As(err, &fork):
		p.accuse(err, fork.Have, fork.Got)
	case errors.As(err, &rollback):
		p.accuse(err, rollback.Have, rollback.Got)
	case errors.As(err, &other):
		p.accuse(err, other.Have, other.Got)
	case errors.As(err, &registry):
		// An update may be withheld here: nobody knows by whom and to whom may be published.
		p.blind.Store(true)
		p.accuse(err, translog.Signed{}, registry.Got)
	}
}

// accuse keeps the proof of two statements that cannot both be true, or of one that
// is not what this publisher was sent. It stands until the publisher is started again:
// it is for people to settle.
func (p *Publisher) accuse(err error, have, got translog.Signed) {
	if p.troubles.note("the log contradicts itself", err.Error()) {
		p.config.Logger.Error("proof", "error", err, "have", string(have.Note), "got", string(got.Note))
	}
}
