package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// Recipients are the opening keys of those who read an audience now, of every compartment
// of version 1, that are valid at a log index: that of the next message.
func Recipients(state registry.State, audience registry.Audience, index uint64) []registry.Opening {
	var found []registry.Opening
	for _, country := range audience.Members {
		for compartment := 1; compartment < len(eventv1.Compartment_name); compartment++ {
			for _, opening := range state.Openings(country, uint32(compartment)) {
				if opening.ValidAt(index) {
					found = append(found, opening)
				}
			}
		}
	}
	return found
}

// Sealed is a batch whose sections are sealed and whose record is not made yet: a
// content key is bound to the batch's root, which is known once it is signed.
type Sealed struct {
	Drafts  []event.Draft // for event.SignBatch, all of them and in this order
	origin  event.Chain
	to      audience
	secrets []secret // of all drafts, in their order
}

// secret is a content key and the section that it was made for.
type secret struct {
	slot
	key ContentKey
}

// Seal seals every section of the drafts of one batch, each under a key of its own, and puts
// the sections of each in the order of their commitments. It leaves the drafts as they are. It refuses a section that is sealed already or
// of a compartment for which there is no recipient.
func Seal(chain event.Chain, drafts []event.Draft, recipients []registry.Opening) (*Sealed, error) {
	if len(drafts) == 0 || len(drafts) > MaxEvents {
		return nil, fmt.Errorf("sealing a batch of %d events: want 1 to %d", len(drafts), MaxEvents)
	}
	to, err := address(recipients)
	if err != nil {
		return nil, fmt.Errorf("sealing a batch: %w", err)
	}
	sealed := &Sealed{Drafts: slices.Clone(drafts), origin: chain, to: to}
	if err := sealed.prepare(); err != nil {
		return nil, fmt.Errorf("sealing a batch: %w", err)
	}
	if err := sealed.seal(); err != nil {
		return nil, fmt.Errorf("sealing a batch: %w", err)
	}
	return sealed, nil
}

// prepare draws a key for every section of the drafts, and refuses what cannot be sealed.
func (s *Sealed) prepare() error {
	sections := 0
	for i := range s.Drafts {
		if sections += len(s.Drafts[i].Sections); len(s.Drafts[i].Sections) > event.MaxSections {
			return fmt.Errorf("event %s: %d sections, at most %d", s.Drafts[i].ID, len(s.Drafts[i].Sections), event.MaxSections)
		}
		last := eventv1.Compartment_COMPARTMENT_UNSPECIFIED
		for _, section := range s.Drafts[i].Sections {
			if section.Compartment <= last || section.Compartment > MaxCompartment {
				return fmt.Errorf("event %s: compartment %d after %d, want 1 to 64, each once and in rising order", s.Drafts[i].ID, section.Compartment, last)
			}
			last = section.Compartment
			switch {
			case section.Form != eventv1.SectionForm_SECTION_FORM_CLEAR:
				return fmt.Errorf("event %s, compartment %d: its section is not in clear", s.Drafts[i].ID, section.Compartment)
			case s.to[section.Compartment] == nil:
				return fmt.Errorf("event %s, compartment %d: no desk of the audience has an opening key for it", s.Drafts[i].ID, section.Compartment)
			}
		}
	}
	if size := frameBytes + len(s.Drafts)*(eventBytes+len(s.to)*entrySize) + s.to.wraps()*wrapBytes; size > MaxRecord {
		return fmt.Errorf("its key record could have %d bytes, at most %d: fewer events a batch", size, MaxRecord)
	}
	random := make([]byte, sections*keySize)
	_, _ = rand.Read(random) // never fails
	defer clear(random)
	s.secrets = make([]secret, 0, sections)
	for i := range s.Drafts {
		for _, section := range s.Drafts[i].Sections {
			s.secrets = append(s.secrets, secret{key: ContentKey(random[len(s.secrets)*keySize:]), slot: slot{
				origin: s.origin, id: s.Drafts[i].ID, place: event.Place{Index: uint64(i)}, compartment: section.Compartment,
			}})
		}
	}
	return nil
}

