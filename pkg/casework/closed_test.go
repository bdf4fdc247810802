package casework

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// What plant puts into a message. Both are looked for as text.
const (
	plantedText   = "MARKED7"
	plantedNumber = 918273645
)

// plant puts marks into every text and number of a message. A mark passes for an identifier.
func plant(m protoreflect.Message) {
	mark := func(field protoreflect.FieldDescriptor) (protoreflect.Value, bool) {
		switch field.Kind() {
		case protoreflect.StringKind:
			return protoreflect.ValueOfString(plantedText), true
		case protoreflect.Uint32Kind:
			return protoreflect.ValueOfUint32(plantedNumber), true
		case protoreflect.Uint64Kind:
			return protoreflect.ValueOfUint64(plantedNumber), true
		}
		return protoreflect.Value{}, false
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsList():
			for i := range value.List().Len() {
				if v, ok := mark(field); ok {
					value.List().Set(i, v)
				} else if field.Message() != nil {
					plant(value.List().Get(i).Message())
				}
			}
		case field.Message() != nil:
			plant(value.Message())
		default:
			if v, ok := mark(field); ok {
				m.Set(field, v)
			}
		}
		return true
	})
}

// planted is everyEvent with marks in all that the event at an index says.
func planted(index int) []Said {
	list := everyEvent()
	s := &list[index]
	s.Case = proto.CloneOf(s.Case)
	s.Case.Note, s.Case.Source, s.Case.Marking.ReviewDate = "a note", "a source", "2025-06-01"
	plant(s.Case.ProtoReflect())
	person := &caseworkv1.Identity{PersonId: "P", Name: "name", Transliteration: "name", DateOfBirth: "2000-01-01"}
	s.Identity = &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{person}}
	s.Protection = &caseworkv1.ProtectionSection{Screenings: []*caseworkv1.Screening{{PersonId: "P", Act: "act", Means: "means", Purpose: "purpose"}}}
	s.Intelligence = &caseworkv1.IntelligenceSection{Text: "text"}
	for _, m := range []proto.Message{s.Identity, s.Protection, s.Intelligence} {
		plant(m.ProtoReflect())
	}
	return list
}

// shut closes all that an event says.
func shut(s *Said, reason string) {
	s.Case, s.Identity, s.Protection, s.Intelligence = nil, nil, nil, nil
	s.Closed = []Closed{{"case", reason}, {"identity", reason}, {"protection", reason}, {"intelligence", reason}}
}

// marks counts the marks in all documents, and in what the fold says of the events.
func marks(t *testing.T, events []Said) (n int, all map[Ref]string) {
	t.Helper()
	c := new(Memory)
	all = map[Ref]string{}
	count := func(data []byte) {
		n += bytes.Count(data, []byte(plantedText)) + bytes.Count(data, []byte(fmt.Sprint(plantedNumber)))
	}
	for _, s := range events {
		change, err := Fold(c, s)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(change)
		if err != nil {
			t.Fatal(err)
		}
		count(data)
	}
	for ref, doc := range c.All() {
		count(doc)
		count([]byte(ref.ID))
		all[ref] = string(doc)
	}
	return n, all
}

// An event whose sections are closed leaves nothing of them anywhere, and leaves all
// entities as if it had never been said. The reason makes no difference.
func TestAdversary_K07_ClosedIsAsIfNeverSaid(t *testing.T) {
	for index, s := range everyEvent() {
		t.Run(s.Kind, func(t *testing.T) {
			events := planted(index)
			if n, _ := marks(t, events); n == 0 {
				t.Fatal("the marks are not found where the event is open: this test could not fail")
			}
			shut(&events[index], "erased")
			n, closed := marks(t, events)
			if n != 0 {
				t.Errorf("%d marks are found where the event is closed", n)
			}
			shut(&events[index], "recalled")
			if _, other := marks(t, events); !cmp.Equal(closed, other) {
				t.Errorf("documents depend on the reason (-erased +recalled):\n%s", cmp.Diff(closed, other))
			}
			_, never := marks(t, slices.Delete(events, index, index+1))
			for _, documents := range []map[Ref]string{closed, never} {
				for ref := range documents {
					switch ref.Type { // of which an event of control may still speak
					case TypeEvent, TypeReview, TypeErasure, TypeRecall, TypeUnplaced:
						delete(documents, ref)
					}
				}
			}
			if diff := cmp.Diff(never, closed); diff != "" {
				t.Errorf("entities (-never said +closed):\n%s", diff)
			}
		})
	}
}

