package notary_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/notary/scrub"
)

// keptHouse is a hub whose disk the test knows, at one address through restarts, and
// all that was ever published to it.
type keptHouse struct {
	*house
	disk    string // the hub's directory
	listen  string
	stopHub func()
	pace    scrub.Pace
	said    []stream.Message // by log index
	ended   chan error       // of the notary that was started last
}

func keepHouse(t *testing.T) *keptHouse {
	h := &keptHouse{disk: t.TempDir(), listen: "127.0.0.1:0", pace: quickly,
		house: &house{t: t, directory: t.TempDir(), registry: registrytest.NewLog(t), key: registrytest.Key("notary")}}
	charter := registrytest.Charter(t)
	h.said = []stream.Message{{Subject: "reg.charter.founded", Data: charter.Message}}
	h.startHub()
	return h
}

func (h *keptHouse) startHub() {
	h.t.Helper()
	broker, err := hub.New(h.t.Context(), hub.Config{Directory: h.disk, Listen: h.listen, Lock: keyfile.Unsealed, Charter: registrytest.Charter(h.t)})
	must(h.t, err)
	h.hub, h.listen = broker, broker.URL()[len("nats://"):]
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- broker.Run(ctx) }()
	stopped := false
	h.stopHub = func() {
		if cancel(); !stopped {
			stopped = true
			must(h.t, <-done)
		}
	}
	h.t.Cleanup(func() { h.stopHub() })
}

// quickly is a pace for tests: rounds follow each other at once.
var quickly = scrub.Pace{Messages: 1 << 20, Bytes: 1 << 30, Pause: 20 * time.Millisecond, Patience: time.Second, Look: 50 * time.Millisecond}

// notarise runs a notary with its scrubber until stop is called.
func (h *keptHouse) notarise() {
	h.t.Helper()
	n, err := notary.New(notary.Config{
		Directory: h.directory, Charter: h.registry.Charter, Key: h.key, Stream: h.config(stream.NotaryUser),
		Interval: time.Millisecond, Scrub: h.pace,
	})
	must(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	h.ended = done
	go func() { done <- n.Run(ctx) }()
	stopped := false
	h.stop = func() error {
		if cancel(); stopped {
			return nil
		}
		stopped = true
		return <-done
	}
	h.t.Cleanup(func() { _ = h.stop() })
}

// say publishes n messages of a size, each with content of its own.
func (h *keptHouse) say(n, size int, what string) {
	h.t.Helper()
	conn, err := stream.Dial(h.config(stream.PublisherUser("XA", "police")))
	must(h.t, err)
	defer conn.Close()
	for left := n; left > 0; left -= 25 {
		messages := make([]stream.Message, min(left, 25))
		for i := range messages {
			data := fmt.Appendf(nil, "%s %d ", what, len(h.said)+i)
			messages[i] = stream.Message{Subject: "evt.pair.XA.police.site.reported", Data: append(data, make([]byte, max(0, size-len(data)))...)}
		}
		last, err := conn.PublishBatch(h.t.Context(), messages)
		must(h.t, err)
		if last == uint64(len(h.said)+len(messages)) { // else they lie where something else was signed
			h.said = append(h.said, messages...)
		}
	}
}

// signed checks that the notary has signed size leaves, and that all that it ever
// signed is what was published.
func (h *keptHouse) signed(size uint64) {
	h.t.Helper()
	follower := h.followTo(size)
	var tree translog.Frontier
	for i, m := range h.said[:follower.Size()] {
		must(h.t, tree.Append(translog.LeafHash(uint64(i), m.Subject, m.Data)))
	}
	newest, ok := follower.Checkpoint()
	if !ok || newest.Size != follower.Size() || newest.Root != tree.Root() {
		h.t.Fatalf("the notary signed a tree of %d leaves that is not of what was published", newest.Size)
	}
}

// finds waits until these findings stand, and no others.
func (h *keptHouse) finds(want ...scrub.Finding) {
	h.t.Helper()
	diff := ""
	stand := func() bool {
		got, err := scrub.Read(h.directory)
		must(h.t, err)
		slices.SortFunc(got, func(a, b scrub.Finding) int { return int(a.From) - int(b.From) })
		diff = cmp.Diff(want, got, cmpopts.IgnoreFields(scrub.Finding{}, "What", "Seen"), cmpopts.EquateEmpty())
		return diff == ""
	}
	if !within(deadline, stand) {
		h.t.Fatalf("findings (-want +got):\n%s", diff)
	}
}

// keepsFinding sees that the findings stay through some more rounds.
func (h *keptHouse) keepsFinding(want ...scrub.Finding) {
	h.t.Helper()
	within(time.Second, func() bool { h.finds(want...); return false })
}

// blocks are the files that hold the event stream, in order.
func (h *keptHouse) blocks() []block {
	h.t.Helper()
	paths, err := filepath.Glob(filepath.Join(h.events(), "msgs", "*.blk"))
	must(h.t, err)
	var all []block
	for _, path := range paths {
		all = append(all, readBlock(h.t, path))
	}
	slices.SortFunc(all, func(a, b block) int { return int(a.records[0].index) - int(b.records[0].index) })
	return all
}

// events is the directory of the event stream.
func (h *keptHouse) events() string {
	h.t.Helper()
	found, err := filepath.Glob(filepath.Join(h.disk, "streams", "jetstream", "*", "streams", stream.Events))
	must(h.t, err)
	if len(found) != 1 {
		h.t.Fatalf("%d directories hold the stream", len(found))
	}
	return found[0]
}

// block is a file of the broker's store, and where its records are. A record is its
// length in 4 bytes, of which the highest bit is a flag, its sequence and its time in
// 8 bytes each, the length of its subject in 2, all little-endian, then subject,
// message and 8 bytes of checksum.
type block struct {
	path    string
	records []record
}

type record struct {
	index      uint64 // in the log
	start, end int64
}

func readBlock(t testing.TB, path string) block {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	b := block{path: path}
	for at := 0; at < len(data); {
		length := int(binary.LittleEndian.Uint32(data[at:]) &^ (1 << 31))
		b.records = append(b.records, record{index: binary.LittleEndian.Uint64(data[at+4:]) - 1, start: int64(at), end: int64(at + length)})
		at += length
	}
	return b
}

func (b block) first() uint64 { return b.records[0].index }
func (b block) next() uint64  { return b.records[len(b.records)-1].index + 1 }

// flip turns one bit of the file, under whoever has it open.
func (b block) flip(t testing.TB, place int64) {
	t.Helper()
	file, err := os.OpenFile(b.path, os.O_RDWR, 0)
	must(t, err)
	one := make([]byte, 1)
	_, err = file.ReadAt(one, place)
	must(t, err)
	one[0] ^= 1
	_, err = file.WriteAt(one, place)
	must(t, err)
	must(t, file.Close())
}

func lost(from, to uint64) scrub.Finding { return scrub.Finding{Code: scrub.Lost, From: from, To: to} }

// says looks for parts of what the findings say.
func (h *keptHouse) says(parts ...string) {
	h.t.Helper()
	findings, err := scrub.Read(h.directory)
	must(h.t, err)
	for _, part := range parts {
		if !slices.ContainsFunc(findings, func(f scrub.Finding) bool { return strings.Contains(f.What, part) && !f.Seen.IsZero() }) {
			h.t.Errorf("no finding says %q: %v", part, findings)
		}
	}
}
