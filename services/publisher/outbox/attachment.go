package outbox

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/event"
)

//go:embed attachments.sql
var attachmentSchema string

// Bounds of files that no report is accepted for, or witnessed for, yet.
const (
	MaxSpool = 1 << 30            // bytes of all that are kept here
	Unnamed  = 7 * 24 * time.Hour // how long one is kept that no report names
)

// Errors of files.
var (
	ErrSpoolFull     = errors.New("too many files wait here")
	ErrFileKeyUsed   = errors.New("the key stands for another file")
	ErrNoSuchFile    = errors.New("nothing was begun with this key")
	ErrFileElsewhere = errors.New("another end of the file is here")
)

// File is one that is announced: what is said of it, and the entry that will name it.
type File struct {
	Key       string       // the caller's idempotency key
	Request   event.Digest // of all that is announced
	Audience  string
	Retention string
	Size      uint64
	Digest    event.Digest // SHA-256 of the file
	Entry     []byte       // casework/v1 Attachment without chunks, with the file's key
}

// Spooled is a file as it is here.
type Spooled struct {
	ID        int64
	Audience  string
	Retention string
	Size      uint64
	Chunks    int
	Received  int          // chunks that are here, or were
	Complete  bool         // and it came to its digest
	Digest    event.Digest // of the file, until it is complete
	Entry     []byte       // with the chunks' names once it is complete; empty once nothing is kept
	Event     event.ID     // that names it; zero: none
}

const spooled = `SELECT id, a.audience, retention, size, chunks, received, sha256, entry, event_id, request
	FROM attachments a LEFT JOIN accepted USING (sequence) `

func scanSpooled(row interface{ Scan(...any) error }) (s Spooled, request event.Digest, err error) {
	var digest, id, asked []byte
	var size int64
	if err = row.Scan(&s.ID, &s.Audience, &s.Retention, &size, &s.Chunks, &s.Received, &digest, &s.Entry, &id, &asked); err != nil {
		return s, request, err
	}
	s.Size, s.Complete = uint64(size), digest == nil
	copy(s.Digest[:], digest)
	copy(s.Event[:], id)
	copy(request[:], asked)
	return s, request, nil
}

// Begin enters a file, or finds it where the same was announced before.
// Errors: ErrFileKeyUsed, ErrSpoolFull, and those of the disk.
func (o *Outbox) Begin(ctx context.Context, f File) (Spooled, error) {
	var s Spooled
	err := o.transact(ctx, func(tx *sql.Tx) error {
		var request event.Digest
		var err error
		s, request, err = scanSpooled(tx.QueryRow(spooled+`WHERE a.idempotency_key = $1`, f.Key))
		switch {
		case err == nil && request != f.Request:
			return ErrFileKeyUsed
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		var kept int64
		if err := tx.QueryRow(`SELECT coalesce(sum(size), 0) FROM attachments WHERE entry != x''`).Scan(&kept); err != nil {
			return err
		}
		if uint64(kept)+f.Size > MaxSpool {
			return ErrSpoolFull
		}
		row := tx.QueryRow(`INSERT INTO attachments (idempotency_key, request, audience, retention, size, chunks, begun, sha256, entry)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`, f.Key, f.Request[:], f.Audience, f.Retention,
			int64(f.Size), attachment.Chunks(f.Size), o.Clock().Unix(), f.Digest[:], f.Entry)
		s = Spooled{Audience: f.Audience, Retention: f.Retention, Size: f.Size, Chunks: attachment.Chunks(f.Size), Digest: f.Digest, Entry: f.Entry}
		return row.Scan(&s.ID)
	})
	if err != nil {
		return s, fmt.Errorf("entering a file: %w", err)
	}
	return s, nil
}

// Spooled finds a file by its idempotency key; ErrNoSuchFile where there is none.
func (o *Outbox) Spooled(ctx context.Context, key string) (Spooled, error) {
	s, _, err := scanSpooled(o.read.QueryRowContext(ctx, spooled+`WHERE a.idempotency_key = $1`, key))
	if errors.Is(err, sql.ErrNoRows) {
		return s, ErrNoSuchFile
	}
	if err != nil {
		return s, fmt.Errorf("reading a file: %w", err)
	}
	return s, nil
}

// PutChunks stores a file's next chunks, of which from is the first. It is
// ErrFileElsewhere where another is the next.
func (o *Outbox) PutChunks(ctx context.Context, id int64, from int, chunks [][]byte) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		moved, err := tx.Exec(`UPDATE attachments SET received = received + $3 WHERE id = $1 AND received = $2 AND entry != x''`, id, from, len(chunks))
		if err != nil {
			return err
		}
		if n, err := moved.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, ErrFileElsewhere)
		}
		for i, chunk := range chunks {
			name := attachment.NameOf(chunk)
			if _, err := tx.Exec(`INSERT INTO chunks VALUES ($1, $2, $3, $4)`, id, from+i, name[:], chunk); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("storing chunks: %w", err)
	}
	return nil
}

