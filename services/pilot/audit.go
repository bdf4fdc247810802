package pilot

import (
	"context"
	"errors"
	"io/fs"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/auditor"
	"github.com/tripoint/tripoint/services/desk"
)

// Audit replays the log in a data directory, of a pilot that runs or of one that
// was stopped, with the keys of the desks that are there: sealed content is folded as each of them does.
func Audit(ctx context.Context, data string, progress func(replayed, known uint64)) (summary audit.Summary, err error) {
	err = attach(ctx, data, func(charter registry.Charter, connection func(string) stream.Config) error {
		openers, closing, err := openers(ctx, Layout(data), charter)
		if err != nil {
			return err
		}
		defer closing()
		summary, err = auditor.Replay(ctx, auditor.Config{Charter: charter, Stream: connection(stream.AuditUser), Openers: openers, Progress: progress})
		return err
	})
	return summary, err
}

// openers are those of the founders' desks that have been here, read beside them where they run.
func openers(ctx context.Context, layout Layout, charter registry.Charter) (map[string]audit.Opener, func(), error) {
	found, open := map[string]audit.Opener{}, []func() error{}
	closing := func() {
		for _, end := range open {
			_ = end() // it was only read
		}
	}
	state, err := charter.State()
	if err != nil {
		return nil, closing, err
	}
	for _, country := range state.Countries() {
		keys, err := layout.loadOpenings(country)
		if err != nil {
			closing()
			return nil, nil, err
		}
		opener, end, err := desk.OpenerOf(ctx, desk.Config{Country: country, Directory: layout.desk(country), Charter: charter, OpeningKeys: keys})
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			closing()
			return nil, nil, err
		}
		found[country], open = opener, append(open, end)
	}
	return found, closing, nil
}

// loopback is where everything in a pilot listens: reachable from this machine
// alone, at a free port.
const loopback = "127.0.0.1:0"

// readToken reads the bearer token of an agency's publisher.
func readToken(layout Layout, v voice) (string, error) {
	return keyfile.Token(layout.publisherToken(v))
}
