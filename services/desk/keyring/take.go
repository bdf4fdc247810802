package keyring

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/seal"
)

// Offered is a message of KEYS, as it came.
type Offered struct {
	Sequence uint64 // of the stream
	Subject  string
	Data     []byte
}

// Known is what the reader knows as records come: the newest registry, the log index after it, and the time.
type Known struct {
	State registry.State
	Next  uint64
	Now   time.Time
}

// Taken says what a change did.
type Taken struct {
	Stale   bool       // an event that was folded is concerned: the view has to be folded again
	Closed  []event.ID // events that have lost pieces
	Mark    uint64     // where Stale: see Ring.Stale
	Unknown uint64     // the first sequence with a record under a key that the registry does not have yet; 0: none
}

// Take takes in the portions of records, and moves the place, in one transaction. A
// record that is not used leaves a refusal; an error is never about a record.
func (r *Ring) Take(ctx context.Context, known Known, offered []Offered) (Taken, error) {
	var t *change
	err := r.write(ctx, func(tx *sql.Tx) error {
		t = &change{ctx: ctx, tx: tx, known: known, country: r.country}
		for _, o := range offered {
			if err := t.take(o); err != nil {
				return fmt.Errorf("the one at sequence %d: %w", o.Sequence, err)
			}
		}
		return t.finish(offered)
	})
	if err == nil {
		err = r.settle(ctx, t)
	}
	if err != nil {
		return Taken{}, fmt.Errorf("taking in %d key records: %w", len(offered), err)
	}
	return t.taken, nil
}

// settle empties the write-ahead log where a change has deleted something.
func (r *Ring) settle(ctx context.Context, c *change) error {
	if !c.deleted {
		return nil
	}
	return r.scour(ctx)
}

// change is one transaction under way.
type change struct {
	ctx     context.Context
	tx      *sql.Tx
	known   Known
	country string
	taken   Taken
	deleted bool
}

