// Package pilot runs every role in one process on embedded parts, each with a
// directory, a key and a connection of its own, and plays a scenario through
// them. It is how a newcomer meets Tripoint, and how all roles are tested
// together. It protects nobody: all keys lie in one place.
package pilot

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/pilot/scenario"
)

// Config is what a pilot needs.
type Config struct {
	Data     string         // directory; made and founded where it is missing
	Scenario scenario.Facts // what to play, and the founding of a new directory
	Logger   *slog.Logger   // nil: silent

	// Newcomer, where set, is told of each desk that comes up while the pilot runs, with a link for
	// each of Officers.
	Newcomer func(Console)
	Officers []console.Officer
}

// Pilot is all roles, opened and ready to run.
type Pilot struct {
	layout   Layout
	charter  registry.Charter
	steps    []scenario.Step
	log      *slog.Logger
	lock     *os.File
	hub      *hub.Hub
	notary   *notary.Notary
	parties  parties
	officers []console.Officer
}

// Run opens a pilot on its data directory, plays the scenario and serves until
// ctx ends or use returns an error. use is called once everything runs and the
// scenario is played; for it to end the pilot without an error it returns ErrDone.
func Run(ctx context.Context, config Config, use func(context.Context, *Pilot) error) error {
	p := &Pilot{layout: Layout(config.Data), log: config.Logger}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if p.steps, err = config.Scenario.Steps(); err != nil {
		return err
	}
	if err := os.MkdirAll(config.Data, 0o700); err != nil {
		return err
	}
	if p.lock, err = daemon.Lock(config.Data); err != nil {
		return err
	}
	defer p.lock.Close()
	if p.charter, err = found(p.layout, config.Scenario.Founding); err != nil {
		return err
	}
	p.officers = config.Officers
	return p.run(ctx, config.Newcomer, use)
}

// ErrDone ends a pilot without an error.
var ErrDone = errors.New("done")

// run starts the hub first and stops it last.
func (p *Pilot) run(ctx context.Context, newcomer func(Console), use func(context.Context, *Pilot) error) (err error) {
	p.hub, err = hub.New(ctx, hub.Config{
		Directory: p.layout.hub(), Listen: loopback, Lock: keyfile.Unsealed, Charter: p.charter, Logger: p.log.With("role", "hub"),
	})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan error, 1)
	go func() { stopped <- p.hub.Run(serving) }()
	defer func() {
		stop()
		err = errors.Join(err, <-stopped)
	}()
	roles, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer os.Remove(p.layout.running())
	roles = append(roles, daemon.Role{Name: "newcomers", Run: func(ctx context.Context) error {
		return p.welcome(ctx, newcomer)
	}})
	roles = append(roles, daemon.Role{Name: "scenario", Run: func(ctx context.Context) error {
		if err := play(ctx, p.parties.client, p.steps); err != nil {
			return err
		}
		if err := use(ctx, p); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}})
	if err := daemon.Run(ctx, roles...); !errors.Is(err, ErrDone) {
		return err
	}
	return nil
}

// open makes all roles but the hub.
func (p *Pilot) open(ctx context.Context) ([]daemon.Role, error) {
	if err := p.openNotary(); err != nil {
		return nil, err
	}
	roles, err := p.openParties(ctx)
	if err != nil {
		return nil, err
	}
	return append(roles, daemon.Role{Name: "notary", Run: p.notary.Run}), nil
}

func (p *Pilot) openNotary() error {
	key, err := keyfile.Signer(p.layout.notaryKey(), keyfile.Unsealed)
	if err != nil {
		return err
	}
	p.notary, err = notary.New(notary.Config{
		Directory: p.layout.notary(), Charter: p.charter, Key: key,
		Stream: p.layout.connection(p.hub.URL(), stream.NotaryUser), Logger: p.log.With("role", "notary"),
	})
	return err
}
