package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	client "github.com/transparency-dev/witness/client/http"
	"github.com/transparency-dev/witness/persistence/inmemory"
	peer "github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"

	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary/outside"
	"github.com/tripoint/tripoint/services/notary/tiles"
	"github.com/tripoint/tripoint/services/witness"
)

func (f *forest) vkey() string { return translog.NotaryVKey(origin, f.policy.Notary).String() }

// note grows the log and returns its checkpoint and the proof from an earlier size.
func (f *forest) note(t *testing.T, directory string, size, from, to uint64) (checkpoint []byte, proof [][]byte) {
	t.Helper()
	f.publish(t, directory, size, to)
	checkpoint, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	must(t, err)
	hashes, err := translog.ProveConsistency(from, to, f)
	must(t, err)
	for _, hash := range hashes {
		proof = append(proof, hash[:])
	}
	return checkpoint, proof
}

// A client that is not ours is cosigned by our witness, verifies the cosignature
// with its own code and our key as text, and is refused in the words of the protocol.
func TestForeignClientAgreesWithOurWitness(t *testing.T) {
	f, directory := newForest(), t.TempDir()
	seed := sha256.Sum256([]byte("a witness's key"))
	w, err := witness.New(witness.Config{
		Name: "witness.example/w", Key: ed25519.NewKeyFromSeed(seed[:]), Directory: t.TempDir(), Listen: "127.0.0.1:0",
		Logs: []witness.Log{{Origin: origin, VKey: f.vkey()}},
	})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = w.Run(ctx) }()
	verifier, err := f_note.NewVerifierForCosignatureV1(w.VKey().String())
	must(t, err)
	address, err := url.Parse(w.URL())
	must(t, err)
	c := client.NewWitness(address, http.DefaultClient)
	last := uint64(0)
	for _, size := range []uint64{1, 2, 255, 256, 257, 1000} {
		checkpoint, proof := f.note(t, directory, last, last, size)
		lines, _, err := c.Update(ctx, last, checkpoint, proof)
		if err != nil {
			t.Fatalf("%d to %d: %v", last, size, err)
		}
		if _, err := note.Open(append(checkpoint, lines...), note.VerifierList(verifier)); err != nil {
			t.Errorf("%d: %v", size, err)
		}
		last = size
	}
	checkpoint, proof := f.note(t, directory, 1000, 1000, 1001)
	other := newForest()
	other.hashes = append(other.hashes, translog.Hash{1})
	fork, _ := other.note(t, t.TempDir(), 1, 0, 1000)
	for what, test := range map[string]struct {
		old   uint64
		note  []byte
		proof [][]byte
		want  error
	}{
		"stale":          {0, checkpoint, nil, peer.ErrCheckpointStale},
		"no proof":       {1000, checkpoint, nil, peer.ErrInvalidProof},
		"old size above": {1002, checkpoint, proof, peer.ErrOldSizeInvalid},
		"fork":           {1000, fork, nil, peer.ErrRootMismatch},
		"unsigned":       {1000, append([]byte(nil), fmt.Appendf(nil, "%s\n1001\n%s\n\n— x AAAAAAAA\n", origin, base64.StdEncoding.EncodeToString(make([]byte, 32)))...), proof, peer.ErrNoValidSignature},
		"unknown log":    {1000, []byte("x\n1\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n\n— x AAAAAAAA\n"), nil, peer.ErrUnknownLog},
	} {
		if _, size, err := c.Update(ctx, test.old, test.note, test.proof); !errors.Is(err, test.want) || test.want == peer.ErrCheckpointStale && size != 1000 {
			t.Errorf("%s: size %d, %v, want %v", what, size, err, test.want)
		}
	}
	if _, _, err := c.Update(ctx, 1000, checkpoint, proof); err != nil {
		t.Error(err)
	}
}

// Our log asks a witness that is not ours, finds out what it has seen, and shows its
// cosignature; and notices where it has cosigned another tree.
func TestForeignWitnessAgreesWithOurLog(t *testing.T) {
	f, directory := newForest(), t.TempDir()
	address, vkey := foreignWitness(t, f.vkey())
	ask := func(directory string, f *forest) (*tiles.Directory, *outside.Circle) {
		d, err := tiles.Open(directory, f.policy.Always())
		must(t, err)
		circle, err := outside.New(outside.Config{
			Witnesses: []outside.Witness{{URL: address, VKey: vkey}}, Shelf: d, Findings: filepath.Join(directory, "findings"),
			Every: time.Millisecond, Retry: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); circle.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-ended })
		return d, circle
	}
	verifier, err := f_note.NewVerifierForCosignatureV1(vkey)
	must(t, err)
	last := uint64(0)
	for _, size := range []uint64{1, 255, 257, 1000} {
		checkpoint, _ := f.note(t, directory, last, 0, size)
		d, circle := ask(directory, f) // each time a circle that knows nothing of the witness
		must(t, d.Publish(size, checkpoint, f))
		circle.Offer(size, checkpoint)
		until(t, func() bool {
			shown, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
			must(t, err)
			_, err = note.Open(shown, note.VerifierList(verifier))
			return err == nil
		})
		last = size
	}
	other, elsewhere := newForest(), t.TempDir()
	other.hashes = append(other.hashes, translog.Hash{1})
	checkpoint, _ := other.note(t, elsewhere, 1, 0, 1001)
	_, circle := ask(elsewhere, other)
	circle.Offer(1001, checkpoint)
	until(t, func() bool { return len(circle.Findings()) == 1 })
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	patience := time.After(20 * time.Second)
	moment := time.NewTicker(time.Millisecond)
	defer moment.Stop()
	for !done() {
		select {
		case <-moment.C:
		case <-patience:
			t.Fatal("not after 20 s")
		}
	}
}

// foreignWitness starts transparency-dev's witness for our log.
func foreignWitness(t *testing.T, log string) (address, vkey string) {
	t.Helper()
	skey, public, err := note.GenerateKey(nil, "foreign.example/w")
	must(t, err)
	vkey, err = f_note.VKeyToCosignatureV1(public)
	must(t, err)
	signer, err := f_note.NewSignerForCosignatureV1(skey)
	must(t, err)
	verifier, err := note.NewVerifier(log)
	must(t, err)
	w, err := peer.New(t.Context(), peer.Opts{
		Persistence: inmemory.New(), Signers: []note.Signer{signer},
		VerifierForLog: func(_ context.Context, named string) (note.Verifier, bool, error) {
			return verifier, named == origin, nil
		},
	})
	must(t, err)
	server := httptest.NewServer(http.HandlerFunc(peer.NewHTTPHandler(w).AddCheckpoint))
	t.Cleanup(server.Close)
	return server.URL, vkey
}