// Chunk is one chunk of a file as it lies here, and its name. data is nil once nothing is kept.
func (o *Outbox) Chunk(ctx context.Context, id int64, number int) (name event.Digest, data []byte, err error) {
	var digest []byte
	err = o.read.QueryRowContext(ctx, `SELECT name, data FROM chunks WHERE attachment = $1 AND number = $2`, id, number).Scan(&digest, &data)
	if err == nil && copy(name[:], digest) != len(name) {
		err = errors.New("its name is damaged")
	}
	if err != nil {
		return name, nil, fmt.Errorf("reading chunk %d: %w", number, err)
	}
	return name, data, nil
}

// Complete says that a file came to its digest: entry names it from now on.
func (o *Outbox) Complete(ctx context.Context, id int64, entry []byte) error {
	digest := event.DigestOf(entry)
	_, err := o.db.ExecContext(ctx, `UPDATE attachments SET sha256 = NULL, entry = $2, digest = $3 WHERE id = $1 AND sha256 IS NOT NULL`, id, entry, digest[:])
	if err != nil {
		return fmt.Errorf("completing a file: %w", err)
	}
	return nil
}

// Drop forgets a file that did not come to its digest. Nothing of it has left this machine.
func (o *Outbox) Drop(ctx context.Context, id int64) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM chunks WHERE attachment = $1`, id)
		if err == nil {
			_, err = tx.Exec(`DELETE FROM attachments WHERE id = $1 AND sha256 IS NOT NULL`, id)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("forgetting a file: %w", err)
	}
	return nil
}

// NotAttached refuses a request: a report names a file that it cannot have.
type NotAttached struct {
	At     int // the report's place in the request, from 0
	Reason string
}

func (e *NotAttached) Error() string {
	return fmt.Sprintf("report %d names a file that %s", e.At, e.Reason)
}

// naming sees that the reports of one request name files that are here, each once.
type naming map[event.Digest]bool

func (n naming) check(tx *sql.Tx, at int, report Report) error {
	for _, file := range report.Attachments {
		digest := event.DigestOf(file.Entry)
		var audience, retention string
		var sequence sql.NullInt64
		var wiped bool
		err := tx.QueryRow(`SELECT audience, retention, sequence, wiped FROM attachments WHERE digest = $1`, digest[:]).Scan(&audience, &retention, &sequence, &wiped)
		switch {
		case errors.Is(err, sql.ErrNoRows) || err == nil && wiped:
			return &NotAttached{at, "is not here as it is named: hand it over first, and put the answer into the section as it is"}
		case err != nil:
			return err
		case sequence.Valid || n[digest]:
			return &NotAttached{at, "was named before: hand it over once more for each report, under a key of its own"}
		case audience != report.Audience || retention != report.Retention:
			return &NotAttached{at, "was handed over for another audience or retention class"}
		}
		n[digest] = true
	}
	return nil
}

// name gives a report's files to it.
func name(tx *sql.Tx, sequence int64, report Report) error {
	for _, file := range report.Attachments {
		digest := event.DigestOf(file.Entry)
		named, err := tx.Exec(`UPDATE attachments SET sequence = $2, compartment = $3 WHERE digest = $1 AND sequence IS NULL`,
			digest[:], sequence, int32(file.Compartment))
		if err := one(named, err, "a file is not here any more"); err != nil {
			return err
		}
	}
	return nil
}
