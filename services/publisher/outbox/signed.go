package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Bounds say how much one call takes: so many events, and no further one once
// so many bytes are reached.
type Bounds struct{ Events, Bytes int }

// Draft is one accepted report that is not signed.
type Draft struct {
	Sequence int64 // its place in the outbox
	Event    event.Draft
}

// Envelope is one signed event.
type Envelope struct {
	Sequence int64       // its place in the outbox
	Address  string      // of its audience, as the header has it
	Renewal  int         // of its chain
	Key      event.KeyID // that signed
	Subject  string
	Data     []byte
	Record   string // subject of the key record of its batch; empty: another copy of this outbox has it
}

// Drafts are an audience's oldest reports that are not signed, in order, and
// the head of the chain that they will go to, with what is on its way.
func (o *Outbox) Drafts(ctx context.Context, audience string, chain event.Chain, bounds Bounds) ([]Draft, event.Head, error) {
	head, err := scanHead(o.read.QueryRowContext(ctx,
		`SELECT counter, digest, last_id FROM heads WHERE address = $1 AND renewal = $2`, chain.Audience, chain.Renewal))
	if err != nil {
		return nil, head, fmt.Errorf("reading the chain's head: %w", err)
	}
	rows, err := o.read.QueryContext(ctx, `
		SELECT sequence, event_id, kind, retention, recorded, body FROM drafts JOIN accepted USING (sequence) JOIN bodies USING (sequence)
		WHERE drafts.audience = $1 ORDER BY sequence LIMIT $2`, audience, bounds.Events)
	if err != nil {
		return nil, head, fmt.Errorf("reading drafts: %w", err)
	}
	defer rows.Close()
	var drafts []Draft
	for size := 0; size < bounds.Bytes && rows.Next(); {
		var id, body []byte
		var recorded int64
		var d Draft
		if err := rows.Scan(&d.Sequence, &id, &d.Event.Kind, &d.Event.Retention, &recorded, &body); err != nil {
			return nil, head, fmt.Errorf("reading drafts: %w", err)
		}
		if len(id) != len(d.Event.ID) {
			return nil, head, fmt.Errorf("reading drafts: an event id has %d bytes", len(id))
		}
		d.Event.ID, d.Event.Recorded = event.ID(id), time.Unix(0, recorded)
		if d.Event.Sections, err = sections(body); err != nil {
			return nil, head, fmt.Errorf("reading draft %s: %w", d.Event.ID, err)
		}
		drafts = append(drafts, d)
		size += len(body)
	}
	return drafts, head, rows.Err()
}

// Compartments are those of which the waiting events of a key record have sections: the record does not
// tell. Of a release, and of what is witnessed, there are none.
func (o *Outbox) Compartments(ctx context.Context, record string) ([]eventv1.Compartment, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT body FROM envelopes JOIN bodies USING (sequence) WHERE record = $1`, record)
	if err != nil {
		return nil, fmt.Errorf("reading what a key record is for: %w", err)
	}
	defer rows.Close()
	var all []eventv1.Compartment
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("reading what a key record is for: %w", err)
		}
		said, err := sections(body)
		if err != nil {
			return nil, fmt.Errorf("reading what key record %s is for: %w", record, err)
		}
		for _, s := range said {
			all = append(all, s.Compartment)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), rows.Err()
}

func sections(body []byte) ([]event.Section, error) {
	content := &eventv1.Body{}
	if err := proto.Unmarshal(body, content); err != nil {
		return nil, errors.New("its body is damaged")
	}
	var all []event.Section
	for _, section := range content.GetSections() {
		all = append(all, event.Section{
			Compartment: section.GetCompartment(), Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: section.GetContent(),
		})
	}
	return all, nil
}

// PutSigned exchanges drafts of an audience for their envelopes on a chain, keeps the key
// records of their batches, and
// moves its head from before to after. It refuses when the head is not at before, or one
// of the drafts is gone: either would be a counter or an event signed twice.
func (o *Outbox) PutSigned(ctx context.Context, audience string, chain event.Chain, before, after event.Head, signed []Envelope, records ...Record) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		if err := moveHead(tx, chain, before, after); err != nil {
			return err
		}
		take, err := tx.Prepare(`DELETE FROM drafts WHERE sequence = $1 AND audience = $2`)
		if err != nil {
			return err
		}
		defer take.Close()
		put, err := tx.Prepare(`INSERT INTO envelopes (sequence, audience, address, renewal, key_id, subject, data, record) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`)
		if err != nil {
			return err
		}
		defer put.Close()
		for _, e := range signed {
			taken, err := take.Exec(e.Sequence, audience)
			if err := one(taken, err, fmt.Sprintf("report %d is no draft", e.Sequence)); err != nil {
				return err
			}
			if _, err := put.Exec(e.Sequence, audience, chain.Audience, chain.Renewal, e.Key[:], e.Subject, e.Data, e.Record); err != nil {
				return err
			}
		}
		return putRecords(tx, records, signed)
	})
	if err != nil {
		return fmt.Errorf("storing what was signed: %w", err)
	}
	return nil
}

func moveHead(tx *sql.Tx, chain event.Chain, before, after event.Head) error {
	if before.Counter == 0 {
		_, err := tx.Exec(`INSERT INTO heads VALUES ($1, $2, $3, $4, $5)`,
			chain.Audience, chain.Renewal, int64(after.Counter), after.Digest[:], after.LastID[:])
		return err
	}
	moved, err := tx.Exec(`UPDATE heads SET counter = $3, digest = $4, last_id = $5
		WHERE address = $1 AND renewal = $2 AND counter = $6 AND digest = $7`,
		chain.Audience, chain.Renewal, int64(after.Counter), after.Digest[:], after.LastID[:], int64(before.Counter), before.Digest[:])
	return one(moved, err, fmt.Sprintf("the chain does not stand at counter %d", before.Counter))
}

// one is nil where a statement changed exactly one row.
func one(result sql.Result, err error, otherwise string) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errors.New(otherwise))
	}
	return nil
}

// Unsent are an audience's oldest envelopes that the hub has not stored, in order.
func (o *Outbox) Unsent(ctx context.Context, audience string, bounds Bounds) ([]Envelope, error) {
	var envelopes []Envelope
	size := 0
	err := o.eachUnfound(ctx, `cursor IS NULL AND `, audience, bounds.Events, func(u Unfound) (bool, error) {
		envelopes = append(envelopes, u.Envelope)
		size += len(u.Data)
		return size < bounds.Bytes, nil
	})
	return envelopes, err
}
