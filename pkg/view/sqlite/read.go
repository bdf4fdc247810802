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
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
)

// content is the part of an entry that no query filters by, as JSON in its row.
// Its refs stand in the table refs too, which is the index to them.
type content struct {
	Occurred string            `json:"occurred,omitempty"`
	Source   string            `json:"source,omitempty"`
	Marking  casework.Marking  `json:"marking,omitzero"`
	Summary  string            `json:"summary,omitempty"`
	Refs     []casework.Ref    `json:"refs,omitempty"`
	Breaches []casework.Breach `json:"breaches,omitempty"`
	Open     []string          `json:"open,omitempty"`
	Closed   []casework.Closed `json:"closed,omitempty"`
	Released uint64            `json:"released,omitempty"`
}

// defaultLimit is how many entries a filter without a limit gives.
const defaultLimit = 100

// fill copies a digest or identifier out of its row. Another length is damage.
func fill(to, stored []byte) error {
	if len(stored) != len(to) {
		return fmt.Errorf("%d bytes stored where %d belong", len(stored), len(to))
	}
	copy(to, stored)
	return nil
}

// querier is a connection pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Cursor says how far the view has come; the zero Cursor before the first commit.
func (v *View) Cursor(ctx context.Context) (view.Cursor, error) { return cursor(ctx, v.readers) }

func cursor(ctx context.Context, q querier) (view.Cursor, error) {
	var sequence, index int64
	var digest []byte
	err := q.QueryRowContext(ctx, "SELECT sequence, idx, digest FROM cursor").Scan(&sequence, &index, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return view.Cursor{}, nil
	}
	c := view.Cursor{Sequence: uint64(sequence), Index: uint64(index)}
	if err == nil {
		err = fill(c.Digest[:], digest)
	}
	if err != nil {
		return view.Cursor{}, fmt.Errorf("reading the cursor: %w", err)
	}
	return c, nil
}

// Entries lists what the filter selects, in the order of log indices.
func (v *View) Entries(ctx context.Context, f view.Filter) ([]view.Entry, error) {
	query, args := selection(f)
	rows, err := v.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	defer rows.Close()
	var entries []view.Entry
	for rows.Next() {
		entry, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading entry %d: %w", entry.Index, err)
		}
		entries = append(entries, entry)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	return entries, nil
}

func selection(f view.Filter) (query string, args []any) {
	var where []string
	add := func(condition string, values ...any) {
		for _, value := range values {
			args = append(args, value)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	add("idx >= ?", int64(f.After))
	if f.Family != "" {
		add("family = ?", f.Family)
	}
	if f.Country != "" {
		add("country = ?", f.Country)
	}
	if f.Verdict != "" {
		add("verdict = ?", string(f.Verdict))
	}
	if f.Ref != (casework.Ref{}) {
		add("idx IN (SELECT idx FROM refs WHERE type = ? AND id = ?)", f.Ref.Type, f.Ref.ID)
	}
	order := "idx"
	if f.Newest {
		order = "idx DESC"
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	return fmt.Sprintf(`
		SELECT idx, sequence, subject, verdict, reason, event_id, header_digest,
			country, agency, audience, renewal, kind, counter, retention, recorded, content
		FROM entries WHERE %s ORDER BY %s LIMIT %d`, strings.Join(where, " AND "), order, limit), args
}

func scan(rows *sql.Rows) (view.Entry, error) {
	var e view.Entry
	var index, sequence, counter int64
	var digest, said []byte
	var recorded string
	if err := rows.Scan(&index, &sequence, &e.Subject, &e.Verdict, &e.Reason, &e.EventID, &digest,
		&e.Country, &e.Agency, &e.Audience, &e.Renewal, &e.Kind, &counter, &e.Retention, &recorded, &said); err != nil {
		return e, err
	}
	e.Index, e.Sequence, e.Counter = uint64(index), uint64(sequence), uint64(counter)
	if err := fill(e.HeaderDigest[:], digest); err != nil {
		return e, err
	}
	if recorded != "" {
		var err error
		if e.Recorded, err = time.Parse(time.RFC3339Nano, recorded); err != nil {
			return e, err
		}
	}
	var c content
	if err := json.Unmarshal(said, &c); err != nil {
		return e, err
	}
	e.Occurred, e.Source, e.Marking, e.Open = c.Occurred, c.Source, c.Marking, c.Open
	e.Summary, e.Refs, e.Breaches, e.Closed, e.Released = c.Summary, c.Refs, c.Breaches, c.Closed, c.Released
	return e, nil
}

// Counts gives the number of entries for each verdict that there is.
func (v *View) Counts(ctx context.Context) (map[verdict.Code]uint64, error) {
	rows, err := v.readers.QueryContext(ctx, "SELECT verdict, count(*) FROM entries GROUP BY verdict")
	if err != nil {
		return nil, fmt.Errorf("counting entries: %w", err)
	}
	defer rows.Close()
	counts := map[verdict.Code]uint64{}
	for rows.Next() {
		var code verdict.Code
		var n int64
		if err := rows.Scan(&code, &n); err != nil {
			return nil, fmt.Errorf("counting entries: %w", err)
		}
		counts[code] = uint64(n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("counting entries: %w", err)
	}
	return counts, nil
}

// Digest is the digest of all documents. It reads them in one transaction, which
// is one snapshot, one row at a time.
func (v *View) Digest(ctx context.Context) (event.Digest, view.Cursor, error) {
	digest, at, err := v.digest(ctx)
	if err != nil {
		return event.Digest{}, view.Cursor{}, fmt.Errorf("digesting the view: %w", err)
	}
	return digest, at, nil
}

func (v *View) digest(ctx context.Context) (event.Digest, view.Cursor, error) {
	tx, err := v.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return event.Digest{}, view.Cursor{}, err
	}
	defer tx.Rollback() // it has changed nothing
	at, err := cursor(ctx, tx)
	if err != nil {
		return event.Digest{}, view.Cursor{}, err
	}
	writer := casework.NewDigestWriter()
	for doc, err := range documents(ctx, tx, "ORDER BY type, id") {
		if err == nil {
			err = writer.Add(doc.Ref, doc.Data)
		}
		if err != nil {
			return event.Digest{}, view.Cursor{}, err
		}
	}
	return writer.Sum(), at, nil
}
