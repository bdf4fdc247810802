package desk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/desk/journal"
)

const (
	fetchLimit   = 1000
	fetchWait    = time.Second
	retryAfter   = 250 * time.Millisecond
	hubTimeout   = 5 * time.Second // for one question to the hub
	foldAtOnce   = 250             // messages of the journal that are folded in one transaction
	progressStep = 100_000         // messages between two lines of progress

	// doubts is how often in a row a reader must begin with another message than
	// the one asked for before that is believed. What was asked for can go to a
	// request of an earlier connection, which the hub keeps for up to fetchWait;
	// so many tries take twice as long.
	doubts = 8
)

// away is a failure of the hub or of the way to it: the loop begins again.
type away struct{ cause error }

func (a *away) Error() string { return a.cause.Error() }
func (a *away) Unwrap() error { return a.cause }

// retrying runs a loop again and again while the hub is to blame for its end.
func retrying(ctx context.Context, log *slog.Logger, what string, loop func(context.Context) error) error {
	for {
		err := loop(ctx)
		switch _, hub := errors.AsType[*away](err); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errStopped):
			log.Error(what + " has stopped: see the alarm")
			return nil
		case !hub:
			return err
		}
		log.Debug(what+" begins again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// follow brings the view up to the journal, then takes in what comes.
func (d *Desk) follow(ctx context.Context) error {
	if err := d.recover(ctx); err != nil {
		return err
	}
	close(d.recovered)
	return retrying(ctx, d.log, "following", func(ctx context.Context) error {
		defer d.tell()
		return d.followStream(ctx)
	})
}

// reader opens a consumer so that the next message is the one at a sequence.
func reader(ctx context.Context, conn *stream.Conn, name, country string, sequence uint64) (*stream.Reader, error) {
	bounded, cancel := context.WithTimeout(ctx, hubTimeout)
	defer cancel()
	r, err := conn.Reader(bounded, name, stream.DeskUser(country))
	if err == nil {
		err = r.Reset(bounded, sequence)
	}
	if err != nil {
		return nil, &away{err}
	}
	return r, nil
}

// followStream takes in messages until something fails. For each group: journal
// (fsynced), fold, acknowledge. If we crash after the first, the next start
// folds from the journal; after the second, the messages are read from the
// stream again and known.
//
// It begins with a message of the journal, which must still be there: a sequence
// alone proves nothing, it is used again after a loss.
func (d *Desk) followStream(ctx context.Context) error {
	d.reading.Lock()
	revision := d.revisions.Load()
	last, any, err := d.journal.Last(ctx)
	d.reading.Unlock()
	if err != nil {
		return err
	}
	anchor, began, err := d.anchor(ctx)
	if err != nil {
		return err
	}
	r, err := reader(ctx, d.conn, stream.Events, d.config.Country, anchor.Sequence())
	if err != nil {
		return err
	}
	next := uint64(0) // log index
	if any {
		next = last.Index + 1
	}
	for unproven := true; ; {
		if err := d.fetchWanted(ctx, r); err != nil {
			return err
		}
		fetched, err := r.Fetch(ctx, fetchLimit, fetchWait)
		if err != nil {
			return &away{err}
		}
		d.standing.synced()
		if unproven {
			if err := d.prove(ctx, r, anchor, began, fetched); err != nil {
				return err
			}
		}
		if len(fetched) == 0 {
			if err := d.still(revision); err != nil {
				return err
			}
			if err := d.readRecords(ctx); err != nil {
				return err
			}
			d.tell()
			continue
		}
		unproven = false
		if next, err = d.takeIn(ctx, revision, next, fetched); err != nil {
			return err
		}
		d.tell()
		if err := acknowledge(r, "messages", d.at); err != nil {
			return err
		}
	}
}

// takeIn takes in the messages from a log index on, and returns the one after them.
// It does not after the journal was revised since a time: the next may be another.
func (d *Desk) takeIn(ctx context.Context, revision, next uint64, fetched []stream.Message) (uint64, error) {
	d.reading.Lock()
	defer d.reading.Unlock()
	if err := d.still(revision); err != nil {
		return next, err
	}
	fresh, err := d.sift(ctx, next, fetched)
	if err != nil || len(fresh) == 0 {
		return next, err
	}
	return fresh[len(fresh)-1].Index + 1, d.keep(ctx, fresh)
}

// still is an error where the journal was revised since a time: it is read on from anew.
func (d *Desk) still(revision uint64) error {
	if d.revisions.Load() != revision {
		return &away{errors.New("the journal was revised")}
	}
	return nil
}

// sift picks the messages from a log index on. Those below must be what the
// journal has.
func (d *Desk) sift(ctx context.Context, next uint64, fetched []stream.Message) ([]journal.Message, error) {
	var fresh []journal.Message
	for _, m := range fetched {
		index := m.Sequence - 1
		if index >= next {
			fresh = append(fresh, journal.Message{Index: index, Subject: m.Subject, Data: m.Data})
			next = index + 1
			continue
		}
		have, ok, err := d.journal.At(ctx, index)
		switch {
		case err != nil:
			return nil, err
		case !ok && len(fresh) > 0:
			return nil, d.changed(ctx, fresh[len(fresh)-1], m, fmt.Sprintf("was read, and an earlier one that had been left out (sequence %d) comes after it", m.Sequence))
		case !ok:
			last, _, err := d.journal.Last(ctx)
			if err != nil {
				return nil, err
			}
			return nil, d.changed(ctx, last, m, fmt.Sprintf("was read, and an earlier one that had been left out (sequence %d) comes after it", m.Sequence))
		case have.Subject != m.Subject || !bytes.Equal(have.Data, m.Data):
			return nil, d.changed(ctx, have, m, "has other content in the stream now")
		}
	}
	return fresh, nil
}

// changed raises the alarm that the stream is not what the journal says. Going
// on from the number alone would mix two histories. It stands until the stream has
// the message again, or the log shows that it was never in it.
func (d *Desk) changed(ctx context.Context, have journal.Message, got stream.Message, how string) error {
	d.disputed = &have
	_, err := d.alarms.raise(ctx, journal.Alarm{
		Code: AlarmStreamChanged, Index: new(have.Index),
		What: fmt.Sprintf("Message %d of the log (sequence %d) %s.", have.Index, have.Sequence(), how),
		Have: have.Data, Got: got.Data,
	})
	if err != nil {
		return err
	}
	return &away{fmt.Errorf("message %d of the log %s", have.Index, how)}
}

// keep journals and folds messages, and tells who waits for either. Whoever calls
// holds reading.
func (d *Desk) keep(ctx context.Context, fresh []journal.Message) error {
	if err := d.journal.Append(ctx, fresh); err != nil {
		return d.refuse(ctx, err)
	}
	if d.refused {
		d.refused = false
		if err := d.alarms.end(ctx, AlarmAltered, "The hub has delivered what the log has there."); err != nil {
			return err
		}
	}
	if _, err := d.book.read(ctx); err != nil {
		return err
	}
	d.journaled.notify()
	if err := d.at("journaled"); err != nil {
		return err
	}
	if err := d.readRecords(ctx); err != nil {
		return err
	}
	return d.fold(ctx, fresh)
}

func (d *Desk) fold(ctx context.Context, fresh []journal.Message) error {
	d.folding.Lock()
	defer d.folding.Unlock()
	if err := d.folder.take(ctx, fresh); err != nil {
		return err
	}
	if err := d.folded(ctx, d.folder); err != nil {
		return err
	}
	d.committed()
	return d.at("folded")
}

// refuse judges an error of the journal: a message that is not that of its leaf is the hub's
// fault, and waited for.
func (d *Desk) refuse(ctx context.Context, cause error) error {
	contrary, ok := errors.AsType[*journal.Contrary](cause)
	if !ok {
		return cause
	}
	d.refused = true
	have := contrary.Message
	if _, err := d.alarms.raise(ctx, journal.Alarm{
		Code: AlarmAltered, Index: &have.Index,
		What: fmt.Sprintf("The log has another content for event %d than the one that this desk is sent.", have.Index),
		Have: have.Data, Got: fmt.Appendf(nil, "leaf %d %s\n", have.Index, contrary.Leaf),
	}); err != nil {
		return err
	}
	return &away{cause}
}

// acknowledge tells the hub that what was fetched is safe here.
func acknowledge(r *stream.Reader, what string, at func(step string) error) error {
	if err := at("acknowledging " + what); err != nil {
		return err
	}
	if err := r.Ack(); err != nil {
		return &away{err}
	}
	return at("acknowledged " + what)
}

// at is a step between which tests let the desk crash.
func (d *Desk) at(step string) error {
	if d.config.fault == nil {
		return nil
	}
	return d.config.fault(step)
}
