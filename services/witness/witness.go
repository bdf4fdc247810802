// Package witness cosigns transparency logs for a body that is no member of them,
// by C2SP tlog-witness. Of a log it sees sizes and hashes, and nothing else; it
// takes any C2SP log, not only ours.
//
// What it says with a signature: this is the largest tree that I have seen of this
// log, and it continues all those that I have signed. So, per log: the new state is
// on disk before a signature of it leaves, and it only ever grows by a proof. A
// crash in between leaves a tree that is known and not signed; the log asks again.
//
// A witness that has lost its directory must not go on under its key: it would sign
// whatever is shown to it first. It gets a new key. Where its directory was set back it
// cannot know that by itself: a log that has a later signature of it shows it that, and
// from then on it signs nothing.
package witness

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/translog"
)

// Config is what a witness needs.
type Config struct {
	Name      string        // its key name: a URL without scheme, such as witness.example/w1
	Key       crypto.Signer // Ed25519, used for nothing else
	Directory string        // holds what it has seen of each log
	Listen    string        // host:port
	Logs      []Log         // at least one; an origin with several keys stands several times
	Logger    *slog.Logger  // nil: silent
}

// Log is a log that is cosigned, by one of its keys.
type Log struct {
	Origin string // first line of its checkpoints
	VKey   string // its note key, as translog.ParseVKey reads it
}

// Witness cosigns the logs of its configuration.
type Witness struct {
	signer   *translog.Witness
	lock     *os.File // of the directory: two witnesses with one key could sign two trees
	listener net.Listener
	log      *slog.Logger
	now      func() time.Time
	disk     disk.Maker // nil but in tests

	directory string
	logs      map[string]*record // by origin; the map is not changed after New

	mu     sync.Mutex // guards all records' heads and files: one judgement at a time
	forgot bool       // a signature of its own was shown that it does not know
}

// New opens what the witness has seen, and its port. A state that cannot be read is
// an error: who goes on without it may sign a second tree.
func New(config Config) (*Witness, error) {
	signer, err := translog.NewWitness(config.Name, config.Key)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Witness{signer: signer, log: config.Logger, now: time.Now, directory: config.Directory}
	if err := w.open(config); err != nil {
		return nil, fmt.Errorf("witness: %w", errors.Join(err, w.close()))
	}
	return w, nil
}

func (w *Witness) open(config Config) error {
	if err := w.disk.MakeDirectory(config.Directory, 0o700); err != nil {
		return err
	}
	var err error
	if w.lock, err = daemon.Lock(config.Directory); err != nil {
		return err
	}
	if err := w.openForgotten(); err != nil {
		return err
	}
	if w.logs, err = openRecords(config.Directory, config.Logs, w.signer.VKey()); err != nil {
		return err
	}
	if w.listener, err = net.Listen("tcp", config.Listen); err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	return nil
}

func (w *Witness) close() error {
	var failures []error
	if w.listener != nil {
		if err := w.listener.Close(); !errors.Is(err, net.ErrClosed) {
			failures = append(failures, err)
		}
	}
	if w.lock != nil {
		failures = append(failures, w.lock.Close())
	}
	return errors.Join(failures...)
}

// VKey is what others verify its cosignatures with.
func (w *Witness) VKey() translog.VKey { return w.signer.VKey() }

// URL is the submission prefix.
func (w *Witness) URL() string { return "http://" + w.listener.Addr().String() }

// Run answers until ctx ends.
func (w *Witness) Run(ctx context.Context) error {
	server := &http.Server{
		Handler: w.handler(), ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	err := daemon.Serve(ctx, server, w.listener)
	if err := errors.Join(err, w.close()); err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	return nil
}
