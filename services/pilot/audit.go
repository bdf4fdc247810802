package pilot

import (
	"context"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/auditor"
)

// Audit replays the log in a data directory, of a pilot that runs or of one that
// was stopped.
func Audit(ctx context.Context, data string, progress func(replayed, known uint64)) (summary audit.Summary, err error) {
	err = attach(ctx, data, func(charter registry.Charter, connection func(string) stream.Config) error {
		summary, err = auditor.Replay(ctx, auditor.Config{Charter: charter, Stream: connection(stream.AuditUser), Progress: progress})
		return err
	})
	return summary, err
}

// loopback is where everything in a pilot listens: reachable from this machine
// alone, at a free port.
const loopback = "127.0.0.1:0"

// readToken reads the bearer token of an agency's publisher.
func readToken(layout Layout, v voice) (string, error) {
	return keyfile.Token(layout.publisherToken(v))
}
