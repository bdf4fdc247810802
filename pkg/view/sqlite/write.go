package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/view"
)

// Begin opens the transaction in which one batch is taken in. It waits while
// another one is open.
func (v *View) Begin(ctx context.Context) (view.Tx, error) {
	tx, err := v.writer.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("beginning a batch: %w", err)
	}
	return &batch{ctx: ctx, tx: tx}, nil
}

// batch is a view.Tx. It keeps the context of Begin: the transaction ends with it.
type batch struct {
	ctx context.Context
	tx  *sql.Tx
}

// Get returns a document and whether there is one.
func (b *batch) Get(ref casework.Ref) ([]byte, bool, error) {
	var data []byte
	err := b.tx.QueryRowContext(b.ctx, "SELECT data FROM documents WHERE type = $1 AND id = $2", ref.Type, ref.ID).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// Put stores a document. Take then says which entry touched it.
func (b *batch) Put(ref casework.Ref, data []byte) error {
	_, err := b.tx.ExecContext(b.ctx, `
		INSERT INTO documents (type, id, idx, data) VALUES ($1, $2, 0, $3)
		ON CONFLICT (type, id) DO UPDATE SET data = excluded.data`, ref.Type, ref.ID, data)
	return err
}

// Head is where a chain stands.
func (b *batch) Head(chain event.Chain) (event.Head, error) {
	var counter int64
	var digest, last []byte
	err := b.tx.QueryRowContext(b.ctx, `
		SELECT counter, digest, last_id FROM chains WHERE audience = $1 AND country = $2 AND agency = $3 AND renewal = $4`,
		chain.Audience, chain.Country, chain.Agency, chain.Renewal).Scan(&counter, &digest, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return event.Head{}, nil
	}
	if err != nil {
		return event.Head{}, fmt.Errorf("reading the head of chain %s: %w", chain, err)
	}
	head := event.Head{Counter: uint64(counter)}
	if err := errors.Join(fill(head.Digest[:], digest), fill(head.LastID[:], last)); err != nil {
		return event.Head{}, fmt.Errorf("reading the head of chain %s: %w", chain, err)
	}
	return head, nil
}

// headerAt finds an accepted header. Its last line is the condition of the
// index, without which it would not be used.
const headerAt = `
	SELECT header_digest FROM entries
	WHERE audience = $1 AND country = $2 AND agency = $3 AND renewal = $4 AND counter = $5
	AND verdict = 'accepted' AND counter > 0`

// HeaderAt is the digest of an accepted header.
func (b *batch) HeaderAt(chain event.Chain, counter uint64) (event.Digest, error) {
	var stored []byte
	var digest event.Digest
	err := b.tx.QueryRowContext(b.ctx, headerAt,
		chain.Audience, chain.Country, chain.Agency, chain.Renewal, int64(counter)).Scan(&stored)
	if err == nil {
		err = fill(digest[:], stored)
	}
	if err != nil {
		return event.Digest{}, fmt.Errorf("reading header %d of chain %s: %w", counter, chain, err)
	}
	return digest, nil
}

// Take records a message and what it touched. The zero head moves no chain.
func (b *batch) Take(entry view.Entry, head event.Head) error {
	for _, step := range []func(view.Entry, event.Head) error{b.insert, b.refer, b.advance} {
		if err := step(entry, head); err != nil {
			return fmt.Errorf("taking entry %d: %w", entry.Index, err)
		}
	}
	return nil
}

func (b *batch) insert(e view.Entry, _ event.Head) error {
	said, err := json.Marshal(content{
		Occurred: e.Occurred, Source: e.Source, Marking: e.Marking, Open: e.Open,
		Summary: e.Summary, Refs: e.Refs, Breaches: e.Breaches, Closed: e.Closed, Released: e.Released,
	})
	if err != nil {
		return err
	}
	family, _, _ := strings.Cut(e.Kind, ".")
	recorded := ""
	if !e.Recorded.IsZero() {
		recorded = e.Recorded.UTC().Format(time.RFC3339Nano)
	}
	_, err = b.tx.ExecContext(b.ctx, `
		INSERT INTO entries (idx, sequence, subject, verdict, reason, event_id, header_digest,
			country, agency, audience, renewal, kind, family, counter, retention, recorded, content)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		int64(e.Index), int64(e.Sequence), e.Subject, string(e.Verdict), e.Reason, e.EventID, e.HeaderDigest[:],
		e.Country, e.Agency, e.Audience, e.Renewal, e.Kind, family, int64(e.Counter), e.Retention, recorded, said)
	return err
}

func (b *batch) refer(e view.Entry, _ event.Head) error {
	for _, ref := range e.Refs {
		if _, err := b.tx.ExecContext(b.ctx, `
			INSERT INTO refs (type, id, idx) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			ref.Type, ref.ID, int64(e.Index)); err != nil {
			return err
		}
		if _, err := b.tx.ExecContext(b.ctx, "UPDATE documents SET idx = $1 WHERE type = $2 AND id = $3",
			int64(e.Index), ref.Type, ref.ID); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) advance(e view.Entry, head event.Head) error {
	if head.Counter == 0 {
		return nil
	}
	_, err := b.tx.ExecContext(b.ctx, `
		INSERT INTO chains (audience, country, agency, renewal, counter, digest, last_id) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (audience, country, agency, renewal) DO UPDATE
		SET counter = excluded.counter, digest = excluded.digest, last_id = excluded.last_id`,
		e.Audience, e.Country, e.Agency, e.Renewal, int64(head.Counter), head.Digest[:], head.LastID[:])
	return err
}

// Commit makes the batch visible, with its cursor.
func (b *batch) Commit(c view.Cursor) error {
	_, err := b.tx.ExecContext(b.ctx, `
		INSERT INTO cursor (only, sequence, idx, digest) VALUES (1, $1, $2, $3)
		ON CONFLICT (only) DO UPDATE
		SET sequence = excluded.sequence, idx = excluded.idx, digest = excluded.digest`,
		int64(c.Sequence), int64(c.Index), c.Digest[:])
	if err == nil {
		err = b.tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("committing the batch up to sequence %d: %w", c.Sequence, err)
	}
	return nil
}

// Rollback leaves nothing of the batch; after Commit it does nothing.
func (b *batch) Rollback() error {
	if err := b.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("rolling a batch back: %w", err)
	}
	return nil
}
