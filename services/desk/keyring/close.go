package keyring

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
)

// Recalled is the reason of sections whose originator has recalled the event.
const Recalled seal.Reason = "recalled"

// Closure is an originator's word in the log that content of its events is closed for good.
type Closure struct {
	Country, Agency string // who says so: it counts for its own events
	Reason          seal.Reason
	Index           uint64 // log index of the event that says so
	Events          []event.ID
}

// Shut deletes the pieces of events, and keeps in mind that they stay closed. What was
// shut before changes nothing. folded says whether one of the events may be in the view.
func (r *Ring) Shut(ctx context.Context, closure Closure, folded bool) (Taken, error) {
	var c *change
	err := r.write(ctx, func(tx *sql.Tx) error {
		c = &change{ctx: ctx, tx: tx, country: r.country}
		for _, id := range closure.Events {
			if err := c.shut(closure, id, folded); err != nil {
				return err
			}
		}
		return c.count()
	})
	if err == nil {
		err = r.settle(ctx, c)
	}
	if err != nil {
		return Taken{}, fmt.Errorf("closing what event %d says is %s: %w", closure.Index, closure.Reason, err)
	}
	return c.taken, nil
}

func (c *change) shut(closure Closure, id event.ID, folded bool) error {
	fresh, err := c.exec(`
		INSERT INTO closures (event, country, agency, reason, idx) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (event, country, agency, reason) DO UPDATE SET idx = excluded.idx WHERE idx < excluded.idx`,
		id[:], closure.Country, closure.Agency, string(closure.Reason), int64(closure.Index))
	if err != nil {
		return err
	}
	gone, err := c.exec("DELETE FROM pieces WHERE event = $1 AND record IN (SELECT number FROM records WHERE country = $2 AND agency = $3)",
		id[:], closure.Country, closure.Agency)
	if err != nil {
		return err
	}
	c.deleted = c.deleted || gone > 0
	if gone > 0 || fresh > 0 && folded {
		c.taken.Stale = true
		c.taken.Closed = append(c.taken.Closed, id)
	}
	return nil
}

// closed is why its originator has closed the event at a log index; empty where it has
// not. What was both erased and recalled was recalled: that asks for an answer.
func (r *Ring) closed(ctx context.Context, index uint64, e event.Verified) (reason seal.Reason, err error) {
	err = r.db.QueryRowContext(ctx, "SELECT coalesce(max(reason), '') FROM closures WHERE event = $1 AND country = $2 AND agency = $3 AND idx > $4",
		e.ID[:], e.Chain.Country, e.Chain.Agency, int64(index)).Scan(&reason)
	return reason, err
}

// Forget takes back what events from a log index on have said, which are not in the log after
// all, and has KEYS read from its beginning again.
func (r *Ring) Forget(ctx context.Context, from uint64) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{"DELETE FROM closures WHERE idx >= $1", "DELETE FROM receipts WHERE accepted = 0 AND idx >= $1"} {
			if _, err := tx.ExecContext(ctx, query, int64(from)); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE place SET sequence = 0, changed = changed + 1")
		return err
	})
	if err != nil {
		return fmt.Errorf("forgetting what events from %d on said: %w", from, err)
	}
	return nil
}

// Expire deletes what lies under records whose time is over: at their expires, and
// where their batch has had the days of its retention class: since its newest event was
// recorded, by its publisher's clock, or since the first was folded here, whichever is
// earlier. An originator can so give its content less time than the charter's, and not more.
func (r *Ring) Expire(ctx context.Context, now time.Time, days map[string]uint32) (Taken, error) {
	var c *change
	over, err := r.over(ctx, now, days)
	if err == nil && len(over) == 0 {
		return Taken{}, nil
	}
	if err == nil {
		err = r.write(ctx, func(tx *sql.Tx) error {
			c = &change{ctx: ctx, tx: tx, country: r.country}
			for number, batch := range over {
				if err := c.end(number, batch, now); err != nil {
					return err
				}
			}
			return c.count()
		})
	}
	if err == nil {
		err = r.settle(ctx, c)
	}
	if err != nil {
		return Taken{}, fmt.Errorf("letting key records go whose time is over: %w", err)
	}
	return c.taken, nil
}

func (c *change) end(number int64, batch event.Digest, now time.Time) error {
	gone, err := c.emptied(number)
	if err != nil {
		return err
	}
	c.taken.Closed = append(c.taken.Closed, gone...)
	if _, err := c.exec("UPDATE records SET ended = $1 WHERE number = $2", now.Unix(), number); err != nil {
		return err
	}
	if len(gone) == 0 {
		return nil
	}
	return c.touch(batch)
}

// over lists the records whose time is over, with their batches.
func (r *Ring) over(ctx context.Context, now time.Time, days map[string]uint32) (map[int64]event.Digest, error) {
	found := map[int64]event.Digest{}
	collect := func(query string, args ...any) error {
		rows, err := r.db.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var number int64
			var batch []byte
			if err := rows.Scan(&number, &batch); err != nil {
				return err
			}
			found[number] = event.Digest(batch)
		}
		return rows.Err()
	}
	if err := collect("SELECT number, batch FROM records WHERE ended = 0 AND expires <= $1", now.Unix()); err != nil || len(days) == 0 {
		return found, err
	}
	classes, err := r.classes(ctx)
	if err != nil {
		return nil, err
	}
	for _, class := range classes {
		if err := collect("SELECT number, r.batch FROM records r JOIN batches b ON b.batch = r.batch WHERE ended = 0 AND retention = $1 AND min(b.recorded, b.folded) <= $2",
			class, now.AddDate(0, 0, -int(most(days, class))).Unix()); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// most is how many days content of a class lives: of one that the charter does not have,
// which no honest publisher names, those of its shortest.
func most(days map[string]uint32, class string) uint32 {
	if n, ok := days[class]; ok {
		return n
	}
	return slices.Min(slices.Collect(maps.Values(days)))
}

// classes are those of the records that still have pieces.
func (r *Ring) classes(ctx context.Context) ([]string, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT DISTINCT retention FROM records WHERE ended = 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var class string
		if err := rows.Scan(&class); err != nil {
			return nil, err
		}
		all = append(all, class)
	}
	return all, rows.Err()
}
