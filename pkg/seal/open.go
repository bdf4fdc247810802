package seal

import (
	"crypto/cipher"
	"crypto/hpke"
	"crypto/subtle"
	"fmt"
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
	Compartment eventv1.Compartment
	Key         ContentKey // of a sealed one that opened: what its originator can release it with
	Content     []byte
	Err         error // wraps the Reason; nil where Content is the content
}

// Open opens an event's sections, in their order, with the portions of the records
// that there are of its batch: the batch's own, and releases. now is the desk's clock. A
// section in clear is taken as it is. Of several portions the first that opens counts;
// where none does, the reason is that of the first with a grant.
func (o *Opener) Open(e event.Verified, now time.Time, portions ...Portion) []Section {
	opened := make([]Section, len(e.Sections()))
	for i, section := range e.Sections() {
		if section.Form == eventv1.SectionForm_SECTION_FORM_SEALED {
			opened[i] = o.section(e, section, now, portions)
		} else {
			opened[i] = Section{Content: section.Content}
		}
		opened[i].Compartment = section.Compartment
	}
	return opened
}

func (o *Opener) section(e event.Verified, section event.Section, now time.Time, portions []Portion) Section {
	closed := Section{Err: NoRecord}
	at := slot{
		origin: e.Chain, id: e.ID, place: e.Place, compartment: section.Compartment, commitment: event.Digest(section.Commitment),
	}
	for i := range portions {
		key, err := o.contentKey(&at, e.Retention, now, &portions[i])
		var content []byte
		if err == nil {
			content, err = open(&at, key, section.Content)
		}
		if err == nil {
			return Section{Key: key, Content: content}
		}
		if reason := ReasonOf(closed.Err); reason == NoRecord || reason == NotGranted {
			closed.Err = err
		}
	}
	return closed
}

// open is the last step: the right key, and content that was made for this place.
func open(at *slot, key ContentKey, sealed []byte) ([]byte, error) {
	if commitment := at.commit(&key); subtle.ConstantTimeCompare(commitment[:], at.commitment[:]) != 1 {
		return nil, WrongKey
	}
	content, err := at.openContent(&key, sealed)
	if err != nil {
		return nil, BrokenContent
	}
	return content, nil
}

func (o *Opener) contentKey(at *slot, retention string, now time.Time, p *Portion) (ContentKey, error) {
	origin := at.origin
	origin.Renewal = p.Origin.Renewal
	switch {
	case p.Batch != at.place.Batch || p.Origin != origin || p.Retention != retention:
		return ContentKey{}, fmt.Errorf("%w: batch %s of %s, retention %q", OtherRecord, p.Batch, p.Origin, p.Retention)
	case !now.Before(p.Expires):
		return ContentKey{}, fmt.Errorf("%w, at %s", Expired, p.Expires.Format(time.RFC3339))
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
