package desk

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// chronicle is the registry as the journal has it, with what became of each of
// its messages. The journal only grows, so it is read on from where it was. It is
// ahead of the view's registry where messages are journaled and not folded yet.
type chronicle struct {
	journal *journal.Journal

	mu      sync.Mutex
	empty   registry.State
	next    uint64 // messages below this log index were looked at
	state   registry.State
	updates []console.Update
	lost    []translog.Range // messages that the hub has lost for good, by its own word
}

func newChronicle(j *journal.Journal, charter event.Digest) *chronicle {
	empty := registry.New(charter)
	return &chronicle{journal: j, empty: empty, state: empty}
}

// read is the newest registry that is journaled.
func (c *chronicle) read(ctx context.Context) (registry.State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	messages, err := c.journal.Registry(ctx, c.next, math.MaxInt64)
	if err != nil {
		return c.state, err
	}
	for _, m := range messages {
		judged, err := verdict.Judge(c.state, nil, nil, m.Index, m.Subject, m.Data)
		if err != nil {
			return c.state, fmt.Errorf("judging update %d: %w", m.Index, err)
		}
		update := console.Update{Index: m.Index, Subject: shown(m.Subject), Verdict: judged.Code, Reason: judged.Reason}
		switch {
		case judged.Update:
			update.Says = says(c.state, m.Data)
		case judged.Restored != nil:
			update.Says = []string{judged.Restored.String()}
			c.lost = append(c.lost, judged.Restored.Lost...)
		}
		c.updates = append(c.updates, update)
		c.state, c.next = judged.State, m.Index+1
	}
	return c.state, nil
}

// forget goes back to the registry below a log index.
func (c *chronicle) forget(from uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next > from {
		c.next, c.state, c.updates, c.lost = 0, c.empty, nil, nil
	}
}

// isLost reports whether the hub says that it has lost the message at an index.
func (c *chronicle) isLost(index uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.lost, func(r translog.Range) bool { return r.Has(index) })
}

// known is the registry as it was last read, and the log index after its newest message.
func (c *chronicle) known() (registry.State, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.next
}

// history lists all messages of the registry, in the order of the log. The list
// is the chronicle's own and only grows.
func (c *chronicle) history(ctx context.Context) ([]console.Update, error) {
	if _, err := c.read(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.updates[:len(c.updates):len(c.updates)], nil
}

// says is an update that applied, in plain words: a sentence or more. before is
// the registry that it changed.
func says(before registry.State, data []byte) []string {
	_, update, err := registry.Read(data)
	if err != nil {
		return []string{""} // what applied can be read
	}
	return before.Say(update)
}
