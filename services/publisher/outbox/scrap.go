package outbox

import (
	"context"
	"errors"
	"fmt"
)

var errBusy = errors.New("somebody is reading")

// Scrap empties the write-ahead log where something was let go since: secure_delete
// overwrites it in the file itself, and its older pages are in that log still. A reader that
// is at work makes it fail, for the caller to repeat: after a crash too, since the
// log is emptied at the next start.
func (o *Outbox) Scrap(ctx context.Context) error {
	if !o.scrap.Load() {
		return nil
	}
	o.scrap.Store(false) // before: what is let go meanwhile asks for it again
	var busy, frames, moved int
	err := o.sweep.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		err = errBusy
	}
	if err != nil {
		o.scrap.Store(true)
		return fmt.Errorf("emptying the outbox's write-ahead log: %w", err)
	}
	return nil
}
