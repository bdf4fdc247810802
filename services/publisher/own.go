package publisher

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// owns reports whether a message lies where the agency's events do.
func (p *Publisher) owns(subject string) bool {
	parts := strings.SplitN(subject, ".", 5)
	return len(parts) == 5 && parts[0] == "evt" && parts[2] == p.config.Country && parts[3] == p.config.Agency
}

// chain is the agency's to an address, under keys of a renewal.
func (p *Publisher) chain(address string, renewal int) event.Chain {
	return event.Chain{Country: p.config.Country, Agency: p.config.Agency, Audience: address, Renewal: renewal}
}

// ownChains are the agency's chains as every reader has them: those on disk, and
// what the leaves under way add.
type ownChains struct {
	ctx     context.Context // of the leaves under way
	outbox  *outbox.Outbox
	heads   map[event.Chain]event.Head
	headers map[event.Chain]map[uint64]event.Digest
}

// Head is where a chain stands.
func (c ownChains) Head(chain event.Chain) (event.Head, error) {
	if head, ok := c.heads[chain]; ok {
		return head, nil
	}
	return c.outbox.Head(c.ctx, chain)
}

// HeaderAt is the digest of an accepted header.
func (c ownChains) HeaderAt(chain event.Chain, counter uint64) (event.Digest, error) {
	if digest, ok := c.headers[chain][counter]; ok {
		return digest, nil
	}
	return c.outbox.HeaderAt(c.ctx, chain, counter)
}

func (c ownChains) take(chain event.Chain, head event.Head) {
	c.heads[chain] = head
	if c.headers[chain] == nil {
		c.headers[chain] = map[uint64]event.Digest{}
	}
	c.headers[chain][head.Counter] = head.Digest
}

// judgement is what every reader makes of the agency's own events among new leaves.
type judgement struct {
	news   outbox.News // Own, Strange and Found
	found  map[int64]uint64
	misuse misuse // a signature by the agency's key that is not of this outbox, on what was refused
}

// misuse is what somebody else has signed and no reader accepts.
type misuse struct {
	renewal int // of the key
	words   string
}

// judge judges them. A key that somebody else has makes a chain on which this
// publisher's own events are refused, valid key or not: what counts is the verdict.
func (p *Publisher) judge(ctx context.Context, u *pursuit, batch translog.Batch) (judgement, error) {
	j := judgement{found: map[int64]uint64{}}
	chains := ownChains{ctx: ctx, outbox: p.outbox, heads: map[event.Chain]event.Head{}, headers: map[event.Chain]map[uint64]event.Digest{}}
	for _, sequence := range slices.Sorted(maps.Keys(u.held)) {
		m, at := u.held[sequence], sequence-1-batch.Start
		if sequence <= batch.Start || at >= uint64(len(batch.Hashes)) || !p.owns(m.Subject) {
			continue
		}
		index := batch.Start + at
		judged, err := verdict.Judge(u.known.at(index).state, chains, &u.roots, index, m.Subject, m.Data)
		if err != nil {
			return j, err
		}
		if judged.Event.ID == (event.ID{}) || judged.Code == verdict.Duplicate {
			continue // nobody knows who says so, or it was said before
		}
		if judged.Code == verdict.Accepted {
			chains.take(judged.Event.Chain, judged.Head())
		}
		if label := batch.Labels[at]; judged.Code == verdict.Accepted && label != judged.Event.Chain.Audience {
			p.troubles.note("leaf "+fmt.Sprint(index),
				"the notary gives our event to another audience than it was sent to: its readers cannot know that it is theirs")
		}
		if err := j.take(ctx, p.outbox, index, m, judged); err != nil {
			return j, err
		}
	}
	return j, nil
}

