package event

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Bounds of the wire format. What exceeds them is undecodable.
const (
	MaxMessage  = 1 << 20 // bytes of one envelope
	MaxBatch    = 1 << 16 // events under one signature
	MaxSections = 16      // sections of one event
	MaxLogSize  = 1 << 48 // leaves that any size may speak of
)

var (
	countryForm = regexp.MustCompile(`^[A-Z]{2}$`)
	tokenForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	addressForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}(_[1-9][0-9]{0,14})?$`)
	kindForm    = regexp.MustCompile(`^[a-z]{1,31}\.[a-z][a-z_]{0,62}$`)
)

// CheckCountry refuses what is not an ISO 3166-1 alpha-2 code in form.
func CheckCountry(code string) error { return match("country", code, countryForm) }

// CheckToken refuses what cannot be an identifier: of an agency, an audience, a
// retention class. what names the field in the error.
func CheckToken(what, token string) error { return match(what, token, tokenForm) }

// CheckAddress refuses what cannot be an audience's address: its identifier, and
// for a circle that began after the founding, "_" and the log index where it did.
func CheckAddress(address string) error { return match("audience", address, addressForm) }

// CheckKind refuses what is not of the form family.what.
func CheckKind(kind string) error { return match("kind", kind, kindForm) }

func match(what, value string, form *regexp.Regexp) error {
	if !form.MatchString(value) {
		return fmt.Errorf("%s %.64q: want the form %s", what, value, form)
	}
	return nil
}

// Chain is one agency's events to one address of an audience, under keys none of
// which was lost. Counters and digests run along it. An address has the same
// readers all the while, so that each of them has the chain from its beginning.
type Chain struct {
	Country, Agency string
	Audience        string // an address, see CheckAddress
	// Renewal is how many of the agency's keys had been revoked when the key that signs
	// was enrolled: what a thief said before does not stand in the way of a new
	// key. No header has it: it is the registry's, and set by who knows the key.
	Renewal int
}

// String is the chain as audience/country/agency, and where a key was lost
// before, /renewal.
func (c Chain) String() string {
	name := c.Audience + "/" + c.Country + "/" + c.Agency
	if c.Renewal > 0 {
		name += "/" + strconv.Itoa(c.Renewal)
	}
	return name
}

// Head is where a chain stands. The zero Head is a chain without events.
type Head struct {
	Counter uint64
	Digest  Digest // of the last header
	LastID  ID
}

// Subject is the one NATS subject on which an event may lie.
func Subject(chain Chain, kind string) string {
	return "evt." + chain.Audience + "." + chain.Country + "." + chain.Agency + "." + kind
}

func checkHeader(h *eventv1.Header) error {
	if len(h.GetEventId()) != len(ID{}) {
		return fmt.Errorf("event_id: %d bytes, want 16", len(h.GetEventId()))
	}
	err := errors.Join(
		ID(h.GetEventId()).check(),
		CheckCountry(h.GetCountry()),
		CheckToken("agency", h.GetAgency()),
		CheckAddress(h.GetAudience()),
		CheckToken("retention", h.GetRetention()),
		CheckKind(h.GetKind()),
		checkLinks(h),
		checkEntries(h.GetSections()),
		checkParts(h),
	)
	if err != nil {
		return err
	}
	if !h.GetRecorded().IsValid() {
		// Not CheckValid's words: they differ from one build to the next, and verdicts carry them.
		return errors.New("recorded: missing, or not a time in the years 1 to 9999")
	}
	return nil
}

func checkLinks(h *eventv1.Header) error {
	first := h.GetCounter() == 1
	switch {
	case h.GetCounter() == 0:
		return errors.New("counter: 0, the first event of a chain has 1")
	case first && len(h.GetPrevious()) != 0:
		return errors.New("previous: present in the first event of a chain")
	case !first && len(h.GetPrevious()) != len(Digest{}):
		return fmt.Errorf("previous: %d bytes, want 32", len(h.GetPrevious()))
	case len(h.GetBodyDigest()) != len(Digest{}):
		return fmt.Errorf("body_digest: %d bytes, want 32", len(h.GetBodyDigest()))
	}
	if seen := h.GetSeen(); seen != nil && (len(seen.GetRoot()) != 32 || seen.GetSize() > MaxLogSize) {
		return fmt.Errorf("seen: root of %d bytes at size %d, want 32 bytes and a size of 2^48 at most", len(seen.GetRoot()), seen.GetSize())
	}
	return nil
}

func checkEntries(entries []*eventv1.SectionEntry) error {
	if len(entries) == 0 || len(entries) > MaxSections {
		return fmt.Errorf("sections: %d, want 1 to %d", len(entries), MaxSections)
	}
	last := &eventv1.SectionEntry{}
	for i, entry := range entries {
		var err error
		switch entry.GetForm() {
		case eventv1.SectionForm_SECTION_FORM_CLEAR:
			err = checkClear(entry, last)
		case eventv1.SectionForm_SECTION_FORM_SEALED:
			err = checkSealed(entry, last)
		default:
			err = fmt.Errorf("form %d is unknown", entry.GetForm())
		}
		if err != nil {
			return fmt.Errorf("sections[%d]: %w", i, err)
		}
		last = entry
	}
	return nil
}

func checkParts(h *eventv1.Header) error {
	sealed := slices.ContainsFunc(h.GetSections(), func(s *eventv1.SectionEntry) bool { return s.GetForm() == eventv1.SectionForm_SECTION_FORM_SEALED })
	switch parts := len(h.GetParts()); {
	case sealed && parts != len(Digest{}):
		return fmt.Errorf("parts: %d bytes beside sealed sections, want 32", parts)
	case !sealed && parts != 0:
		return errors.New("parts: present, and no section is sealed")
	}
	return nil
}

// checkClear holds the entry of a clear section against the entry before it.
func checkClear(entry, last *eventv1.SectionEntry) error {
	switch {
	case last.GetForm() == eventv1.SectionForm_SECTION_FORM_SEALED:
		return errors.New("a clear section after a sealed one")
	case entry.GetCompartment() <= last.GetCompartment():
		return fmt.Errorf("compartment %d after %d, want each once and in rising order", entry.GetCompartment(), last.GetCompartment())
	case len(entry.GetCommitment()) != 0:
		return errors.New("a clear section has no commitment")
	}
	return nil
}

// checkSealed likewise. Sealed sections stand in the order of their commitments, which is chance:
// neither place nor field tells of which compartment one is.
func checkSealed(entry, last *eventv1.SectionEntry) error {
	switch {
	case entry.GetCompartment() != 0:
		return fmt.Errorf("compartment %d: a sealed section does not say its compartment", entry.GetCompartment())
	case len(entry.GetCommitment()) != 32:
		return fmt.Errorf("commitment of %d bytes, want 32", len(entry.GetCommitment()))
	case bytes.Compare(entry.GetCommitment(), last.GetCommitment()) <= 0: // a clear one has none
		return errors.New("commitment not above the one before")
	}
	return nil
}
