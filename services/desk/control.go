package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/desk/console"
)

// Voice reaches the publisher of one agency of this country. A publisherv1connect client is one.
type Voice interface {
	GetStatus(context.Context, *publisherv1.GetStatusRequest) (*publisherv1.GetStatusResponse, error)
	Publish(context.Context, *publisherv1.PublishRequest) (*publisherv1.PublishResponse, error)
	Erase(context.Context, *publisherv1.EraseRequest) (*publisherv1.EraseResponse, error)
	Release(context.Context, *publisherv1.ReleaseRequest) (*publisherv1.ReleaseResponse, error)
}

// control hands what officers decide to publishers. It keeps nothing: a decision is the
// publisher's once that has answered, and the log's once it comes back.
type control struct{ desk *Desk }

func (c control) voice(agency string) (Voice, error) {
	if c.desk.config.Voice != nil {
		if voice := c.desk.config.Voice(agency); voice != nil {
			return voice, nil
		}
	}
	return nil, console.Refused{Why: fmt.Sprintf("No publisher of %s %s is configured at this desk.", c.desk.config.Country, agency)}
}

// Reaches asks the publisher whose it is: the wrong one would refuse.
func (c control) Reaches(ctx context.Context, agency string) string {
	voice, err := c.voice(agency)
	if err != nil {
		return err.Error()
	}
	status, err := voice.GetStatus(ctx, &publisherv1.GetStatusRequest{})
	switch {
	case err != nil:
		return fmt.Sprintf("The publisher of %s %s does not answer.", c.desk.config.Country, agency)
	case status.GetCountry() != c.desk.config.Country || status.GetAgency() != agency:
		return fmt.Sprintf("The publisher that is configured speaks for %s %s, and this is of %s.", status.GetCountry(), status.GetAgency(), agency)
	}
	return ""
}

func (c control) Erase(ctx context.Context, agency, eventID, reason string) error {
	voice, err := c.voice(agency)
	if err != nil {
		return err
	}
	_, err = voice.Erase(ctx, &publisherv1.EraseRequest{EventIds: []string{eventID}, Reason: reason})
	return saidNo(err)
}

func (c control) Say(ctx context.Context, agency string, report *caseworkv1.Report) error {
	voice, err := c.voice(agency)
	if err != nil {
		return err
	}
	_, err = voice.Publish(ctx, &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{report}})
	return saidNo(err)
}

// Release hands over the content keys of sections that this desk can open now.
func (c control) Release(ctx context.Context, agency string, release console.Releasing) error {
	voice, err := c.voice(agency)
	if err != nil {
		return err
	}
	first, chosen, err := c.released(ctx, release.Index, release.Compartments)
	if err != nil {
		return err
	}
	request := &publisherv1.ReleaseRequest{
		IdempotencyKey: release.Key, To: release.To, Audience: release.Audience, Marking: release.Marking, Events: []*publisherv1.ReleasedEvent{chosen},
	}
	before, err := c.before(ctx, first, release)
	if err != nil {
		return err
	}
	request.Events = append(request.Events, before...)
	_, err = voice.Release(ctx, request)
	return saidNo(err)
}

// released is an event with the content keys of some of its sections.
func (c control) released(ctx context.Context, index uint64, compartments []string) (event.Verified, *publisherv1.ReleasedEvent, error) {
	m, ok, err := c.desk.journal.At(ctx, index)
	if err != nil || !ok {
		return event.Verified{}, nil, errors.Join(err, fmt.Errorf("releasing event %d: it is not in the journal", index))
	}
	f := c.desk.reader()
	e, _, err := f.proven(ctx, casework.Released{Index: index, Subject: m.Subject, Envelope: m.Data})
	if errors.Is(err, errAwaited) {
		return event.Verified{}, nil, console.Refused{Why: fmt.Sprintf("Event %d is not in a checkpoint yet that this desk has verified. Try again in a minute.", index)}
	} else if err != nil {
		return event.Verified{}, nil, fmt.Errorf("releasing event %d: %w", index, err)
	}
	sections, err := f.opener.Open(ctx, index, e, c.desk.now())
	if err != nil {
		return event.Verified{}, nil, err
	}
	found := &publisherv1.ReleasedEvent{Index: index, Subject: m.Subject, Envelope: m.Data}
	for _, name := range compartments {
		at := slices.IndexFunc(sections, func(s seal.Section) bool { return s.Err == nil && event.CompartmentName(s.Compartment) == name })
		if at < 0 {
			return event.Verified{}, nil, console.Refused{Why: fmt.Sprintf("The %s section of event %d is not open at this desk any more.", name, index)}
		}
		if e.Sections()[at].Form != eventv1.SectionForm_SECTION_FORM_SEALED {
			return event.Verified{}, nil, console.Refused{Why: fmt.Sprintf("The %s section of event %d was never sealed: there is no key to give.", name, index)}
		}
		found.Sections = append(found.Sections, &publisherv1.ReleasedSection{Compartment: sections[at].Compartment, ContentKey: sections[at].Key[:]})
	}
	return e, found, nil
}

// before is what was released earlier to the same country out of the same batch, by way of whichever audience,
// and can be opened still: a release takes the place of the one before, so it is named again.
func (c control) before(ctx context.Context, first event.Verified, release console.Releasing) ([]*publisherv1.ReleasedEvent, error) {
	all, err := documents[casework.Release](ctx, c.desk, casework.TypeRelease)
	if err != nil {
		return nil, err
	}
	indexes := map[uint64][]string{} // compartments
	for _, known := range all {
		if known.Country != first.Chain.Country || known.Agency != first.Chain.Agency || known.ID == first.ID.String() {
			continue
		}
		for _, claim := range known.Claims {
			if claim.To == release.To {
				indexes[claim.Event] = claim.Compartments // the newest
			}
		}
	}
	var again []*publisherv1.ReleasedEvent
	for index, compartments := range indexes {
		e, found, err := c.released(ctx, index, compartments)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && e.Place.Batch == first.Place.Batch {
			again = append(again, found) // what is not open any more was erased, or has expired
		}
	}
	slices.SortFunc(again, func(a, b *publisherv1.ReleasedEvent) int { return int(a.GetIndex()) - int(b.GetIndex()) })
	return again, nil
}

// reader is a folder that folds nothing: what it takes to prove and open single events.
func (d *Desk) reader() *folder {
	return &folder{
		charter: d.config.Charter.Digest, country: d.config.Country, journal: d.journal, ring: d.ring, now: d.now,
		opener: d.ring.Opener(d.config.OpeningKeys, d.registry),
	}
}

// saidNo tells what a publisher has refused, in its words, from an answer that was lost.
func saidNo(err error) error {
	var answer *connect.Error
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.Code() {
	case connect.CodeInvalidArgument, connect.CodeAlreadyExists, connect.CodePermissionDenied, connect.CodeNotFound, connect.CodeFailedPrecondition,
		connect.CodeUnauthenticated, connect.CodeUnimplemented, connect.CodeResourceExhausted:
		return console.Refused{Why: answer.Message()}
	}
	return err
}