// take takes in one event that somebody with the agency's key has signed.
func (j *judgement) take(ctx context.Context, o *outbox.Outbox, index uint64, m stream.Message, judged verdict.Judged) error {
	v := judged.Event
	held, err := o.Holds(ctx, registry.AudienceOf(v.Chain.Audience), v.KeyID, v.Claims, v.HeaderDigest, v.Sections())
	if err != nil {
		return err
	}
	if judged.Code != verdict.Accepted {
		if !held.Known && j.misuse.words == "" {
			j.misuse.renewal = v.Chain.Renewal
			j.misuse.words = fmt.Sprintf("event %s at log index %d (%s) bears the signature of this agency's key and is not of this outbox", v.ID, index, judged.Code)
		}
		return nil
	}
	j.news.Own = append(j.news.Own, outbox.Own{Chain: v.Chain, Head: judged.Head()})
	if _, twice := j.found[held.Sequence]; held.Sequence == 0 || twice {
		j.news.Strange = append(j.news.Strange, outbox.Strange{Index: index, Chain: v.Chain, ID: v.ID})
		return nil
	}
	found := outbox.Found{Sequence: held.Sequence, Cursor: m.Sequence, Index: index}
	if held.Draft {
		found.Draft = &outbox.Envelope{Address: v.Chain.Audience, Renewal: v.Chain.Renewal, Key: v.KeyID, Subject: m.Subject, Data: m.Data}
	}
	j.news.Found = append(j.news.Found, found)
	j.found[held.Sequence] = index
	return nil
}

// strangers are the accepted events of the agency's that are not of this outbox, by
// chain. A thief can make as many as he likes.
type strangers map[event.Chain]estranged

// estranged is a chain with such events.
type estranged struct {
	first []outbox.Strange // at most maxTold
	count int              // of all
}

// maxTold is how many events a trouble names; the table strange has all of them.
const maxTold = 10

func (s strangers) with(more []outbox.Strange) strangers {
	if len(more) == 0 {
		return s
	}
	all := maps.Clone(s)
	if all == nil {
		all = strangers{}
	}
	for _, e := range more {
		all.add(e)
	}
	return all
}

// add leaves what it had of the chain as it is: others read that.
func (s strangers) add(e outbox.Strange) {
	chain := s[e.Chain]
	if chain.count++; chain.count <= maxTold {
		chain.first = append(slices.Clone(chain.first), e)
	}
	s[e.Chain] = chain
}

// others says that somebody else signs as this agency; empty where nobody does, or
// could: the key that it was is revoked.
func (p *Publisher) others(view *logView, s strangers, refused misuse) string {
	agency, _ := view.state.Agency(p.config.Country, p.config.Agency)
	var events []outbox.Strange
	count, chains := 0, map[string]bool{}
	for chain, strange := range s {
		if chain.Renewal == agency.KeysRevoked {
			events = append(events, strange.first...)
			count += strange.count
			chains[chain.Audience] = true
		}
	}
	who := p.config.Country + "/" + p.config.Agency
	if len(events) == 0 {
		if refused.words == "" || refused.renewal != agency.KeysRevoked {
			return ""
		}
		return fmt.Sprintf("somebody else signs as %s: %s. Have the root of %s revoke the key, and enrol another", who, refused.words, p.config.Country)
	}
	slices.SortFunc(events, func(a, b outbox.Strange) int { return int(int64(a.Index) - int64(b.Index)) })
	var told []string
	for _, e := range events[:min(len(events), maxTold)] {
		told = append(told, fmt.Sprintf("event %s at log index %d", e.ID, e.Index))
	}
	if more := count - len(told); more > 0 {
		told = append(told, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("somebody else signs as %s, or this outbox was restored from an old backup: %s, not handed in here. "+
		"Nothing more is signed to %s. Have the root of %s revoke the key, with --doubted-from %d where it was stolen, "+
		"without where it was a backup, and enrol another", who, strings.Join(told, ", "),
		strings.Join(slices.Sorted(maps.Keys(chains)), ", "), p.config.Country, events[0].Index)
}
