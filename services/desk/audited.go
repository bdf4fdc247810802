package desk

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/casework"
)

// CaughtUp reports whether all that was journaled is in the view.
func (d *Desk) CaughtUp(ctx context.Context) (bool, error) {
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
		LogIndex: cursor.Index, ViewDigest: hex.EncodeToString(digest[:]), Sealed: size - held,
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
