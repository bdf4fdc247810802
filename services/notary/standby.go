package notary

import (
	"context"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
)

// A standby has the notary's key and follows the same two streams: it stores the
// leaves, agrees with what the notary publishes, and serves the same tiles. When
// leaves wait and nobody publishes, it does, and hands back when somebody else has.
// Two that both publish cannot fork: the next message on the log stream is one of
// them, by compare-and-swap, and who lost takes it in.

// watch is a standby's watch over the log stream.
type watch struct {
	moved time.Time // when it moved last, or when the first leaf began to wait
	leads bool      // the standby publishes
}

// user is who this notary is to the hub; its consumer has the same name.
func (n *Notary) user() string {
	if n.config.Standby {
		return stream.StandbyUser
	}
	return stream.NotaryUser
}

// wait is how long one look at the events may take.
func (n *Notary) wait() time.Duration {
	if n.config.Standby {
		return min(time.Second, max(10*time.Millisecond, n.config.Patience/4))
	}
	return time.Second
}

// due reports whether there is something to publish that is this notary's to publish.
func (n *Notary) due(ctx context.Context, w *watch, p *publication, t *taken) (bool, error) {
	if err := n.settle(p, t); err != nil {
		return false, err
	}
	if !n.config.Standby {
		return p.size < t.end(), nil
	}
	if w.leads {
		pause(ctx, n.config.Interval/2) // a notary that is back is the first
	}
	newest, err := n.published(ctx)
	if err != nil {
		return false, err
	}
	if newest.sequence != p.sequence {
		return false, n.adopt(w, p, t, newest)
	}
	if p.size >= t.end() {
		w.moved = time.Time{}
		return false, nil
	}
	if w.moved.IsZero() {
		w.moved = time.Now()
	}
	if !w.leads && time.Since(w.moved) >= n.config.Patience {
		w.leads = true
		n.log.Warn("nobody publishes: taking over", "leaves", t.end()-p.size)
	}
	return w.leads, nil
}

// overtaken is for when another notary has published first.
func (n *Notary) overtaken(ctx context.Context, w *watch, p *publication, t *taken) error {
	newest, err := n.published(ctx)
	if err != nil {
		return err
	}
	return n.adopt(w, p, t, newest)
}

// adopt takes in what another notary has published.
func (n *Notary) adopt(w *watch, p *publication, t *taken, newest *publication) error {
	if newest.size < p.size || newest.sequence < p.sequence {
		return fmt.Errorf("%w: the log stream went back from %d leaves to %d", ErrAltered, p.size, newest.size)
	}
	if w.leads {
		n.log.Info("another notary publishes: standing by")
	}
	if newest.size == p.size && p.size == t.frontier.Size() {
		if err := n.agree(newest, t.frontier.Root()); err != nil {
			return err
		}
	}
	*w, *p = watch{moved: time.Now()}, *newest
	return n.settle(p, t)
}
