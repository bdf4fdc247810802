package publisher

import (
	"context"
	"fmt"
	"math"

	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// compare looks for the outbox's envelopes among new leaves. In one epoch the
// log index goes with the stream's sequence. A leaf binds index, subject and
// bytes: where it is another one, the event is not there.
func (p *Publisher) compare(ctx context.Context, u *pursuit, batch translog.Batch) (found []outbox.Found, lost []outbox.Lost, err error) {
	if len(batch.Hashes) == 0 {
		return nil, nil, nil
	}
	audiences, err := p.outbox.Unfound(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, audience := range audiences {
		s := search{publisher: p, known: u.known, batch: batch, audience: audience, doubt: p.lanes.of(audience).doubt}
		if err := p.outbox.EachUnfound(ctx, audience, s.next); err != nil {
			return nil, nil, err
		}
		found = append(found, s.found...)
		if s.lost != nil {
			lost = append(lost, *s.lost)
		}
	}
	return found, lost, nil
}

// search goes once through a batch's leaves for the envelopes of one audience, in
// the order of their chain: a copy that lies before its predecessor was refused.
//
// An envelope whose publication was not answered may lie anywhere, so every leaf
// is compared with it. That it is nowhere below the index at which its key or its
// address ended is what allows to sign it again.
type search struct {
	publisher *Publisher
	known     history
	batch     translog.Batch
	audience  string
	doubt     int64 // envelopes up to this one may lie where the hub did not say
	at        int   // the next leaf to look at

	found []outbox.Found
	lost  *outbox.Lost
}

// next looks for one envelope, and asks for the one after it where it was found.
func (s *search) next(e outbox.Unfound) (more bool, err error) {
	end := uint64(math.MaxUint64)
	if index, ok := s.known.ends(e.Key, e.Address); ok {
		end = index // settle deals with what was not found by then
	}
	first := s.batch.FirstSequence
	for ; s.at < len(s.batch.Hashes); s.at++ {
		index, sequence := s.batch.Start+uint64(s.at), first+uint64(s.at)
		if index >= end {
			return false, nil
		}
		said := e.Cursor != 0 && e.Cursor <= sequence
		if e.Sequence > s.doubt && !said {
			if e.Cursor == 0 {
				return false, nil // never sent
			}
			s.at = int(min(e.Cursor-first, uint64(len(s.batch.Hashes)))) - 1
			continue
		}
		if s.batch.Hashes[s.at] == translog.LeafHash(index, e.Subject, e.Data) {
			s.take(e, index, sequence)
			return true, nil
		}
		if said {
			s.lost = &outbox.Lost{Audience: s.audience, Sequence: e.Sequence}
			return false, nil
		}
	}
	return false, nil
}

func (s *search) take(e outbox.Unfound, index, sequence uint64) {
	s.found = append(s.found, outbox.Found{Sequence: e.Sequence, Cursor: sequence, Index: index})
	if s.batch.Labels[s.at] != e.Address {
		s.publisher.troubles.note("leaf "+fmt.Sprint(index),
			"the notary gives our event to another audience than it was sent to: its readers cannot know that it is theirs")
	}
	s.at++
}

// relayLost has the lanes publish again what is not where the hub said. From then
// on it may lie in several places.
func (p *Publisher) relayLost(ctx context.Context, lost []outbox.Lost) error {
	for _, l := range lost {
		newest, err := p.outbox.Newest(ctx)
		if err != nil {
			return err
		}
		p.config.Logger.Error("events are not in the log where the hub said, and are published again", "audience", l.Audience)
		lane := p.lanes.of(l.Audience)
		lane.doubt = newest
		lane.signal()
	}
	return nil
}

// settle has signed again what no reader accepts any more: envelopes that were not
// found before the update that ended their key or their address. It waits until
// a quorum has witnessed that update: a hub that shows only us another order
// must not get two headers with one counter.
func (p *Publisher) settle(ctx context.Context, u *pursuit) error {
	if witnessed, _, _ := u.follower.Witnessed(); u.known.at(witnessed.Size).from == u.settled {
		return nil // nothing new, and nothing on its way is held up for it
	}
	p.flight.Lock()
	defer p.flight.Unlock()
	return p.settleHeld(ctx, u)
}

// settleHeld is settle for who holds flight.
func (p *Publisher) settleHeld(ctx context.Context, u *pursuit) error {
	witnessed, _, _ := u.follower.Witnessed()
	now := u.known.at(witnessed.Size)
	if now.from == u.settled {
		return nil
	}
	audiences, err := p.outbox.Unfound(ctx)
	if err != nil {
		return err
	}
	var again []string
	for _, audience := range audiences {
		oldest, ok, err := p.outbox.Oldest(ctx, audience)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if ended := now.ended(oldest.Key, oldest.Address); ended != nil {
			p.config.Logger.Warn("events that no reader accepts are signed again", "audience", audience, "reason", ended)
			again = append(again, audience)
		}
	}
	if len(again) > 0 {
		if err := p.save(ctx, u, outbox.News{Again: again}); err != nil {
			return err
		}
	}
	u.settled, u.known = now.from, u.known.since(witnessed.Size)
	for _, audience := range again {
		p.lanes.of(audience).signal()
	}
	return nil
}
