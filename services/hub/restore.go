package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/hub/salvage"
)

// Restoration says how to restore a hub's streams.
type Restoration struct {
	AcceptLoss bool      // go on where messages of the log are lost for good
	DryRun     bool      // only find out what would be restored
	Time       time.Time // when: it is written into the log
	Absent     []string  // parties of whom nothing was there to be given; they are named with whatever comes of it
	Unsound    []string  // likewise those whose files are damaged, and how
}

// Restored is what became of the log. Its JSON form is printed by the command.
type Restored struct {
	Size      uint64            `json:"log_size"`     // leaves; as many as somebody has the notary's signature for
	Survived  uint64            `json:"survived"`     // messages of them that were left in the damaged streams
	Recovered uint64            `json:"recovered"`    // those that parties brought
	Lost      []Lost            `json:"lost"`         // those that nobody has
	Carried   uint64            `json:"carried_over"` // messages that were stored and never signed, and go on after them
	Keys      uint64            `json:"keys"`         // key records that were left
	Files     uint64            `json:"files"`        // chunks of attachments that were left
	LeftOut   []salvage.LeftOut `json:"left_out"`     // what was brought and counts for nothing
	Absent    []string          `json:"absent"`       // parties that should have brought something, and of whom nothing was there
	Unsound   []string          `json:"unsound"`      // parties whose files are damaged, and how; nothing of theirs was used
	Cut       uint64            `json:"cut"`          // leaves that the notary signed, by the damaged streams, where nobody has them all; 0: no more than log_size
	Unread    string            `json:"unread"`       // why what was left of the streams could not be read; empty: it could, or nothing was left
	Damaged   string            `json:"damaged"`      // the directory with the streams of before; empty: there were none
	Time      time.Time         `json:"time"`
}

// Lost is log indices from one to another, itself excluded, whose messages nobody
// has brought.
type Lost struct {
	From  uint64 `json:"from"`
	To    uint64 `json:"to"`
	Label string `json:"label"` // audience's address; empty: the registry; ?: unknown
}

// Loss refuses a restoration: of these messages only the leaves are left.
type Loss struct {
	Lost    []Lost
	Readers map[string][]string // by label: countries whose desks hold such messages
}

func (e *Loss) Error() string {
	var parts []string
	for _, l := range e.Lost {
		who := "some country's desk"
		if countries := e.Readers[l.Label]; len(countries) > 0 {
			who = "desks of " + strings.Join(countries, ", ")
		}
		parts = append(parts, fmt.Sprintf("%d to %d (for %q: %s)", l.From, l.To-1, l.Label, who))
	}
	const most = 8
	if len(parts) > most {
		parts = append(parts[:most], fmt.Sprintf("and %d more", len(parts)-most))
	}
	return "messages of the log are in nothing that was given: " + strings.Join(parts, "; ") + ". Add the holdings of who has them, or accept the loss"
}

// restoring is one restoration under way.
type restoring struct {
	config  Config
	how     Restoration
	house   house
	sources []salvage.Source
	fault   func(step string) error // tests: called between steps; an error is a crash there

	keys keyring
	old  *Hub // serves a copy of what was left of the streams; nil: nothing that can be read
	done Restored
}

// Restore builds a hub's streams again from what its parties hold of the log and from
// what is left of the streams, and puts them in place of those, which are kept beside.
// The hub must not run. Nobody is believed, see package salvage. If it is broken off it may be
// repeated; once the exchange has begun, the hub's next start completes it too.
//
// Errors: *Loss, *salvage.Fork, *salvage.Short; then nothing has changed.
func Restore(ctx context.Context, config Config, how Restoration, sources ...salvage.Source) (Restored, error) {
	return restore(ctx, &restoring{config: config, how: how, sources: sources})
}

func restore(ctx context.Context, r *restoring) (Restored, error) {
	if r.config.Logger == nil {
		r.config.Logger = slog.New(slog.DiscardHandler)
	}
	r.config.Listen, r.house = "", house{r.config.Directory}
	run := r.run
	if r.how.DryRun {
		run = r.dryRun
	} else if err := os.MkdirAll(r.house.at("credentials"), 0o700); err != nil {
		return Restored{}, fmt.Errorf("restoring: %w", err)
	}
	lock, err := daemon.Lock(r.config.Directory)
	if err == nil {
		defer lock.Close()
	} else if !r.how.DryRun || !errors.Is(err, fs.ErrNotExist) { // a hub of which nothing is left may be asked about
		return Restored{}, fmt.Errorf("restoring: %w", err)
	}
	r.done.Absent, r.done.Unsound = append([]string{}, r.how.Absent...), append([]string{}, r.how.Unsound...)
	done, err := run(ctx)
	if err != nil {
		return Restored{}, fmt.Errorf("restoring: %w", r.how.without(err))
	}
	return done, nil
}

