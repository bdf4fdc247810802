package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Read shows the outbox in a directory beside a publisher that may have it open.
// What use is given reads and does nothing else, and is closed afterwards.
func Read(ctx context.Context, directory string, owner Owner, use func(*Outbox) error) error {
	path := filepath.Join(directory, "outbox.db")
	if _, err := os.Stat(path); err != nil { // SQLite would make it
		return fmt.Errorf("reading the outbox: %w", err)
	}
	db, err := connect(path, 2, true)
	if err != nil {
		return fmt.Errorf("reading the outbox: %w", err)
	}
	o := &Outbox{read: db}
	// A transaction that shows nothing looks whose it is, and of which version.
	if _, err = Inspect(ctx, directory, owner, func(Stored) error { return errSeen }); errors.Is(err, errSeen) {
		err = nil
	}
	if err == nil {
		err = use(o)
	}
	return errors.Join(err, db.Close())
}

var errSeen = errors.New("seen")

// Sound asks SQLite whether the file's pages fit each other; not whether their content
// is what was written. It reads all of the file.
func (o *Outbox) Sound(ctx context.Context) error {
	var says string
	if err := o.read.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&says); err != nil {
		return fmt.Errorf("checking the outbox: %w", err)
	}
	if says != "ok" {
		return fmt.Errorf("the outbox's file is damaged: %s", says)
	}
	return nil
}

// WaitsSince is when the oldest report was accepted that is not witnessed; ok is
// false where none waits. It is what the report's identifier says, in milliseconds:
// later than the truth where the clock was set back.
func (o *Outbox) WaitsSince(ctx context.Context) (since time.Time, ok bool, err error) {
	var id []byte
	err = o.read.QueryRowContext(ctx, `SELECT coalesce((SELECT event_id FROM accepted WHERE sequence =
		(SELECT min(sequence) FROM (SELECT sequence FROM drafts UNION ALL SELECT sequence FROM envelopes))), x'')`).Scan(&id)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("reading the oldest report: %w", err)
	}
	if len(id) < 6 {
		return time.Time{}, false, nil
	}
	millis := int64(0) // RFC 9562, section 5.7
	for _, b := range id[:6] {
		millis = millis<<8 | int64(b)
	}
	return time.UnixMilli(millis).UTC(), true, nil
}
