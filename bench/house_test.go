package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/hub"
)

// house is one log's hub, as it serves members: every acknowledgement is fsynced.
type house struct {
	b         *testing.B
	directory string
	charter   registry.Charter
	policies  translog.Policies
	hub       *hub.Hub
	size      uint64 // messages of the log
	news      chan news
	heard     []news // what until has taken from the channel
	failed    error  // of watching; to be read once news is closed
}

// newHouse founds a log of three members whose checkpoints a quorum of them must cosign.
func newHouse(b *testing.B, quorum uint32) *house {
	b.Helper()
	founding := registrytest.Founding()
	founding.Quorum = quorum
	h := &house{b: b, directory: b.TempDir(), charter: registrytest.Sign(b, founding), size: 1, news: make(chan news, 1<<16)}
	state, err := h.charter.State()
	must(b, err)
	h.policies, err = state.Policies()
	must(b, err)
	must(b, os.WriteFile(h.charterPath(), h.charter.Message, 0o600))
	h.hub, err = hub.New(b.Context(), hub.Config{
		Directory: filepath.Join(h.directory, "hub"), Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: h.charter,
	})
	must(b, err)
	h.run(h.hub.Run)
	return h
}

func (h *house) charterPath() string { return filepath.Join(h.directory, "charter") }

// run runs a role until the benchmark ends, the last one first.
func (h *house) run(role func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- role(ctx) }()
	h.b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			h.b.Error(err)
		}
	})
}

func (h *house) connection(user string) stream.Config {
	return stream.Config{URL: h.hub.URL(), Credentials: h.hub.Credentials(user), User: user, Account: user != stream.NotaryUser}
}

func (h *house) dial(user string) *stream.Conn {
	h.b.Helper()
	conn, err := stream.Dial(h.connection(user))
	must(h.b, err)
	h.b.Cleanup(conn.Close)
	return conn
}

// news says that somebody's word now covers a log of this size: the notary's, a
// mirror's by its country, or, as witnessed, all of them.
type news struct {
	who  string
	size uint64
	at   time.Time
}

const (
	byNotary  = "notary"
	witnessed = "witnessed"
)

// watch follows the log stream as any member does, from its first message.
func (h *house) watch() {
	h.b.Helper()
	follower, err := translog.NewFollower(h.policies)
	must(h.b, err)
	conn := h.dial(stream.AuditUser)
	reader, err := conn.Reader(h.b.Context(), stream.Log, stream.AuditUser)
	must(h.b, err)
	must(h.b, reader.Reset(h.b.Context(), 1))
	h.run(func(ctx context.Context) error {
		defer close(h.news)
		h.failed = h.follow(ctx, reader, follower)
		return h.failed
	})
}

func (h *house) follow(ctx context.Context, reader *stream.Reader, follower *translog.Follower) error {
	for next := uint64(1); ; {
		messages, err := reader.Fetch(ctx, 100, time.Second)
		if errors.Is(err, stream.ErrMissed) {
			err = reader.Reset(ctx, next)
		}
		if err != nil {
			return err
		}
		for _, m := range messages {
			if err := h.tell(follower, m); err != nil {
				return err
			}
			next = m.Sequence + 1
		}
		if err := reader.Ack(); err != nil {
			return err
		}
	}
}

func (h *house) tell(follower *translog.Follower, m stream.Message) error {
	said := news{who: byNotary}
	if country, ok := strings.CutPrefix(m.Subject, stream.CosignPrefix); ok {
		cosigned, err := follower.Cosignature(m.Data)
		if err != nil {
			return fmt.Errorf("a cosignature of %s: %w", country, err)
		}
		said.who, said.size = country, cosigned.Checkpoint.Size
	} else {
		leaves := &logv1.Leaves{}
		if err := proto.Unmarshal(m.Data, leaves); err != nil {
			return err
		}
		if _, err := follower.Leaves(leaves); err != nil {
			return err
		}
		said.size = follower.Size()
	}
	said.at = time.Now()
	h.news <- said
	if c, countries, ok := follower.Witnessed(); ok && len(countries) == 3 {
		h.news <- news{who: witnessed, size: c.Size, at: said.at}
	}
	return nil
}

// until waits until each of them has spoken for the whole log, and says when.
func (h *house) until(who ...string) map[string]time.Time {
	h.b.Helper()
	reached := map[string]time.Time{}
	late := time.NewTimer(time.Hour)
	defer late.Stop()
	for len(reached) < len(who) {
		select {
		case <-late.C:
			h.b.Fatalf("after an hour only %v have come to %d leaves", reached, h.size)
		case n, open := <-h.news:
			if !open {
				h.b.Fatal(h.failed)
			}
			h.heard = append(h.heard, n)
			for _, w := range who {
				if _, done := reached[w]; w == n.who && n.size >= h.size && !done {
					reached[w] = n.at
				}
			}
		}
	}
	return reached
}

// append stores n messages in atomic batches. They are leaves like any other, and
// no events: what a reader does with an event costs the same wherever it lies.
func (h *house) append(conn *stream.Conn, n int) {
	h.b.Helper()
	for n > 0 {
		messages := make([]stream.Message, min(n, stream.MaxBatch))
		for i := range messages {
			messages[i] = stream.Message{Subject: "evt.pair.XA.police.site.reported", Data: fmt.Appendf(nil, "message %d", h.size+uint64(i))}
		}
		last, err := conn.PublishBatch(h.b.Context(), messages)
		must(h.b, err)
		n, h.size = n-len(messages), last
	}
}
