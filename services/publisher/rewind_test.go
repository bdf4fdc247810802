package publisher

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// reordered is a hub whose log stream has the same messages in another order, as one
// that was made anew has.
type reordered struct {
	hub
	at map[uint64]stream.Message // what lies at a sequence now
}

func (h reordered) Reader(ctx context.Context, name string) (logReader, error) {
	reader, err := h.hub.Reader(ctx, name)
	if err != nil || name != stream.Log {
		return reader, err
	}
	return reorderedReader{reader, h.at}, nil
}

type reorderedReader struct {
	logReader
	at map[uint64]stream.Message
}

func (r reorderedReader) Fetch(ctx context.Context, limit int, wait time.Duration) ([]stream.Message, error) {
	messages, err := r.logReader.Fetch(ctx, limit, wait)
	for i, m := range messages {
		if other, ok := r.at[m.Sequence]; ok {
			messages[i].Subject, messages[i].Data = other.Subject, other.Data
		}
	}
	return messages, err
}

// log reads the log stream as it is.
func (w *world) log(sequences uint64) []stream.Message {
	w.t.Helper()
	var all []stream.Message
	w.as(stream.AuditUser, func(conn *stream.Conn) {
		reader, err := conn.Reader(w.t.Context(), stream.Log, stream.AuditUser)
		if err == nil {
			err = reader.Reset(w.t.Context(), 1)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		eventually(w.t, func() string {
			all = append(all, fetch(w.t, reader, uint64(len(all)+1))...)
			if uint64(len(all)) < sequences {
				return "waiting for the log stream"
			}
			return ""
		})
	})
	return all
}

// What the cursor points at is another message now, and all that the log says is
// there: it is read again, once, and the publisher goes on.
func TestLogStreamThatWasMadeAnewIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	p := w.start(directory)
	promised := p.publish(report("a"))
	p.untilStored(1)
	w.cosign(n.checkpoint(2), "XA", "XB") // messages 2 to 4
	p.untilWitnessed(1)
	p.stop()
	before := w.log(4)
	p = w.start(directory, func(p *Publisher) {
		p.hub = reordered{p.hub, map[uint64]stream.Message{3: before[3], 4: before[2]}}
	})
	promised = append(promised, p.publish(report("b"))...)
	p.untilStored(1)
	w.cosign(n.checkpoint(3), "XA", "XB")
	p.untilWitnessed(2)
	w.judge().check(t, promised...)
}

// The log stream ends before what was read of it: nothing is published, and the
// status says so, until it is as long again.
func TestAdversary_L02_LogStreamThatEndsBeforeWhatWasRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	p := w.start(directory)
	p.publish(report("a"))
	p.untilStored(1)
	w.cosign(n.checkpoint(2), "XA", "XB")
	p.untilWitnessed(1)
	p.stop()
	before := w.log(4)
	p = w.start(directory, func(p *Publisher) { // the first checkpoint and no other
		p.hub = reordered{p.hub, map[uint64]stream.Message{2: before[0], 3: before[0], 4: before[0]}}
	})
	p.publish(report("b"))
	p.until("the status tells of another log stream", func(s *publisherv1.GetStatusResponse) bool {
		return strings.Contains(s.String(), "log stream") && s.GetWaiting() == 1
	})
}
