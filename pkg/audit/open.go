package audit

import (
	"fmt"
	"slices"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
)

// Opener opens an event's sections as one country's desk does, with its keys.
type Opener func(index uint64, e event.Verified) ([]casework.Opened, error)

// Open gives the replay a desk's keys, before the first event. A desk of which there are none
// is replayed with what lies in clear, and its Desk says that content was not compared.
func (r *Replay) Open(country string, opener Opener) {
	r.openers[country] = opener
	if d := r.desks[country]; d != nil {
		d.open = opener
	}
}

// leafAt is a message of the log as it can be released later.
type leafAt struct {
	hash  translog.Hash
	state registry.State // before it
}

// said folds an accepted event into a desk's documents, and with it what it releases to the desk.
func (r *Replay) said(d *desk, state registry.State, index uint64, e event.Verified) error {
	heard, err := d.fold(state, index, e)
	if err != nil {
		return err
	}
	released, ok := casework.ReleasedBy(heard)
	if !ok || released.To != d.country || released.Index >= index || released.Index >= uint64(len(r.leaves)) {
		return nil
	}
	leaf := r.leaves[released.Index]
	known := slices.Contains(r.state.Reads(d.country), verdict.Label(released.Subject))
	if known || leaf.hash != translog.LeafHash(released.Index, released.Subject, released.Envelope) {
		return nil // the desk has it in its place, or refused it
	}
	judged, err := verdict.Judge(leaf.state, unknownChains{}, &r.roots, released.Index, released.Subject, released.Envelope)
	if err != nil || judged.Event.ID == (event.ID{}) {
		return err
	}
	document, _, err := casework.Load[casework.Event](&d.cabinet, casework.Ref{Type: casework.TypeEvent, ID: judged.Event.ID.String()})
	if err != nil {
		return err
	}
	if document != nil && slices.ContainsFunc(document.Origins, func(o casework.Origin) bool {
		return o.Country == e.Chain.Country && o.Agency == e.Chain.Agency
	}) {
		return nil
	}
	d.events++ // it has a row of its own at the desk
	_, err = d.fold(leaf.state, released.Index, judged.Event)
	return err
}

// fold folds an event as the desk can open it.
func (d *desk) fold(state registry.State, index uint64, e event.Verified) (casework.Said, error) {
	sections := casework.InClear(e)
	if d.open != nil {
		var err error
		if sections, err = d.open(index, e); err != nil {
			return casework.Said{}, fmt.Errorf("opening index %d for %s: %w", index, d.country, err)
		}
	}
	audience, _ := state.Audience(registry.AudienceOf(e.Chain.Audience))
	heard := casework.Hear(index, e, sections, audience)
	_, err := casework.Fold(&d.cabinet, heard)
	return heard, err
}

// unknownChains are those of a reader that knows none: an event that is released is judged by
// itself.
type unknownChains struct{}

func (unknownChains) Head(event.Chain) (event.Head, error) { return event.Head{}, nil }
func (unknownChains) HeaderAt(event.Chain, uint64) (event.Digest, error) {
	return event.Digest{}, fmt.Errorf("no chain is known")
}
