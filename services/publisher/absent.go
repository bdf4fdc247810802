package publisher

import (
	"bytes"
	"context"

	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// absent looks, while the log stream is silent, whether the hub still has what it said
// it had stored and the notary has not signed: a power cut may have taken it. As long
// as nobody says anything more, no leaf shows that. What is missing twice is published
// again; where it was there after all, that is a duplicate to every reader.
func (p *Publisher) absent(ctx context.Context, u *pursuit) error {
	if !p.awake.Load() || u.follower.Size() == 0 || u.follower.Rewound() {
		return nil
	}
	p.flight.Lock()
	defer p.flight.Unlock()
	audiences, err := p.outbox.Unfound(ctx)
	if err != nil {
		return err
	}
	var lost []outbox.Lost
	missing := map[string]int64{}
	for _, audience := range audiences {
		oldest, ok, err := p.outbox.Oldest(ctx, audience)
		if err != nil {
			return err
		}
		if !ok || oldest.Cursor < u.next() {
			continue // never sent, or not answered, or the leaves have shown what became of it
		}
		if _, ended := u.known.ends(oldest.Key, oldest.Address); ended {
			continue // settle deals with it
		}
		if has, err := p.has(ctx, u, oldest); err != nil {
			return err
		} else if has {
			continue
		}
		missing[audience] = oldest.Sequence
		if u.missing[audience] == oldest.Sequence {
			lost = append(lost, outbox.Lost{Audience: audience, Sequence: oldest.Sequence})
		}
	}
	u.missing = missing
	if len(lost) == 0 {
		return nil
	}
	if err := p.save(ctx, u, outbox.News{Lost: lost}); err != nil {
		return err
	}
	p.relayLost(lost)
	return nil
}

// has reports whether the hub has an envelope where it said.
func (p *Publisher) has(ctx context.Context, u *pursuit, e outbox.Unfound) (bool, error) {
	left, err := p.seek(ctx, u, e.Cursor)
	if err != nil || left == 0 {
		return false, err
	}
	messages, err := u.registry.Fetch(ctx, 1, fetchWait)
	if err != nil {
		return false, err
	}
	if len(messages) == 0 {
		return false, errSilent
	}
	if err := u.registry.Ack(); err != nil {
		return false, err
	}
	first := messages[0]
	return first.Sequence == e.Cursor && first.Subject == e.Subject && bytes.Equal(first.Data, e.Data), nil
}
