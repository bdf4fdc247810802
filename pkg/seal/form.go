package seal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/second"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// Bounds of the wire format. With the four compartments of version 1 a record at its
// bounds has 600 KB.
const (
	MaxRecord       = 1 << 20 // bytes of one record
	MaxEvents       = 1000    // events of a batch with sealed sections
	MaxRecipients   = 64      // of one compartment
	MaxCompartments = event.MaxSections
	MaxCompartment  = 64                                              // as in the registry
	maxRevision     = 1<<53 - 1                                       // whole in every database and language
	maxExpires      = 253_402_300_799                                 // the last second of the year 9999
	eventBytes      = idSize + 2                                      // at most, of one event in a record, without its entries
	wrapBytes       = wrapSize + 24                                   // likewise, of one wrap
	frameBytes      = 512 + second.SignatureSize + 16*MaxCompartments // likewise, of what is around them
)

func checkContent(c *keyv1.Content) error {
	err := errors.Join(
		event.CheckCountry(c.GetCountry()),
		event.CheckToken("agency", c.GetAgency()),
		event.CheckAddress(c.GetAudience()),
		event.CheckToken("retention", c.GetRetention()),
	)
	switch {
	case err != nil:
		return err
	case len(c.GetBatch()) != len(event.Digest{}):
		return fmt.Errorf("batch: %d bytes, want 32", len(c.GetBatch()))
	case c.GetRevision() == 0 || c.GetRevision() > maxRevision:
		return fmt.Errorf("revision: %d, want 1 to %d", c.GetRevision(), uint64(maxRevision))
	case c.GetExpires() == 0 || c.GetExpires() > maxExpires:
		return fmt.Errorf("expires: %d, want seconds from 1970 to the year 9999", c.GetExpires())
	case len(c.GetGrantor()) != len(event.KeyID{}):
		return fmt.Errorf("grantor: %d bytes, want 32", len(c.GetGrantor()))
	case len(c.GetCompartments()) == 0 || len(c.GetCompartments()) > MaxCompartments:
		return fmt.Errorf("compartments: %d, want 1 to %d", len(c.GetCompartments()), MaxCompartments)
	}
	if c.GetRecipient() != "" {
		if err := event.CheckCountry(c.GetRecipient()); err != nil {
			return fmt.Errorf("recipient: %w", err)
		}
	}
	for i, keys := range c.GetCompartments() {
		if i > 0 && keys.GetCompartment() <= c.GetCompartments()[i-1].GetCompartment() || keys.GetCompartment() < 1 || keys.GetCompartment() > MaxCompartment {
			return fmt.Errorf("compartments[%d]: compartment %d, want 1 to %d, each once and in rising order", i, keys.GetCompartment(), MaxCompartment)
		}
		if err := checkWraps(keys.GetWraps(), c.GetRecipient()); err != nil {
			return fmt.Errorf("compartments[%d]: %w", i, err)
		}
		if want := len(c.GetPlaces()) * entrySize; len(keys.GetKeys()) != want {
			return fmt.Errorf("compartments[%d]: keys: %d bytes for %d places, want %d", i, len(keys.GetKeys()), len(c.GetPlaces()), want)
		}
	}
	return checkPlaces(c)
}

func checkWraps(wraps []*keyv1.Wrap, recipient string) error {
	if len(wraps) == 0 || len(wraps) > MaxRecipients {
		return fmt.Errorf("wraps: %d, want 1 to %d", len(wraps), MaxRecipients)
	}
	for i, w := range wraps {
		if err := event.CheckCountry(w.GetCountry()); err != nil {
			return fmt.Errorf("wraps[%d]: %w", i, err)
		}
		switch {
		case i > 0 && w.GetCountry() <= wraps[i-1].GetCountry():
			return fmt.Errorf("wraps[%d]: country %s after %s, want each once and in rising order", i, w.GetCountry(), wraps[i-1].GetCountry())
		case recipient != "" && w.GetCountry() != recipient:
			return fmt.Errorf("wraps[%d]: for %s in a release to %s", i, w.GetCountry(), recipient)
		case w.GetEpoch() == 0:
			return fmt.Errorf("wraps[%d]: epoch 0, the first has 1", i)
		case len(w.GetWrapped()) != wrapSize:
			return fmt.Errorf("wraps[%d]: %d bytes, want %d", i, len(w.GetWrapped()), wrapSize)
		}
	}
	return nil
}

// checkPlaces takes none where all was erased.
func checkPlaces(c *keyv1.Content) error {
	n := len(c.GetPlaces())
	switch {
	case n == 0 && c.GetRevision() == 1 || n > MaxEvents:
		return fmt.Errorf("places: %d in revision %d, want 1 to %d, or from revision 2 none", n, c.GetRevision(), MaxEvents)
	case len(c.GetEventIds()) != n*idSize:
		return fmt.Errorf("event_ids: %d bytes for %d places, want %d", len(c.GetEventIds()), n, n*idSize)
	}
	for i, place := range c.GetPlaces() {
		switch {
		case place >= MaxEvents:
			return fmt.Errorf("places[%d]: %d, want 0 to %d", i, place, MaxEvents-1)
		case i == 0:
		case place <= c.GetPlaces()[i-1]:
			return fmt.Errorf("places[%d]: %d after %d, want rising", i, place, c.GetPlaces()[i-1])
		case bytes.Compare(idAt(c, i), idAt(c, i-1)) <= 0:
			return fmt.Errorf("event_ids[%d]: not above the one before", i)
		}
	}
	return nil
}

// idAt is the identifier of a record's event, and keyAt the entry of it in one compartment, as they lie.
func idAt(c *keyv1.Content, i int) []byte { return c.GetEventIds()[i*idSize:][:idSize] }

func keyAt(keys *keyv1.CompartmentKeys, i int) []byte {
	return keys.GetKeys()[i*entrySize:][:entrySize]
}

// find is the place of an event in the columns; -1 where it has none.
func find(c *keyv1.Content, id event.ID) int {
	for i := range c.GetPlaces() {
		if event.ID(idAt(c, i)) == id {
			return i
		}
	}
	return -1
}
