package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/translog"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// FoundingSubject is the NATS subject of the first update.
const FoundingSubject = "reg.charter.founded"

// MaxUpdate bounds one message of the registry, in bytes.
const MaxUpdate = 1 << 18

// IsSubject reports whether a NATS subject is the registry's.
func IsSubject(subject string) bool { return len(subject) > 4 && strings.HasPrefix(subject, "reg.") }

// ErrApplied says that this very update is in force already: harmless.
var ErrApplied = errors.New("applied before")

// State is the registry after some prefix of the log. States are comparable:
// one that a refused update leaves behind is the same.
type State struct {
	charter event.Digest
	book    *book
}

// New is the state before the founding whose digest is charter: the one thing
// that a reader brings along.
func New(charter event.Digest) State { return State{charter: charter} }

// Founded reports whether the charter's founding has been applied.
func (s State) Founded() bool { return s.book != nil }

// Charter is the digest of the founding update's exact bytes.
func (s State) Charter() event.Digest { return s.charter }

// Apply judges one message on a registry subject at its log index and returns
// the next state. Its error is the reason of a refusal; the state is then
// unchanged. Errors that callers tell apart: ErrApplied, *Unsigned.
func (s State) Apply(index uint64, subject string, data []byte) (State, error) {
	signed, update, err := read(data)
	if err != nil {
		return s, err
	}
	if want := SubjectOf(update); want != subject {
		return s, fmt.Errorf("lies on %.64q: this change belongs on %s", subject, want)
	}
	if s.book != nil {
		if at, ok := s.book.applied[event.DigestOf(signed.GetUpdate())]; ok {
			return s, fmt.Errorf("update %s was %w, at index %d", event.DigestOf(signed.GetUpdate()), ErrApplied, at)
		}
	}
	change, err := s.place(index, event.DigestOf(signed.GetUpdate()), update)
	if err != nil {
		return s, err
	}
	next, err := s.enact(index, change)
	if err != nil {
		return s, fmt.Errorf("%s: %w", change.scope(), err)
	}
	if err := verify(signed, s.book, next, change); err != nil {
		return s, fmt.Errorf("%s: %w", change.scope(), err)
	}
	next.seal(index, change.scope(), update.GetVersion(), event.DigestOf(signed.GetUpdate()), translog.LeafHash(index, subject, data))
	return State{charter: s.charter, book: next}, nil
}

// read decodes a message strictly enough that two readers cannot differ on it.
func read(data []byte) (*registryv1.SignedUpdate, *registryv1.Update, error) {
	if len(data) > MaxUpdate {
		return nil, nil, fmt.Errorf("registry update of %d bytes, at most %d", len(data), MaxUpdate)
	}
	signed, update := &registryv1.SignedUpdate{}, &registryv1.Update{}
	if err := proto.Unmarshal(data, signed); err != nil {
		return nil, nil, errors.New("not a signed registry update")
	}
	if err := proto.Unmarshal(signed.GetUpdate(), update); err != nil {
		return nil, nil, errors.New("not a registry update")
	}
	if err := errors.Join(event.CheckGroups(signed), event.CheckGroups(update)); err != nil {
		return nil, nil, fmt.Errorf("registry update: %w", err)
	}
	if SubjectOf(update) == "" {
		return nil, nil, errors.New("a change of a kind that this version does not know")
	}
	return signed, update, nil
}

// SubjectOf is where an update's change belongs: its name with its first
// underscore as a dot. Empty where there is no change.
func SubjectOf(update *registryv1.Update) string {
	message := update.ProtoReflect()
	field := message.WhichOneof(message.Descriptor().Oneofs().ByName("change"))
	switch {
	case field == nil:
		return ""
	case update.GetFounding() != nil:
		return FoundingSubject
	}
	return "reg." + strings.Replace(string(field.Name()), "_", ".", 1)
}

// place checks that an update belongs here: to this charter, now, and next in its scope.
func (s State) place(index uint64, digest event.Digest, update *registryv1.Update) (change, error) {
	change := changeOf(update)
	if founding, ok := change.(founding); ok {
		return founding, s.placeFounding(index, digest, update)
	}
	if s.book == nil {
		return nil, errors.New("the charter is not founded yet")
	}
	if named := update.GetCharter(); string(named) != string(s.charter[:]) {
		return nil, fmt.Errorf("for the charter %.32x, and this is %s", named, s.charter)
	}
	if index > update.GetLastIndex() {
		return nil, fmt.Errorf("expired: it could apply up to index %d, and this is %d; propose it again", update.GetLastIndex(), index)
	}
	at := s.book.scopes[change.scope()]
	if update.GetVersion() != at.version+1 || string(update.GetPrevious()) != string(at.previous) {
		return nil, fmt.Errorf("built on version %d (%.8x) of %s, which is at version %d (%.8x): another update came first; propose it again on top of that",
			int64(update.GetVersion())-1, update.GetPrevious(), change.scope(), at.version, at.previous)
	}
	return change, nil
}

func (s State) placeFounding(index uint64, digest event.Digest, update *registryv1.Update) error {
	switch {
	case s.book != nil:
		return errors.New("the charter is founded already")
	case index != 0:
		return fmt.Errorf("a founding is the log's first message, and this is index %d", index)
	case digest != s.charter:
		return fmt.Errorf("founding %s is not the charter %s", digest, s.charter)
	case update.GetVersion() != 1 || len(update.GetPrevious()) != 0 || len(update.GetCharter()) != 0 || update.GetLastIndex() != 0:
		return errors.New("a founding has version 1, nothing before it, and no end")
	}
	return nil
}

// enact is the book after a change, signatures not looked at.
func (s State) enact(index uint64, c change) (*book, error) {
	next := s.book.clone()
	if err := c.enact(next, index); err != nil {
		return nil, err
	}
	if err := next.settle(); err != nil {
		return nil, err
	}
	return next, nil
}

// Key finds a publisher's key, valid or not.
func (s State) Key(id event.KeyID) (Key, bool) {
	if s.book == nil {
		return Key{}, false
	}
	key, ok := s.book.keys[id]
	return key, ok
}

// HasRetention reports whether a retention class exists.
func (s State) HasRetention(class string) bool {
	if s.book == nil {
		return false
	}
	_, ok := s.book.retention[class]
	return ok
}

// Retention is each class's longest life of content, in days.
func (s State) Retention() map[string]uint32 {
	if s.book == nil {
		return nil
	}
	return maps.Clone(s.book.retention)
}

// Countries lists the codes of the members that have not left, sorted.
func (s State) Countries() []string {
	if s.book == nil {
		return nil
	}
	return s.book.countries(func(m Member) bool { return m.Status != Left })
}

// Members lists all members that there ever were, in the order of their codes.
func (s State) Members() []Member {
	if s.book == nil {
		return nil
	}
	var all []Member
	for _, country := range slices.Sorted(maps.Keys(s.book.members)) {
		all = append(all, s.book.members[country])
	}
	return all
}

// Member finds a member, also one that has left.
func (s State) Member(country string) (Member, bool) {
	if s.book == nil {
		return Member{}, false
	}
	m, ok := s.book.members[country]
	return m, ok
}

// Agencies lists all agencies, retired ones too, in the order of their enrolment.
func (s State) Agencies() []Agency {
	if s.book == nil {
		return nil
	}
	return slices.Clone(s.book.agencies)
}

// Agency finds an agency.
func (s State) Agency(country, id string) (Agency, bool) {
	if s.book != nil {
		if at := s.book.agency(country, id); at >= 0 {
			return s.book.agencies[at], true
		}
	}
	return Agency{}, false
}
