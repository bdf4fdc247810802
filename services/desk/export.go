package desk

import (
	"context"
	"fmt"
	"io"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// Export writes what a desk's journal holds of the log, for a hub that has lost
// it: the tree as far as the mirror goes, with each of the notary's checkpoints, the newest
// cosignatures, and every message, those that are above the mirror included. Of
// config it reads Country, Directory and Charter. The desk may run meanwhile: its
// journal only grows.
func Export(ctx context.Context, config Config, to io.Writer) error {
	if err := export(ctx, config, to); err != nil {
		return fmt.Errorf("desk: exporting the journal: %w", err)
	}
	return nil
}

func export(ctx context.Context, config Config, to io.Writer) error {
	path, err := journalOf(config.Directory)
	if err != nil {
		return err
	}
	j, err := journal.Read(ctx, path)
	if err != nil {
		return err
	}
	defer j.Close()
	w, err := holding.NewWriter(to, config.Charter.Digest, "desk "+config.Country)
	if err != nil {
		return err
	}
	if err := exportLeaves(ctx, j, w); err != nil {
		return err
	}
	if err := exportCosignatures(ctx, j, config.Charter, w); err != nil {
		return err
	}
	if err := exportMessages(ctx, j, w); err != nil {
		return err
	}
	return w.Close()
}

// exportLeaves writes one record for each checkpoint: a mirror's cosignature, and
// what publishers say they have seen, speak of any of them.
func exportLeaves(ctx context.Context, j *journal.Journal, w *holding.Writer) error {
	from := uint64(0)
	return j.Checkpoints(ctx, func(c journal.Checkpoint) error {
		if c.Size <= from {
			return nil
		}
		leaves, err := j.Leaves(ctx, from, c.Size)
		if err != nil {
			return err
		}
		message := &logv1.Leaves{Start: from, Checkpoint: c.Note}
		places := map[string]uint32{}
		for _, leaf := range leaves {
			message.Hashes = append(message.Hashes, leaf.Hash[:]...)
			place, ok := places[leaf.Audience]
			if !ok {
				place = uint32(len(message.Audiences))
				places[leaf.Audience] = place
				message.Audiences = append(message.Audiences, leaf.Audience)
			}
			message.Labels = append(message.Labels, place)
		}
		from = c.Size
		return w.Leaves(message)
	})
}

// exportCosignatures writes those that the mirror counted, and this country's own.
func exportCosignatures(ctx context.Context, j *journal.Journal, charter registry.Charter, w *holding.Writer) error {
	own, err := j.Cosigned(ctx)
	if err != nil {
		return err
	}
	if len(own.Note) > 0 {
		if err := w.Cosignature(own.Note); err != nil {
			return err
		}
	}
	place, err := j.Place(ctx)
	if err != nil || len(place.Snapshot) == 0 {
		return err
	}
	book := &chronicle{journal: j, state: registry.New(charter.Digest)}
	state, err := book.read(ctx)
	if err != nil {
		return err
	}
	policies, err := state.Policies()
	if err != nil {
		return nil // no founding: then there are no leaves either
	}
	follower, err := translog.NewFollowerAt(policies, place.Snapshot)
	if err != nil {
		return nil // a damaged mirror: its own alarm; the leaves prove themselves
	}
	_, notes := follower.Notes()
	for _, note := range notes {
		if err := w.Cosignature(note); err != nil {
			return err
		}
	}
	return nil
}

func exportMessages(ctx context.Context, j *journal.Journal, w *holding.Writer) error {
	for from := uint64(0); ; {
		messages, err := j.Messages(ctx, from, compareAtOnce)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			return exportUnlogged(ctx, j, w)
		}
		for _, m := range messages {
			if err := w.Message(holding.Message{Index: m.Index, Known: true, Subject: m.Subject, Data: m.Data}); err != nil {
				return err
			}
		}
		from = messages[len(messages)-1].Index + 1
	}
}

// exportUnlogged writes what an earlier restoration had others in the place of.
func exportUnlogged(ctx context.Context, j *journal.Journal, w *holding.Writer) error {
	unlogged, err := j.Unlogged(ctx)
	if err != nil {
		return err
	}
	for _, m := range unlogged {
		if err := w.Message(holding.Message{Subject: m.Subject, Data: m.Data}); err != nil {
			return err
		}
	}
	return nil
}
