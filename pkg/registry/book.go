package registry

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/second"
	"github.com/tripoint/tripoint/pkg/translog"
)

// book is everything that a State knows. Once a State holds it, it is not
// written to: changes are made in a clone.
type book struct {
	name, origin      string
	threshold, quorum uint32 // as the charter says; see required and policy
	notary            ed25519.PublicKey
	notarySecond      []byte
	members           map[string]Member
	agencies          []Agency
	keys              map[event.KeyID]Key
	openings          []Opening
	audiences         map[string]Audience
	retention         map[string]uint32
	policy            translog.Policy // as settled; what registry it is of, seal says
	terms             translog.Policies
	owners            map[string]string // every public key that ever was: whose
	scopes            map[scope]place
	applied           map[event.Digest]uint64
}

// place is where a scope stands.
type place struct {
	version  uint64
	previous []byte // SHA-256 of its last update; none at version 0
}

func (b *book) clone() *book {
	if b == nil {
		return &book{
			members: map[string]Member{}, keys: map[event.KeyID]Key{}, audiences: map[string]Audience{},
			retention: map[string]uint32{}, owners: map[string]string{}, scopes: map[scope]place{}, applied: map[event.Digest]uint64{},
		}
	}
	next := *b
	next.members, next.keys, next.audiences = maps.Clone(b.members), maps.Clone(b.keys), maps.Clone(b.audiences)
	next.retention, next.owners = maps.Clone(b.retention), maps.Clone(b.owners)
	next.scopes, next.applied = maps.Clone(b.scopes), maps.Clone(b.applied)
	next.agencies, next.openings, next.terms = slices.Clone(b.agencies), slices.Clone(b.openings), slices.Clone(b.terms)
	return &next
}

// settle recomputes what follows from the rest, and refuses a registry in which
// nobody could decide or witness any more.
func (b *book) settle() error {
	if len(b.active()) == 0 {
		return errors.New("no active member would be left")
	}
	for id, a := range b.audiences {
		a.Members = nil
		for country := range a.seats {
			if b.members[country].Status == Active {
				a.Members = append(a.Members, country)
			}
		}
		slices.Sort(a.Members)
		b.audiences[id] = a
	}
	return b.settlePolicy()
}

// settlePolicy finds whose signatures count from now on.
func (b *book) settlePolicy() error {
	policy := translog.Policy{Origin: b.origin, Notary: b.notary, NotarySecond: b.notarySecond, Mirrors: map[string]ed25519.PublicKey{}}
	for _, country := range b.active() {
		if mirror := b.members[country].Mirror; mirror != nil {
			policy.Mirrors[country] = mirror
		}
	}
	if len(policy.Mirrors) == 0 {
		return errors.New("nobody would be left to witness the log")
	}
	policy.Quorum = min(int(b.quorum), len(policy.Mirrors))
	if err := policy.Validate(); err != nil {
		return err
	}
	b.policy = policy
	return nil
}

// seal enters an update that applies, and begins its term: every update changes
// what registry a checkpoint must name.
func (b *book) seal(index uint64, s scope, version uint64, digest event.Digest, leaf translog.Hash) {
	b.scopes[s] = place{version: version, previous: digest[:]}
	b.applied[digest] = index
	policy := b.policy
	last := len(b.terms) - 1
	if last < 0 {
		policy.Registry = applied(translog.Hash{}, leaf)
		b.terms = translog.Policies{{Policy: policy}}
		return
	}
	before := b.terms[last].Policy
	policy.Registry = applied(before.Registry, leaf)
	if maps.EqualFunc(before.Mirrors, policy.Mirrors, sameKey) {
		policy.Mirrors = before.Mirrors // most updates leave them: one copy serves all their terms
	}
	b.terms = append(b.terms, translog.Term{From: index + 1, Policy: policy})
}

// applied is the head of the chain over all updates that applied, after one more,
// whose leaf hash fixes its index, its subject and all its bytes.
func applied(head, leaf translog.Hash) translog.Hash {
	return sha256.Sum256(pae.Encode(pae.Applied, head[:], leaf[:]))
}

