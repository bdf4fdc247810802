package evidence

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	evidencev1 "github.com/tripoint/tripoint/proto/tripoint/evidence/v1"
)

// Opened is what opens one sealed section of the event. It opens nothing else.
type Opened struct {
	Section     int // its place among the event's sections
	Compartment eventv1.Compartment
	Key         seal.ContentKey
}

func (o Opened) proto() *evidencev1.OpenedSection {
	return &evidencev1.OpenedSection{Section: uint32(o.Section), Compartment: uint32(o.Compartment), Key: o.Key[:]}
}

// reading is a sealed section that the file opens.
type reading struct {
	compartment eventv1.Compartment
	content     []byte
}

// open opens the sections for which the file has keys: the ones that the header commits to.
func (v *verification) open() error {
	v.opened = map[int]reading{}
	sections, next := v.event.Sections(), 0
	for i, o := range v.file.GetOpened() {
		fail := func(err error) error { return fmt.Errorf("opened[%d]: %w", i, err) }
		at, compartment := int(o.GetSection()), eventv1.Compartment(o.GetCompartment())
		switch {
		case at < next:
			return fail(errors.New("sections rise, each once"))
		case at >= len(sections):
			return fail(fmt.Errorf("section %d, and the event has %d", at, len(sections)))
		case sections[at].Form != eventv1.SectionForm_SECTION_FORM_SEALED:
			return fail(fmt.Errorf("section %d is not sealed", at))
		case !slices.Contains(event.Compartments(), compartment):
			return fail(fmt.Errorf("no compartment %d", compartment))
		case len(o.GetKey()) != len(seal.ContentKey{}):
			return fail(fmt.Errorf("key: %d bytes, want %d", len(o.GetKey()), len(seal.ContentKey{})))
		}
		content, err := seal.OpenWith(v.event, at, compartment, seal.ContentKey(o.GetKey()))
		if err != nil {
			return fail(fmt.Errorf("section %d: %w", at, err))
		}
		v.opened[at], next = reading{compartment, content}, at+1
	}
	return nil
}
