package seal_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// shapeOf is all that a message says but for random bytes: of those it says how many there are.
func shapeOf(m protoreflect.Message) map[string]any {
	shape := map[string]any{}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		shape[string(field.Name())] = shapeOfValue(field, value)
		return true
	})
	return shape
}

func shapeOfValue(field protoreflect.FieldDescriptor, value protoreflect.Value) any {
	if field.IsList() {
		var all []any
		for i := range value.List().Len() {
			all = append(all, shapeOfOne(field, value.List().Get(i)))
		}
		return all
	}
	return shapeOfOne(field, value)
}

func shapeOfOne(field protoreflect.FieldDescriptor, value protoreflect.Value) any {
	switch field.Kind() {
	case protoreflect.MessageKind:
		return shapeOf(value.Message())
	case protoreflect.BytesKind:
		return len(value.Bytes())
	}
	return fmt.Sprint(value.Interface())
}

// seen is what the hub has of a batch: each envelope with its header and body, the batch's record, and the
// record that is released of it.
func seen(t *testing.T, compartments ...eventv1.Compartment) []any {
	t.Helper()
	list := drafts(3, compartments...)
	for i := range list {
		for n := range list[i].Sections {
			list[i].Sections[n].Content = make([]byte, 100)
		}
	}
	var to, outside []registry.Opening
	for c := theCase; c <= 4; c++ {
		to, outside = append(to, openings(c, "XA", "XB")...), append(outside, openings(c, "XC")...)
	}
	key, registered := signer(t, "XA", "police")
	sealed, err := seal.Seal(police, list, to)
	if err != nil {
		t.Fatal(err)
	}
	signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, sealed.Drafts)
	if err != nil {
		t.Fatal(err)
	}
	record, err := sealed.Record(key, signed, expires)
	if err != nil {
		t.Fatal(err)
	}
	var all []any
	for _, s := range signed {
		envelope, header, body := &eventv1.Envelope{}, &eventv1.Header{}, &eventv1.Body{}
		for _, err := range []error{proto.Unmarshal(s.Data, envelope), proto.Unmarshal(envelope.GetHeader(), header), proto.Unmarshal(envelope.GetBody(), body)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, s.Subject, shapeOf(envelope.ProtoReflect()), shapeOf(header.ProtoReflect()), shapeOf(body.ProtoReflect()))
	}
	var released []seal.Released
	e := verified(t, signed[1], registered)
	for _, s := range desk("XA").Open(e, start, record.Portion("XA")) {
		if s.Compartment == compartments[len(compartments)-1] {
			released = append(released, seal.Released{Event: e, Compartment: s.Compartment, Key: s.Key})
		}
	}
	release, err := seal.Release(key, outside, 1, expires, released)
	if err != nil {
		t.Fatal(err)
	}
	erased, err := seal.Erase(key, record, signed[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []seal.Record{record, erased, release} {
		whole := &keyv1.KeyRecord{}
		if err := proto.Unmarshal(r.Data, whole); err != nil {
			t.Fatal(err)
		}
		all = append(all, len(r.Subject()), shapeOf(whole.ProtoReflect()), shapeOf(contentOf(t, r.Data).ProtoReflect()))
	}
	return all
}

// The hub holds two batches beside each other, of as many sections of the same sizes: one has a section of
// protection in each event, the other has not. All that it has of both is the same but for random bytes.
func TestAdversary_K04_CompartmentsAreNotToBeTold(t *testing.T) {
	for _, pair := range [][2][]eventv1.Compartment{
		{{theCase}, {protection}},
		{{theCase, identity}, {theCase, protection}},
		{{theCase, identity}, {protection, 4}},
		{{theCase, identity, protection}, {theCase, identity, 4}},
	} {
		if diff := cmp.Diff(seen(t, pair[0]...), seen(t, pair[1]...)); diff != "" {
			t.Errorf("sections of %v and of %v can be told apart:\n%s", pair[0], pair[1], diff)
		}
	}
	if cmp.Equal(seen(t, theCase), seen(t, theCase, identity)) {
		t.Error("one section and two look the same: the test would prove nothing")
	}
}

// Nor does the place of a section tell: it is as often the first as the last.
func TestAdversary_K04_PlaceOfASectionIsChance(t *testing.T) {
	const events = 400
	b := publish(t, event.Head{}, drafts(events, theCase, identity), twoCompartments()...)
	opener, first := desk("XB"), 0
	for _, e := range b.events {
		if opener.Open(e, start, b.record.Portion("XB"))[0].Compartment == theCase {
			first++
		}
	}
	if first < events*3/8 || first > events*5/8 { // five standard deviations
		t.Errorf("of %d events %d have the case section first", events, first)
	}
}
