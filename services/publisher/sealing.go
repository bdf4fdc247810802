package publisher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/seal"
	"github.com/tripoint/tripoint/pkg/stream"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// sealer makes batches of one audience's drafts, on one chain, with one key.
type sealer struct {
	key   event.SigningKey
	chain event.Chain
	seen  event.Seen
	to    []registry.Opening
	days  map[string]uint32 // that content lives, by retention class
	clear bool              // a benchmark's other side

	head      event.Head
	envelopes []outbox.Envelope
	records   []outbox.Record
}

// batches seals and signs drafts, in their order, up to the first that has a section
// which nobody could open. blocked is the compartment of that one, 0 where there is none.
func (s *sealer) batches(drafts []outbox.Draft) (blocked eventv1.Compartment, err error) {
	open, blocked := s.openable(drafts)
	for first := 0; first < len(open); {
		batch := sameRetention(open[first:])
		if err := s.add(open[first:first+len(batch)], batch); err != nil {
			return blocked, err
		}
		first += len(batch)
	}
	return blocked, nil
}

// openable is the beginning of drafts whose every section somebody can open.
func (s *sealer) openable(drafts []outbox.Draft) ([]outbox.Draft, eventv1.Compartment) {
	opens := map[eventv1.Compartment]bool{}
	for _, o := range s.to {
		opens[eventv1.Compartment(o.Compartment)] = true
	}
	for i, d := range drafts {
		for _, section := range d.Event.Sections {
			if !opens[section.Compartment] && !s.clear {
				return drafts[:i], section.Compartment
			}
		}
	}
	return drafts, 0
}

// add seals and signs one batch. Its key record is made of keys that are nowhere else.
func (s *sealer) add(drafts []outbox.Draft, batch []event.Draft) error {
	if s.clear {
		return s.sign(drafts, batch, func([]event.Signed) (string, error) { return "", nil })
	}
	sealed, err := seal.Seal(s.chain, batch, s.to)
	if err != nil {
		return err
	}
	days, ok := s.days[batch[0].Retention]
	if !ok {
		return fmt.Errorf("the registry has no retention class %q any more", batch[0].Retention)
	}
	return s.sign(drafts, sealed.Drafts, func(signed []event.Signed) (string, error) {
		record, err := sealed.Record(s.key, signed, expiry(batch, days))
		if err != nil {
			return "", err
		}
		s.records = append(s.records, outbox.RecordOf(record.Subject(), record))
		return record.Subject(), nil
	})
}

func (s *sealer) sign(drafts []outbox.Draft, batch []event.Draft, record func([]event.Signed) (subject string, err error)) error {
	signed, next, err := event.SignBatch(s.key, s.chain, s.head, s.seen, batch)
	if err != nil {
		return err
	}
	subject, err := record(signed)
	if err != nil {
		return err
	}
	for i, e := range signed {
		s.envelopes = append(s.envelopes, outbox.Envelope{
			Sequence: drafts[i].Sequence, Address: s.chain.Audience, Renewal: s.chain.Renewal, Key: s.key.ID,
			Subject: e.Subject, Data: e.Data, Record: subject,
		})
	}
	s.head = next
	return nil
}

// The times that a record can have: a clock that is wrong must not stop a chain.
var (
	firstExpiry = time.Unix(1, 0)
	lastExpiry  = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// expiry is when the keys of a batch expire: so many days after its newest event was
// recorded, in whole seconds.
func expiry(batch []event.Draft, days uint32) time.Time {
	newest := slices.MaxFunc(batch, func(a, b event.Draft) int { return a.Recorded.Compare(b.Recorded) }).Recorded
	at := newest.UTC().Truncate(time.Second).AddDate(0, 0, int(min(days, 4_000_000)))
	switch {
	case at.Before(firstExpiry):
		return firstExpiry
	case at.After(lastExpiry):
		return lastExpiry
	}
	return at
}

// sameRetention is the longest beginning of one retention class: a signed batch
// has one, as its key record has, and the chain keeps the order of acceptance.
func sameRetention(drafts []outbox.Draft) []event.Draft {
	var batch []event.Draft
	for _, d := range drafts[:min(len(drafts), seal.MaxEvents)] {
		if d.Event.Retention != drafts[0].Event.Retention {
			break
		}
		batch = append(batch, d.Event)
	}
	return batch
}

// unopened says who can end that nobody could open a compartment.
func unopened(audience registry.Audience, compartment eventv1.Compartment) string {
	return fmt.Sprintf("none of those who read %s has an opening key for %s: nothing is published in clear. "+
		"What was accepted with such a section, and all after it, waits here. Have the root of %s enrol an opening key of its desk for it",
		audience.ID, compartmentName(compartment), strings.Join(audience.Members, " or "))
}

func compartmentName(c eventv1.Compartment) string {
	return strings.ToLower(strings.TrimPrefix(c.String(), "COMPARTMENT_"))
}

// publishRecords sees to it that the key records of envelopes lie on the hub, before
// these do: a reader has the keys when it has the event.
func (l *lane) publishRecords(ctx context.Context, envelopes []outbox.Envelope) error {
	last := ""
	for _, e := range envelopes {
		if e.Record == last {
			continue
		}
		last = e.Record
		record, ok, err := l.publisher.outbox.Record(ctx, e.Record)
		if err != nil {
			return err
		}
		if !ok || record.Stored == record.Revision {
			continue // of another copy of this outbox, expired, or there
		}
		if record, err = l.publisher.narrowed(ctx, record, record.Stored > 0); err != nil {
			return err
		}
		if err := l.publisher.putRecord(ctx, record); err != nil {
			return err
		}
	}
	return nil
}

// putRecord publishes a record and keeps the hub's word. After a crash between the two
// it is published again: the first revision only where nothing lies on its subject,
// so that a copy of this outbox does not bring back what was erased since.
func (p *Publisher) putRecord(ctx context.Context, r outbox.Record) error {
	life := r.Expires.Sub(p.outbox.Clock())
	if life < time.Second {
		return nil // nobody would open with it; it is deleted here too
	}
	after := r.Cursor
	if r.Revision == 1 {
		after = 0
	}
	sequence, err := p.hub.PutRecord(ctx, r.Subject, r.Data, after, life)
	if there := (*stream.Occupied)(nil); errors.As(err, &there) {
		if sequence, err = there.Sequence, nil; r.Revision > 1 {
			sequence, err = p.hub.PutRecord(ctx, r.Subject, r.Data, there.Sequence, life)
		}
	}
	if err != nil {
		return fmt.Errorf("a key record waits to be published again: %w", err)
	}
	// The answer is kept even where the publisher is being stopped.
	return p.outbox.PutRecorded(context.WithoutCancel(ctx), r, sequence)
}
