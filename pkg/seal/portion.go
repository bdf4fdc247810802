package seal

import (
	"bytes"
	"slices"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// Portion is what a record holds for one desk. A desk keeps it in place of the
// record: a signed record cannot be cut, and pieces of a portion can be deleted one by
// one, here and on the disk. Nothing in it is secret without the desk's private keys.
type Portion struct {
	Terms
	Country string // whose desk
	Grants  []Grant
}

// Grant is one compartment's batch key for the desk, and what lies under it. A
// compartment of the record in which the desk has no key is not in the portion.
type Grant struct {
	Compartment eventv1.Compartment
	Epoch       uint32  // of the desk's opening key
	Wrapped     []byte  // the batch key, 1168 bytes
	Pieces      []Piece // rising by event
}

// Piece is one event's entry under the batch key: without it, or without its
// Wrapped bytes, the event's section of that compartment stays closed to this desk.
type Piece struct {
	Event   event.ID
	Place   uint64 // in the batch
	Wrapped []byte // 48 bytes
}

// Portion is the record's part for one country's desk; without grants where there is none.
func (r Record) Portion(country string) Portion {
	portion := Portion{Terms: r.Terms, Country: country}
	for _, keys := range r.content.GetCompartments() {
		for _, wrap := range keys.GetWraps() {
			if wrap.GetCountry() == country {
				portion.Grants = append(portion.Grants, Grant{
					Compartment: keys.GetCompartment(), Epoch: wrap.GetEpoch(),
					Wrapped: bytes.Clone(wrap.GetWrapped()), Pieces: pieces(r.content, keys),
				})
			}
		}
	}
	return portion
}

func pieces(c *keyv1.Content, keys *keyv1.CompartmentKeys) []Piece {
	list := make([]Piece, len(c.GetPlaces()))
	for i, place := range c.GetPlaces() {
		list[i] = Piece{Event: event.ID(idAt(c, i)), Place: uint64(place), Wrapped: bytes.Clone(keyAt(keys, i))}
	}
	return list
}

func (p *Portion) grant(compartment eventv1.Compartment) *Grant {
	for i := range p.Grants {
		if p.Grants[i].Compartment == compartment {
			return &p.Grants[i]
		}
	}
	return nil
}

func (g *Grant) piece(id event.ID) *Piece {
	i, ok := slices.BinarySearchFunc(g.Pieces, id, func(p Piece, id event.ID) int { return bytes.Compare(p.Event[:], id[:]) })
	if !ok {
		return nil
	}
	return &g.Pieces[i]
}
