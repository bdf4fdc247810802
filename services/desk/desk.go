// Package desk is one country's view of the log. It follows the audiences that
// its country may read, keeps every message, judges and folds it into the read
// model that officers work with, and mirrors the log's tree: it cosigns a
// checkpoint only where it agrees with the bytes held here.
//
// Files in its directory: journal.db, which must not be lost; keys.db, what opens
// it, which comes again from the hub; and the view,
// which is a fold of both and is built again at any time.
package desk

import (
	"context"
	"crypto"
	"crypto/hpke"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/view"
	"github.com/tripoint/tripoint/services/desk/journal"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

// Config is what a desk needs. Fields without a stated default are required.
type Config struct {
	Country   string           // ISO 3166-1 alpha-2; it may become a member later
	Directory string           // holds journal and view; made when missing
	Charter   registry.Charter // the desk's own copy: what the log begins with is never taken from the network
	MirrorKey crypto.Signer    // Ed25519; it cosigns the sizes for which the registry names it
	Stream    stream.Config    // as stream.DeskUser(Country)
	Logger    *slog.Logger     // nil: silent

	// NextMirrorKey is the one that MirrorKey is to be rotated to; nil: none. It
	// cosigns from the size on from which the registry names it.
	NextMirrorKey crypto.Signer

	// OpeningKeys are the private keys that open content of the compartments which this
	// desk's officers work in (HPKE, MLKEM768-X25519), also those of earlier epochs, and a
	// successor that is to come. Which is which the registry says, by the public key.
	// None: nothing that is sealed opens here.
	OpeningKeys []hpke.PrivateKey

	// Publisher hands this desk's receipts of recalls to an agency of its country; nil: they wait.
	Publisher Publisher

	// Voice reaches the publisher of an agency of this country, for what officers decide at
	// the console about events of that agency; nil, or a nil answer: none is configured.
	Voice func(agency string) Voice

	// Console makes the pages; nil: none are served. It is called once, before
	// New returns, and may keep the desk.
	Console func(*Desk) (http.Handler, error)
	Listen  string // host:port of the console; port 0 picks a free one

	// Patience is how long a message may come after its leaf, while the hub is
	// reachable, before the desk says that it is withheld; 0: 30 s.
	Patience time.Duration

	// Freeze is how long, while the hub is reachable, what is here may wait for its
	// leaf, and a leaf for a quorum of cosignatures, before the desk says that the log
	// is frozen; 0: 2 min.
	Freeze time.Duration

	// Tests: called between steps. An error is that of the step before; other than
	// of the hub it is a crash there.
	fault func(step string) error
	clock func() time.Time // nil: time.Now
}

const (
	defaultPatience = 30 * time.Second
	defaultFreeze   = 2 * time.Minute // far above what countries' desks take, restarts included
)

// Desk is one country's desk.
type Desk struct {
	config  Config
	log     *slog.Logger
	lock    *os.File // two mirrors with one key could cosign two roots
	journal *journal.Journal
	ring    *keyring.Ring
	records records
	book    *chronicle
	shelf   *shelf
	files   *attachments
	alarms  *alarms
	conn    *stream.Conn
	mirror  *mirror

	journaled Live // after messages were journaled
	live      Live // after entries were committed

	folding sync.Mutex // held by whoever folds into the live view or swaps it
	folder  *folder
	state   atomic.Pointer[registry.State] // the folder's, for pages that must not wait for it

	rebuilding sync.Mutex    // held while a view is built beside the live one
	recovered  chan struct{} // closed once the view was brought up to the journal after the start
	stale      Live          // after something changed that the view may not be a fold of any more

	standing standing
	keys     keys
	lost     map[string]bool // public keys that have signed what the journal does not know
	founded  registry.State  // the charter's, for as long as the journal has no founding
	telling  sync.Mutex      // held by whoever writes told
	told     string          // the newest sentence of Status.Standing in the desk's log

	reading   sync.Mutex             // held by whoever adds to the journal's messages or changes them
	revisions atomic.Uint64          // how often what was journaled has changed
	wanted    atomic.Pointer[wanted] // by the mirror
	doubted   int                    // see doubts
	disputed  *journal.Message       // of the journal; the stream has another, or none, in its place
	refused   bool                   // the newest message that came was not that of its leaf
	closed    map[string]bool        // addresses that were taken from this country after the journal's end

	listener net.Listener
	handler  http.Handler
	closing  sync.Once
	failed   error // of closing
}

// New opens the desk's files and its console's port. It succeeds while the hub
// is away. Run or Close must follow.
func New(ctx context.Context, config Config) (*Desk, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Patience == 0 {
		config.Patience = defaultPatience
	}
	if config.Freeze == 0 {
		config.Freeze = defaultFreeze
	}
	d := &Desk{config: config, log: config.Logger, closed: map[string]bool{}, recovered: make(chan struct{})}
	for _, step := range []func(context.Context) error{d.openFiles, d.openBook, d.openView, d.openMirror, d.openFilesOfEvents, d.openConsole} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("desk: %w", err), d.Close())
		}
	}
	return d, nil
}

