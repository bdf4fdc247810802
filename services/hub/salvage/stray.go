package salvage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
)

// stray is a message that is not the leaf at the index for which it was brought: it
// was stored and never signed, or at a sequence that was used again.
type stray struct {
	holding.Message
	class   int
	digest  [sha256.Size]byte
	content [sha256.Size]byte // digest of the data alone
}

// The classes of strays, in the order in which they are taken along: what came
// after the tree; what took the place of what was lost, and so came later; what the
// hub may never have stored.
const (
	after = iota
	instead
	unplaced
	isLeaf // no stray at all
)

func (s stray) compare(t stray) int {
	return cmp.Or(cmp.Compare(s.class, t.class), cmp.Compare(s.Index, t.Index))
}

// proves reports whether a message is the leaf at its index.
func (l *Log) proves(m holding.Message) bool {
	return translog.LeafHash(m.Index, m.Subject, m.Data) == l.leaves[m.Index].hash
}

// classify finds out which leaves have a message, and which messages have no leaf.
func (l *Log) classify(ctx context.Context) error {
	charter := Source{Name: "the charter", Open: func(context.Context) (Records, error) { return &single{l.charter}, nil }}
	seen := map[[sha256.Size]byte]int{} // places in strays
	var all []*bringer
	for _, s := range append([]Source{charter}, l.sources...) {
		by := &bringer{name: s.Name, left: l.limits.strays, labels: map[string][]int{}, has: map[int]bool{}}
		all = append(all, by)
		err := s.each(ctx, func(r holding.Record) error {
			if m := r.Message; m != nil {
				if class := l.class(s, *m); class != isLeaf {
					l.keep(by, stray{*m, class, digestOf(*m), sha256.Sum256(m.Data)}, seen)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, labelled := range []bool{true, false} { // labels are not signed: first where they say, then everywhere
		for _, by := range all {
			l.try(by, labelled)
		}
	}
	return nil
}

// class is what a message is to the log.
func (l *Log) class(from Source, m holding.Message) int {
	switch {
	case !m.Known:
		return unplaced
	case m.Index >= l.Size():
		return after
	case !l.proves(m):
		return instead
	}
	if from.Damaged && !l.survived[m.Index] {
		l.survived[m.Index], l.survivors = true, l.survivors+1
	}
	l.present[m.Index] = true
	l.leaves[m.Index].label = l.place(verdict.Label(m.Subject))
	return isLeaf
}

// keep keeps a stray once, whoever brings it.
func (l *Log) keep(by *bringer, found stray, seen map[[sha256.Size]byte]int) {
	place, ok := seen[found.digest]
	if !ok || !by.has[place] {
		bytes := 0 // in memory for another already
		if !ok {
			bytes = size(found.Message)
		}
		if !by.left.spend(bytes) {
			l.leftOut["messages of "+by.name+" that are on no leaf, and were not looked at: it has brought too many"]++
			return
		}
	}
	if !ok {
		place = len(l.strays)
		seen[found.digest] = place
		l.strays = append(l.strays, found)
	}
	if !by.has[place] {
		by.took(place, verdict.Label(found.Subject))
	}
	if found.compare(l.strays[place]) < 0 {
		l.strays[place] = found
	}
}

// digestOf is that of subject and content.
func digestOf(m holding.Message) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d %s%s", len(m.Subject), m.Subject, m.Data))
}

// try looks whether what one party has brought is the leaf at another index, where
// nobody has a message: a publisher that was not answered does not know where its
// event lies. labelled: only at leaves that are labelled as it is.
func (l *Log) try(by *bringer, labelled bool) {
	for at, present := range l.present {
		if present || len(by.places) == 0 {
			continue
		}
		index := uint64(at)
		label := holding.Unknown
		if labelled {
			label = l.label(index)
		}
		for _, place := range by.of(label) {
			if by.tries >= l.limits.tries {
				if !by.cut {
					l.leftOut["messages of "+by.name+" that are on no leaf, and were not tried at all leaves: it has brought too many"] += uint64(len(by.places))
				}
				by.cut = true
				return
			}
			by.tries++
			s := l.strays[place]
			if translog.LeafHashOf(index, s.Subject, s.content) == l.leaves[index].hash {
				l.present[at], l.found[index] = true, holding.Message{Index: index, Known: true, Subject: s.Subject, Data: s.Data}
				l.leaves[at].label = l.place(verdict.Label(s.Subject))
				break
			}
		}
	}
}

// settle decides which strays are taken along: each once, if it is not in the log
// by now, and if it is signed by who may say it; in an order in which readers
// accept them.
func (l *Log) settle(ctx context.Context) error {
	if len(l.strays) == 0 {
		return nil
	}
	placed := map[[sha256.Size]byte]bool{}
	for _, s := range l.strays {
		placed[s.digest] = false
	}
	err := l.Each(ctx, func(_ uint64, m *holding.Message) error {
		if m == nil {
			return nil
		}
		digest := digestOf(*m)
		if _, stray := placed[digest]; stray {
			placed[digest] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(l.strays, stray.compare)
	var events []chained
	state, roots := l.state, &event.Roots{}
	for _, s := range l.strays {
		if placed[s.digest] || s.Subject == translog.RestoredSubject {
			continue
		}
		// Along empty chains, a counter is a gap or is not; signature and place are judged all the same.
		judged, err := verdict.Judge(state, &verdict.Memory{}, roots, l.Size()+uint64(len(events)), s.Subject, s.Data)
		if err != nil {
			return err
		}
		state = judged.State
		if !judged.Update && judged.Event.Counter == 0 {
			l.leftOut["messages that were never signed by the notary, and that no reader would accept: "+string(judged.Code)]++
			continue
		}
		events = append(events, chained{s.Message, judged.Event})
	}
	l.carried = inChains(events)
	return nil
}

// chained is a message with what it says of its chain; an update of the registry
// says nothing.
type chained struct {
	holding.Message
	event.Verified
}

// inChains puts the events of each chain into the order of their counters, on the
// places that the chain has: where sequences were used again, two histories are
// joined, and an event that comes before its predecessor is refused.
func inChains(all []chained) []holding.Message {
	places := map[event.Chain][]int{}
	for at, c := range all {
		if c.Counter > 0 {
			places[c.Chain] = append(places[c.Chain], at)
		}
	}
	ordered := make([]holding.Message, len(all))
	for at, c := range all {
		ordered[at] = c.Message
	}
	for _, at := range places {
		mine := make([]chained, len(at))
		for i, place := range at {
			mine[i] = all[place]
		}
		slices.SortStableFunc(mine, func(a, b chained) int { return cmp.Compare(a.Counter, b.Counter) })
		for i, place := range at {
			ordered[place] = mine[i].Message
		}
	}
	return ordered
}

// Carried are the messages that were stored and are on no leaf, in the order in
// which they go on after it.
func (l *Log) Carried() []holding.Message { return l.carried }

// LeftOut counts what was brought and counts for nothing, by reason.
func (l *Log) LeftOut() []LeftOut {
	var all []LeftOut
	for reason, count := range l.leftOut {
		all = append(all, LeftOut{reason, count})
	}
	slices.SortFunc(all, func(a, b LeftOut) int { return cmp.Compare(a.Reason, b.Reason) })
	return all
}