func TestClosedEventSaysWhatIsClosed(t *testing.T) {
	s := newStory(t)
	change := s.says("TH", "police", "2025-02-12", announced53, func(e *Said) { shut(e, "not-granted") })
	if want := "TH police transfer.announced; sealed: case (not-granted), identity (not-granted), protection (not-granted), intelligence (not-granted)"; change.Summary != want {
		t.Errorf("summary %q, want %q", change.Summary, want)
	}
	if len(change.Closed) != 4 || change.Kind != "" || !cmp.Equal(change.Touched, []Ref{{TypeEvent, eventID(0)}}) {
		t.Errorf("change %+v", change)
	}
	// The case open and others closed: they are named, and no document says why.
	change = s.says("TH", "police", "2025-02-12", announced53, func(e *Said) { e.Closed = []Closed{{"protection", "erased"}} })
	claim := s.transfer().Claims[0]
	if !cmp.Equal(change.Closed, []Closed{{"protection", "erased"}}) || !cmp.Equal(claim.Compartments, []string{"protection"}) {
		t.Errorf("change %+v, claim %+v", change, claim)
	}
	for ref, doc := range s.cabinet.All() {
		if bytes.Contains(doc, []byte("erased")) || bytes.Contains(doc, []byte("not-granted")) {
			t.Errorf("document %v says why something is closed to one reader: %s", ref, doc)
		}
	}
}

// A desk that opens no entry of an event does not know which of its parts are of which compartment. That is
// no fault of its agency, and nothing that the desk does not know is in a document.
func TestClosedPartsWithoutANameAreNoFault(t *testing.T) {
	s := newStory(t)
	change := s.says("TH", "police", "2025-02-12", announced53, func(e *Said) {
		shut(e, "")
		e.Kind, e.Closed = KindSealed, []Closed{{"", "no-record"}, {"", "no-record"}, {"", "recalled"}}
	})
	if want := "TH police said something; sealed: no-record, no-record, recalled"; change.Summary != want {
		t.Errorf("summary %q, want %q", change.Summary, want)
	}
	if want := []Ref{{TypeEvent, eventID(0)}}; !cmp.Equal(change.Touched, want) {
		t.Errorf("touched %v, want %v: an unplaced document says that the event has no case section", change.Touched, want)
	}
	// The case in clear beside sealed parts that nobody can name, as other programs may write it.
	s.says("TH", "police", "2025-02-12", announced53, func(e *Said) { e.Closed = []Closed{{"", "no-record"}} })
	if claim := s.transfer().Claims[0]; len(claim.Compartments) != 0 {
		t.Errorf("compartments %q in a document, of which one has no name", claim.Compartments)
	}
}

// A section that opens where the case does not is kept in its own compartment.
func TestAnOpenSectionBesideAClosedCase(t *testing.T) {
	s := newStory(t)
	s.says("TH", "police", "2025-02-12", announced53, func(e *Said) {
		e.Case, e.Closed = nil, []Closed{{"case", "erased"}}
		e.Identity = &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{PersonId: "P-1", Name: "invented"}}}
	})
	if got := read[IdentityRecord](s, TypeIdentity, "P-1"); len(got.Claims) != 1 || got.Claims[0].Marking.TLP != "" {
		t.Errorf("identity %+v", got)
	}
}

// A recall is folded again with what it recalls closed: it stands, and what it
// recalled is in no document but by its header.
func TestRecalledAndFoldedAgain(t *testing.T) {
	site := &caseworkv1.SiteReported{SiteId: "S-1", Name: plantedText}
	events := []Said{
		saidBy(0, "TH", "police", "2025-02-12", site),
		saidBy(1, "TH", "police", "2025-02-13", recalled("RC-1", eventID(0))),
		saidBy(2, "CN", "border", "2025-02-14", receipt("RC-1", "TH", "police", eventID(0))),
	}
	recall := RecallRef("TH", "police", "RC-1")
	_, before := marks(t, events)
	for _, s := range events[1:] {
		for _, ref := range RecalledBy(s) {
			for i := range events[:s.Index] {
				if events[i].Event() == ref && Recallable(events[i].Kind) {
					shut(&events[i], "recalled")
				}
			}
		}
	}
	n, after := marks(t, events)
	if n != 0 || events[0].Case != nil {
		t.Errorf("%d marks are left", n)
	}
	if diff := cmp.Diff(before[recall], after[recall]); diff != "" || after[recall] == "" {
		t.Errorf("the recall (-before +after):\n%s", diff)
	}
}
