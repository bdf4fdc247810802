package keyring

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
)

// maxRefusals is how many refusals are kept, the newest: whoever has the hub could make any number.
const maxRefusals = 1000

const maxSubject = 300 // bytes: the longest subject of a record is shorter

// Refusal is a record that is not used. It says nothing of what was in it.
type Refusal struct {
	Since   time.Time // when the first one came
	Subject string
	Reason  seal.Reason
	Digest  event.Digest // of the newest
}

func (c *change) refuse(subject string, cause error, digest event.Digest) error {
	subject = strings.ToValidUTF8(subject, "\uFFFD")
	if len(subject) > maxSubject {
		subject = strings.ToValidUTF8(subject[:maxSubject], "")
	}
	if _, err := c.exec(`
		INSERT INTO refusals (since, subject, reason, digest) VALUES ($1, $2, $3, $4)
		ON CONFLICT (subject, reason) DO UPDATE SET digest = excluded.digest`,
		c.known.Now.Unix(), subject, string(seal.ReasonOf(cause)), digest[:]); err != nil {
		return err
	}
	_, err := c.exec("DELETE FROM refusals WHERE number <= (SELECT max(number) FROM refusals) - $1", maxRefusals)
	return err
}

// Refusals lists the records that are not used, the newest last.
func (r *Ring) Refusals(ctx context.Context) ([]Refusal, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT since, subject, reason, digest FROM refusals ORDER BY number")
	if err != nil {
		return nil, fmt.Errorf("reading refused key records: %w", err)
	}
	defer rows.Close()
	var all []Refusal
	for rows.Next() {
		var refusal Refusal
		var since int64
		var digest []byte
		if err := rows.Scan(&since, &refusal.Subject, &refusal.Reason, &digest); err != nil {
			return nil, fmt.Errorf("reading refused key records: %w", err)
		}
		refusal.Since = time.Unix(since, 0).UTC()
		copy(refusal.Digest[:], digest)
		all = append(all, refusal)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading refused key records: %w", err)
	}
	return all, nil
}
