package console

import (
	"context"
	"slices"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

// passage is how far a decision has come since a publisher took it, as far as this desk has heard.
type passage struct {
	Said   uint64      // log index of the event that says it; 0: it has not come back from the log
	Recall *recallView // who has answered; nil: it is no recall, or has not come back
}

// passageOf looks for what the log says of a decision. Of the same decision made twice, it is the newest.
func (c *Console) passageOf(ctx context.Context, current session, event view.Entry, d draft) (passage, error) {
	of, reader := casework.EventRef{Country: event.Country, Agency: event.Agency, ID: event.EventID}, c.reader(current)
	var gone passage
	switch d.action {
	case "erase":
		found, err := known[casework.Erasure](ctx, reader, of.In(casework.TypeErasure))
		for _, claim := range found.Claims {
			gone.Said = claim.Index
		}
		return gone, err
	case "review":
		found, err := known[casework.Review](ctx, reader, of.In(casework.TypeReview))
		for _, claim := range found.Claims {
			if claim.Date == d.Value("date") && claim.Reason == d.Value("reason") {
				gone.Said = claim.Index
			}
		}
		return gone, err
	case "release":
		found, err := known[casework.Release](ctx, reader, of.In(casework.TypeRelease))
		for _, claim := range found.Claims {
			if claim.To == d.Value("to") && slices.Equal(slices.Sorted(slices.Values(claim.Compartments)), slices.Compact(slices.Sorted(slices.Values(d.Chosen())))) {
				gone.Said = claim.Index
			}
		}
		return gone, err
	}
	found, err := known[casework.Recall](ctx, reader, casework.RecallRef(event.Country, event.Agency, recallID(event, d)))
	if err != nil || len(found.Claims) == 0 {
		return gone, err
	}
	owed, err := c.owed(ctx)
	if err != nil {
		return gone, err
	}
	shown := c.recallOf(found, owed)
	for _, claim := range found.Claims {
		if claim.Receipt == nil {
			gone.Said, gone.Recall = claim.Index, &shown
		}
	}
	return gone, nil
}
