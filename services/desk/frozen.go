package desk

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// watch notices a log that stands still while something waits for it, until ctx
// ends: a hub that forwards no new checkpoints or cosignatures breaks no rule that
// a signature could show. It looks often enough that this adds little to Config.Freeze.
func (d *Desk) watch(ctx context.Context) error {
	unlogged := translog.Standstill{Patience: d.config.Freeze}
	unwitnessed := unlogged
	ticker := time.NewTicker(min(d.config.Freeze/8+time.Millisecond, 5*time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := d.watchOnce(ctx, time.Now(), &unlogged, &unwitnessed); err != nil {
			return err
		}
	}
}

// watchOnce looks whether what is here has leaves, and the leaves a quorum. Without
// a hub nothing can come, and to a country that is no active member nothing need.
// Behind a final alarm the mirror stands still by itself.
func (d *Desk) watchOnce(ctx context.Context, now time.Time, unlogged, unwitnessed *translog.Standstill) error {
	if !d.conn.Connected() || !d.mirror.active() || d.alarms.stopped() {
		unlogged.Excuse(now)
		unwitnessed.Excuse(now)
		return nil
	}
	last, ok, err := d.journal.Last(ctx)
	if err != nil {
		return err
	}
	said := uint64(0)
	if ok {
		said = last.Index + 1
	}
	status := d.standing.get()
	outside, unfollowed := unlogged.Look(now, status.LogSize, said)
	alone, unsigned := unwitnessed.Look(now, status.WitnessedSize, status.LogSize)
	switch {
	case unfollowed:
		return d.frozen(ctx, status.LogSize, fmt.Sprintf(
			"What this desk has been sent from message %d on is in no checkpoint since %s: the notary or the hub stands still, or the hub keeps the log from this desk.",
			status.LogSize, clock(outside)))
	case unsigned:
		return d.frozen(ctx, status.WitnessedSize, fmt.Sprintf(
			"The log from message %d on is not witnessed since %s (%s): other countries' desks stand still, or are shown another log, or the hub keeps their cosignatures from this desk.",
			status.WitnessedSize, clock(alone), cosigners(status)))
	}
	return d.alarms.end(ctx, AlarmFrozen, "What was waited for has come.")
}

// frozen raises the alarm that what begins at an index waits.
func (d *Desk) frozen(ctx context.Context, index uint64, what string) error {
	newest, _, err := d.journal.Newest(ctx)
	if err != nil {
		return err
	}
	_, err = d.alarms.raise(ctx, journal.Alarm{Code: AlarmFrozen, Index: &index, What: what, Have: newest.Note})
	return err
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// cosigners says how far the log is witnessed.
func cosigners(s Status) string {
	if len(s.CosignedBy) == 0 {
		return fmt.Sprintf("none of %d messages ever was", s.LogSize)
	}
	return fmt.Sprintf("%d of %d messages are, by %s", s.WitnessedSize, s.LogSize, strings.Join(s.CosignedBy, ", "))
}
