package publisher

import (
	"context"
	"fmt"
	"io"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// Export writes what an outbox holds of the log, for a hub that has lost it: the
// envelopes that are not witnessed, the registry's updates, and the newest
// checkpoint that was verified, which says how far the log went at least. Of config it reads
// Country, Agency, Directory and Charter. The publisher may run meanwhile.
func Export(ctx context.Context, config Config, to io.Writer) error {
	if err := export(ctx, config, to); err != nil {
		return fmt.Errorf("publisher: exporting the outbox: %w", err)
	}
	return nil
}

func export(ctx context.Context, config Config, to io.Writer) error {
	w, err := holding.NewWriter(to, config.Charter.Digest, "publisher "+config.Country+"/"+config.Agency)
	if err != nil {
		return err
	}
	state, err := config.Charter.State()
	if err != nil {
		return err
	}
	owner := outbox.Owner{Country: config.Country, Agency: config.Agency, Charter: config.Charter.Digest}
	snapshot, err := outbox.Inspect(ctx, config.Directory, owner, func(s outbox.Stored) error {
		if s.Known && registry.IsSubject(s.Subject) {
			if next, err := state.Apply(s.Index, s.Subject, s.Data); err == nil {
				state = next
			}
		}
		return w.Message(holding.Message{Index: s.Index, Known: s.Known, Subject: s.Subject, Data: s.Data})
	})
	if err != nil {
		return err
	}
	if err := exportCheckpoint(state, snapshot, w); err != nil {
		return err
	}
	return w.Close()
}

// exportCheckpoint writes the newest checkpoint, and the cosignatures of it. A
// snapshot that cannot be read has nothing that the outbox rests on.
func exportCheckpoint(state registry.State, snapshot []byte, w *holding.Writer) error {
	policies, err := state.Policies()
	if err != nil || snapshot == nil {
		return err
	}
	follower, err := translog.NewFollowerAt(policies, snapshot)
	if err != nil {
		return nil
	}
	checkpoint, notes := follower.Notes()
	if checkpoint == nil {
		return nil
	}
	if err := w.Leaves(&logv1.Leaves{Start: follower.Size(), Checkpoint: checkpoint}); err != nil {
		return err
	}
	for _, note := range notes {
		if err := w.Cosignature(note); err != nil {
			return err
		}
	}
	return nil
}
