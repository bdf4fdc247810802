package desk

import (
	"context"
	"fmt"
	"slices"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// anchor is the newest message of the journal that this country may still read:
// what was addressed to an audience that it has left since does not come again.
// ok is false in an empty journal.
func (d *Desk) anchor(ctx context.Context) (m journal.Message, ok bool, err error) {
	state, err := d.book.read(ctx)
	if err != nil {
		return journal.Message{}, false, err
	}
	open := state.Reads(d.config.Country)
	return d.journal.NewestOf(ctx, func(subject string) bool {
		label := verdict.Label(subject)
		return label == "" || slices.Contains(open, label) && !d.closed[label]
	})
}

// prove looks at what came first after a Reset to the anchor: it must be that. A
// stream that ends before it is an older one. An empty journal begins with the
// first message of the stream, which is the charter and everybody's.
//
// The hub may be ahead of this desk, and not send what is addressed to an audience
// that the country has left by an update further on. So that update is looked for
// before anybody is accused.
func (d *Desk) prove(ctx context.Context, r *stream.Reader, anchor journal.Message, began bool, fetched []stream.Message) error {
	if !began && (len(fetched) == 0 || fetched[0].Sequence == 1) {
		return nil
	}
	if !began {
		return &away{fmt.Errorf("the hub sent sequence %d first, not 1", fetched[0].Sequence)}
	}
	if len(fetched) > 0 && fetched[0].Sequence <= anchor.Sequence {
		d.doubted = 0
		return nil
	}
	if len(fetched) == 0 {
		bounded, cancel := context.WithTimeout(ctx, hubTimeout)
		defer cancel()
		pending, err := r.Pending(bounded)
		switch {
		case err != nil:
			return &away{err}
		case pending > 0:
			return &away{fmt.Errorf("the hub has not sent sequence %d yet", anchor.Sequence)}
		}
	}
	got := stream.Message{}
	if len(fetched) > 0 {
		got = fetched[0]
	}
	label := verdict.Label(anchor.Subject)
	closed, err := d.closedAhead(ctx, r, label, fetched)
	if err != nil {
		return err
	}
	if closed {
		d.closed[label] = true
		return &away{fmt.Errorf("address %s was taken from this country: beginning with another message", label)}
	}
	if d.doubted++; d.doubted < doubts {
		return &away{fmt.Errorf("the hub did not send sequence %d", anchor.Sequence)}
	}
	if len(fetched) == 0 {
		return d.changed(ctx, anchor, got, "is not in the stream any more: the hub shows this desk an older one, which ends before it")
	}
	return d.changed(ctx, anchor, got, fmt.Sprintf("is not in the stream any more (the hub sent sequence %d instead)", got.Sequence))
}

// proveLog looks whether the last message that the mirror took in from the log
// stream is still there, and leaves the reader after it. Where the stream ends
// before it the mirror waits: it would go on at the number with another log.
func (m *mirror) proveLog(ctx context.Context, r *stream.Reader) error {
	last := m.place.Sequence
	if last == 0 {
		return nil
	}
	fetched, err := r.Fetch(ctx, 1, logFetchWait)
	if err != nil {
		return &away{err}
	}
	if len(fetched) > 0 && fetched[0].Sequence == last {
		m.doubted = 0
		return m.alarms.end(ctx, AlarmLogCut, "The log stream is whole again.")
	}
	bounded, cancel := context.WithTimeout(ctx, hubTimeout)
	defer cancel()
	pending, err := r.Pending(bounded)
	if err != nil {
		return &away{err}
	}
	missing := &away{fmt.Errorf("the hub did not send sequence %d of the log stream", last)}
	if m.doubted++; m.doubted < doubts {
		return missing
	}
	if len(fetched) == 0 && pending == 0 {
		if _, err := m.alarms.raise(ctx, journal.Alarm{
			Code: AlarmLogCut, What: fmt.Sprintf("The log stream ends before its message %d, up to which this desk has read it: the hub shows it an older one.", last),
		}); err != nil {
			return err
		}
		return missing
	}
	if err := r.Reset(bounded, last+1); err != nil { // what comes then is judged as it comes
		return &away{err}
	}
	return nil
}

// ahead notes where the log stream ends now. Up to there, this desk's key may have
// cosigned what the journal does not know of: it was lost, or set back to an older
// copy. Before that is known nothing is cosigned, and nothing of before is published.
func (m *mirror) ahead(ctx context.Context, r *stream.Reader) error {
	bounded, cancel := context.WithTimeout(ctx, hubTimeout)
	defer cancel()
	pending, err := r.Pending(bounded)
	if err != nil {
		return &away{err}
	}
	m.end = m.place.Sequence + pending
	return nil
}

// closedAhead reads on to the end of the stream and reports whether a later update
// takes an address from this country. An address that was taken never comes back.
func (d *Desk) closedAhead(ctx context.Context, r *stream.Reader, label string, fetched []stream.Message) (bool, error) {
	if label == "" {
		return false, nil
	}
	state, err := d.book.read(ctx)
	if err != nil {
		return false, err
	}
	for len(fetched) > 0 {
		for _, m := range fetched {
			if !registry.IsSubject(m.Subject) {
				continue
			}
			index, err := indexOf(0, m.Sequence)
			if err != nil {
				return false, err
			}
			if next, err := state.Apply(index, m.Subject, m.Data); err == nil {
				state = next
			}
		}
		if !slices.Contains(state.Reads(d.config.Country), label) {
			return true, nil
		}
		if fetched, err = r.Fetch(ctx, fetchLimit, fetchWait); err != nil {
			return false, &away{err}
		}
	}
	return false, nil
}
