package seal_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
)

// The originator seals two sections of one compartment, since no header says of which they are, and gives each country
// the key of another. That is not stopped. But the header commits to both: whoever has the two
// keys, of two files of evidence say, sees that one event says two things, and nobody can deny it.
func TestAdversary_K03_TwoSectionsOfOneCompartment(t *testing.T) {
	draft := drafts(1, theCase)[0]
	at := place{chain: police, id: draft.ID, compartment: theCase}
	texts := map[string][]byte{"XB": []byte("He was released."), "XC": []byte("He was arrested.")}
	keys := map[string][]byte{"XB": bytes.Repeat([]byte{1}, 32), "XC": bytes.Repeat([]byte{2}, 32)}
	draft.Sections = nil
	for country, key := range keys {
		commitment := at.commitment(key)
		content := gcm(key).Seal(nil, make([]byte, 12), texts[country], at.contentData(commitment))
		draft.Sections = append(draft.Sections, event.Section{Form: isSealed, Commitment: commitment, Content: content})
	}
	slices.SortFunc(draft.Sections, func(a, b event.Section) int { return bytes.Compare(a.Commitment, b.Commitment) })
	key, registered := signer(t, "XA", "police")
	signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, []event.Draft{draft})
	if err != nil {
		t.Fatal(err)
	}
	e := verified(t, signed[0], registered)
	places := map[int]bool{}
	for country, own := range keys {
		content := fill(t, contentFor(e, country), openings(theCase, country), handed{placeOf(e, theCase), own})
		record := arrive(t, signRecord(t, "publisher XA/police", content), registered)
		sections := desk(country).Open(e, start, record.Portion(country))
		n := slices.IndexFunc(sections, func(s seal.Section) bool { return s.Err == nil })
		if n < 0 || sections[n].Compartment != theCase || !bytes.Equal(sections[n].Content, texts[country]) || sections[1-n].Err == nil {
			t.Fatalf("%s has %+v", country, sections)
		}
		// The proof, for anybody who is given the key.
		if got, err := seal.OpenWith(e, n, theCase, sections[n].Key); err != nil || !bytes.Equal(got, texts[country]) {
			t.Errorf("%s's key opens %q (%v)", country, got, err)
		}
		places[n] = true
	}
	if len(places) != 2 {
		t.Error("both countries have the same section: this is not the attack")
	}
}
