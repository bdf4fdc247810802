package publisher

import (
	"context"

	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// compare looks for the outbox's reports among new leaves. What is found there was
// accepted by every reader.
func (p *Publisher) compare(ctx context.Context, u *pursuit, batch translog.Batch) (outbox.News, error) {
	if len(batch.Hashes) == 0 {
		return outbox.News{}, nil
	}
	j, err := p.judge(ctx, u, batch)
	if err != nil {
		return outbox.News{}, err
	}
	news := j.news
	u.strange = u.strange.with(news.Strange)
	if j.misuse.words != "" {
		u.misuse = j.misuse
	}
	audiences, err := p.outbox.Unfound(ctx)
	if err != nil {
		return news, err
	}
	for _, audience := range audiences {
		s := search{publisher: p, u: u, batch: batch, found: j.found}
		if err := p.outbox.EachUnfound(ctx, audience, s.next); err != nil {
			return news, err
		}
		if s.withheld != nil {
			return news, s.withheld
		}
		if s.lost != 0 {
			news.Lost = append(news.Lost, outbox.Lost{Audience: audience, Sequence: s.lost})
		}
	}
	return news, nil
}

// search goes once through the envelopes of one audience, in the order of their
// chain, for the first that was not accepted: those after it cannot be.
//
// An envelope whose publication was not answered may lie anywhere, and all that
// lies on the agency's subjects was looked at. That it is nowhere below the index at
// which its key or its address ended is what allows to sign it again.
type search struct {
	publisher *Publisher
	u         *pursuit
	batch     translog.Batch
	found     map[int64]uint64

	lost     int64 // an envelope that is not where the hub said; 0: none
	withheld error // the hub has it, and does not deliver it
}

// next looks for one envelope, and asks for the one after it where it was found.
func (s *search) next(e outbox.Unfound) (more bool, err error) {
	if _, ok := s.found[e.Sequence]; ok {
		return true, nil
	}
	first := s.batch.Start + 1
	if e.Cursor == 0 || e.Cursor >= first+uint64(len(s.batch.Hashes)) {
		return false, nil // never sent, or not answered, or farther on
	}
	at := max(e.Cursor, first) - first
	index := s.batch.Start + at
	if end, ok := s.u.known.ends(e.Key, e.Address); ok && index >= end {
		return false, nil // settle deals with it
	}
	if _, here := s.u.held[first+at]; !here && s.batch.Hashes[at] == translog.LeafHash(index, e.Subject, e.Data) {
		s.withheld = &withheld{index: index, own: true}
		return false, nil
	}
	if _, stopped := s.u.strange[s.publisher.chain(e.Address, e.Renewal)]; !stopped {
		s.lost = e.Sequence
	}
	return false, nil
}

// relayLost has the lanes publish again what is not where the hub said.
func (p *Publisher) relayLost(lost []outbox.Lost) {
	for _, l := range lost {
		p.config.Logger.Error("events are not in the log where the hub said, and are published again", "audience", l.Audience)
		p.lanes.of(l.Audience).signal()
	}
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