// without says at a failure whose holdings were not there to prevent it.
func (how Restoration) without(err error) error {
	if len(how.Absent) > 0 {
		err = fmt.Errorf("%w. Nothing was there of: %s", err, strings.Join(how.Absent, ", "))
	}
	if len(how.Unsound) > 0 {
		err = fmt.Errorf("%w. Damaged, and not used: %s", err, strings.Join(how.Unsound, "; "))
	}
	return err
}

func (r *restoring) run(ctx context.Context) (done Restored, err error) {
	if earlier, err := r.house.finish(); err != nil {
		return done, err
	} else if earlier != nil {
		return *earlier, nil
	}
	if err := r.house.clear(); err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, r.leave()) }()
	// A secret that is gone is made anew: then all credentials are others, and the
	// streams of before cannot be opened by anybody.
	_, noSecret := os.Stat(r.secret())
	if r.keys, err = openKeyring(r.secret(), r.config.Lock, r.house.restoring()); err != nil {
		return done, err
	}
	if err := r.look(noSecret == nil, r.house.examined()); err != nil {
		return done, err
	}
	log, err := r.survey(ctx)
	if err != nil {
		return done, err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context, *salvage.Log) error
	}{{"build", r.build}, {"check", r.check}, {"seal", func(context.Context, *salvage.Log) error { return r.house.seal(r.done) }}} {
		if err := r.at("before " + step.name); err != nil {
			return done, err
		}
		if err := step.do(ctx, log); err != nil {
			return done, err
		}
	}
	if err := r.at("before exchange"); err != nil {
		return done, err
	}
	exchanged, err := r.house.finish()
	if err != nil {
		return done, err
	}
	return *exchanged, nil
}

// at is a step between which tests let the restoration crash.
func (r *restoring) at(step string) error {
	if r.fault == nil {
		return nil
	}
	return r.fault(step)
}

// leave stops what runs and drops what only the restoration needed.
func (r *restoring) leave() error {
	if r.old != nil {
		r.old.stop()
	}
	if r.fault != nil {
		return nil // a crash drops nothing
	}
	return r.house.clear()
}

func (r *restoring) secret() string { return (&Hub{config: r.config}).secret() }

// look reads what is left of the streams where it can, in a copy.
func (r *restoring) look(secret bool, copied string) error {
	if empty, err := isEmpty(r.house.streams()); errors.Is(err, os.ErrNotExist) || err == nil && empty {
		return nil
	} else if err != nil {
		return err
	}
	if !secret {
		r.done.Unread = "the broker's secret is gone, and with it the way to the streams of before"
		return nil
	}
	if err := r.house.examine(copied); err != nil {
		return fmt.Errorf("copying the streams to look at them: %w", err)
	}
	config := r.config
	config.Directory = copied
	r.old = &Hub{config: config}
	if err := r.old.start(r.keys, r.old.streams()); err != nil {
		r.old.stop()
		r.old, r.done.Unread = nil, err.Error()
		return nil
	}
	r.sources = append(slices.Clone(r.sources), r.old.holds("what is left of the hub's streams", true))
	return nil
}

// dryRun says what would be restored, or what an earlier restoration, which waits to
// be put in place, has restored. What it makes it takes away again; what it finds,
// what was broken off too, stays as it is.
func (r *restoring) dryRun(ctx context.Context) (done Restored, err error) {
	if earlier, err := r.house.waiting(); earlier != nil || err != nil {
		if err != nil {
			return done, err
		}
		return *earlier, nil
	}
	if _, err := os.Stat(r.house.directory); err == nil {
		copied, err := r.house.dryRun()
		if err != nil {
			return done, err
		}
		defer os.RemoveAll(copied)
		_, noSecret := os.Stat(r.secret())
		if noSecret == nil {
			if r.keys, err = openKeyring(r.secret(), r.config.Lock, ""); err != nil {
				return done, err
			}
		}
		if err := r.look(noSecret == nil, copied); err != nil {
			return done, err
		}
		if r.old != nil {
			defer r.old.stop() // before its directory goes
		}
	}
	_, err = r.survey(ctx)
	return r.done, err
}

