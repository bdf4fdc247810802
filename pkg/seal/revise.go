package seal

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// Erase is the next revision of a record, without the entries of these events. It needs
// no content key and no batch key: whoever can sign for the origin can erase.
// What else the record has stays as it is, expiry included. An event without an entry is an error.
func Erase(key event.SigningKey, r Record, events ...event.ID) (Record, error) {
	if len(events) == 0 {
		return Record{}, errors.New("erasing from a key record: no events")
	}
	for _, id := range events {
		if !r.Has(id) {
			return Record{}, fmt.Errorf("erasing from the key record of batch %s: it has no entry for event %s", r.Batch, id)
		}
	}
	content := proto.CloneOf(r.content)
	content.Revision++
	drop(content, events)
	next, err := sign(key, content)
	if err != nil {
		return Record{}, fmt.Errorf("erasing from the key record of batch %s: %w", r.Batch, err)
	}
	return next, nil
}

// drop takes the entries of events out of all compartments.
func drop(c *keyv1.Content, events []event.ID) {
	for _, id := range events {
		i := find(c, id)
		if i < 0 {
			continue // named twice
		}
		c.Places = slices.Delete(c.Places, i, i+1)
		c.EventIds = slices.Delete(c.EventIds, i*idSize, (i+1)*idSize)
		for _, keys := range c.GetCompartments() {
			keys.Keys = slices.Delete(keys.Keys, i*entrySize, (i+1)*entrySize)
		}
	}
}

// Released is one section that its originator releases, and the key that its own desk opened it with.
type Released struct {
	Event       event.Verified
	Compartment eventv1.Compartment
	Key         ContentKey
}

// Release makes a record for one more country, with sections of one batch. openings are that
// country's, one for each compartment in which it has any. A revision above 1 takes
// the place of what was released to it of this batch before: sections that shall stay are named again.
func Release(key event.SigningKey, openings []registry.Opening, revision uint64, expires time.Time, sections []Released) (Record, error) {
	record, err := release(key, openings, revision, expires, sections)
	if err != nil {
		return Record{}, fmt.Errorf("releasing: %w", err)
	}
	return record, nil
}

func release(key event.SigningKey, openings []registry.Opening, revision uint64, expires time.Time, sections []Released) (Record, error) {
	if len(sections) == 0 || len(openings) == 0 {
		return Record{}, errors.New("nothing, or to nobody")
	}
	to, err := address(openings)
	if err != nil {
		return Record{}, err
	}
	first := sections[0].Event
	t := Terms{
		Origin: first.Chain, Batch: first.Place.Batch, Revision: revision, Retention: first.Retention,
		Expires: expires, Grantor: key.ID, Recipient: openings[0].Country,
	}
	secrets := make([]secret, len(sections))
	defer clear(secrets)
	for i, s := range sections {
		if s.Event.Place.Batch != t.Batch {
			return Record{}, fmt.Errorf("event %s is of another batch than event %s", s.Event.ID, first.ID)
		}
		if to[s.Compartment] == nil {
			return Record{}, fmt.Errorf("compartment %d: %s's desk has no opening key for it", s.Compartment, t.Recipient)
		}
		if secrets[i], err = s.secret(); err != nil {
			return Record{}, fmt.Errorf("event %s, compartment %d: %w", s.Event.ID, s.Compartment, err)
		}
	}
	slices.SortFunc(secrets, func(a, b secret) int {
		return cmp.Or(cmp.Compare(a.place.Index, b.place.Index), cmp.Compare(a.compartment, b.compartment))
	})
	for i := 1; i < len(secrets); i++ {
		if secrets[i].id == secrets[i-1].id && secrets[i].compartment == secrets[i-1].compartment {
			return Record{}, fmt.Errorf("event %s, compartment %d: named twice", secrets[i].id, secrets[i].compartment)
		}
	}
	return grant(key, t, to, secrets)
}

// secret checks the key against the event's commitments: a wrong one is released to nobody.
func (s Released) secret() (secret, error) {
	made := secret{key: s.Key, slot: slotOf(s.Event, s.Compartment)}
	if made.find(s.Event, &made.key) < 0 {
		return secret{}, WrongKey
	}
	return made, nil
}