// seal seals all drafts, on as many processors as there are and is worth while.
func (s *Sealed) seal() error {
	workers := min(runtime.GOMAXPROCS(0), 1+len(s.Drafts)/draftsPerWorker)
	errs := make([]error, workers)
	var group sync.WaitGroup
	rest := s.secrets
	for w := range workers {
		drafts := s.Drafts[w*len(s.Drafts)/workers : (w+1)*len(s.Drafts)/workers]
		sections := 0
		for i := range drafts {
			sections += len(drafts[i].Sections)
		}
		secrets := rest[:sections]
		rest = rest[sections:]
		group.Go(func() { errs[w] = sealDrafts(drafts, secrets) })
	}
	group.Wait()
	return errors.Join(errs...)
}

const draftsPerWorker = 64

func sealDrafts(drafts []event.Draft, secrets []secret) error {
	room, blinds := make([]byte, 0, roomSize), make([]byte, len(drafts)*keySize)
	_, _ = rand.Read(blinds) // never fails
	for i := range drafts {
		of := len(drafts[i].Sections)
		if err := sealDraft(&drafts[i], secrets[:of], parts{blind: [keySize]byte(blinds[i*keySize:])}, room); err != nil {
			return err
		}
		secrets = secrets[of:]
	}
	return nil
}

// sealDraft puts sealed sections in the place of a draft's, in the order of their commitments.
func sealDraft(draft *event.Draft, secrets []secret, p parts, room []byte) error {
	for i := range secrets {
		secrets[i].commitment = secrets[i].commit(&secrets[i].key)
	}
	slices.SortFunc(secrets, func(a, b secret) int { return bytes.Compare(a.commitment[:], b.commitment[:]) })
	for i := range secrets {
		p.of[i] = byte(secrets[i].compartment)
	}
	digest, sealed := p.digest(draft.ID), make([]event.Section, len(secrets))
	for i := range secrets {
		made := &secrets[i]
		at := slices.IndexFunc(draft.Sections, func(s event.Section) bool { return s.Compartment == made.compartment })
		content, err := made.sealContent(room, &made.key, &p, draft.Sections[at].Content)
		if err != nil {
			return err
		}
		sealed[i] = event.Section{Form: eventv1.SectionForm_SECTION_FORM_SEALED, Commitment: bytes.Clone(made.commitment[:]), Content: content}
	}
	draft.Sections, draft.Parts = sealed, digest[:]
	return nil
}

// Record makes the batch's key record once event.SignBatch has signed Drafts, under
// the same key. It is to be on the stream before the events are. The content keys are
// gone afterwards: there is one record.
func (s *Sealed) Record(key event.SigningKey, signed []event.Signed, expires time.Time) (Record, error) {
	if err := s.check(key, signed); err != nil {
		return Record{}, fmt.Errorf("the key record of a batch: %w", err)
	}
	t := Terms{
		Origin: s.origin, Batch: signed[0].Place.Batch, Revision: 1, Retention: s.Drafts[0].Retention,
		Expires: expires, Grantor: key.ID,
	}
	record, err := grant(key, t, s.to, s.secrets)
	if err != nil {
		return Record{}, fmt.Errorf("the key record of batch %s: %w", t.Batch, err)
	}
	clear(s.secrets)
	s.secrets = nil
	return record, nil
}

// check holds what was signed against what was sealed.
func (s *Sealed) check(key event.SigningKey, signed []event.Signed) error {
	if s.secrets == nil {
		return errors.New("it was made before")
	}
	if len(signed) != len(s.Drafts) {
		return fmt.Errorf("%d events were signed and %d sealed", len(signed), len(s.Drafts))
	}
	first, err := event.Decode(signed[0].Data)
	if err != nil {
		return err
	}
	if first.KeyID() != key.ID {
		return errors.New("the batch was signed with another key")
	}
	for i, s1 := range signed {
		if s1.ID != s.Drafts[i].ID || s1.Place != (event.Place{Batch: signed[0].Place.Batch, Index: uint64(i)}) {
			return fmt.Errorf("event %d of the batch is not the one that was sealed", i)
		}
	}
	return nil
}

// audience is whom a record is for, by compartment.
type audience map[eventv1.Compartment][]recipient

type recipient struct {
	registry.Opening
	public hpke.PublicKey
}

