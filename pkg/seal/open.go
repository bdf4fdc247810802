package seal

import (
	"crypto/cipher"
	"crypto/hpke"
	"crypto/subtle"
	"fmt"
	"maps"
	"math/bits"
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
// where none does, the reason is that of the first with a grant. Of those that stay closed
// it is known which compartments they are of, where an entry opens that names as many as
// there are; which of them is which nobody knows.
func (o *Opener) Open(e event.Verified, now time.Time, portions ...Portion) []Section {
	t := trial{opener: o, event: e, now: now, portions: portions, failed: map[eventv1.Compartment]error{}}
	t.sections = make([]Section, len(e.Sections()))
	for i, section := range e.Sections() {
		if isSealed(section) {
			t.sealed++
		} else {
			t.sections[i] = Section{Compartment: section.Compartment, Content: section.Content}
		}
	}
	for _, c := range granted(portions) {
		if t.opened < t.sealed {
			t.try(c)
		}
	}
	t.name()
	return t.sections
}

// OpenWith opens one section of an event, by its place, with its content key: without records, for
// whoever was given the key. Its errors wrap WrongKey, where the header does not commit to the key for
// that compartment there, or BrokenContent.
func OpenWith(e event.Verified, section int, compartment eventv1.Compartment, key ContentKey) ([]byte, error) {
	at := slotOf(e, compartment)
	if at.find(e, &key) != section {
		return nil, WrongKey
	}
	return at.open(e.Sections()[section], &key)
}

func isSealed(s event.Section) bool { return s.Form == eventv1.SectionForm_SECTION_FORM_SEALED }

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

// open is the last step: the right key, and content that was made for this place.
func (s *slot) open(section event.Section, key *ContentKey) ([]byte, error) {
	s.commitment = event.Digest(section.Commitment)
	content, err := s.openContent(key, section.Content)
	if err != nil {
		return nil, BrokenContent
	}
	return content, nil
}

// granted are the compartments of which portions have a batch key, rising.
func granted(portions []Portion) []eventv1.Compartment {
	var all []eventv1.Compartment
	for _, p := range portions {
		for _, g := range p.Grants {
			all = append(all, g.Compartment)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// trial is one event while its sections are opened.
type trial struct {
	opener   *Opener
	event    event.Verified
	now      time.Time
	portions []Portion

	sections       []Section
	sealed, opened int                           // how many
	all            compartments                  // of the sealed ones; 0: unknown
	failed         map[eventv1.Compartment]error // of a compartment that could not be tried, or opens nothing
}

// try opens the section of one compartment, if there is one.
func (t *trial) try(c eventv1.Compartment) {
	var failed error
	for i := range t.portions {
		err := t.tryWith(c, &t.portions[i])
		if err == nil {
			return
		}
		failed = first(failed, err)
	}
	t.failed[c] = failed
}

// first keeps the reason that is told, of those of several portions.
func first(before, err error) error {
	if before == nil || ReasonOf(before) == NotGranted {
		return err
	}
	return before
}

// tryWith has NotGranted for an error where the portion says that there is nothing of the compartment.
func (t *trial) tryWith(c eventv1.Compartment, p *Portion) error {
	at := slotOf(t.event, c)
	entry, err := t.opener.entry(&at, t.event.Retention, t.now, p)
	if err != nil {
		return err
	}
	if t.all == 0 && bits.OnesCount64(uint64(entry.all)) == t.sealed {
		t.all = entry.all
	}
	if entry.key == (ContentKey{}) {
		return NotGranted
	}
	i := at.find(t.event, &entry.key)
	if i < 0 {
		return WrongKey
	}
	content, err := at.open(t.event.Sections()[i], &entry.key)
	if err == nil {
		t.sections[i] = Section{Compartment: c, Key: entry.key, Content: content}
		t.opened++
	}
	return err
}

// name says of each section that stays closed why, and of which compartment it is where that is known.
func (t *trial) name() {
	rest := t.all
	for i, s := range t.sections {
		if isSealed(t.event.Sections()[i]) && s.Err == nil && s.Key != (ContentKey{}) {
			rest &^= setOf(s.Compartment)
		}
	}
	if bits.OnesCount64(uint64(rest)) != t.sealed-t.opened {
		rest = 0
	}
	for i := range t.sections {
		if !isSealed(t.event.Sections()[i]) || t.sections[i].Key != (ContentKey{}) {
			continue
		}
		closed := Section{}
		if rest != 0 {
			closed.Compartment = eventv1.Compartment(bits.TrailingZeros64(uint64(rest)) + 1)
			rest &^= setOf(closed.Compartment)
		}
		closed.Err = t.why(closed.Compartment)
		t.sections[i] = closed
	}
}

// why is the reason for a compartment; for 0, the first of any.
func (t *trial) why(c eventv1.Compartment) error {
	if err := t.failed[c]; err != nil {
		return err
	}
	if len(t.portions) == 0 {
		return NoRecord
	}
	var failed error
	for i := range t.portions {
		failed = first(failed, t.usable(&t.portions[i]))
	}
	if c != 0 {
		return failed
	}
	for _, c := range slices.Sorted(maps.Keys(t.failed)) {
		failed = first(failed, t.failed[c])
	}
	return failed
}

// usable is why a portion opens nothing of the event at all, and else NotGranted.
func (t *trial) usable(p *Portion) error {
	at := slotOf(t.event, 0)
	if err := at.usable(t.event.Retention, t.now, p); err != nil {
		return err
	}
	return NotGranted
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

// entry is what a portion says of an event and a compartment.
func (o *Opener) entry(at *slot, retention string, now time.Time, p *Portion) (entry, error) {
	if err := at.usable(retention, now, p); err != nil {
		return entry{}, err
	}
	grant := p.grant(at.compartment)
	if grant == nil {
		return entry{}, NotGranted
	}
	piece := grant.piece(at.id)
	if piece == nil {
		return entry{}, Erased
	}
	batchKey, err := o.batchKey(p, grant)
	if err != nil {
		return entry{}, err
	}
	found, err := at.unwrapEntry(batchKey, piece.Wrapped)
	if err != nil || (found.all&setOf(at.compartment) == 0) != (found.key == ContentKey{}) {
		return entry{}, fmt.Errorf("%w: place %d in the record, %d in the batch", BrokenEntry, piece.Place, at.place.Index)
	}
	return found, nil
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
