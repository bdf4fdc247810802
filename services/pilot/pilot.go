// Package pilot runs every role in one process on embedded parts, each with a
// directory, a key and a connection of its own, and plays a scenario through
// them. It is how a newcomer meets Tripoint, and how all roles are tested
// together. It protects nobody: all keys lie in one place.
package pilot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/pilot/scenario"
	"github.com/tripoint/tripoint/services/publisher"
)

// Config is what a pilot needs.
type Config struct {
	Data     string         // directory; made and founded where it is missing
	Scenario scenario.Facts // what to play, and the founding of a new directory
	Logger   *slog.Logger   // nil: silent
}

// Pilot is all roles, opened and ready to run.
type Pilot struct {
	layout     Layout
	charter    registry.Charter
	steps      []scenario.Step
	log        *slog.Logger
	lock       *os.File
	hub        *hub.Hub
	notary     *notary.Notary
	publishers map[voice]*publisher.Publisher
	clients    map[voice]publisherv1connect.PublisherServiceClient
	desks      map[string]*desk.Desk
	consoles   map[string]*console.Console
}

// Run opens a pilot on its data directory, plays the scenario and serves until
// ctx ends or use returns an error. use is called once everything runs and the
// scenario is played; for it to end the pilot without an error it returns ErrDone.
func Run(ctx context.Context, config Config, use func(context.Context, *Pilot) error) error {
	p := &Pilot{
		layout: Layout(config.Data), log: config.Logger,
		publishers: map[voice]*publisher.Publisher{}, clients: map[voice]publisherv1connect.PublisherServiceClient{},
		desks: map[string]*desk.Desk{}, consoles: map[string]*console.Console{},
	}
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
	return p.run(ctx, use)
}

// ErrDone ends a pilot without an error.
var ErrDone = errors.New("done")

// run starts the hub first and stops it last.
func (p *Pilot) run(ctx context.Context, use func(context.Context, *Pilot) error) (err error) {
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
	if err := p.running().write(p.layout); err != nil {
		return err
	}
	defer os.Remove(p.layout.running())
	roles = append(roles, daemon.Role{Name: "scenario", Run: func(ctx context.Context) error {
		if err := play(ctx, p.clients, p.steps); err != nil {
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
	state, err := p.charter.State()
	if err != nil {
		return nil, err
	}
	if err := p.openNotary(); err != nil {
		return nil, err
	}
	roles := []daemon.Role{{Name: "notary", Run: p.notary.Run}}
	for _, agency := range state.Agencies() {
		speaker := voice{agency.Country, agency.ID}
		if err := p.openPublisher(ctx, speaker); err != nil {
			return nil, err
		}
		roles = append(roles, daemon.Role{Name: "publisher " + speaker.String(), Run: p.publishers[speaker].Run})
	}
	for _, country := range state.Countries() {
		if err := p.openDesk(ctx, country); err != nil {
			return nil, err
		}
		roles = append(roles, daemon.Role{Name: "desk " + country, Run: p.desks[country].Run})
	}
	return roles, nil
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

func (p *Pilot) openPublisher(ctx context.Context, v voice) error {
	key, err := keyfile.Signer(p.layout.publisherKey(v), keyfile.Unsealed)
	if err != nil {
		return err
	}
	token, err := readToken(p.layout, v)
	if err != nil {
		return err
	}
	opened, err := publisher.New(ctx, publisher.Config{
		Country: v.Country, Agency: v.Agency, Directory: p.layout.publisher(v), Charter: p.charter, Key: key,
		Stream: p.layout.connection(p.hub.URL(), stream.PublisherUser(v.Country, v.Agency)),
		Listen: loopback, Token: token, Logger: p.log.With("role", "publisher "+v.String()),
	})
	if err != nil {
		return err
	}
	p.publishers[v] = opened
	p.clients[v] = publisher.NewClient(opened.URL(), token)
	return nil
}

func (p *Pilot) openDesk(ctx context.Context, country string) error {
	key, err := keyfile.Signer(p.layout.mirrorKey(country), keyfile.Unsealed)
	if err != nil {
		return err
	}
	p.desks[country], err = desk.New(ctx, desk.Config{
		Country: country, Directory: p.layout.desk(country), Charter: p.charter, MirrorKey: key,
		Stream: p.layout.connection(p.hub.URL(), stream.DeskUser(country)), Listen: loopback,
		Logger: p.log.With("role", "desk "+country),
		Console: func(d *desk.Desk) (http.Handler, error) {
			pages, err := d.Pages()
			p.consoles[country] = pages
			return pages, err
		},
	})
	return err
}

func (p *Pilot) running() Running {
	running := Running{Process: os.Getpid(), Hub: p.hub.URL(), Publishers: map[string]string{}, Desks: map[string]string{}}
	for v, opened := range p.publishers {
		running.Publishers[v.String()] = opened.URL()
	}
	for country, opened := range p.desks {
		running.Desks[country] = opened.URL()
	}
	return running
}

// Console is one desk's console, with a link that signs one person in, once.
type Console struct{ Country, URL, SignIn string }

// Consoles makes a sign-in link to each console, in the order of the countries.
func (p *Pilot) Consoles(role string) []Console {
	var all []Console
	for _, country := range p.countries() {
		url := p.desks[country].URL()
		all = append(all, Console{Country: country, URL: url, SignIn: fmt.Sprintf("%s%s", url, p.consoles[country].SignInLink(role))})
	}
	return all
}
