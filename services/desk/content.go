package desk

import (
	"context"
	"slices"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

// open is an event's sections as this desk has them.
func (f *folder) open(ctx context.Context, index uint64, e event.Verified) ([]casework.Opened, error) {
	sections, err := f.opener.Open(ctx, index, e, f.now())
	if err != nil {
		return nil, err
	}
	for _, s := range sections {
		f.missing = f.missing || seal.ReasonOf(s.Err) == seal.NoRecord
	}
	return openedOf(sections), nil
}

// openedOf is sections in the words of the fold.
func openedOf(sections []seal.Section) []casework.Opened {
	opened := make([]casework.Opened, len(sections))
	for i, s := range sections {
		opened[i] = casework.Opened{Compartment: s.Compartment, Content: s.Content, Closed: string(seal.ReasonOf(s.Err))}
	}
	return opened
}

// obey does at once what an event of control asks of this desk: the pieces of what was erased or
// recalled go before anything is committed. The view that holds their content is folded again.
// Who is not the originator of an event, as the log has it, closes nothing.
func (f *folder) obey(ctx context.Context, tx casework.Cabinet, said casework.Said) error {
	closing := keyring.Closure{Country: said.Country, Agency: said.Agency, Index: said.Index, Reason: keyring.Recalled}
	refs := casework.RecalledBy(said)
	if erased := said.Case.GetControlErased(); erased != nil {
		closing.Reason = seal.Erased
		for _, erasure := range erased.GetErasures() {
			refs = append(refs, casework.EventRef{Country: said.Country, Agency: said.Agency, ID: erasure.GetEventId()})
		}
	}
	if len(refs) == 0 {
		return nil
	}
	for _, ref := range refs {
		id, ok, err := closable(tx, ref)
		if err != nil {
			return err
		}
		if ok {
			closing.Events = append(closing.Events, id)
		}
	}
	taken, err := f.ring.Shut(ctx, closing, true)
	if err != nil {
		return err
	}
	f.taken.Closed = append(f.taken.Closed, taken.Closed...)
	f.taken.Stale, f.taken.Mark = f.taken.Stale || taken.Stale, max(f.taken.Mark, taken.Mark)
	return nil
}

// owe notes the receipt that a recall asks of this country, once it is folded. A country that was told
// elsewhere, or reads this audience and was never given the events, is not asked here.
func (f *folder) owe(ctx context.Context, tx casework.Cabinet, said casework.Said) error {
	recall := said.Case.GetControlRecalled()
	asked, err := casework.AskedBy(tx, said)
	if err != nil || !slices.Contains(asked, f.country) {
		return err
	}
	owed := keyring.Receipt{
		Country: said.Country, Agency: said.Agency, Recall: recall.GetRecallId(), Audience: said.Audience, Retention: said.Retention,
		Purpose: said.Case.GetMarking().GetPurpose(), Index: said.Index, Deadline: recall.GetDeadline(),
	}
	for _, ref := range casework.RecalledBy(said) {
		id, ok, err := closable(tx, ref)
		if err != nil {
			return err
		}
		if ok {
			owed.Events = append(owed.Events, id)
		}
	}
	return f.ring.Owe(ctx, owed)
}

// closable reports whether an event was said before, by that agency, and is not of control.
func closable(c casework.Cabinet, ref casework.EventRef) (event.ID, bool, error) {
	id, err := event.ParseID(ref.ID)
	if err != nil {
		return event.ID{}, false, nil
	}
	document, ok, err := casework.Load[casework.Event](c, casework.Ref{Type: casework.TypeEvent, ID: id.String()})
	if err != nil || !ok {
		return event.ID{}, false, err
	}
	for _, origin := range document.Origins {
		if origin.Country == ref.Country && origin.Agency == ref.Agency {
			return id, casework.Recallable(origin.Kind), nil
		}
	}
	return event.ID{}, false, nil
}
