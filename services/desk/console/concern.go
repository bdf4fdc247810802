package console

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

// concern is what an event of control is about: the events that it speaks of, and what it says of them.
type concern struct {
	Known []eventLink
	More  int // events that are not shown
	Lines []line
}

// spoken is what one document has of an event of control.
type spoken struct {
	country, agency string // who said the events
	events          []string
	stated          uint64 // log index of the one event, as it is stated; 0: it is not
	lines           []line
}

// concernOf reads it from the documents that an event of control touched; nil where it
// had no effect, or is another event.
func (c *Console) concernOf(ctx context.Context, current session, e view.Entry) (*concern, error) {
	var all spoken
	for _, ref := range e.Refs {
		one, err := c.spokenIn(ctx, current, ref, e.Index)
		if err != nil {
			return nil, err
		}
		if len(one.events) > 0 { // of all events that it speaks of it says the same
			one.events = append(all.events, one.events...)
			all = one
		}
	}
	if len(all.events) == 0 {
		return nil, nil
	}
	about := &concern{Lines: all.lines, More: max(0, len(all.events)-recordsOnEvent)}
	var err error
	about.Known, err = c.linksTo(ctx, current, all.events[:len(all.events)-about.More], all.country, all.agency)
	if err == nil && !about.Known[0].Here {
		about.Known[0].Index = all.stated
	}
	return about, err
}

// spokenIn reads what the event at a log index says in one of its documents.
func (c *Console) spokenIn(ctx context.Context, current session, ref casework.Ref, at uint64) (spoken, error) {
	reader, texts := c.reader(current), c.pages.texts
	switch ref.Type {
	case casework.TypeErasure:
		found, err := known[casework.Erasure](ctx, reader, ref)
		for _, claim := range found.Claims {
			if claim.Index == at {
				return spoken{found.Country, found.Agency, []string{found.ID}, 0, lines(line{Label: "recall.reason", Value: claim.Reason})}, nil
			}
		}
		return spoken{}, err
	case casework.TypeReview:
		found, err := known[casework.Review](ctx, reader, ref)
		for _, claim := range found.Claims {
			if claim.Index == at {
				return spoken{found.Country, found.Agency, []string{found.ID}, 0,
					lines(line{Label: "decide.review.date", Value: claim.Date}, line{Label: "recall.reason", Value: claim.Reason})}, nil
			}
		}
		return spoken{}, err
	case casework.TypeRelease:
		found, err := known[casework.Release](ctx, reader, ref)
		for _, claim := range found.Claims {
			if claim.Index == at {
				return spoken{found.Country, found.Agency, []string{found.ID}, claim.Event,
					lines(line{Label: "releases.to", Value: claim.To}, line{Label: "releases.what", Value: texts.words("compartment", claim.Compartments)})}, nil
			}
		}
		return spoken{}, err
	case casework.TypeRecall:
		found, err := known[casework.Recall](ctx, reader, ref)
		for _, claim := range found.Claims {
			if claim.Index == at {
				return spoken{found.Country, found.Agency, eventsOf(claim), 0, c.recallSaid(found, claim)}, nil
			}
		}
		return spoken{}, err
	}
	return spoken{}, nil
}

// eventsOf are those that a recall, or a receipt of it, names.
func eventsOf(claim casework.RecallClaim) []string {
	if claim.Receipt != nil {
		return claim.Receipt.Events
	}
	return claim.Events
}

func (c *Console) recallSaid(recall *casework.Recall, claim casework.RecallClaim) []line {
	page := line{Label: "type.recall", Value: recall.ID, Link: hrefOf(casework.RecallRef(recall.Country, recall.Agency, recall.ID))}
	if claim.Receipt == nil {
		return lines(page, line{Label: "recall.deadline", Value: stated(claim.Deadline)}, line{Label: "recall.reason", Value: claim.Reason})
	}
	return lines(page, line{Label: "recall.destroyed", Value: stated(claim.Receipt.Destroyed)},
		line{Label: "recall.exports", Value: strconv.FormatUint(uint64(claim.Receipt.Exports), 10)})
}

// became is what its agency did with an event after it was said.
type became struct {
	Erasures []repeated[casework.ErasureClaim]
	Recalls  []recallView
	Releases []casework.ReleaseClaim
	Reviews  []casework.ReviewClaim
}

// Any says whether it did anything.
func (b became) Any() bool {
	return len(b.Erasures)+len(b.Recalls)+len(b.Releases)+len(b.Reviews) > 0
}

// becameOf reads it, the newest of each. Recalls are those that the event's own document names.
func (c *Console) becameOf(ctx context.Context, current session, of casework.EventRef, recalls []string) (became, error) {
	reader := c.reader(current)
	erasure, err := known[casework.Erasure](ctx, reader, of.In(casework.TypeErasure))
	if err != nil {
		return became{}, err
	}
	release, err := known[casework.Release](ctx, reader, of.In(casework.TypeRelease))
	if err != nil {
		return became{}, err
	}
	review, err := known[casework.Review](ctx, reader, of.In(casework.TypeReview))
	if err != nil {
		return became{}, err
	}
	shown := became{Erasures: repeats(newestOf(erasure.Claims), sameErasure, indexOfErasure), Releases: newestOf(release.Claims), Reviews: newestOf(review.Claims)}
	if len(recalls) == 0 {
		return shown, nil
	}
	owed, err := c.owed(ctx)
	if err != nil {
		return became{}, err
	}
	for _, id := range newestOf(recalls) {
		ref := casework.RecallRef(of.Country, of.Agency, id)
		recall, err := known[casework.Recall](ctx, reader, ref)
		if err != nil {
			return became{}, err
		}
		recall.Country, recall.Agency, recall.ID = of.Country, of.Agency, id // also of one that is being folded again
		shown.Recalls = append(shown.Recalls, c.recallOf(recall, owed))
	}
	return shown, nil
}

// repeated is what was said once or more often: an event that was released is erased, and recalled, in
// each audience that it was given to.
type repeated[C any] struct {
	First C
	Said  []uint64 // log index of each time
}

// repeats gives each claim once, in the order of the first time.
func repeats[C any](claims []C, same func(a, b C) bool, index func(C) uint64) []repeated[C] {
	var all []repeated[C]
	for _, claim := range claims {
		at := slices.IndexFunc(all, func(r repeated[C]) bool { return same(r.First, claim) })
		if at < 0 {
			at, all = len(all), append(all, repeated[C]{First: claim})
		}
		all[at].Said = append(all[at].Said, index(claim))
	}
	return all
}

func sameErasure(a, b casework.ErasureClaim) bool { return a.Reason == b.Reason }

func indexOfErasure(c casework.ErasureClaim) uint64 { return c.Index }

func sameRecall(a, b casework.RecallClaim) bool {
	return a.Reason == b.Reason && a.Deadline == b.Deadline
}

func indexOfRecall(c casework.RecallClaim) uint64 { return c.Index }

// timesOnEvent bounds how often the same was decided about an event that its page shows.
const timesOnEvent = 10

func newestOf[C any](claims []C) []C {
	return slices.Clone(claims[max(0, len(claims)-timesOnEvent):])
}

// known is a document, or an empty one where there is none now.
func known[D any](ctx context.Context, reader view.Reader, ref casework.Ref) (*D, error) {
	found, err := read[D](ctx, reader, ref.Type, ref.ID)
	if errors.Is(err, errNotFound) || errors.Is(err, view.ErrFolding) {
		return new(D), nil
	}
	return found, err
}
