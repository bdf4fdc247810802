package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Alarm is an accusation with its evidence. It is never taken back.
type Alarm struct {
	Raised time.Time // to the second, by this desk's clock
	Code   string    // stable
	What   string    // in plain words; nothing about a person
	Have   []byte    // what this desk holds: a note, or a message's bytes
	Got    []byte    // what contradicts it
}

// Raise keeps an alarm.
func (j *Journal) Raise(ctx context.Context, a Alarm) error {
	err := j.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO alarms (raised, code, what, have, got) VALUES ($1, $2, $3, $4, $5)",
			a.Raised.Unix(), a.Code, a.What, bytesOf(a.Have), bytesOf(a.Got))
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping alarm %s: %w", a.Code, err)
	}
	return nil
}

// Alarms lists all alarms in the order in which they were raised.
func (j *Journal) Alarms(ctx context.Context) ([]Alarm, error) {
	var all []Alarm
	for rows, err := range j.query(ctx, "SELECT raised, code, what, have, got FROM alarms ORDER BY number") {
		var a Alarm
		var raised int64
		if err == nil {
			err = rows.Scan(&raised, &a.Code, &a.What, &a.Have, &a.Got)
		}
		if err != nil {
			return nil, fmt.Errorf("reading alarms: %w", err)
		}
		a.Raised = time.Unix(raised, 0).UTC()
		all = append(all, a)
	}
	return all, nil
}
