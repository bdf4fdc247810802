package publisher

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// errStale says that the log is to be read on before anything is sent.
var errStale = errors.New("the connection was made again: the registry is read before anything is sent")

// narrowed is a record without the wraps to whom it is not for any more: a country that has left its
// audience, an opening key that was revoked, since it was sealed. A key that was rotated
// stays: its desk keeps it for as long as something is sealed to it, and nobody could seal to its
// successor without the content. What was cut is on disk before it is sent. had says that
// they had the record before: then it goes to them again where nobody else is left, since
// what it has lost since must reach the hub.
func (p *Publisher) narrowed(ctx context.Context, r outbox.Record, had bool) (outbox.Record, error) {
	view := p.log.Load()
	if !p.ready(view) {
		return r, errStale
	}
	record, err := openRecord(view.state, r)
	if err != nil {
		return r, err
	}
	keep := func(g seal.Granted) bool { return reads(view.state, record.Terms, g) }
	if !slices.ContainsFunc(record.Granted(), func(g seal.Granted) bool { return !keep(g) }) {
		return r, nil
	}
	key, err := p.signingKey(view)
	if err != nil {
		return r, err
	}
	needed, err := p.outbox.Compartments(ctx, r.Subject)
	if err != nil {
		return r, err
	}
	next, dropped, err := seal.Narrow(key, record, keep, func(c eventv1.Compartment) bool {
		return len(needed) == 0 || slices.Contains(needed, c) // of a release nobody here knows
	})
	switch {
	case errors.Is(err, seal.ErrNobody) && had:
		return r, nil
	case errors.Is(err, seal.ErrNobody):
		return r, fmt.Errorf("%w: what waits for %s was sealed to opening keys that are all revoked since, or to countries that have left. "+
			"Rotate this agency's publisher key, and it is sealed anew; a release is to be decided again", seal.ErrNobody, registry.AudienceOf(record.Origin.Audience))
	case err != nil || len(dropped) == 0:
		return r, err
	}
	after := outbox.RecordOf(r.Subject, next)
	after.Stored, after.Cursor = r.Stored, r.Cursor
	if err := p.outbox.PutCut(ctx, outbox.Cut{Before: r, After: after, Batch: record.Batch}); err != nil {
		return r, err
	}
	for _, g := range dropped {
		p.config.Logger.Info("a key record leaves out a reader that it was sealed to", "batch", record.Batch.String(), "country", g.Country, "compartment", uint32(g.Compartment), "epoch", g.Epoch)
	}
	return after, nil
}

// reads reports whether a wrap's key is one that the registry lets a record be sealed to.
func reads(state registry.State, terms seal.Terms, g seal.Granted) bool {
	if terms.Recipient == "" {
		audience, ok := state.Audience(registry.AudienceOf(terms.Origin.Audience))
		if !ok || !audience.Has(g.Country) {
			return false
		}
	}
	for _, o := range state.Openings(g.Country, uint32(g.Compartment)) {
		if o.Epoch == g.Epoch {
			return !o.Revoked
		}
	}
	return false
}