// address sorts recipients by compartment and country.
func address(recipients []registry.Opening) (audience, error) {
	to := audience{}
	for _, opening := range recipients {
		public, err := hpke.MLKEM768X25519().NewPublicKey(opening.Public)
		if err != nil {
			return nil, fmt.Errorf("the opening key of %s for compartment %d is not one of MLKEM768-X25519", opening.Country, opening.Compartment)
		}
		c := eventv1.Compartment(opening.Compartment)
		to[c] = append(to[c], recipient{opening, public})
	}
	for c, list := range to {
		slices.SortFunc(list, func(a, b recipient) int { return strings.Compare(a.Country, b.Country) })
		for i := 1; i < len(list); i++ {
			if list[i].Country == list[i-1].Country {
				return nil, fmt.Errorf("two opening keys of %s for compartment %d", list[i].Country, c)
			}
		}
		if len(list) > MaxRecipients {
			return nil, fmt.Errorf("%d recipients of compartment %d, at most %d", len(list), c, MaxRecipients)
		}
	}
	return to, nil
}

func (a audience) wraps() int {
	n := 0
	for _, list := range a {
		n += len(list)
	}
	return n
}

// grant makes and signs a record: a new batch key for each compartment in which there is a recipient,
// and under it an entry for each event. Secrets stand by rising place.
func grant(key event.SigningKey, t Terms, to audience, secrets []secret) (Record, error) {
	content := &keyv1.Content{
		Country: t.Origin.Country, Agency: t.Origin.Agency, Audience: t.Origin.Audience,
		Batch: t.Batch[:], Revision: t.Revision, Retention: t.Retention, Expires: seconds(t.Expires),
		Grantor: t.Grantor[:], Recipient: t.Recipient,
	}
	var batchKeys []cipher.AEAD
	for _, compartment := range slices.Sorted(maps.Keys(to)) {
		keys, batchKey, err := newKeys(&t, compartment, to[compartment])
		if err != nil {
			return Record{}, err
		}
		content.Compartments, batchKeys = append(content.Compartments, keys), append(batchKeys, batchKey)
	}
	room := make([]byte, 0, roomSize)
	for len(secrets) > 0 {
		of := 1 + slices.IndexFunc(secrets[1:], func(s secret) bool { return s.id != secrets[0].id })
		if of == 0 {
			of = len(secrets)
		}
		at := slot{id: secrets[0].id, place: event.Place{Batch: t.Batch, Index: secrets[0].place.Index}}
		content.Places, content.EventIds = append(content.Places, uint32(at.place.Index)), append(content.EventIds, at.id[:]...)
		for i, keys := range content.GetCompartments() {
			at.compartment = keys.GetCompartment()
			key := keyOf(secrets[:of], at.compartment)
			keys.Keys = at.wrapKey(keys.Keys, room, batchKeys[i], &key)
			clear(key[:])
		}
		secrets = secrets[of:]
	}
	return sign(key, content)
}

// keyOf is the secret of a compartment; the zero key where there is none.
func keyOf(secrets []secret, compartment eventv1.Compartment) (key ContentKey) {
	for i := range secrets {
		if secrets[i].compartment == compartment {
			key = secrets[i].key
		}
	}
	return key
}

// newKeys draws a batch key of a compartment and wraps it to each recipient.
func newKeys(t *Terms, compartment eventv1.Compartment, to []recipient) (*keyv1.CompartmentKeys, cipher.AEAD, error) {
	var key [keySize]byte
	defer clear(key[:])
	_, _ = rand.Read(key[:]) // never fails
	made := &keyv1.CompartmentKeys{Compartment: compartment}
	for _, r := range to {
		wrapped, err := wrapBatchKey(r.public, grantInfo(t, r.Country, compartment, r.Public), key[:])
		if err != nil {
			return nil, nil, fmt.Errorf("wrapping to %s's desk for compartment %d: %w", r.Country, compartment, err)
		}
		made.Wraps = append(made.Wraps, &keyv1.Wrap{Country: r.Country, Epoch: r.Epoch, Wrapped: wrapped})
	}
	batchKey, err := newGCM(key[:])
	return made, batchKey, err
}

// seconds is 0, which no record may have, for times before 1970.
func seconds(t time.Time) uint64 { return uint64(max(t.Unix(), 0)) }
