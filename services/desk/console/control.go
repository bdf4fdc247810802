package console

import (
	"context"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Control hands what officers decide to the publishers of this country's agencies. Each
// call may be repeated: what was decided once is not decided again. An error that is a
// Refusal to decide is shown as it reads.
type Control interface {
	// Reaches says why decisions of an agency cannot be handed over from here; empty: they can.
	Reaches(ctx context.Context, agency string) (why string)
	// Erase takes the keys of an agency's event out of its key record, for good.
	Erase(ctx context.Context, agency, eventID, reason string) error
	// Say hands in a report: a recall, a review.
	Say(ctx context.Context, agency string, report *caseworkv1.Report) error
	// Release gives sections of an agency's event to one more country.
	Release(ctx context.Context, agency string, release Releasing) error
}

// Releasing is a release as an officer decides it.
type Releasing struct {
	Key          string   // the idempotency key
	Index        uint64   // log index of the event
	Compartments []string // sorted; this desk has opened their sections
	To           string   // ISO 3166-1 alpha-2
	Audience     string   // identifier of an audience that To reads, where it is said
	Marking      *caseworkv1.Marking
}

// Refused says in plain words why a publisher did not do what was asked.
type Refused struct{ Why string }

func (r Refused) Error() string { return r.Why }
