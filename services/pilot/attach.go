package pilot

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/registrar"
)

// attach reaches the hub of a data directory, of a pilot that runs or of one that
// was stopped, in whatever way. For a stopped one it starts the hub alone.
func attach(ctx context.Context, data string, use func(charter registry.Charter, connection func(user string) stream.Config) error) error {
	layout := Layout(data)
	charter, err := readCharter(layout)
	if err != nil {
		return err
	}
	lock, err := daemon.Lock(data)
	if errors.Is(err, daemon.ErrInUse) {
		running, err := FindRunning(layout)
		if err != nil {
			return err
		}
		return use(charter, func(user string) stream.Config { return layout.connection(running.Hub, user) })
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	broker, err := hub.New(ctx, hub.Config{Directory: layout.hub(), Listen: loopback, Lock: keyfile.Unsealed, Charter: charter})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan error, 1)
	go func() { stopped <- broker.Run(serving) }()
	err = use(charter, func(user string) stream.Config { return layout.connection(broker.URL(), user) })
	stop()
	return errors.Join(err, <-stopped)
}

func readCharter(layout Layout) (registry.Charter, error) {
	message, err := os.ReadFile(layout.charter())
	if err != nil {
		return registry.Charter{}, fmt.Errorf("no charter to judge by: %w", err)
	}
	charter, err := registry.OpenCharter(message)
	if err != nil {
		return registry.Charter{}, fmt.Errorf("%s: %w", layout.charter(), err)
	}
	return charter, nil
}

// Registry opens the registry of a pilot, running or stopped, as the registrar of
// a country; empty: of the first founding member.
func Registry(ctx context.Context, data, country string, use func(registry.Charter, *registrar.Registrar) error) error {
	return attach(ctx, data, func(charter registry.Charter, connection func(string) stream.Config) error {
		if country == "" {
			state, err := charter.State()
			if err != nil {
				return err
			}
			country = state.Countries()[0]
		}
		config := connection(stream.RegistrarUser(country))
		if _, err := os.Stat(config.Credentials); err != nil {
			return fmt.Errorf("the hub has no registrar of %q: it is no member, or has left", country)
		}
		r, err := registrar.Open(ctx, registrar.Config{Country: country, Charter: charter, Stream: config})
		if err != nil {
			return err
		}
		defer r.Close()
		return use(charter, r)
	})
}

// Charter reads the charter of a data directory.
func Charter(data string) (registry.Charter, error) { return readCharter(Layout(data)) }
