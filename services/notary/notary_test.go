package notary_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
)

// house is a hub with a notary that can be stopped and started again.
type house struct {
	t         *testing.T
	hub       *hub.Hub
	directory string
	registry  *registrytest.Log
	key, next crypto.Signer // of the notary
	stop      func() error
}

func newHouse(t *testing.T) *house {
	h, err := hub.New(t.Context(), hub.Config{Directory: t.TempDir(), Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: registrytest.Charter(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return &house{t: t, hub: h, directory: t.TempDir(), registry: registrytest.NewLog(t), key: registrytest.Key("notary")}
}

func (h *house) config(user string) stream.Config {
	return stream.Config{URL: h.hub.URL(), Credentials: h.hub.Credentials(user), User: user, Account: stream.InMemberAccount(user)}
}

func (h *house) notary() *notary.Notary {
	h.t.Helper()
	n, err := notary.New(notary.Config{
		Directory: h.directory, Charter: h.registry.Charter, Key: h.key, NextKey: h.next,
		Stream: h.config(stream.NotaryUser), Interval: time.Millisecond,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// start runs the notary; stop waits for it and returns its error.
func (h *house) start() {
	h.t.Helper()
	n := h.notary()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	h.stop = func() error { cancel(); return <-done }
	h.t.Cleanup(func() { cancel() })
}

func (h *house) publish(n int) {
	h.t.Helper()
	conn, err := stream.Dial(h.config(stream.PublisherUser("XA", "police")))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	messages := make([]stream.Message, n)
	for i := range messages {
		messages[i] = stream.Message{Subject: "evt.pair.XA.police.site.reported", Data: fmt.Appendf(nil, "%d", i)}
	}
	if _, err := conn.PublishBatch(h.t.Context(), messages); err != nil {
		h.t.Fatal(err)
	}
	h.registry.Next += uint64(n)
}

// followTo reads the whole published log from its beginning, as any member
// would, until it covers size leaves.
func (h *house) followTo(size uint64) *translog.Follower {
	h.t.Helper()
	conn, err := stream.Dial(h.config(stream.AuditUser))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	reader, err := conn.Reader(h.t.Context(), stream.Log, stream.AuditUser)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := reader.Reset(h.t.Context(), 1); err != nil {
		h.t.Fatal(err)
	}
	policies, err := h.registry.State.Policies()
	if err != nil {
		h.t.Fatal(err)
	}
	follower, err := translog.NewFollower(policies)
	if err != nil {
		h.t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); follower.Size() < size; {
		if time.Now().After(deadline) {
			h.t.Fatalf("the log has %d leaves after 10 s, want %d", follower.Size(), size)
		}
		messages, err := reader.Fetch(h.t.Context(), 100, time.Second)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, m := range messages {
			leaves := &logv1.Leaves{}
			if err := proto.Unmarshal(m.Data, leaves); err != nil {
				h.t.Fatal(err)
			}
			if _, err := follower.Leaves(leaves); err != nil {
				h.t.Fatalf("message %d of the log: %v", m.Sequence, err)
			}
		}
	}
	return follower
}

func TestEveryMessageIsALeaf(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.publish(3)
	h.followTo(4)
	h.publish(700)
	if got := h.followTo(704).Size(); got != 704 {
		t.Errorf("the log has %d leaves, want the charter and 703", got)
	}
	if err := h.stop(); err != nil {
		t.Error(err)
	}
}

func TestRestartGoesOnWithTheSameTree(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.publish(5)
	h.followTo(6)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	h.publish(5)
	h.start()
	h.followTo(11)
}

func TestTornTailOfTheLeafStoreIsDropped(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.publish(5)
	h.followTo(6)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(h.directory, "hashes"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, 45)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	// One of the torn hashes is whole and looks like a stored leaf: the stream decides.
	h.start()
	h.publish(3)
	h.followTo(9)
}

func TestLostLeafStoreIsReadAgainAndCompared(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.publish(5)
	h.followTo(6)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	h.directory = t.TempDir()
	h.start()
	h.publish(2)
	h.followTo(8)
}

// The hub has lost its disk and begins the log anew. A notary that went along
// would sign second roots for sizes that it has signed.
func TestLogThatBeginsAnewIsNeverSigned(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.publish(5)
	h.followTo(6)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	anew := newHouse(t)
	anew.directory = h.directory
	anew.publish(3)
	anew.ends(notary.ErrAltered)
}

// ends runs the notary and expects it to end by itself.
func (h *house) ends(want error) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 10*time.Second)
	defer cancel()
	if err := h.notary().Run(ctx); !errors.Is(err, want) {
		h.t.Fatalf("Run = %v, want %v", err, want)
	}
}

func TestForeignKeyIsRefused(t *testing.T) {
	h := newHouse(t)
	h.key = registrytest.Key("somebody")
	h.publish(3)
	h.ends(notary.ErrReplaced)
	h.key = registrytest.Key("notary")
	h.start()
	h.followTo(4)
}
