package registry

import (
	"cmp"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/translog"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Charter is a founding as the parties hold it: the message for the log, and
// the digest by which each of them recognises it.
type Charter struct {
	Message []byte // a serialised SignedUpdate
	Digest  event.Digest
}

// Draft serialises a founding, ready for the roots to sign. It refuses one that
// could never be applied.
func Draft(f *registryv1.Founding) ([]byte, error) {
	if _, err := (State{}).enact(0, founding{f}); err != nil {
		return nil, fmt.Errorf("%s: %w", charterScope, err)
	}
	return proto.Marshal(&registryv1.Update{Version: 1, Change: &registryv1.Update_Founding{Founding: f}})
}

// Seal joins an update and its signatures into a Charter, and checks that the
// result is one.
func Seal(update []byte, signatures []*registryv1.RootSignature) (Charter, error) {
	message, err := proto.Marshal(&registryv1.SignedUpdate{Update: update, Signatures: signatures})
	if err != nil {
		return Charter{}, fmt.Errorf("encoding the charter: %w", err)
	}
	return OpenCharter(message)
}

// OpenCharter reads a charter that a party holds on its own disk. It proves that
// the charter is complete, not that it is the right one: that is the party's knowledge.
func OpenCharter(message []byte) (Charter, error) {
	signed := &registryv1.SignedUpdate{}
	if err := proto.Unmarshal(message, signed); err != nil {
		return Charter{}, errors.New("not a charter: not a signed registry update")
	}
	charter := Charter{Message: message, Digest: event.DigestOf(signed.GetUpdate())}
	if _, err := New(charter.Digest).Apply(0, FoundingSubject, message); err != nil {
		return Charter{}, err
	}
	return charter, nil
}

// State is the registry right after this charter's founding, as a party that has
// not read the log yet may assume it.
func (c Charter) State() (State, error) {
	return New(c.Digest).Apply(0, FoundingSubject, c.Message)
}

// founding is the first change: it makes the book.
type founding struct{ *registryv1.Founding }

func (c founding) scope() scope   { return charterScope }
func (c founding) keys() [][]byte { return nil }

func (c founding) enact(b *book, index uint64) error {
	b.name, b.origin = c.GetName(), c.GetOrigin()
	if err := b.found(c, index); err != nil {
		return err
	}
	if members := len(c.GetMembers()); c.GetQuorum() < 1 || int(c.GetQuorum()) > members {
		return fmt.Errorf("quorum: %d of %d members", c.GetQuorum(), members)
	}
	b.quorum = c.GetQuorum()
	return nil
}

func (b *book) found(c founding, index uint64) error {
	if len(c.GetMembers()) == 0 {
		return errors.New("members: none")
	}
	if err := b.takeKeys("the notary", c.GetNotaryKey(), c.GetNotarySecondKey()); err != nil {
		return err
	}
	b.notary, b.notarySecond = c.GetNotaryKey(), c.GetNotarySecondKey()
	for _, m := range c.GetMembers() {
		if _, ok := b.members[m.GetCountry()]; ok {
			return fmt.Errorf("member %s stands twice", m.GetCountry())
		}
		if err := b.admit(index, m, false); err != nil {
			return err
		}
	}
	if err := b.setThreshold(c.GetThreshold()); err != nil {
		return err
	}
	for _, a := range c.GetAgencies() {
		if _, err := b.member(a.GetCountry()); err != nil {
			return fmt.Errorf("agency %.32q: %w", a.GetAgency(), err)
		}
		if err := b.enrol(index, a, false); err != nil {
			return err
		}
	}
	for _, class := range c.GetRetentionClasses() {
		if _, ok := b.retention[class.GetRetention()]; ok {
			return fmt.Errorf("retention class %s stands twice", class.GetRetention())
		}
		if err := b.setRetention(class); err != nil {
			return err
		}
	}
	for _, a := range c.GetAudiences() {
		if err := b.form(0, a); err != nil {
			return err
		}
	}
	return b.foundOpenings(index, c.GetOpeningKeys())
}

// foundOpenings takes the opening keys of a founding. Their one order is checked here,
// so that two readers have a country's keys in the same one.
func (b *book) foundOpenings(index uint64, keys []*registryv1.OpeningKey) error {
	for i, key := range keys {
		if i > 0 && !ascending(keys[i-1], key) {
			return fmt.Errorf("opening keys: that of %.2q for compartment %d is not above the one before it: want them by country, then compartment, each once",
				key.GetCountry(), key.GetCompartment())
		}
		s, err := b.slotOf(&registryv1.KeyOwner{Country: key.GetCountry(), Purpose: &registryv1.KeyOwner_Compartment{Compartment: key.GetCompartment()}})
		if err != nil {
			return fmt.Errorf("opening keys: %w", err)
		}
		next, err := commitment(s.owner(), key.GetNext(), false)
		if err != nil {
			return err
		}
		if err := s.put(b, index, key.GetPublicKey(), nil, next); err != nil {
			return err
		}
	}
	return nil
}

func ascending(a, b *registryv1.OpeningKey) bool {
	return cmp.Or(cmp.Compare(a.GetCountry(), b.GetCountry()), cmp.Compare(a.GetCompartment(), b.GetCompartment())) < 0
}

func (c founding) consents(_, after *book) []consent {
	return []consent{allConsent("the consent of every founding member", after.active())}
}

func (b *book) setThreshold(threshold uint32) error {
	if active := len(b.active()); threshold < 1 || int(threshold) > active {
		return fmt.Errorf("threshold: %d of %d members", threshold, active)
	}
	b.threshold = threshold
	return nil
}

func (b *book) setRetention(class *registryv1.RetentionClass) error {
	if err := event.CheckToken("retention class", class.GetRetention()); err != nil {
		return err
	}
	if class.GetDays() == 0 {
		return fmt.Errorf("retention class %s has no days", class.GetRetention())
	}
	b.retention[class.GetRetention()] = class.GetDays()
	return nil
}

type charterAmended struct{ *registryv1.CharterAmended }

func (c charterAmended) scope() scope { return charterScope }

func (c charterAmended) enact(b *book, _ uint64) error {
	if c.Threshold == nil && c.Quorum == nil && len(c.keys()) == 0 {
		return errors.New("changes nothing")
	}
	if c.Threshold != nil {
		if err := b.setThreshold(c.GetThreshold()); err != nil {
			return err
		}
	}
	if c.Quorum != nil {
		if active := len(b.active()); c.GetQuorum() < 1 || int(c.GetQuorum()) > active {
			return fmt.Errorf("quorum: %d of %d members", c.GetQuorum(), active)
		}
		b.quorum = c.GetQuorum()
	}
	return c.exchangeNotary(b)
}

// exchangeNotary: a new key comes with its second key or with none; a second key
// alone comes beside the key that there is.
func (c charterAmended) exchangeNotary(b *book) error {
	switch key, secondKey := c.GetNotaryKey(), c.GetNotarySecondKey(); {
	case len(key) > 0:
		b.notary, b.notarySecond = key, secondKey
		return b.takeKeys("the notary", key, secondKey)
	case len(secondKey) > 0:
		b.notarySecond = secondKey
		return b.takeSecond("the notary", secondKey)
	}
	return nil
}

func (c charterAmended) consents(before, after *book) []consent {
	return charterConsents(before, after)
}

func (c charterAmended) keys() [][]byte { return keysOf(c.GetNotaryKey(), c.GetNotarySecondKey()) }

type retentionAmended struct{ *registryv1.RetentionAmended }

func (c retentionAmended) scope() scope   { return charterScope }
func (c retentionAmended) keys() [][]byte { return nil }

func (c retentionAmended) enact(b *book, _ uint64) error {
	if len(c.GetRetentionClasses()) == 0 {
		return errors.New("changes nothing")
	}
	for _, class := range c.GetRetentionClasses() {
		if err := b.setRetention(class); err != nil {
			return err
		}
	}
	return nil
}

func (c retentionAmended) consents(before, after *book) []consent {
	return charterConsents(before, after)
}

// Policies are whose signatures make a checkpoint, and a witnessed one, and what
// registry it must name, by the checkpoint's size. A term begins with every update
// that applied: its Registry is the head of the chain over them,
//
//	head = SHA-256(PAE("tripoint/v1/applied", head before, leaf hash of the update))
//
// from 32 zero bytes on. So whoever knows a checkpoint can tell whether the updates
// that he was given are all that there are below it. Refused and repeated messages
// are no part of it.
func (s State) Policies() (translog.Policies, error) {
	if s.book == nil {
		return nil, errors.New("the registry has no founding yet")
	}
	return s.book.terms, nil
}

// Policy is the one for the next checkpoint.
func (s State) Policy() (translog.Policy, error) {
	terms, err := s.Policies()
	if err != nil {
		return translog.Policy{}, err
	}
	return terms[len(terms)-1].Policy, nil
}

// Terms are the charter's own numbers as amended: roots that a change takes, and
// countries that witness. Where fewer members are active, all of them.
func (s State) Terms() (threshold, quorum uint32) {
	if s.book == nil {
		return 0, 0
	}
	return s.book.threshold, s.book.quorum
}

// Name is what the founders called the log.
func (s State) Name() string {
	if s.book == nil {
		return ""
	}
	return s.book.name
}
