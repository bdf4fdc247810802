package journal

import (
	"context"
	"database/sql"
	"fmt"
	"iter"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
)

// Message is one message of the stream, with its place in the log.
type Message struct {
	Index   uint64 // log index
	Subject string
	Data    []byte
}

// Sequence is the message's place in the stream: a restored one has it there too.
func (m Message) Sequence() uint64 { return m.Index + 1 }

// Append stores messages in order; their indices rise and come after all that
// are there. It returns once they are on disk, all or none. Errors: *Contrary.
func (j *Journal) Append(ctx context.Context, messages []Message) error {
	err := j.write(ctx, "messages", func(tx *sql.Tx) error {
		leaf, err := tx.PrepareContext(ctx, "SELECT hash FROM leaves WHERE idx = $1")
		if err != nil {
			return err
		}
		defer leaf.Close()
		insert, err := tx.PrepareContext(ctx, insertMessage)
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, m := range messages {
			if err := fitLeaf(ctx, leaf, m); err != nil {
				return err
			}
			if err := m.put(ctx, insert); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("journaling %d messages: %w", len(messages), err)
	}
	return nil
}

const insertMessage = "INSERT INTO messages (idx, subject, data, registry) VALUES ($1, $2, $3, $4)"

func (m Message) put(ctx context.Context, insert *sql.Stmt) error {
	registry := registry.IsSubject(m.Subject) || m.Subject == translog.RestoredSubject
	if _, err := insert.ExecContext(ctx, int64(m.Index), []byte(m.Subject), bytesOf(m.Data), registry); err != nil {
		return fmt.Errorf("message %d: %w", m.Index, err)
	}
	return nil
}

// bytesOf is data, but never NULL.
func bytesOf(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// Last is the newest message; ok is false in an empty journal.
func (j *Journal) Last(ctx context.Context) (m Message, ok bool, err error) {
	return j.one(ctx, "ORDER BY idx DESC LIMIT 1")
}

// At is the one at a log index; ok is false where this desk has none.
func (j *Journal) At(ctx context.Context, index uint64) (m Message, ok bool, err error) {
	return j.one(ctx, "WHERE idx = $1", int64(index))
}

// Messages lists at most limit messages from a log index on, in order.
func (j *Journal) Messages(ctx context.Context, from uint64, limit int) ([]Message, error) {
	return j.list(ctx, "WHERE idx >= $1 ORDER BY idx LIMIT $2", int64(from), limit)
}

// Indices is the set of log indices from one to another, itself excluded, at
// which there is a message.
func (j *Journal) Indices(ctx context.Context, from, to uint64) (map[uint64]bool, error) {
	present := map[uint64]bool{}
	for rows, err := range j.query(ctx, "SELECT idx FROM messages WHERE idx >= $1 AND idx < $2", int64(from), int64(to)) {
		var index int64
		if err == nil {
			err = rows.Scan(&index)
		}
		if err != nil {
			return nil, fmt.Errorf("reading indices: %w", err)
		}
		present[uint64(index)] = true
	}
	return present, nil
}

// NewestOf is the newest message whose subject is wanted; ok is
// false where there is none.
func (j *Journal) NewestOf(ctx context.Context, wanted func(subject string) bool) (m Message, ok bool, err error) {
	for rows, err := range j.query(ctx, "SELECT idx, subject FROM messages ORDER BY idx DESC") {
		var index int64
		var subject string
		if err == nil {
			err = rows.Scan(&index, &subject)
		}
		if err != nil {
			return Message{}, false, fmt.Errorf("looking for a message: %w", err)
		}
		if wanted(subject) {
			return j.At(ctx, uint64(index))
		}
	}
	return Message{}, false, nil
}

// Registry lists the messages on registry subjects, and the hub's word on restorations, from a log index up to
// another, both included, in order.
func (j *Journal) Registry(ctx context.Context, from, upTo uint64) ([]Message, error) {
	return j.list(ctx, "WHERE registry = 1 AND idx >= $1 AND idx <= $2 ORDER BY idx", int64(from), int64(upTo))
}

func (j *Journal) one(ctx context.Context, which string, args ...any) (Message, bool, error) {
	all, err := j.list(ctx, which, args...)
	if err != nil || len(all) == 0 {
		return Message{}, false, err
	}
	return all[0], true, nil
}

func (j *Journal) list(ctx context.Context, which string, args ...any) ([]Message, error) {
	var all []Message
	query := "SELECT idx, subject, data FROM messages " + which
	for rows, err := range j.query(ctx, query, args...) {
		var m Message
		if err == nil {
			err = rows.Scan(&m.Index, &m.Subject, &m.Data)
		}
		if err != nil {
			return nil, fmt.Errorf("reading messages: %w", err)
		}
		all = append(all, m)
	}
	return all, nil
}

// query streams rows. After an error nothing follows.
func (j *Journal) query(ctx context.Context, query string, args ...any) iter.Seq2[*sql.Rows, error] {
	return func(yield func(*sql.Rows, error) bool) {
		rows, err := j.readers.QueryContext(ctx, query, args...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			if !yield(rows, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}