func (c *change) exec(query string, args ...any) (rows int64, err error) {
	result, err := c.tx.ExecContext(c.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (c *change) finish(offered []Offered) error {
	if len(offered) > 0 {
		if _, err := c.exec("UPDATE place SET sequence = $1", int64(offered[len(offered)-1].Sequence)); err != nil {
			return err
		}
	}
	return c.count()
}

// count notes, where it has to be, that the view is no fold of the ring any more, and what
// it must not show meanwhile.
func (c *change) count() error {
	if !c.taken.Stale {
		return nil
	}
	if err := c.tx.QueryRowContext(c.ctx, "UPDATE place SET changed = changed + 1 RETURNING changed").Scan(&c.taken.Mark); err != nil {
		return err
	}
	for _, id := range c.taken.Closed {
		if _, err := c.exec("INSERT INTO concealed (event, mark) VALUES ($1, $2) ON CONFLICT (event) DO UPDATE SET mark = excluded.mark", id[:], int64(c.taken.Mark)); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) take(o Offered) error {
	digest := event.DigestOf(o.Data)
	unverified, err := seal.Decode(o.Data)
	if err != nil {
		return c.refuse(o.Subject, err, digest)
	}
	terms := unverified.Terms()
	if !lies(terms, o.Subject) {
		return c.refuse(o.Subject, seal.OtherRecord, digest)
	}
	if terms.Recipient != "" && terms.Recipient != c.country {
		return nil // a release to another reader of the address
	}
	// A release is one record wherever it lies: at another address an old one is as old.
	row, err := c.rowOf(terms.Subject())
	if err != nil || row.number != 0 && row.digest == digest && row.standing {
		return err
	}
	key, ok := c.known.State.Key(unverified.KeyID())
	if !ok {
		if c.taken.Unknown == 0 {
			c.taken.Unknown = o.Sequence
		}
		return c.refuse(o.Subject, seal.NotOriginator, digest)
	}
	record, err := unverified.Verify(key)
	if err != nil {
		return c.refuse(o.Subject, err, digest)
	}
	return c.place(o.Subject, row, record, key)
}

// place decides what a record that its origin signed is good for.
//
// Every one under a key that is valid now takes the place of an older revision, and of any under a key
// that is not: it was made later than all that such a key was good for. One under a key that
// was rotated since is what a desk that begins later is shown, and counts where
// there is none. Where there is one it only takes away: whoever has got such a key can
// so keep content from desks, as the hub can, and never bring back what was erased. One under
// a revoked key counts for the events that this key signed itself.
func (c *change) place(subject string, row row, record seal.Record, key registry.Key) error {
	valid := c.valid(key)
	if row.number == 0 {
		return c.put(subject, row.number, record, valid || !key.Revoked)
	}
	if record.Batch != row.batch {
		return c.refuse(subject, seal.OtherRecord, record.Digest)
	}
	if before, ok := c.known.State.Key(row.signer); !valid || !ok || c.valid(before) {
		if err := record.Replaces(row.revision, row.digest); err != nil {
			return c.refuse(subject, err, record.Digest)
		}
	}
	if !row.standing || valid {
		return c.put(subject, row.number, record, valid || !key.Revoked)
	}
	// A key from before the batch never signed anything of it.
	if grantor, ok := c.known.State.Key(row.grantor); key.Revoked || !ok || key.From < grantor.From {
		return c.refuse(subject, seal.NotOriginator, record.Digest)
	}
	return c.cut(subject, row, record)
}

func (c *change) valid(key registry.Key) bool {
	return c.known.State.Invalid(key, c.known.Next) == nil
}

// cut takes from what is here of a record what another revision of it has no entry of.
func (c *change) cut(subject string, row row, r seal.Record) error {
	held, err := c.ids("SELECT DISTINCT event FROM pieces WHERE record = $1", row.number)
	if err != nil || len(held) == 0 {
		return err
	}
	closed, err := c.closed(r.Origin)
	if err != nil {
		return err
	}
	here := map[event.ID]bool{}
	for _, id := range held {
		if here[id] = r.Has(id); here[id] {
			continue
		}
		if _, err := c.exec("DELETE FROM pieces WHERE record = $1 AND event = $2", row.number, id[:]); err != nil {
			return err
		}
		c.taken.Closed = append(c.taken.Closed, id)
		c.deleted, c.taken.Stale = true, true
	}
	if slices.ContainsFunc(r.Events(), func(id event.ID) bool {
		_, over := slices.BinarySearchFunc(closed, id, compareIDs)
		return !here[id] && !over
	}) {
		return c.refuse(subject, seal.NotOriginator, r.Digest)
	}
	return nil
}

// lies reports whether a record lies where it belongs: on its own subject, and a release
// on that of any address that its recipient reads.
func lies(terms seal.Terms, subject string) bool {
	if terms.Recipient == "" {
		return subject == terms.Subject()
	}
	parts := strings.SplitN(subject, ".", 3)
	own := strings.SplitN(terms.Subject(), ".", 3)
	return len(parts) == 3 && parts[0] == own[0] && parts[2] == own[2]
}

// row is a record as it is kept.
type row struct {
	number   int64 // 0: none
	batch    event.Digest
	revision uint64
	digest   event.Digest
	signer   event.KeyID
	grantor  event.KeyID
	standing bool
}

func (c *change) rowOf(subject string) (row, error) {
	var found row
	var batch, digest, signer, grantor []byte
	err := c.tx.QueryRowContext(c.ctx, "SELECT number, batch, revision, digest, signer, grantor, standing FROM records WHERE subject = $1", subject).
		Scan(&found.number, &batch, &found.revision, &digest, &signer, &grantor, &found.standing)
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, nil
	}
	copy(found.batch[:], batch)
	copy(found.digest[:], digest)
	copy(found.signer[:], signer)
	copy(found.grantor[:], grantor)
	return found, err
}

// put stores a record's portion in place of what was there of it. subject is where it lies.
func (c *change) put(subject string, number int64, r seal.Record, standing bool) error {
	before, err := c.emptied(number)
	if err != nil {
		return err
	}
	over := !c.known.Now.Before(r.Expires)
	ended := int64(0)
	if over {
		ended = c.known.Now.Unix()
	}
	err = c.tx.QueryRowContext(c.ctx, `
		INSERT INTO records (subject, batch, country, agency, audience, recipient, revision, digest, signer, standing, grantor, retention, expires, ended)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (subject) DO UPDATE SET batch = excluded.batch, revision = excluded.revision, digest = excluded.digest, signer = excluded.signer,
			standing = excluded.standing, grantor = excluded.grantor, retention = excluded.retention, expires = excluded.expires,
			ended = CASE WHEN records.ended > 0 AND records.expires >= excluded.expires THEN records.ended ELSE excluded.ended END
		RETURNING number, ended`,
		r.Subject(), r.Batch[:], r.Origin.Country, r.Origin.Agency, r.Origin.Audience, r.Recipient, int64(r.Revision), r.Digest[:], r.KeyID[:], standing,
		r.Grantor[:], r.Retention, r.Expires.Unix(), ended).Scan(&number, &ended)
	if err != nil {
		return err
	}
	portion := seal.Portion{}
	if ended == 0 {
		portion = r.Portion(c.country)
	}
	after, err := c.fill(number, portion)
	if err != nil {
		return err
	}
	for _, id := range before {
		if !after[id] {
			c.taken.Closed = append(c.taken.Closed, id)
		}
	}
	if _, err := c.exec("DELETE FROM refusals WHERE subject = $1 AND digest = $2", subject, r.Digest[:]); err != nil {
		return err // its key had not come yet
	}
	return c.touch(r.Batch)
}

// emptied deletes what lies under a record, and says of which events it was.
func (c *change) emptied(number int64) ([]event.ID, error) {
	if number == 0 {
		return nil, nil
	}
	ids, err := c.ids("SELECT DISTINCT event FROM pieces WHERE record = $1", number)
	if err != nil {
		return nil, err
	}
	for _, query := range []string{"DELETE FROM pieces WHERE record = $1", "DELETE FROM grants WHERE record = $1"} {
		rows, err := c.exec(query, number)
		if err != nil {
			return nil, err
		}
		c.deleted = c.deleted || rows > 0
	}
	return ids, nil
}

func (c *change) ids(query string, args ...any) ([]event.ID, error) {
	rows, err := c.tx.QueryContext(c.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return idsIn(rows)
}

// idsIn reads rows of one event identifier each, and closes them.
func idsIn(rows *sql.Rows) ([]event.ID, error) {
	defer rows.Close()
	var all []event.ID
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		all = append(all, event.ID(id))
	}
	return all, rows.Err()
}

// fill stores grants and pieces, but for the events whose originator has closed them. It
// says of which events there are pieces now.
func (c *change) fill(number int64, p seal.Portion) (map[event.ID]bool, error) {
	present := map[event.ID]bool{}
	if len(p.Grants) == 0 {
		return present, nil
	}
	closed, err := c.closed(p.Origin)
	if err != nil {
		return nil, err
	}
	insert, err := c.tx.PrepareContext(c.ctx, "INSERT INTO pieces (record, event, compartment, place, wrapped) VALUES ($1, $2, $3, $4, $5)")
	if err != nil {
		return nil, err
	}
	defer insert.Close()
	for _, g := range p.Grants {
		if _, err := c.exec("INSERT INTO grants (record, compartment, epoch, wrapped) VALUES ($1, $2, $3, $4)", number, int64(g.Compartment), int64(g.Epoch), g.Wrapped); err != nil {
			return nil, err
		}
		for _, piece := range g.Pieces {
			if _, ok := slices.BinarySearchFunc(closed, piece.Event, compareIDs); ok {
				continue
			}
			present[piece.Event] = true
			if _, err := insert.ExecContext(c.ctx, number, piece.Event[:], int64(g.Compartment), int64(piece.Place), piece.Wrapped); err != nil {
				return nil, err
			}
		}
	}
	return present, nil
}

// closed are the events that their originator has closed, rising.
func (c *change) closed(origin event.Chain) ([]event.ID, error) {
	closed, err := c.ids("SELECT DISTINCT event FROM closures WHERE country = $1 AND agency = $2", origin.Country, origin.Agency)
	slices.SortFunc(closed, compareIDs)
	return closed, err
}

func compareIDs(a, b event.ID) int { return slices.Compare(a[:], b[:]) }

// touch makes the view stale where an event of the batch was folded.
func (c *change) touch(batch event.Digest) error {
	var folded bool
	if err := c.tx.QueryRowContext(c.ctx, "SELECT EXISTS (SELECT 1 FROM batches WHERE batch = $1)", batch[:]).Scan(&folded); err != nil {
		return err
	}
	c.taken.Stale = c.taken.Stale || folded
	return nil
}