func sameKey(a, b ed25519.PublicKey) bool { return bytes.Equal(a, b) }

func (b *book) countries(which func(Member) bool) []string {
	var codes []string
	for country, m := range b.members {
		if which(m) {
			codes = append(codes, country)
		}
	}
	slices.Sort(codes)
	return codes
}

func (b *book) active() []string {
	return b.countries(func(m Member) bool { return m.Status == Active })
}

// required is how many roots of active members a change of the charter takes.
func (b *book) required() int { return min(int(b.threshold), len(b.active())) }

// member finds one that has not left.
func (b *book) member(country string) (Member, error) {
	m, ok := b.members[country]
	switch {
	case !ok:
		return m, fmt.Errorf("%.2q is no member", country)
	case m.Status == Left:
		return m, fmt.Errorf("%s has left, at index %d", country, m.Since)
	}
	return m, nil
}

// activeMember finds one that is neither suspended nor gone.
func (b *book) activeMember(country string) (Member, error) {
	m, err := b.member(country)
	if err == nil && m.Status != Active {
		err = fmt.Errorf("%s is suspended, since index %d", country, m.Since)
	}
	return m, err
}

// agency is the place of an agency in agencies; -1: there is none.
func (b *book) agency(country, id string) int {
	return slices.IndexFunc(b.agencies, func(a Agency) bool { return a.Country == country && a.ID == id })
}

// takeKey gives a key that signs to an owner. It refuses one of the wrong length, in a
// second encoding or of small order, and one that anybody ever had: whoever holds
// it would be two parties.
func (b *book) takeKey(owner string, key []byte) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("the key of %s: %d bytes, want 32", owner, len(key))
	}
	if err := checkPoint(owner, [32]byte(key)); err != nil {
		return err
	}
	return b.own(owner, key)
}

// takeKeys gives a key and, where there is one, its second key to an owner.
func (b *book) takeKeys(owner string, key, secondKey []byte) error {
	if err := b.takeKey(owner, key); err != nil || len(secondKey) == 0 {
		return err
	}
	return b.takeSecond(owner, secondKey)
}

// takeSecond gives a second key to an owner. Every text of its length is a key of ML-DSA-44.
func (b *book) takeSecond(owner string, key []byte) error {
	if len(key) != second.KeySize {
		return fmt.Errorf("the second key of %s: %d bytes, want %d", owner, len(key), second.KeySize)
	}
	return b.own(owner, key)
}

func (b *book) own(owner string, key []byte) error {
	if other, ok := b.owners[string(key)]; ok {
		return fmt.Errorf("the key of %s is also that of %s", owner, other)
	}
	b.owners[string(key)] = owner
	return nil
}

// hidden are the characters that no text of the registry has: controls, and
// those that turn text around or cannot be seen. They are listed, not asked of
// package unicode: its tables change, and two readers must not differ.
var hidden = [][2]rune{
	{0x00, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, {0x61c, 0x61c}, {0x200b, 0x200b}, {0x200e, 0x200f},
	{0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
}

func isHidden(r rune) bool {
	return slices.ContainsFunc(hidden, func(span [2]rune) bool { return r >= span[0] && r <= span[1] })
}

// plain makes text that nobody has checked fit to be shown.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if isHidden(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// checkText refuses words that would not be seen the same everywhere.
func checkText(what, text string, limit int) error {
	if text == "" || len(text) > limit || strings.ContainsFunc(text, isHidden) {
		return fmt.Errorf("%s: want 1 to %d bytes of text on one line, without control or invisible characters", what, limit)
	}
	return nil
}

// maxNames bounds a list of names: it is looked through for each of them, before
// anybody knows whether the update is signed.
const maxNames = 64

// checkNames refuses names that are no tokens, or stand twice.
func checkNames(what string, names []string) error {
	if len(names) > maxNames {
		return fmt.Errorf("%s: %d names, at most %d", what, len(names), maxNames)
	}
	for i, name := range names {
		if err := event.CheckToken(what, name); err != nil {
			return err
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("%s %s stands twice", what, name)
		}
	}
	return nil
}
