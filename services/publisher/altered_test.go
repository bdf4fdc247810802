package publisher

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/stream"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// altering is a hub that alters a message of the log stream the first time it sends
// it.
type altering struct {
	hub
	sequence uint64
	change   func(*logv1.Leaves)
	done     *atomic.Bool
}

func (h altering) Reader(ctx context.Context, name string) (logReader, error) {
	reader, err := h.hub.Reader(ctx, name)
	if err != nil || name != stream.Log {
		return reader, err
	}
	return alteringReader{reader, h}, nil
}

type alteringReader struct {
	logReader
	by altering
}

func (r alteringReader) Fetch(ctx context.Context, limit int, wait time.Duration) ([]stream.Message, error) {
	messages, err := r.logReader.Fetch(ctx, limit, wait)
	for i, m := range messages {
		if m.Sequence != r.by.sequence || r.by.done.Swap(true) {
			continue
		}
		leaves := &logv1.Leaves{}
		if err := proto.Unmarshal(m.Data, leaves); err != nil {
			return nil, err
		}
		r.by.change(leaves)
		if messages[i].Data, err = proto.Marshal(leaves); err != nil {
			return nil, err
		}
	}
	return messages, err
}

// The hub alters, once and on the way to this publisher alone, what nobody has signed.
// It is read again, also where the log is never silent, and nothing of it is kept: a
// publisher that had believed the epoch could take in nothing any more.
func TestAdversary_L10_LeavesAlteredOnTheWayToAPublisher(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*logv1.Leaves){
		"a leaf":        func(l *logv1.Leaves) { l.Hashes[0] ^= 1 },
		"the signature": func(l *logv1.Leaves) { l.Checkpoint[len(l.Checkpoint)-9] ^= 1 },
		"the epoch":     func(l *logv1.Leaves) { l.Epoch++ },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			n := w.notary()
			n.checkpoint(1)
			altered := &atomic.Bool{}
			p := w.start(t.TempDir(), func(p *Publisher) { p.hub = altering{p.hub, 2, change, altered} })
			promised := p.publish(report("a"))
			p.untilStored(1)
			checkpoint := n.checkpoint(2)
			eventually(t, func() string {
				w.cosign(checkpoint, "XA", "XB") // the log stream is never silent
				if !altered.Load() || p.status().GetWitnessed() < 1 {
					return "waiting until the event is witnessed"
				}
				return ""
			})
			promised = append(promised, p.publish(report("b"))...)
			p.untilStored(1)
			w.cosign(n.checkpoint(3), "XA", "XB")
			p.untilWitnessed(2)
			w.judge().check(t, promised...)
		})
	}
}
