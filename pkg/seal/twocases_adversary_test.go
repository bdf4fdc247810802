package seal_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// The originator seals two sections of one compartment, since no header says of which they are, and gives each country
// the key of another. Every section says which compartments the event's are of, and the header
// commits to that once: with two of one compartment neither opens; and where each of the two says that
// the other is of something else, one at most does.
func TestAdversary_K03_TwoSectionsOfOneCompartment(t *testing.T) {
	both := []eventv1.Compartment{theCase, theCase}
	for name, test := range map[string]struct {
		said [2][]eventv1.Compartment // by the first and by the second section
		open [2]error
	}{
		"both are said to be of the case":     {[2][]eventv1.Compartment{both, both}, [2]error{seal.BrokenContent, seal.BrokenContent}},
		"each says that the other is not":     {[2][]eventv1.Compartment{{theCase, identity}, {identity, theCase}}, [2]error{nil, seal.BrokenContent}},
		"the second is said to be another's":  {[2][]eventv1.Compartment{{theCase, identity}, {theCase, identity}}, [2]error{nil, seal.BrokenContent}},
		"one more is said than there is":      {[2][]eventv1.Compartment{{theCase, identity, protection}, {theCase, identity, protection}}, [2]error{seal.BrokenContent, seal.BrokenContent}},
		"one less is said than there is":      {[2][]eventv1.Compartment{{theCase}, {theCase}}, [2]error{seal.BrokenContent, seal.BrokenContent}},
		"the second is of nothing that is so": {[2][]eventv1.Compartment{{theCase, 0, identity}, {theCase, 0, identity}}, [2]error{seal.BrokenContent, seal.BrokenContent}},
	} {
		t.Run(name, func(t *testing.T) { twoCases(t, test.said, test.open) })
	}
}

func twoCases(t *testing.T, said [2][]eventv1.Compartment, want [2]error) {
	draft := drafts(1, theCase)[0]
	at := place{chain: police, id: draft.ID, compartment: theCase}
	texts := [2]string{"He was released.", "He was arrested."}
	keys := [2][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)}
	slices.SortFunc(keys[:], func(a, b []byte) int { return bytes.Compare(at.commitment(a), at.commitment(b)) })
	draft.Sections = nil
	for i, key := range keys {
		commitment := at.commitment(key)
		content := gcm(key).Seal(nil, make([]byte, 12), append(frame("a blind", said[i]...), texts[i]...), at.contentData(commitment))
		draft.Sections = append(draft.Sections, event.Section{Form: isSealed, Commitment: commitment, Content: content})
	}
	draft.Parts = at.parts(frame("a blind", said[0]...))
	key, registered := signer(t, "XA", "police")
	signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, []event.Draft{draft})
	if err != nil {
		t.Fatal(err)
	}
	e := verified(t, signed[0], registered)
	for i, country := range []string{"XB", "XC"} {
		content := fill(t, contentFor(e, country), openings(theCase, country), handed{placeOf(e, theCase), keys[i]})
		record := arrive(t, signRecord(t, "publisher XA/police", content), registered)
		got := desk(country).Open(e, start, record.Portion(country))[i]
		if !errors.Is(got.Err, want[i]) || (want[i] == nil) != (string(got.Content) == texts[i]) {
			t.Errorf("%s: %q (%v), want %v", country, got.Content, got.Err, want[i])
		}
		if text, err := seal.OpenWith(e, i, theCase, seal.ContentKey(keys[i])); !errors.Is(err, want[i]) || (err == nil) != (string(text) == texts[i]) {
			t.Errorf("%s's key alone: %q (%v), want %v", country, text, err, want[i])
		}
	}
}
