package outside_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary/outside"
	"github.com/tripoint/tripoint/services/notary/tiles"
	"github.com/tripoint/tripoint/services/witness"
)

const origin = "log.example/outside"

func testKey(what string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(what))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicKey(what string) ed25519.PublicKey { return testKey(what).Public().(ed25519.PublicKey) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// house is a log with its tiles on disk, and the circle of its witnesses.
type house struct {
	t         *testing.T
	salt      string // its leaves
	directory string
	hashes    []tlog.Hash
	size      uint64
	tiles     *tiles.Directory
	*outside.Circle
	log syncBuffer
}

func newHouse(t *testing.T, salt string) *house {
	t.Helper()
	h := &house{t: t, salt: salt, directory: t.TempDir()}
	h.openTiles()
	return h
}

func (h *house) openTiles() {
	h.t.Helper()
	var err error
	h.tiles, err = tiles.Open(h.directory, h.policies())
	must(h.t, err)
}

func (h *house) policies() translog.Policies {
	return translog.Policy{Origin: origin, Notary: publicKey("log"), Quorum: 1,
		Mirrors: map[string]ed25519.PublicKey{"XA": publicKey("mirror")}}.Always()
}

func (h *house) ReadHashes(at []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(at))
	for i, position := range at {
		if position >= int64(len(h.hashes)) {
			return nil, fmt.Errorf("no hash %d", position)
		}
		found[i] = h.hashes[position]
	}
	return found, nil
}

// note grows the log where it is smaller, and signs its checkpoint of a size.
func (h *house) note(size uint64) []byte {
	h.t.Helper()
	for ; h.size < size; h.size++ {
		more, err := translog.StoredHashes(h.size, sha256.Sum256(fmt.Appendf(nil, "%s %d", h.salt, h.size)), h)
		must(h.t, err)
		h.hashes = append(h.hashes, more...)
	}
	root, err := translog.TreeRoot(size, h)
	must(h.t, err)
	notary, err := translog.NewNotary(origin, testKey("log"))
	must(h.t, err)
	signed, err := notary.Sign(translog.Checkpoint{Origin: origin, Size: size, Root: root})
	must(h.t, err)
	return signed
}

// publish is what a notary does with a new checkpoint.
func (h *house) publish(size uint64) []byte {
	h.t.Helper()
	signed := h.note(size)
	must(h.t, h.tiles.Publish(size, signed, h))
	h.Offer(size, signed)
	return signed
}

// ask starts a circle. stop ends it.
func (h *house) ask(witnesses ...outside.Witness) (stop func()) {
	h.t.Helper()
	var err error
	h.Circle, err = outside.New(outside.Config{
		Witnesses: witnesses, Shelf: h.tiles, Findings: filepath.Join(h.directory, "findings"),
		Every: time.Millisecond, Retry: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	must(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	h.t.Cleanup(stop)
	return stop
}

// cosigned waits until the checkpoint of a size is there with the signatures of
// these witnesses, and no other but the notary's, and still opens as ours.
func (h *house) cosigned(size uint64, witnesses ...outside.Witness) {
	h.t.Helper()
	h.until(func() string {
		note, err := os.ReadFile(filepath.Join(h.directory, "checkpoint"))
		must(h.t, err)
		checkpoint, err := h.policies().OpenCheckpoint(note)
		must(h.t, err)
		if checkpoint.Size != size || strings.Count(string(note), "\n— ") != 1+len(witnesses) {
			return "checkpoint: " + string(note)
		}
		for _, w := range witnesses {
			if !h.shown(w, note) || !h.shown(w, h.own(w)) {
				return "checkpoint: " + string(note)
			}
		}
		return ""
	})
}

// shown reports whether a note carries a witness's signature.
func (h *house) shown(w outside.Witness, note []byte) bool {
	key, err := translog.ParseVKey(w.VKey)
	must(h.t, err)
	_, err = translog.OpenTreeHead(note, []translog.VKey{key})
	return err == nil
}

// own is a witness's own file.
func (h *house) own(w outside.Witness) []byte {
	key, err := translog.ParseVKey(w.VKey)
	must(h.t, err)
	note, err := os.ReadFile(filepath.Join(h.directory, "witness", key.ID()))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	return note
}

// says waits for a line in the log.
func (h *house) says(words string) {
	h.t.Helper()
	h.until(func() string {
		if log := h.log.String(); !strings.Contains(log, words) {
			return "not said: " + words + "\n" + log
		}
		return ""
	})
}

// until polls; what is lacking comes back as text.
func (h *house) until(lacking func() string) {
	h.t.Helper()
	const deadline = time.Minute // far above what anything here takes on a machine under load
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(deadline)
	for text := lacking(); text != ""; text = lacking() {
		select {
		case <-tick.C:
		case <-late:
			h.t.Fatalf("after %v:\n%.2000s", deadline, text)
		}
	}
}

// body starts a real witness of the log.
func body(t *testing.T, name string) outside.Witness {
	t.Helper()
	w, _ := bodyIn(t, name, t.TempDir())
	return w
}

// bodyIn is body with what the witness has in a directory. stop ends it before the test does.
func bodyIn(t *testing.T, name, directory string) (asked outside.Witness, stop func()) {
	t.Helper()
	w, err := witness.New(witness.Config{
		Name: name, Key: testKey(name), Directory: directory, Listen: "127.0.0.1:0",
		Logs: []witness.Log{{Origin: origin, VKey: translog.NotaryVKey(origin, publicKey("log")).String()}},
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return outside.Witness{URL: w.URL(), VKey: w.VKey().String()}, stop
}

type syncBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}
