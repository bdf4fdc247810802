package desk

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/services/desk/journal"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

// CaughtUp reports whether the view is a fold of all that was journaled, opened with
// all that the key ring has.
func (d *Desk) CaughtUp(ctx context.Context) (bool, error) {
	if stale, _, err := d.ring.Stale(ctx); err != nil || stale {
		return false, err
	}
	last, ok, err := d.journal.Last(ctx)
	if err != nil || !ok {
		return !ok, err
	}
	cursor, err := d.shelf.Cursor(ctx)
	return cursor.Sequence == last.Sequence(), err
}

// Audited is this desk's own view in the form in which an audit gives it, to be
// held beside it.
func (d *Desk) Audited(ctx context.Context) (audit.Desk, error) {
	digest, cursor, err := d.shelf.Digest(ctx)
	if err != nil {
		return audit.Desk{}, err
	}
	size := d.Status().LogSize
	held, err := d.journal.Held(ctx, size)
	if err != nil {
		return audit.Desk{}, err
	}
	own := audit.Desk{
		LogIndex: cursor.Index, ViewDigest: hex.EncodeToString(digest[:]), Sealed: size - held, Opened: true,
		Transfers: []casework.TransferSummary{}, Breaches: []casework.Breach{},
	}
	counts, err := d.shelf.Counts(ctx)
	if err != nil {
		return audit.Desk{}, err
	}
	for _, count := range counts {
		own.Events += count
	}
	transfers, err := documents[casework.Transfer](ctx, d, casework.TypeTransfer)
	if err != nil {
		return audit.Desk{}, err
	}
	for _, transfer := range transfers {
		own.Transfers = append(own.Transfers, transfer.Summary())
	}
	breaches, err := documents[casework.Breaches](ctx, d, casework.TypeBreach)
	if err != nil {
		return audit.Desk{}, err
	}
	for _, b := range breaches {
		own.Breaches = append(own.Breaches, b.Breaches...)
	}
	return own, nil
}

// Opener opens events as this desk does, for an audit of it. It is for one goroutine.
func (d *Desk) Opener() audit.Opener {
	return opens(d.ring.Opener(d.config.OpeningKeys, d.registry), d.now)
}

// OpenerOf is Opener for the desk of a directory, which may be running. Of config it reads Country,
// Directory, Charter and OpeningKeys. It reads until close is called.
func OpenerOf(ctx context.Context, config Config) (opener audit.Opener, closing func() error, err error) {
	ring, state, err := ringOf(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	return opens(ring.Opener(config.OpeningKeys, func() registry.State { return state }), config.now), ring.Close, nil
}

// ringOf is the key ring of a desk's directory, to be read, and the newest registry that the desk has.
func ringOf(ctx context.Context, config Config) (*keyring.Ring, registry.State, error) {
	path, err := journalOf(config.Directory)
	if err != nil {
		return nil, registry.State{}, err
	}
	j, err := journal.Read(ctx, path)
	if err != nil {
		return nil, registry.State{}, err
	}
	defer j.Close()
	state, err := newChronicle(j, config.Charter.Digest).read(ctx)
	if err != nil {
		return nil, registry.State{}, err
	}
	ring, err := keyring.Read(ctx, filepath.Join(config.Directory, "keys.db"), config.Country)
	return ring, state, err
}

func opens(o *keyring.Opener, now func() time.Time) audit.Opener {
	return func(index uint64, e event.Verified) ([]casework.Opened, error) {
		sections, err := o.Open(context.Background(), index, e, now())
		return openedOf(sections), err
	}
}

// documents reads all of a type.
func documents[D any](ctx context.Context, d *Desk, entityType string) ([]*D, error) {
	rows, err := d.shelf.Documents(ctx, entityType)
	if err != nil {
		return nil, err
	}
	all := make([]*D, len(rows))
	for i, row := range rows {
		all[i] = new(D)
		if err := json.Unmarshal(row.Data, all[i]); err != nil {
			return nil, fmt.Errorf("decoding %s %s: %w", row.Ref.Type, row.Ref.ID, err)
		}
	}
	return all, nil
}
