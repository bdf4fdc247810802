package salvage

import (
	"bytes"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/verdict"
)

// limits bound what one party can have kept in memory, or tried, before anything of
// it is proven: each has its own, so that who brings too much does not take the place
// of what others bring. What is beyond them is counted in LeftOut.
type limits struct {
	strays  ration // messages that are on no leaf: publishers publish again what is not in the log
	updates ration // messages for everybody
	notes   int    // checkpoints without leaves, and cosignatures: the newest of each
	tries   int    // of strays at leaves without a message
}

var generous = limits{strays: ration{1 << 18, 256 << 20}, updates: ration{1 << 18, 256 << 20}, notes: 1 << 12, tries: 4 << 20}

// ration is how many messages and bytes may be kept.
type ration struct{ messages, bytes int }

// spend takes a message of so many bytes off, if that much is left.
func (r *ration) spend(bytes int) bool {
	if r.messages < 1 || r.bytes < bytes {
		return false
	}
	r.messages, r.bytes = r.messages-1, r.bytes-bytes
	return true
}

func size(m holding.Message) int { return len(m.Subject) + len(m.Data) }

// bringer is one party with the strays that it has brought, by their places.
type bringer struct {
	name   string
	left   ration
	places []int
	labels map[string][]int
	has    map[int]bool
	tries  int  // of them at leaves without a message
	cut    bool // these were too many
}

// took notes a stray as brought by this party too.
func (b *bringer) took(place int, label string) {
	b.has[place] = true
	b.places, b.labels[label] = append(b.places, place), append(b.labels[label], place)
}

// of are those for a label; for an unknown one, all.
func (b *bringer) of(label string) []int {
	if label == holding.Unknown {
		return b.places
	}
	return b.labels[label]
}

// gathering is the first reading of one holding: it takes what the others need.
type gathering struct {
	log            *Log
	from           string
	updates        ration
	claimed, notes []claim
}

func (g *gathering) take(r holding.Record) {
	switch {
	case r.Cosignature != nil:
		g.notes = g.newest(g.notes, r.Cosignature, "cosignatures")
	case r.Leaves != nil && len(r.Leaves.GetHashes()) == 0:
		g.claimed = g.newest(g.claimed, r.Leaves.GetCheckpoint(), "checkpoints")
	case r.Message != nil && r.Message.Known && verdict.Label(r.Message.Subject) == "":
		g.update(*r.Message)
	}
}

// newest adds a note; the oldest go where they are too many.
func (g *gathering) newest(all []claim, note []byte, what string) []claim {
	if most := g.log.limits.notes; len(all) >= most {
		g.log.leftOut[what+" of "+g.from+" that are older than its newest"]++
		copy(all, all[1:])
		all = all[:most-1]
	}
	return append(all, claim{g.from, note})
}

// update keeps a message for everybody. A holding has one at an index.
func (g *gathering) update(m holding.Message) {
	l := g.log
	for _, have := range l.updates[m.Index] {
		if have.Subject == m.Subject && bytes.Equal(have.Data, m.Data) {
			return
		}
	}
	if !g.updates.spend(size(m)) {
		l.leftOut["messages for everybody of "+g.from+" that were not looked at for the registry: it has brought too many"]++
		return
	}
	l.updates[m.Index] = append(l.updates[m.Index], m)
}

func (g *gathering) end() {
	g.log.claimed = append(g.log.claimed, g.claimed...)
	g.log.notes = append(g.log.notes, g.notes...)
}