// survey finds the log, and refuses to go on without messages that somebody may have.
func (r *restoring) survey(ctx context.Context) (*salvage.Log, error) {
	log, err := salvage.Survey(ctx, r.config.Charter, r.sources...)
	if err != nil {
		return nil, err
	}
	if short := log.Beyond(); short != nil && !r.how.AcceptLoss {
		return nil, fmt.Errorf("%w; or accept the loss, of these leaves and of all behind them: whoever has seen that checkpoint will say that the log was set back", short)
	} else if short != nil {
		r.done.Cut = short.Seen.Checkpoint.Size
	}
	if log.Size() == 0 {
		return nil, errors.New("nothing that was given holds a leaf of this log: add the notary's holding, or a desk's")
	}
	r.done.Size, r.done.Survived, r.done.Lost = log.Size(), log.Survivors(), []Lost{}
	r.done.Recovered = r.done.Size - r.done.Survived
	for _, lost := range log.Lost() {
		r.done.Lost = append(r.done.Lost, Lost(lost))
		r.done.Recovered -= lost.To - lost.From
	}
	r.done.Carried, r.done.LeftOut = uint64(len(log.Carried())), append([]salvage.LeftOut{}, log.LeftOut()...)
	r.done.Time = r.how.Time.UTC()
	if len(r.done.Lost) > 0 && !r.how.AcceptLoss && !r.how.DryRun {
		return nil, &Loss{Lost: r.done.Lost, Readers: readers(log.State())}
	}
	return log, nil
}

// readers says by address whose desks are sent what lies there; the registry is
// everybody's.
func readers(state registry.State) map[string][]string {
	by := map[string][]string{"": state.Countries()}
	for _, country := range state.Countries() {
		for _, address := range state.Reads(country) {
			by[address] = append(by[address], country)
		}
	}
	return by
}

// build fills new streams.
func (r *restoring) build(ctx context.Context, log *salvage.Log) error {
	fresh, stop, err := r.serve()
	if err != nil {
		return err
	}
	defer stop()
	message, err := r.message()
	if err != nil {
		return err
	}
	if err := fresh.build(ctx, log, message); err != nil {
		return err
	}
	if r.old == nil {
		return nil
	}
	for name, carried := range map[string]*uint64{stream.Keys: &r.done.Keys, stream.Files: &r.done.Files} {
		if *carried, err = carry(ctx, name, r.old.js, fresh.js); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
	}
	return nil
}

// strong sees that the streams have the settings that they must have.
func (h *Hub) strong(ctx context.Context) error {
	for _, config := range stream.Settings() {
		s, err := h.js.Stream(ctx, config.Name)
		if err != nil {
			return err
		}
		is, err := json.Marshal(s.CachedInfo().Config)
		if err != nil {
			return err
		}
		weak, err := stream.Weaknesses(config.Name, is, 1)
		if err != nil {
			return err
		}
		if len(weak) > 0 {
			return errors.New(weak[0].String())
		}
	}
	return nil
}

// message says in the log what became of it.
func (r *restoring) message() ([]byte, error) {
	said := translog.Restoration{Recovered: r.done.Recovered, At: r.done.Time}
	for _, lost := range r.done.Lost {
		if n := len(said.Lost); n > 0 && said.Lost[n-1].To == lost.From {
			said.Lost[n-1].To = lost.To
			continue
		}
		said.Lost = append(said.Lost, translog.Range{From: lost.From, To: lost.To})
	}
	return said.Marshal()
}

// serve runs a server, for this process alone, on what is being built.
func (r *restoring) serve() (*Hub, func(), error) {
	h := &Hub{config: r.config}
	if err := h.start(r.keys, r.house.restoring()); err != nil {
		h.stop()
		return nil, nil, fmt.Errorf("serving the new streams: %w", err)
	}
	return h, h.stop, nil
}

// check reads everything back from the disk, by another server, and compares it
// with what was to be built.
func (r *restoring) check(ctx context.Context, log *salvage.Log) error {
	h, stop, err := r.serve()
	if err != nil {
		return err
	}
	defer stop()
	got, err := salvage.Survey(ctx, r.config.Charter, h.holds("what was built", false))
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	if err := log.Equal(got); err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	want, err := r.message()
	if err != nil {
		return err
	}
	if err := h.strong(ctx); err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	events, err := h.js.Stream(ctx, stream.Events)
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	said, err := events.GetMsg(ctx, log.Size()+1)
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	if said.Subject != translog.RestoredSubject || !bytes.Equal(said.Data, want) {
		return errors.New("reading back: the log does not say that it was restored")
	}
	return nil
}
