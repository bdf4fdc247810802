package seal

import (
	"crypto/cipher"
	"crypto/hpke"
	"crypto/subtle"
	"fmt"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// PrivateKeys finds a desk's private opening key of a compartment and epoch; nil where
// it is not here. crypto/hpke makes one of a device too (hpke.NewHybridPrivateKey).
type PrivateKeys func(compartment eventv1.Compartment, epoch uint32) hpke.PrivateKey

// Opener opens sections for one desk. It remembers the batch keys that it opened
// last, so that a batch costs one private-key operation a compartment. It is not for
// concurrent use. Whoever destroys a private key, or has erased something, takes a new one.
type Opener struct {
	private PrivateKeys
	known   map[known]cipher.AEAD
}

// known is a batch key's wrap with all that it is bound to, and to whom.
type known struct {
	terms       Terms
	country     string
	compartment eventv1.Compartment
	epoch       uint32
	wrap        event.Digest
}

const rememberedKeys = 64

// NewOpener opens with a desk's private keys.
func NewOpener(private PrivateKeys) *Opener {
	return &Opener{private: private, known: map[known]cipher.AEAD{}}
}

// Section is one section of an event as a desk has it: in clear, or closed for a reason.
type Section struct {
	Compartment eventv1.Compartment // 0: nothing that opens here tells which
	Key         ContentKey          // of a sealed one that opened: what its originator can release it with
	Content     []byte
	Err         error // wraps the Reason; nil where Content is the content
}

// Open opens an event's sections, in their order, with the portions of the records
// that there are of its batch: the batch's own, and releases. now is the desk's clock. A
// section in clear is taken as it is. Of several portions the first that opens counts;
// where none does, the reason is that of the first with a grant. Which compartments those are of that stay
// closed is known where another of the event's sections opens.
func (o *Opener) Open(e event.Verified, now time.Time, portions ...Portion) []Section {
	t := trial{opener: o, event: e, now: now, portions: portions, failed: map[eventv1.Compartment]error{}}
	return t.run()
}

// OpenWith opens one section of an event, by its place, with its content key: without records, for
// whoever was given the key. Its errors wrap WrongKey, where the header does not commit to the key for
// that compartment there, or BrokenContent.
func OpenWith(e event.Verified, section int, compartment eventv1.Compartment, key ContentKey) ([]byte, error) {
	at := slotOf(e, compartment)
	if at.find(e, &key) != section {
		return nil, WrongKey
	}
	_, text, err := at.open(e, section, &key)
	return text, err
}

func isSealed(s event.Section) bool { return s.Form == eventv1.SectionForm_SECTION_FORM_SEALED }

// firstSealed is the place of an event's first sealed section: all after it are.
func firstSealed(e event.Verified) int {
	if at := slices.IndexFunc(e.Sections(), isSealed); at >= 0 {
		return at
	}
	return len(e.Sections())
}

func slotOf(e event.Verified, compartment eventv1.Compartment) slot {
	return slot{origin: e.Chain, id: e.ID, place: e.Place, compartment: compartment}
}

// find is the place of the section whose commitment is to that key for the slot's compartment; -1 where
// none is.
func (s *slot) find(e event.Verified, key *ContentKey) int {
	commitment := s.commit(key)
	return slices.IndexFunc(e.Sections(), func(section event.Section) bool {
		return isSealed(section) && subtle.ConstantTimeCompare(commitment[:], section.Commitment) == 1
	})
}

// open is the last step: the right key, content that was made for this place, and an event
// that says one thing of each compartment.
func (s *slot) open(e event.Verified, section int, key *ContentKey) (parts, []byte, error) {
	s.commitment = event.Digest(e.Sections()[section].Commitment)
	p, text, err := s.openContent(key, e.Sections()[section].Content)
	first := firstSealed(e)
	if err != nil || !p.check(e, len(e.Sections())-first, section-first, s.compartment) {
		return parts{}, nil, BrokenContent
	}
	return p, text, nil
}

func (s *slot) usable(retention string, now time.Time, p *Portion) error {
	origin := s.origin
	origin.Renewal = p.Origin.Renewal
	switch {
	case p.Batch != s.place.Batch || p.Origin != origin || p.Retention != retention:
		return fmt.Errorf("%w: batch %s of %s, retention %q", OtherRecord, p.Batch, p.Origin, p.Retention)
	case !now.Before(p.Expires):
		return fmt.Errorf("%w, at %s", Expired, p.Expires.Format(time.RFC3339))
	}
	return nil
}

// contentKey is what a portion has for an event and a compartment.
func (o *Opener) contentKey(at *slot, retention string, now time.Time, p *Portion) (ContentKey, error) {
	if err := at.usable(retention, now, p); err != nil {
		return ContentKey{}, err
	}
	grant := p.grant(at.compartment)
	if grant == nil {
		return ContentKey{}, NotGranted
	}
	piece := grant.piece(at.id)
	if piece == nil {
		return ContentKey{}, Erased
	}
	batchKey, err := o.batchKey(p, grant)
	if err != nil {
		return ContentKey{}, err
	}
	key, err := at.unwrapKey(batchKey, piece.Wrapped)
	if err != nil {
		return ContentKey{}, fmt.Errorf("%w: place %d in the record, %d in the batch", BrokenEntry, piece.Place, at.place.Index)
	}
	if key == (ContentKey{}) {
		return ContentKey{}, NotGranted
	}
	return key, nil
}

func (o *Opener) batchKey(p *Portion, g *Grant) (cipher.AEAD, error) {
	private := o.private(g.Compartment, g.Epoch)
	if private == nil {
		return nil, fmt.Errorf("%w: compartment %d, epoch %d", NoPrivateKey, g.Compartment, g.Epoch)
	}
	wrap := known{p.Terms, p.Country, g.Compartment, g.Epoch, event.DigestOf(g.Wrapped)}
	if key := o.known[wrap]; key != nil {
		return key, nil
	}
	key, err := unwrapBatchKey(private, grantInfo(&p.Terms, p.Country, g.Compartment, private.PublicKey().Bytes()), g.Wrapped)
	if err != nil {
		return nil, fmt.Errorf("%w: compartment %d, epoch %d: %w", BrokenWrap, g.Compartment, g.Epoch, err)
	}
	if len(o.known) >= rememberedKeys {
		clear(o.known)
	}
	o.known[wrap] = key
	return key, nil
}
