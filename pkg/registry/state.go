// Package registry is the fold of trust: which members, agencies, keys and
// audiences there are at a log index, as the log itself says and nothing else.
//
// Invariants:
//   - A State is never changed; Apply returns the next one. A refused update
//     leaves no trace in it.
//   - The first update is the founding whose digest the reader already holds
//     (its charter). Nothing that arrives over a network can replace it.
//   - Every founding member's root has signed the founding's exact bytes, once,
//     and nobody else's signature stands beside theirs.
//   - A key serves one owner in one role, is in the one encoding of its point,
//     and is not of small order.
//   - Every agency and every reader of an audience is of a member, and a quorum
//     can be reached.
//   - A key is judged at an event's log index, never by a clock. A founding's
//     keys are valid from the index after it.
package registry

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/translog"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// FoundingSubject is the NATS subject of the first update.
const FoundingSubject = "reg.charter.founded"

// IsSubject reports whether a NATS subject is the registry's.
func IsSubject(subject string) bool { return len(subject) > 4 && subject[:4] == "reg." }

// State is the registry after some prefix of the log.
type State struct {
	charter event.Digest
	founded *founded
}

type founded struct {
	index     uint64 // log index of the founding
	version   uint64
	previous  event.Digest // of the last update applied
	statement *registryv1.Founding
	keys      map[event.KeyID]Key
	audiences map[string]Audience
	retention map[string]uint32
	policy    translog.Policy
}

// Key is a publisher's key and the agency that it speaks for.
type Key struct {
	Country, Agency string
	Public          ed25519.PublicKey
	From            uint64 // the first log index at which it is valid
}

// ValidAt reports whether the key may sign the event at a log index.
func (k Key) ValidAt(index uint64) bool { return index >= k.From }

// Audience is a set of members and what they may use its events for.
type Audience struct {
	ID       string
	Members  []string // country codes, sorted
	Purposes []string
}

// Has reports whether a country is in the audience.
func (a Audience) Has(country string) bool { return slices.Contains(a.Members, country) }

// New is the state before the founding whose digest is charter: the one thing
// that a reader brings along.
func New(charter event.Digest) State { return State{charter: charter} }

// Founded reports whether the charter's founding has been applied.
func (s State) Founded() bool { return s.founded != nil }

// Charter is the digest of the founding update's exact bytes.
func (s State) Charter() event.Digest { return s.charter }

// Key finds a publisher's key.
func (s State) Key(id event.KeyID) (Key, bool) {
	if s.founded == nil {
		return Key{}, false
	}
	key, ok := s.founded.keys[id]
	return key, ok
}

// Audience finds an audience.
func (s State) Audience(id string) (Audience, bool) {
	if s.founded == nil {
		return Audience{}, false
	}
	audience, ok := s.founded.audiences[id]
	return audience, ok
}

// AudiencesOf lists the audiences that a country reads, sorted.
func (s State) AudiencesOf(country string) []string {
	if s.founded == nil {
		return nil
	}
	var open []string
	for id, audience := range s.founded.audiences {
		if audience.Has(country) {
			open = append(open, id)
		}
	}
	slices.Sort(open)
	return open
}

// HasRetention reports whether a retention class exists.
func (s State) HasRetention(class string) bool {
	if s.founded == nil {
		return false
	}
	_, ok := s.founded.retention[class]
	return ok
}

// Policy is whose signatures make a checkpoint, and a witnessed one.
func (s State) Policy() (translog.Policy, error) {
	if s.founded == nil {
		return translog.Policy{}, errors.New("the registry has no founding yet")
	}
	return s.founded.policy, nil
}

// Countries lists the members' codes, sorted.
func (s State) Countries() []string {
	if s.founded == nil {
		return nil
	}
	var codes []string
	for _, member := range s.founded.statement.GetMembers() {
		codes = append(codes, member.GetCountry())
	}
	slices.Sort(codes)
	return codes
}

// Agency is one agency of a member.
type Agency struct{ Country, ID, Name string }

// Agencies lists all agencies in the order of the charter.
func (s State) Agencies() []Agency {
	if s.founded == nil {
		return nil
	}
	var agencies []Agency
	for _, a := range s.founded.statement.GetAgencies() {
		agencies = append(agencies, Agency{Country: a.GetCountry(), ID: a.GetAgency(), Name: a.GetName()})
	}
	return agencies
}

// Apply judges one message on a registry subject at its log index and returns
// the next state. Its error is the reason of a refusal; the state is then unchanged.
func (s State) Apply(index uint64, subject string, data []byte) (State, error) {
	signed := &registryv1.SignedUpdate{}
	if err := proto.Unmarshal(data, signed); err != nil {
		return s, errors.New("not a signed registry update")
	}
	update := &registryv1.Update{}
	if err := proto.Unmarshal(signed.GetUpdate(), update); err != nil {
		return s, errors.New("not a registry update")
	}
	if err := errors.Join(event.CheckGroups(signed), event.CheckGroups(update)); err != nil {
		return s, fmt.Errorf("registry update: %w", err)
	}
	founding := update.GetFounding()
	switch {
	case founding == nil:
		return s, errors.New("a change of a kind that this version does not know")
	case s.founded != nil:
		return s, errors.New("the charter is founded already")
	case subject != FoundingSubject:
		return s, fmt.Errorf("a founding belongs on %s", FoundingSubject)
	case event.DigestOf(signed.GetUpdate()) != s.charter:
		return s, fmt.Errorf("founding %s is not the charter %s", event.DigestOf(signed.GetUpdate()), s.charter)
	case update.GetVersion() != 1 || len(update.GetPrevious()) != 0:
		return s, errors.New("a founding has version 1 and nothing before it")
	}
	next, err := found(index, founding)
	if err != nil {
		return s, fmt.Errorf("charter: %w", err)
	}
	if err := checkRoots(signed, founding); err != nil {
		return s, fmt.Errorf("charter: %w", err)
	}
	next.previous = event.DigestOf(signed.GetUpdate())
	return State{charter: s.charter, founded: next}, nil
}
