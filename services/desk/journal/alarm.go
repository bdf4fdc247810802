package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Alarm is an accusation with its evidence. It is never taken back; how it ended
// stands beside it.
type Alarm struct {
	Number  int64     // from 1, in the order in which they were raised; given by Raise
	Raised  time.Time // to the second, by this desk's clock
	Code    string    // stable
	Index   *uint64   // log index that it is about; of a size, that of its last leaf; nil: of none
	What    string    // in plain words; nothing about a person
	Have    []byte    // what this desk holds: a note, or a message's bytes
	Got     []byte    // what contradicts it
	Settled *Settled  // nil: it stands
}

// Settled says how an alarm ended.
type Settled struct {
	When   time.Time // to the second, by this desk's clock
	Person string    // who has decided it; empty: it ended by itself
	Reason string
}

// Raise keeps an alarm and returns its number.
func (j *Journal) Raise(ctx context.Context, a Alarm) (number int64, err error) {
	var index sql.NullInt64
	if a.Index != nil {
		index = sql.NullInt64{Int64: int64(*a.Index), Valid: true}
	}
	err = j.write(ctx, "alarm", func(tx *sql.Tx) error {
		row := tx.QueryRowContext(ctx, "INSERT INTO alarms (raised, code, idx, what, have, got) VALUES ($1, $2, $3, $4, $5, $6) RETURNING number",
			a.Raised.Unix(), a.Code, index, a.What, bytesOf(a.Have), bytesOf(a.Got))
		return row.Scan(&number)
	})
	if err != nil {
		return 0, fmt.Errorf("keeping alarm %s: %w", a.Code, err)
	}
	return number, nil
}

// Settle ends an alarm, once.
func (j *Journal) Settle(ctx context.Context, number int64, s Settled) error {
	err := j.write(ctx, "settlement", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO settled (alarm, settled, person, reason) VALUES ($1, $2, $3, $4)",
			number, s.When.Unix(), s.Person, s.Reason)
		return err
	})
	if err != nil {
		return fmt.Errorf("settling alarm %d: %w", number, err)
	}
	return nil
}

// Alarms lists all alarms in the order in which they were raised.
func (j *Journal) Alarms(ctx context.Context) ([]Alarm, error) {
	var all []Alarm
	for rows, err := range j.query(ctx, `
		SELECT number, raised, code, idx, what, have, got, settled, person, reason
		FROM alarms LEFT JOIN settled ON alarm = number ORDER BY number`) {
		var a Alarm
		if err == nil {
			a, err = scanAlarm(rows)
		}
		if err != nil {
			return nil, fmt.Errorf("reading alarms: %w", err)
		}
		all = append(all, a)
	}
	return all, nil
}

func scanAlarm(rows *sql.Rows) (Alarm, error) {
	var a Alarm
	var raised int64
	var index, settled sql.NullInt64
	var person, reason sql.NullString
	err := rows.Scan(&a.Number, &raised, &a.Code, &index, &a.What, &a.Have, &a.Got, &settled, &person, &reason)
	a.Raised = time.Unix(raised, 0).UTC()
	if index.Valid {
		a.Index = new(uint64(index.Int64))
	}
	if settled.Valid {
		a.Settled = &Settled{When: time.Unix(settled.Int64, 0).UTC(), Person: person.String, Reason: reason.String}
	}
	return a, err
}
