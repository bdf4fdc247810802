package publisher

import (
	"context"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/translog"
)

// defaultFreeze is far above what the notary and the countries' desks take, restarts included.
const defaultFreeze = 2 * time.Minute

// watch notices, until ctx ends, that what the hub says it has stored does not come
// to be witnessed: a hub that keeps back checkpoints or cosignatures breaks no rule
// that a signature could show. Nothing is lost by it: the outbox keeps all that waits.
func (p *Publisher) watch(ctx context.Context) {
	own := translog.Standstill{Patience: p.freeze}
	all := own
	ticker := time.NewTicker(min(p.freeze/8+time.Millisecond, 5*time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		counts, err := p.outbox.Count(ctx)
		if err != nil {
			continue // said by who asks for the status
		}
		now, view := time.Now(), p.log.Load()
		if p.hub.Away() != nil || p.barred(view) != "" { // nothing can come
			own.Excuse(now)
			all.Excuse(now)
			continue
		}
		waits, ownStuck := own.Look(now, counts.Witnessed, counts.Witnessed+counts.Stored)
		stands, allStuck := all.Look(now, view.witnessed, view.size)
		p.troubles.note("frozen", frozen(view, ownStuck, allStuck, waits, stands))
	}
}

// frozen says what stands still, and since when; empty where nothing does.
func frozen(view *logView, own, all bool, waits, stands time.Time) string {
	const form = "2006-01-02 15:04:05 UTC"
	switch {
	case all:
		return fmt.Sprintf("of the log's %d messages %d are witnessed, and no more since %s: countries' desks stand still, or are shown another log, or the hub keeps their cosignatures back",
			view.size, view.witnessed, stands.UTC().Format(form))
	case own:
		return fmt.Sprintf("what the hub has stored for this agency is in no witnessed checkpoint since %s: the notary or the hub stands still, or the hub keeps the log back. It is kept here",
			waits.UTC().Format(form))
	}
	return ""
}
