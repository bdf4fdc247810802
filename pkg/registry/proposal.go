package registry

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/second"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Propose gives a change its place: the exact bytes for its parties to sign. Of
// change only the change itself is looked at. lastIndex is the last log index at
// which it can still apply. It refuses what could never apply to this state.
func (s State) Propose(change *registryv1.Update, lastIndex uint64) ([]byte, error) {
	if s.book == nil {
		return nil, errors.New("the charter is not founded yet")
	}
	c := changeOf(change)
	if c == nil {
		return nil, errors.New("no change")
	}
	if _, ok := c.(founding); ok {
		return nil, errors.New("the charter is founded already")
	}
	if _, err := s.enact(lastIndex, c); err != nil {
		return nil, fmt.Errorf("%s: %w", c.scope(), err)
	}
	at := s.book.scopes[c.scope()]
	return proto.Marshal(&registryv1.Update{
		Version: at.version + 1, Previous: at.previous, Charter: s.charter[:], LastIndex: lastIndex, Change: change.GetChange(),
	})
}

// Review is what those who are asked to sign an update should know of it.
type Review struct {
	Digest    event.Digest // of the bytes that are signed
	Subject   string       // where it will lie
	Says      []string     // what it changes, in plain words
	LastIndex uint64       // the last log index at which it can apply
	Lacking   *Unsigned    // nil: it is complete
}

// Review looks at an update as if it came next in the log, at index. Its error says
// why it could not apply, missing signatures apart.
func (s State) Review(index uint64, signed *registryv1.SignedUpdate) (Review, error) {
	message, update, err := encode(signed)
	if err != nil {
		return Review{}, err
	}
	r := Review{Digest: event.DigestOf(signed.GetUpdate()), Subject: SubjectOf(update), LastIndex: update.GetLastIndex()}
	if event.HasUnknown(update) {
		return r, errUnknown
	}
	_, err = s.Apply(index, r.Subject, message)
	if err != nil && !errors.As(err, &r.Lacking) {
		return r, err
	}
	r.Says = s.Say(update)
	return r, nil
}

// Say tells in plain words what an update changes in this state. Of one that
// does not apply nothing is checked: its words can be as long as a message.
func (s State) Say(update *registryv1.Update) []string {
	c := changeOf(update)
	if c == nil {
		return []string{"Changes nothing that this version knows."}
	}
	said := c.words(s.book.clone())
	for i, words := range said {
		said[i] = plain(words)
	}
	return said
}

// Read decodes a message of the registry. Its update says nothing before it is applied.
func Read(message []byte) (*registryv1.SignedUpdate, *registryv1.Update, error) { return read(message) }

// Part is what a key does for an update that it signs.
type Part struct {
	Root string // the country whose consent it gives; empty: it shows possession
}

// PartOf finds what a public key can do for an update; ok is false where that is nothing.
func (s State) PartOf(update *registryv1.Update, public ed25519.PublicKey) (part Part, ok bool) {
	c := changeOf(update)
	if c == nil || s.book == nil {
		return Part{}, false
	}
	for _, m := range s.book.members {
		if m.Status != Left && public.Equal(m.Root) {
			return Part{Root: m.Country}, true
		}
	}
	if admitted, is := c.(memberAdmitted); is && public.Equal(ed25519.PublicKey(admitted.GetMember().GetRootKey())) {
		return Part{Root: admitted.GetMember().GetCountry()}, true
	}
	for _, key := range c.keys() {
		if public.Equal(ed25519.PublicKey(key)) {
			return Part{}, true
		}
	}
	return Part{}, false
}

// errUnknown keeps a signer from agreeing to what nobody can show him: a reader of
// another version may find a meaning in it.
var errUnknown = errors.New("the update holds fields that this version does not know, and so cannot show: it is not signed")

// known reads an update that is to be signed.
func known(signed *registryv1.SignedUpdate) (*registryv1.Update, error) {
	_, update, err := encode(signed)
	if err == nil && event.HasUnknown(update) {
		return nil, errUnknown
	}
	return update, err
}

// SignSecond adds a second key's signature to an update that brings it. It refuses
// one that the update does not bring, and one that has signed already.
func (s State) SignSecond(signed *registryv1.SignedUpdate, key *second.Key) error {
	update, err := known(signed)
	if err != nil {
		return err
	}
	if _, ok := s.PartOf(update, key.Public()); !ok {
		return fmt.Errorf("the second key %.8x… has no part in this update: the update does not bring it", key.Public())
	}
	if possessed(signed, key.Public()) {
		return errors.New("this new key has signed already")
	}
	possession, err := SignSecondPossession(key, signed.GetUpdate())
	if err == nil {
		signed.Possessions = append(signed.Possessions, possession)
	}
	return err
}

// possessed reports whether a new key has signed.
func possessed(signed *registryv1.SignedUpdate, public []byte) bool {
	return slices.ContainsFunc(signed.GetPossessions(), func(p *registryv1.Possession) bool { return bytes.Equal(p.GetPublicKey(), public) })
}

// Sign adds one key's signature to an update. It refuses a key that has no part
// in it, and one that has signed already.
func (s State) Sign(signed *registryv1.SignedUpdate, key crypto.Signer) (Part, error) {
	update, err := known(signed)
	if err != nil {
		return Part{}, err
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return Part{}, errors.New("signing an update: the key is not Ed25519")
	}
	part, ok := s.PartOf(update, public)
	switch {
	case !ok:
		return part, fmt.Errorf("the key %x has no part in this update: it is no member's root, and the update does not bring it", []byte(public))
	case part.Root != "":
		for _, given := range signed.GetSignatures() {
			if given.GetCountry() == part.Root {
				return part, fmt.Errorf("the root of %s has signed already", part.Root)
			}
		}
		consent, err := SignRoot(part.Root, key, signed.GetUpdate())
		if err == nil {
			signed.Signatures = append(signed.Signatures, consent)
		}
		return part, err
	}
	if possessed(signed, public) {
		return part, errors.New("this new key has signed already")
	}
	possession, err := SignPossession(key, signed.GetUpdate())
	if err == nil {
		signed.Possessions = append(signed.Possessions, possession)
	}
	return part, err
}

// encode gives a signed update as a message, and reads it as everybody will.
func encode(signed *registryv1.SignedUpdate) ([]byte, *registryv1.Update, error) {
	message, err := proto.Marshal(signed)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding an update: %w", err)
	}
	_, update, err := read(message)
	return message, update, err
}
