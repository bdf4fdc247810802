package notary_test

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/auditor"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/notary/tiles"
)

// house is a hub with a notary that can be stopped and started again.
type house struct {
	t         testing.TB
	hub       *hub.Hub
	halt      func() // the hub
	directory string // of the notary
	registry  *registrytest.Log
	key, next crypto.Signer // of the notary
	stop      func() error
	ended     chan error // of the notary that was started last

	broker string       // the hub's directory
	logger *slog.Logger // the notary's
	days   uint32       // of the retention that was set last
	head   event.Head
	last   event.ID
}

func newHouse(t testing.TB) *house {
	h := &house{t: t, broker: t.TempDir(), directory: t.TempDir(), registry: registrytest.NewLog(t), key: registrytest.Key("notary")}
	h.open()
	return h
}

// open starts the hub.
func (h *house) open() {
	h.t.Helper()
	opened, err := hub.New(h.t.Context(), hub.Config{Directory: h.broker, Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: registrytest.Charter(h.t)})
	must(h.t, err)
	h.hub = opened
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := opened.Run(ctx); err != nil {
			h.t.Error(err)
		}
	}()
	h.halt = func() { cancel(); <-done }
	h.t.Cleanup(h.halt)
}

func (h *house) config(user string) stream.Config {
	return stream.Config{URL: h.hub.URL(), Credentials: h.hub.Credentials(user), User: user, Account: stream.InMemberAccount(user)}
}

func (h *house) settings() notary.Config {
	return notary.Config{
		Directory: h.directory, Charter: h.registry.Charter, Key: h.key, NextKey: h.next,
		Stream: h.config(stream.NotaryUser), Interval: time.Millisecond, Logger: h.logger,
	}
}

func (h *house) notary() *notary.Notary {
	h.t.Helper()
	n, err := notary.New(h.settings())
	must(h.t, err)
	return n
}

// start runs the notary; stop waits for it and returns its error.
func (h *house) start() {
	h.t.Helper()
	h.stop = h.run(h.notary())
}

func (h *house) run(n *notary.Notary) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	h.ended = done
	go func() { done <- n.Run(ctx) }()
	h.t.Cleanup(cancel)
	return func() error { cancel(); return <-done }
}

// publish has an agency say n things.
func (h *house) publish(n int) {
	h.t.Helper()
	conn, err := stream.Dial(h.config(stream.PublisherUser("XA", "police")))
	must(h.t, err)
	defer conn.Close()
	_, err = conn.PublishBatch(h.t.Context(), h.sign(n))
	must(h.t, err)
	h.registry.Next += uint64(n)
}

func (h *house) sign(n int) []stream.Message {
	h.t.Helper()
	key, err := event.NewSigningKey(registrytest.Key("publisher XA/police"))
	must(h.t, err)
	drafts := make([]event.Draft, n)
	for i := range drafts {
		content := &caseworkv1.CaseSection{Occurred: "2025-02-12", Marking: &caseworkv1.Marking{Purpose: "rescue"},
			Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: "S-" + strconv.Itoa(i), Name: "invented"}}}
		kind, err := casework.KindOf(content)
		must(h.t, err)
		data, err := proto.Marshal(content)
		must(h.t, err)
		h.last = event.NextID(time.UnixMilli(1_700_000_000_000), [10]byte{}, h.last)
		drafts[i] = event.Draft{ID: h.last, Kind: kind, Retention: "case", Recorded: time.Unix(1_700_000_000, 0), Sections: []event.Section{
			{Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: data}}}
	}
	signed, head, err := event.SignBatch(key, event.Chain{Country: "XA", Agency: "police", Audience: "pair"}, h.head, event.Seen{}, drafts)
	must(h.t, err)
	h.head = head
	messages := make([]stream.Message, n)
	for i, s := range signed {
		messages[i] = stream.Message{Subject: s.Subject, Data: s.Data}
	}
	return messages
}

