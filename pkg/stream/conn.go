// Package stream carries bytes between the roles and JetStream. It is the only
// package that knows the NATS client. It judges nothing: what it delivers is
// unverified, and what it stores is durable when the call returns.
package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/event"
)

// The streams. Events holds evt.* and reg.*; Log holds log.*; Keys holds key.*; Files
// holds file.*, the chunks of attachments.
const (
	Events = "EVENTS"
	Log    = "LOG"
	Keys   = "KEYS"
	Files  = "FILES"
)

// Common are the subjects of Events that every member reads: the registry's, and
// the hub's own word on the stream.
func Common() []string { return []string{"reg.>", "hub.>"} }

// Subjects on Log.
const (
	LeavesSubject = "log.leaves"  // proto log/v1 Leaves, by the notary alone
	CosignPrefix  = "log.cosign." // then a country: a C2SP cosigned note, by its desk
)

// MemberAPI is where a member's account finds the part of the JetStream API that
// the hub lends it.
const MemberAPI = "HUB.API"

// MaxBatch is how many messages one PublishBatch may carry (a limit of the server).
const MaxBatch = 1000

// Config says how to reach the hub.
type Config struct {
	URL         string       // of the NATS server
	Credentials string       // path of a .creds file; its user's name is User
	User        string       // also the prefix of this connection's inboxes
	Account     bool         // in a member's account: the JetStream API is under MemberAPI
	Logger      *slog.Logger // nil: silent

	// Server, where set, is the hub in this very process, and URL is not looked at.
	Server interface{ InProcessConn() (net.Conn, error) }
}

// Conn is a connection that comes back by itself, for ever.
type Conn struct {
	nc  *nats.Conn
	js  jetstream.JetStream
	api string // prefix of the JetStream API
	log *slog.Logger
}

// Dial connects in the background: it succeeds while the hub is away.
func Dial(c Config) (*Conn, error) {
	logger := c.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	options := []nats.Option{
		nats.Name(c.User),
		nats.CustomInboxPrefix(InboxPrefix(c.User)),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1), // a publish while away fails at once; the outbox holds it
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { logger.Warn("hub is away", "error", err) }),
		nats.ReconnectHandler(func(*nats.Conn) { logger.Info("hub is back") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { logger.Warn("hub reports", "error", err) }),
	}
	if c.Credentials != "" {
		options = append(options, nats.UserCredentials(c.Credentials))
	}
	if c.Server != nil {
		options = append(options, nats.InProcessServer(c.Server))
	}
	nc, err := nats.Connect(c.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connecting to the hub: %w", err)
	}
	conn := &Conn{nc: nc, api: "$JS.API", log: logger}
	if c.Account {
		conn.api = MemberAPI
		conn.js, err = jetstream.NewWithAPIPrefix(nc, MemberAPI)
	} else {
		conn.js, err = jetstream.New(nc)
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("opening JetStream: %w", err)
	}
	return conn, nil
}

// InboxPrefix keeps a user's replies to itself: its permissions allow no other.
func InboxPrefix(user string) string { return "_INBOX." + user }

// Close ends the connection.
func (c *Conn) Close() { c.nc.Close() }

// Connected reports whether the hub is reachable now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Reconnects is how often the hub was away and is back.
func (c *Conn) Reconnects() uint64 { return c.nc.Stats().Reconnects }

// Refused says why the hub does not admit this user; nil while connected, and
// while the hub is away or has not answered yet.
func (c *Conn) Refused() error {
	err := c.nc.LastError()
	if c.nc.IsConnected() {
		return nil
	}
	for _, refusal := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, refusal) {
			return refusal
		}
	}
	return nil
}

// Message is one message of a stream.
type Message struct {
	Subject  string
	Sequence uint64 // the stream's cursor; not an identity
	Data     []byte

	// Pending, of a message that was read, is how many more the hub had for this
	// reader after this one when it sent it; 0: the end of the stream.
	Pending uint64
}

// Mark is a message that a reader remembers to go on after. Its sequence alone
// proves nothing: a stream that was lost uses it again.
type Mark struct {
	Sequence uint64 // 0: none
	Digest   event.Digest
}

// MarkOf is the mark of a message.
func MarkOf(m Message) Mark { return Mark{Sequence: m.Sequence, Digest: event.DigestOf(m.Data)} }

// Publish stores one message and returns its sequence once it is on disk.
func (c *Conn) Publish(ctx context.Context, subject string, data []byte) (uint64, error) {
	ack, err := c.js.Publish(ctx, subject, data, jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, fmt.Errorf("publishing on %s: %w", subject, err)
	}
	return ack.Sequence, nil
}

// ErrConflict says that somebody else has published on the subject meanwhile.
var ErrConflict = errors.New("the subject has moved on")

// PublishAfter stores a message only where last is the sequence of the newest
// one on its subject (0: there is none), else ErrConflict. Two writers can so
// never both publish the next one.
func (c *Conn) PublishAfter(ctx context.Context, last uint64, subject string, data []byte) (uint64, error) {
	ack, err := c.js.Publish(ctx, subject, data,
		jetstream.WithExpectLastSequencePerSubject(last), jetstream.WithRetryAttempts(0))
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return 0, fmt.Errorf("publishing on %s after %d: %w", subject, last, ErrConflict)
	}
	if err != nil {
		return 0, fmt.Errorf("publishing on %s: %w", subject, err)
	}
	return ack.Sequence, nil
}

// Newest is the last message on a subject; ok is false where there is none. It
// takes a connection in the hub's own account.
func (c *Conn) Newest(ctx context.Context, stream, subject string) (m Message, ok bool, err error) {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return Message{}, false, fmt.Errorf("opening stream %s: %w", stream, err)
	}
	raw, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Message{}, false, nil
	}
	if err != nil {
		return Message{}, false, fmt.Errorf("reading the newest %s: %w", subject, err)
	}
	return Message{Subject: raw.Subject, Sequence: raw.Sequence, Data: raw.Data}, true, nil
}

// Next is the first message on a subject whose sequence is not below the given one; ok
// is false where there is none. It takes a connection in the hub's own account.
func (c *Conn) Next(ctx context.Context, stream, subject string, sequence uint64) (m Message, ok bool, err error) {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return Message{}, false, fmt.Errorf("opening stream %s: %w", stream, err)
	}
	raw, err := s.GetMsg(ctx, max(sequence, 1), jetstream.WithGetMsgSubject(subject))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Message{}, false, nil
	}
	if err != nil {
		return Message{}, false, fmt.Errorf("reading the first %s from %d on: %w", subject, sequence, err)
	}
	return Message{Subject: raw.Subject, Sequence: raw.Sequence, Data: raw.Data}, true, nil
}
