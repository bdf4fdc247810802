package pilot

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/auditor"
	"github.com/tripoint/tripoint/services/hub"
)

// Audit replays the log in a data directory, of a pilot that runs or of one that
// was stopped, in whatever way. For a stopped one it starts the hub alone.
func Audit(ctx context.Context, data string, progress func(replayed, known uint64)) (audit.Summary, error) {
	layout := Layout(data)
	message, err := os.ReadFile(layout.charter())
	if err != nil {
		return audit.Summary{}, fmt.Errorf("no charter to judge by: %w", err)
	}
	charter, err := registry.OpenCharter(message)
	if err != nil {
		return audit.Summary{}, fmt.Errorf("%s: %w", layout.charter(), err)
	}
	config := auditor.Config{Charter: charter, Progress: progress}
	lock, err := daemon.Lock(data)
	if errors.Is(err, daemon.ErrInUse) {
		running, err := FindRunning(layout)
		if err != nil {
			return audit.Summary{}, err
		}
		config.Stream = layout.connection(running.Hub, stream.AuditUser)
		return auditor.Replay(ctx, config)
	}
	if err != nil {
		return audit.Summary{}, err
	}
	defer lock.Close()
	broker, err := hub.New(ctx, hub.Config{Directory: layout.hub(), Listen: loopback, Lock: keyfile.Unsealed, Charter: charter})
	if err != nil {
		return audit.Summary{}, err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan error, 1)
	go func() { stopped <- broker.Run(serving) }()
	config.Stream = layout.connection(broker.URL(), stream.AuditUser)
	summary, err := auditor.Replay(ctx, config)
	stop()
	return summary, errors.Join(err, <-stopped)
}

// loopback is where everything in a pilot listens: reachable from this machine
// alone, at a free port.
const loopback = "127.0.0.1:0"

// readToken reads the bearer token of an agency's publisher.
func readToken(layout Layout, v voice) (string, error) {
	return keyfile.Token(layout.publisherToken(v))
}