// audits replays the whole log, as somebody with no key would, and expects it to be
// clean up to size.
func (h *house) audits(size uint64) {
	h.t.Helper()
	summary, err := auditor.Replay(h.t.Context(), auditor.Config{Charter: h.registry.Charter, Stream: h.config(stream.AuditUser)})
	must(h.t, err)
	if diff := cmp.Diff([]audit.Finding{}, summary.Findings); diff != "" {
		h.t.Errorf("findings (-want +got):\n%s", diff)
	}
	if summary.LogSize != size || summary.Refused != 0 || summary.Accepted+uint64(summary.Duplicates) > size {
		h.t.Errorf("the audit has %d leaves, want %d; %d refused", summary.LogSize, size, summary.Refused)
	}
}

// followTo reads the whole published log from its beginning, as any member
// would, until it covers size leaves.
func (h *house) followTo(size uint64) *translog.Follower {
	h.t.Helper()
	conn, err := stream.Dial(h.config(stream.AuditUser))
	must(h.t, err)
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
	for end := time.Now().Add(deadline); follower.Size() < size; {
		if time.Now().After(end) {
			h.t.Fatalf("the log has %d leaves after %v, want %d", follower.Size(), deadline, size)
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
		must(h.t, reader.Ack()) // else the hub sends them again while this waits
	}
	return follower
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shelved holds every tile in a notary's directory against the checkpoint there, and
// returns its size.
func (h *house) shelved(directory string) uint64 {
	h.t.Helper()
	shelf := filepath.Join(directory, "tiles")
	note, err := tiles.Checkpoint(shelf)
	must(h.t, err)
	if note == nil {
		h.t.Fatal("there are no tiles")
	}
	policies, err := h.registry.State.Policies()
	must(h.t, err)
	checkpoint, err := policies.OpenCheckpoint(note)
	must(h.t, err)
	all, err := translog.NewTiles(0, checkpoint.Size)
	must(h.t, err)
	if err := translog.CheckTiles(checkpoint.Size, checkpoint.Root, all, func(tile translog.Tile) ([]byte, error) {
		return os.ReadFile(filepath.Join(shelf, filepath.FromSlash(tile.Path())))
	}); err != nil {
		h.t.Error(err)
	}
	return checkpoint.Size
}

// shelvedTo waits until the tiles of the running notary are of size leaves, stops it,
// and checks them.
func (h *house) shelvedTo(size uint64) {
	h.t.Helper()
	h.shelvedToRunning(size)
	h.stopped()
	h.shelved(h.directory)
}

// shelvedToRunning leaves it running.
func (h *house) shelvedToRunning(size uint64) {
	h.t.Helper()
	wait(h.t, fmt.Sprintf("tiles of %d leaves", size), func() bool {
		note, err := tiles.Checkpoint(filepath.Join(h.directory, "tiles"))
		must(h.t, err)
		return strings.HasPrefix(string(note), fmt.Sprintf("%s\n%d\n", registrytest.Origin, size))
	})
}

// deadline is far above what anything here takes on a machine under load.
const deadline = 60 * time.Second

// wait looks again and again whether something has happened.
func wait(t testing.TB, what string, done func() bool) {
	t.Helper()
	if !within(deadline, done) {
		t.Fatalf("after %v: not %s", deadline, what)
	}
}

// within looks again and again, and reports whether it was done in time.
func within(d time.Duration, done func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(d)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			return false
		}
	}
	return true
}

// forge puts a message of a notary on the log stream, of one leaf up to size.
func (h *house) forge(size uint64, note []byte) {
	h.t.Helper()
	data, err := proto.Marshal(&logv1.Leaves{Start: size - 1, Hashes: make([]byte, 32), Audiences: []string{"pair"}, Labels: []uint32{0}, Checkpoint: note})
	must(h.t, err)
	conn, err := stream.Dial(h.config(stream.NotaryUser))
	must(h.t, err)
	defer conn.Close()
	_, err = conn.Publish(h.t.Context(), stream.LeavesSubject, data)
	must(h.t, err)
}
