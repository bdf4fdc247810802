package keyring

import (
	"context"
	"crypto/hpke"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Opener opens events with a ring and the desk's private keys. It is for one goroutine.
type Opener struct {
	ring    *Ring
	private map[string]hpke.PrivateKey // by public key
	state   func() registry.State      // which compartment and epoch a key is of

	writes, ends uint64 // of the ring, when what follows was read
	opener       *seal.Opener
	batches      map[event.Digest][]held
	folded       map[event.Digest]opened // see Note
}

// opened is a batch as it was when the first of its events was opened since the last Note.
type opened struct {
	recorded time.Time // of its newest event
	as       string    // see mark
}

// mark tells whether the records of a batch have changed.
func mark(all []held) string {
	text := ""
	for _, h := range all {
		text += fmt.Sprintf("%d:%d:%t ", h.number, h.portion.Revision, h.ended)
	}
	return text
}

// held is a record's portion, without its pieces.
type held struct {
	number   int64
	portion  seal.Portion
	signer   event.KeyID
	standing bool
	ended    bool
}

const rememberedBatches = 64

// Opener opens with private keys. Those that the newest registry does not give to this country are not used.
func (r *Ring) Opener(private []hpke.PrivateKey, state func() registry.State) *Opener {
	o := &Opener{ring: r, private: map[string]hpke.PrivateKey{}, state: state, folded: map[event.Digest]opened{}}
	for _, key := range private {
		o.private[string(key.PublicKey().Bytes())] = key
	}
	o.renew()
	return o
}

func (o *Opener) renew() {
	if ends := o.ring.ends.Load(); o.opener == nil || ends != o.ends {
		o.opener, o.ends = seal.NewOpener(o.key), ends
	}
	if writes := o.ring.writes.Load(); o.batches == nil || writes != o.writes || len(o.batches) > rememberedBatches {
		o.batches, o.writes = map[event.Digest][]held{}, writes
	}
}

func (o *Opener) key(compartment eventv1.Compartment, epoch uint32) hpke.PrivateKey {
	for _, opening := range o.state().Openings(o.ring.country, uint32(compartment)) {
		if opening.Epoch == epoch {
			return o.private[string(opening.Public)]
		}
	}
	return nil
}

// Open opens the sections of the accepted event at a log index, in their order. An error is
// a fault of the ring; why a section stays closed stands in the section.
func (o *Opener) Open(ctx context.Context, index uint64, e event.Verified, now time.Time) ([]seal.Section, error) {
	o.renew()
	reason, err := o.ring.closed(ctx, index, e)
	if err != nil {
		return nil, fmt.Errorf("opening event %s: %w", e.ID, err)
	}
	if reason != "" {
		return shut(e, reason), nil
	}
	if !slices.ContainsFunc(e.Sections(), func(s event.Section) bool { return s.Form == eventv1.SectionForm_SECTION_FORM_SEALED }) {
		return o.opener.Open(e, now), nil
	}
	portions, refused, err := o.portions(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("opening event %s: %w", e.ID, err)
	}
	sections := o.opener.Open(e, now, portions...)
	for i := range sections {
		if refused != "" && seal.ReasonOf(sections[i].Err) == seal.NoRecord {
			sections[i].Err = refused
		}
	}
	return sections, nil
}

func shut(e event.Verified, reason seal.Reason) []seal.Section {
	sections := make([]seal.Section, len(e.Sections()))
	for i, section := range e.Sections() {
		sections[i] = seal.Section{Compartment: section.Compartment, Err: reason}
	}
	return sections
}

// portions are those of an event's batch that count for it, each with this event's pieces alone.
// Where none does, refused says why a record is not used, if one was there.
func (o *Opener) portions(ctx context.Context, e event.Verified) (list []seal.Portion, refused seal.Reason, err error) {
	all, ok := o.batches[e.Place.Batch]
	if !ok {
		if all, err = o.ring.records(ctx, e.Place.Batch); err != nil {
			return nil, "", err
		}
		o.batches[e.Place.Batch] = all
	}
	o.remember(e, all)
	for _, h := range all {
		if !h.standing && h.signer != e.KeyID {
			refused = seal.NotOriginator
			continue
		}
		portion := h.portion
		if portion.Grants, err = o.ring.pieces(ctx, h, e.ID); err != nil {
			return nil, "", err
		}
		list = append(list, portion)
	}
	if len(list) == 0 && refused == "" {
		refused, err = o.ring.refusedOf(ctx, e)
	}
	return list, refused, err
}

func (o *Opener) remember(e event.Verified, all []held) {
	known, ok := o.folded[e.Place.Batch]
	if !ok {
		known.as = mark(all)
	}
	if known.recorded.Before(e.Recorded) {
		known.recorded = e.Recorded
	}
	o.folded[e.Place.Batch] = known
}

// refusedOf is why the record of an event's batch is not used; empty where none came.
func (r *Ring) refusedOf(ctx context.Context, e event.Verified) (reason seal.Reason, err error) {
	subject := seal.Terms{Origin: e.Chain, Batch: e.Place.Batch}.Subject()
	err = r.db.QueryRowContext(ctx, "SELECT coalesce((SELECT reason FROM refusals WHERE subject = $1 ORDER BY number DESC LIMIT 1), '')", subject).Scan(&reason)
	return reason, err
}

// queries is what both the ring's connection and a transaction can do.
type queries interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (r *Ring) records(ctx context.Context, batch event.Digest) ([]held, error) {
	return recordsOf(ctx, r.db, r.country, batch)
}

// recordsOf are those of a batch: its own first.
func recordsOf(ctx context.Context, in queries, country string, batch event.Digest) ([]held, error) {
	rows, err := in.QueryContext(ctx, `
		SELECT number, country, agency, audience, recipient, revision, signer, standing, grantor, retention, expires, ended
		FROM records WHERE batch = $1 ORDER BY recipient`, batch[:])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []held
	for rows.Next() {
		h := held{portion: seal.Portion{Country: country}}
		t := &h.portion.Terms
		var signer, grantor []byte
		var expires, ended int64
		if err := rows.Scan(&h.number, &t.Origin.Country, &t.Origin.Agency, &t.Origin.Audience, &t.Recipient, &t.Revision, &signer, &h.standing,
			&grantor, &t.Retention, &expires, &ended); err != nil {
			return nil, err
		}
		t.Batch, t.Grantor, t.Expires = batch, event.KeyID(grantor), time.Unix(expires, 0).UTC()
		if ended > 0 {
			t.Expires = time.Time{} // for good, wherever the clock goes
		}
		h.signer, h.ended = event.KeyID(signer), ended > 0
		all = append(all, h)
	}
	return all, rows.Err()
}

// pieces are a record's grants, with the pieces of one event.
func (r *Ring) pieces(ctx context.Context, h held, id event.ID) ([]seal.Grant, error) {
	rows, err := r.db.QueryContext(ctx, `
		SELECT g.compartment, g.epoch, g.wrapped, p.place, p.wrapped FROM grants g
		LEFT JOIN pieces p ON p.record = g.record AND p.compartment = g.compartment AND p.event = $2
		WHERE g.record = $1`, h.number, id[:])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var grants []seal.Grant
	for rows.Next() {
		var g seal.Grant
		var place sql.NullInt64
		var wrapped []byte
		if err := rows.Scan(&g.Compartment, &g.Epoch, &g.Wrapped, &place, &wrapped); err != nil {
			return nil, err
		}
		if place.Valid {
			g.Pieces = []seal.Piece{{Event: id, Place: uint64(place.Int64), Wrapped: wrapped}}
		}
		grants = append(grants, g)
	}
	return grants, rows.Err()
}

// earliest is a time that was over when this was written: a clock before it is not set yet. What is
// folded then was folded first at unknown, until the clock is set.
const (
	earliest = 1_577_836_800 // 2020, seconds since 1970
	unknown  = math.MaxInt64
)

// Note keeps in mind of which batches events were opened since the last Note, and when that was
// first. It comes before the view is committed: what changes of them afterwards makes the view
// stale. A clock that went back counts as one that stands, and one in 1970 as none: a machine that
// starts there would else end, once its clock is right, all that it folded before.
func (o *Opener) Note(ctx context.Context, now time.Time) error {
	if len(o.folded) == 0 {
		return nil
	}
	err := o.ring.write(ctx, func(tx *sql.Tx) error {
		c := &change{ctx: ctx, tx: tx, country: o.ring.country}
		folded, err := c.clock(now)
		if err != nil {
			return err
		}
		for batch, as := range o.folded {
			if err := c.note(batch, as, folded); err != nil {
				return err
			}
		}
		return c.count()
	})
	if err != nil {
		return fmt.Errorf("noting which batches were folded: %w", err)
	}
	clear(o.folded)
	return nil
}

// clock is the latest time that this desk's clock has shown; unknown where it was never set.
func (c *change) clock(now time.Time) (int64, error) {
	var before, clock int64
	if err := c.tx.QueryRowContext(c.ctx, "SELECT clock, max(clock, $1) FROM place", now.Unix()).Scan(&before, &clock); err != nil {
		return 0, err
	}
	if clock < earliest {
		return unknown, nil
	}
	if _, err := c.exec("UPDATE place SET clock = $1", clock); err != nil || before >= earliest {
		return clock, err
	}
	_, err := c.exec("UPDATE batches SET folded = $1 WHERE folded = $2", clock, int64(unknown))
	return clock, err
}

// note makes the view stale where the batch's records have changed since they were read: a
// fold beside this one may have taken them in.
func (c *change) note(batch event.Digest, as opened, folded int64) error {
	if _, err := c.exec(`
		INSERT INTO batches (batch, recorded, folded) VALUES ($1, $2, $3)
		ON CONFLICT (batch) DO UPDATE SET recorded = max(recorded, excluded.recorded)`, batch[:], as.recorded.Unix(), folded); err != nil {
		return err
	}
	now, err := recordsOf(c.ctx, c.tx, c.country, batch)
	c.taken.Stale = c.taken.Stale || mark(now) != as.as
	return err
}
