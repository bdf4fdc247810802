package desk

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
	"github.com/tripoint/tripoint/services/desk/journal"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

// folder takes journaled messages into one view, in order. It is for one
// goroutine at a time.
type folder struct {
	view    view.Writer
	country string
	journal *journal.Journal
	charter event.Digest
	ring    *keyring.Ring
	opener  *keyring.Opener
	now     func() time.Time
	state   registry.State // after the last message that was committed
	next    uint64         // log index after it
	roots   event.Roots
	fault   func(step string) error // nil but in tests

	// What was met since the desk last looked.
	taken   keyring.Taken // what it deleted
	missing bool          // a section had no record
}

// newFolder goes on from a view's cursor: the registry as it was there is folded
// from the journal.
func newFolder(ctx context.Context, charter event.Digest, j *journal.Journal, w view.Writer, at view.Cursor) (*folder, error) {
	f := &folder{view: w, journal: j, charter: charter, state: registry.New(charter)}
	if at.Sequence == 0 {
		return f, nil
	}
	var err error
	f.next = at.Index + 1
	f.state, err = f.registryAt(ctx, f.next)
	return f, err
}

// take folds messages in one transaction: rows, verdicts and cursor, or nothing. Those that
// are in the view are passed over: one that was swapped in has come to the end of the
// journal, and whoever journaled the newest may not have folded them yet. Its errors are
// never about a message.
func (f *folder) take(ctx context.Context, messages []journal.Message) error {
	messages = slices.DeleteFunc(slices.Clone(messages), func(m journal.Message) bool { return m.Index < f.next })
	if len(messages) == 0 {
		return nil
	}
	tx, err := f.view.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	state := f.state
	for _, m := range messages {
		if state, err = f.one(ctx, tx, state, m); err != nil {
			return fmt.Errorf("folding message %d: %w", m.Index, err)
		}
	}
	if err := f.opener.Note(ctx, f.now()); err != nil {
		return err
	}
	if err := f.at("committing view"); err != nil {
		return err
	}
	if err := tx.Commit(cursorOf(messages[len(messages)-1])); err != nil {
		return err
	}
	f.state, f.next = state, messages[len(messages)-1].Index+1
	return f.at("committed view")
}

func (f *folder) at(step string) error {
	if f.fault == nil {
		return nil
	}
	return f.fault(step)
}

func cursorOf(m journal.Message) view.Cursor {
	return view.Cursor{Sequence: m.Sequence(), Index: m.Index, Digest: event.DigestOf(m.Data)}
}

// one judges and folds one message, and returns the registry after it.
func (f *folder) one(ctx context.Context, tx view.Tx, state registry.State, m journal.Message) (registry.State, error) {
	judged, err := verdict.Judge(state, tx, &f.roots, m.Index, m.Subject, m.Data)
	if err != nil {
		return state, err
	}
	entry := entryOf(m, judged)
	switch {
	case judged.Update:
		entry.Summary = says(state, m.Data)[0]
	case judged.Restored != nil:
		entry.Summary = judged.Restored.String()
	}
	if !judged.Said() {
		return judged.State, tx.Take(entry, event.Head{})
	}
	said, change, err := f.hear(ctx, tx, judged.State, m.Index, judged.Event)
	if err != nil {
		return state, err
	}
	tell(&entry, said, change)
	if err := f.release(ctx, tx, &entry, said); err != nil {
		return state, err
	}
	if err := tx.Take(entry, judged.Head()); err != nil {
		return state, err
	}
	return judged.State, nil
}

// hear opens an accepted event, does what it asks for, and folds it.
func (f *folder) hear(ctx context.Context, tx view.Tx, state registry.State, index uint64, e event.Verified) (casework.Said, casework.Change, error) {
	opened, err := f.open(ctx, index, e)
	if err != nil {
		return casework.Said{}, casework.Change{}, err
	}
	audience, _ := state.Audience(registry.AudienceOf(e.Chain.Audience))
	said := casework.Hear(index, e, opened, audience)
	if err := f.obey(ctx, tx, said); err != nil {
		return said, casework.Change{}, err
	}
	change, err := casework.Fold(tx, said)
	if err == nil {
		err = f.owe(ctx, tx, said)
	}
	return said, change, err
}

// tell puts what the fold says of an event into its row.
func tell(entry *view.Entry, said casework.Said, change casework.Change) {
	entry.Occurred, entry.Source = said.Case.GetOccurred(), said.Case.GetSource()
	entry.Marking = change.Marking
	if entry.Kind == casework.KindSealed && change.Kind != "" {
		entry.Kind = change.Kind
	}
	entry.Summary, entry.Refs = change.Summary, change.Touched
	entry.Breaches, entry.Closed, entry.Open = change.Breaches, change.Closed, said.Open()
}