func (d *Desk) openFiles(ctx context.Context) error {
	if err := os.MkdirAll(d.config.Directory, 0o700); err != nil {
		return err
	}
	var err error
	if d.lock, err = daemon.Lock(d.config.Directory); err != nil {
		return err
	}
	if d.journal, err = journal.Open(ctx, filepath.Join(d.config.Directory, "journal.db")); err != nil {
		return err
	}
	d.journal.Fault = d.config.fault
	if d.alarms, err = openAlarms(ctx, d.journal); err != nil {
		return err
	}
	if d.ring, err = keyring.Open(ctx, filepath.Join(d.config.Directory, "keys.db"), d.config.Country); err != nil {
		return err
	}
	if d.shelf, err = openShelf(ctx, d.config.Directory, d.log); err != nil {
		return err
	}
	return nil
}

// openView goes on from where the view is. It comes after the registry was read, which
// says what the opening keys open.
func (d *Desk) openView(ctx context.Context) error {
	at, err := d.shelf.Cursor(ctx)
	if err != nil {
		return err
	}
	if d.folder, err = d.newFolder(ctx, d.shelf.writer(), at); err != nil {
		return err
	}
	d.committed()
	if at.Sequence == 0 {
		return nil // there is nothing to hide, and nothing to fold again
	}
	return d.concealAtStart(ctx)
}

func (d *Desk) newFolder(ctx context.Context, w view.Writer, at view.Cursor) (*folder, error) {
	f, err := newFolder(ctx, d.config.Charter.Digest, d.journal, w, at)
	if err != nil {
		return nil, err
	}
	f.fault, f.country, f.ring, f.now = d.config.fault, d.config.Country, d.ring, d.now
	f.opener = d.ring.Opener(d.config.OpeningKeys, d.registry)
	return f, nil
}

// now is the time by this desk's clock.
func (d *Desk) now() time.Time { return d.config.now() }

func (c Config) now() time.Time {
	if c.clock != nil {
		return c.clock()
	}
	return time.Now()
}

// registry is the newest that is journaled.
func (d *Desk) registry() registry.State {
	state, _ := d.book.known()
	return state
}

// openBook reads the registry as far as it is journaled, and holds the
// configuration against it.
func (d *Desk) openBook(ctx context.Context) error {
	if err := event.CheckCountry(d.config.Country); err != nil {
		return err
	}
	var err error
	if d.founded, err = d.config.Charter.State(); err != nil {
		return err
	}
	d.book = newChronicle(d.journal, d.config.Charter.Digest)
	state, err := d.book.read(ctx)
	if err != nil {
		return err
	}
	if !state.Founded() {
		state = d.founded
	}
	if d.keys, err = holdKeys(state, d.config.Country, d.config.MirrorKey, d.config.NextMirrorKey); err != nil {
		return err
	}
	d.lost, err = d.forsake(ctx)
	return err
}

func (d *Desk) openMirror(ctx context.Context) error {
	var err error
	if d.conn, err = stream.Dial(d.config.Stream); err != nil {
		return err
	}
	d.mirror = &mirror{
		country: d.config.Country, keys: d.keys, founded: d.founded, charter: d.config.Charter.Message, book: d.book,
		journal: d.journal, alarms: d.alarms, conn: d.conn, log: d.log,
		journaled: &d.journaled, standing: &d.standing, patience: d.config.Patience, at: d.at, seek: d.ask,
	}
	if err := d.mirror.load(ctx); err != nil && !errors.Is(err, errStopped) {
		return err
	}
	return nil
}

// Run follows the log and serves the console until ctx ends; the desk is then
// closed. It waits for a hub that is away, and goes on serving after an alarm.
// An error is a fault of this machine.
func (d *Desk) Run(ctx context.Context) error {
	err := daemon.Run(ctx,
		daemon.Role{Name: "following", Run: lasting(d.follow)},
		daemon.Role{Name: "mirroring", Run: lasting(d.mirror.run)},
		daemon.Role{Name: "watching", Run: lasting(d.watch)},
		daemon.Role{Name: "refolding", Run: lasting(d.refold)},
		daemon.Role{Name: "answering", Run: lasting(d.answer)},
		daemon.Role{Name: "serving", Run: d.serve},
	)
	if err != nil {
		err = fmt.Errorf("desk: %w", err)
	}
	return errors.Join(err, d.Close())
}

// lasting keeps a loop that an alarm has ended from ending the desk. What fails
// because the desk is ending is no fault.
func lasting(loop func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := loop(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
}

// Close lets go of files, port and hub. It may be called again.
func (d *Desk) Close() error {
	d.closing.Do(func() {
		if d.listener != nil {
			d.listener.Close() // the server may have closed it
		}
		if d.conn != nil {
			d.conn.Close()
		}
		if d.shelf != nil {
			d.failed = d.shelf.close()
		}
		if d.ring != nil {
			d.failed = errors.Join(d.failed, d.ring.Close())
		}
		if d.journal != nil {
			d.failed = errors.Join(d.failed, d.journal.Close())
		}
		if d.lock != nil {
			d.failed = errors.Join(d.failed, d.lock.Close())
		}
	})
	return d.failed
}

// Reader reads the view. It stays good over a rebuild.
func (d *Desk) Reader() view.Reader { return d.shelf }

// Live tells when entries were added.
func (d *Desk) Live() *Live { return &d.live }

// State is the registry after the last message that was folded.
func (d *Desk) State() registry.State { return *d.state.Load() }

// committed makes known what was committed to the live view. The caller holds folding.
func (d *Desk) committed() {
	state := d.folder.state
	d.state.Store(&state)
	d.live.notify()
}
