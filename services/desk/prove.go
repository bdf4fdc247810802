package desk

import (
	"bytes"
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
	if m, ok, err := d.inDispute(ctx); ok || err != nil {
		return m, ok, err
	}
	open := state.Reads(d.config.Country)
	return d.journal.NewestOf(ctx, func(subject string) bool {
		label := verdict.Label(subject)
		return label == "" || slices.Contains(open, label) && !d.closed[label]
	})
}

// inDispute is the message of the journal in whose place the stream had another, or
// none, where it is still in the journal.
func (d *Desk) inDispute(ctx context.Context) (m journal.Message, ok bool, err error) {
	if d.disputed == nil {
		return m, false, nil
	}
	m, ok, err = d.journal.At(ctx, d.disputed.Index)
	if ok = ok && m.Subject == d.disputed.Subject && bytes.Equal(m.Data, d.disputed.Data); !ok && err == nil {
		err = d.settled(ctx, "What lay there before is not in the log, and was set aside.")
	}
	return m, ok, err
}

// settled ends a dispute.
func (d *Desk) settled(ctx context.Context, why string) error {
	d.disputed = nil
	return d.alarms.end(ctx, AlarmStreamChanged, why)
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
	switch {
	case len(fetched) == 0:
	case d.disputed == nil && fetched[0].Sequence <= anchor.Sequence():
		d.doubted = 0 // sift compares
		return nil
	case fetched[0].Sequence == anchor.Sequence() && fetched[0].Subject == anchor.Subject && bytes.Equal(fetched[0].Data, anchor.Data):
		d.doubted = 0
		return d.settled(ctx, "The stream has the message again.")
	}
	if len(fetched) == 0 {
		bounded, cancel := context.WithTimeout(ctx, hubTimeout)
		defer cancel()
		pending, err := r.Pending(bounded)
		switch {
		case err != nil:
			return &away{err}
		case pending > 0:
			return &away{fmt.Errorf("the hub has not sent sequence %d yet", anchor.Sequence())}
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
		return &away{fmt.Errorf("the hub did not send sequence %d", anchor.Sequence())}
	}
	if len(fetched) == 0 {
		return d.changed(ctx, anchor, got, "is not in the stream any more: the hub shows this desk an older one, which ends before it")
	}
	return d.changed(ctx, anchor, got, fmt.Sprintf("is not in the stream any more (the hub sent sequence %d instead)", got.Sequence))
}

// proveLog looks whether the last message that the mirror took in from the log
// stream is still there, and leaves the reader after it. A stream that has another
// there, or ends before it, is not the one that was followed: the hub shows an older
// one, or had lost it. All of it is then read again; nothing is taken in before it
// comes to the tree that this desk has, and the alarm stands until then.
func (m *mirror) proveLog(ctx context.Context, r *stream.Reader) error {
	last := m.read
	if last.Sequence == 0 {
		return nil
	}
	fetched, err := r.Fetch(ctx, 1, logFetchWait)
	if err != nil {
		return &away{err}
	}
	bounded, cancel := context.WithTimeout(ctx, hubTimeout)
	defer cancel()
	if len(fetched) > 0 && stream.MarkOf(fetched[0]) == last {
		m.doubted = 0
		if err := m.whole(ctx); err != nil {
			return err
		}
		return after(bounded, r, last.Sequence)
	}
	if m.doubted++; m.doubted < doubts {
		return &away{fmt.Errorf("the hub did not send message %d of the log stream as it was", last.Sequence)}
	}
	if _, err := m.alarms.raise(ctx, journal.Alarm{
		Code: AlarmLogCut,
		What: fmt.Sprintf("The log stream has not the message %d any more up to which this desk has read it: the hub shows an older one, or another. "+
			"It is read again from its beginning, and has to come to the %d events that this desk knows.", last.Sequence, m.follower.Size()),
	}); err != nil {
		return err
	}
	m.follower.Rewind()
	m.read = stream.Mark{}
	return after(bounded, r, 0)
}

// whole ends the alarm about the log stream.
func (m *mirror) whole(ctx context.Context) error {
	return m.alarms.end(ctx, AlarmLogCut, "The log stream has all that this desk has read of it.")
}

// after makes the message after a sequence the next to be read.
func after(ctx context.Context, r *stream.Reader, sequence uint64) error {
	if err := r.Reset(ctx, sequence+1); err != nil {
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
	m.end = m.read.Sequence + pending
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
			if next, err := state.Apply(m.Sequence-1, m.Subject, m.Data); err == nil {
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
