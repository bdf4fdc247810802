package desk

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// BreachRelease is the code of a release whose event is not what the log has at its place.
const BreachRelease = "release"

// errAwaited says that the mirror has not come to a released event's leaf yet.
var errAwaited = errors.New("the mirror is not that far")

// release takes in the event that a notice gives to this country, with all that the log proves of
// it here: its bytes are those of the leaf at its index, and it is signed by a key that was valid
// there. That its chain is whole only those know who read its address. notice is the row of the event that
// says so, which gets a breach where any of this does not hold.
func (f *folder) release(ctx context.Context, tx view.Tx, notice *view.Entry, said casework.Said) error {
	released, ok := casework.ReleasedBy(said)
	if !ok || released.To != f.country {
		return nil
	}
	_, known, err := f.journal.At(ctx, released.Index)
	if err != nil || known || released.Index >= said.Index {
		return err // what this country reads itself is in its place; its keys are all that the release adds
	}
	e, audience, err := f.proven(ctx, released)
	switch {
	case errors.Is(err, errAwaited):
		return f.ring.Await(ctx, released.Index)
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		notice.Breaches = append(notice.Breaches, casework.Breach{Code: BreachRelease, Index: said.Index, What: err.Error()})
		return nil
	}
	if e.Chain.Country != said.Country || e.Chain.Agency != said.Agency {
		return nil // ReleasedBy has looked; the gate said so
	}
	had, err := spokenOf(tx, e)
	if err != nil || had {
		return err
	}
	opened, err := f.open(ctx, released.Index, e)
	if err != nil {
		return err
	}
	heard := casework.Hear(released.Index, e, opened, audience)
	change, err := casework.Fold(tx, heard)
	if err != nil {
		return err
	}
	m := journal.Message{Index: released.Index, Subject: released.Subject, Data: released.Envelope}
	entry := entryOf(m, verdict.Judged{Code: verdict.Accepted, Event: e})
	entry.Released, entry.Counter = said.Index, 0 // not on a chain that this desk has
	tell(&entry, heard, change)
	return tx.Take(entry, event.Head{})
}

// spokenOf reports whether an event was folded before.
func spokenOf(c casework.Cabinet, e event.Verified) (bool, error) {
	document, ok, err := casework.Load[casework.Event](c, casework.Ref{Type: casework.TypeEvent, ID: e.ID.String()})
	if err != nil || !ok {
		return false, err
	}
	for _, origin := range document.Origins {
		if origin.Country == e.Chain.Country && origin.Agency == e.Chain.Agency {
			return true, nil
		}
	}
	return false, nil
}

// proven is a released event once the mirror and the registry as it was at its index prove it, with the
// audience that it was said to. Its errors, other than errAwaited, are plain sentences.
func (f *folder) proven(ctx context.Context, r casework.Released) (event.Verified, registry.Audience, error) {
	none := registry.Audience{}
	leaf, ok, err := f.journal.Leaf(ctx, r.Index)
	switch {
	case err != nil:
		return event.Verified{}, none, err
	case !ok:
		return event.Verified{}, none, errAwaited
	case leaf.Hash != translog.LeafHash(r.Index, r.Subject, r.Envelope):
		return event.Verified{}, none, fmt.Errorf("what is released is not what the log has at index %d", r.Index)
	}
	state, err := f.registryAt(ctx, r.Index)
	if err != nil {
		return event.Verified{}, none, err
	}
	// Nobody here knows the chain: to Judge it begins with this event.
	judged, err := verdict.Judge(state, begun{}, &f.roots, r.Index, r.Subject, r.Envelope)
	switch {
	case err != nil:
		return event.Verified{}, none, err
	case judged.Event.ID == event.ID{}:
		return event.Verified{}, none, fmt.Errorf("what is released was refused at index %d: %s", r.Index, judged.Code)
	}
	audience, _ := state.Audience(registry.AudienceOf(judged.Event.Chain.Audience))
	return judged.Event, audience, nil
}

// begun are chains of which nothing is known.
type begun struct{}

func (begun) Head(event.Chain) (event.Head, error) { return event.Head{}, nil }
func (begun) HeaderAt(event.Chain, uint64) (event.Digest, error) {
	return event.Digest{}, errors.New("no chain is known")
}

// registryAt is the registry before the message at a log index.
func (f *folder) registryAt(ctx context.Context, index uint64) (registry.State, error) {
	state := registry.New(f.charter)
	if index == 0 {
		return state, nil
	}
	updates, err := f.journal.Registry(ctx, 0, index-1)
	if err != nil {
		return state, err
	}
	for _, m := range updates {
		if next, err := state.Apply(m.Index, m.Subject, m.Data); err == nil {
			state = next // what does not apply was refused, and its row says so
		}
	}
	return state, nil
}
