package casework

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Opened is one section of an event as a reader has it.
type Opened struct {
	Compartment eventv1.Compartment // 0: closed, and nothing tells the reader of which it is
	Content     []byte              // what was sealed, or lay in clear
	Closed      string              // why there is no content: a seal.Reason, or recalled; empty where Content is the content
}

// Codes of sections that nobody has tried to open.
const (
	closedNoKeys    = "no-private-key" // the reader has no keys at all
	closedNotOpened = "no-record"      // the reader says nothing of the section
)

// InClear is an event's sections for a reader without keys: those in clear as they
// lie, the others closed.
func InClear(v event.Verified) []Opened {
	sections := make([]Opened, len(v.Sections()))
	for i, section := range v.Sections() {
		sections[i] = Opened{Compartment: section.Compartment}
		if section.Form == eventv1.SectionForm_SECTION_FORM_CLEAR {
			sections[i].Content = section.Content
		} else {
			sections[i].Closed = closedNoKeys
		}
	}
	return sections
}

// Hear reads an accepted event's sections for the fold, as its reader has them, in their order. audience is the one that
// the event is addressed to, as the registry had it at index; the zero Audience has
// no purpose, any retention class and no members. An open section that is not the message of its
// compartment is named, and so is a closed one, one of which sections says nothing, and a second one of
// a compartment. What the event has no section for is not heard.
func Hear(index uint64, v event.Verified, sections []Opened, audience registry.Audience) Said {
	said := Said{
		Index: index, EventID: v.ID.String(),
		Country: v.Chain.Country, Agency: v.Chain.Agency, Audience: registry.AudienceOf(v.Chain.Audience),
		Kind: v.Kind, Retention: v.Retention, Recorded: v.Recorded,
		Purposes: audience.Purposes, Classes: audience.Retention, Members: audience.Members,
	}
	for i, section := range v.Sections() {
		opened := Opened{Compartment: section.Compartment, Closed: closedNotOpened}
		if i < len(sections) {
			opened = sections[i]
		}
		name := ""
		if opened.Compartment != 0 {
			name = event.CompartmentName(opened.Compartment)
		}
		if opened.Closed != "" {
			said.Closed = append(said.Closed, Closed{name, opened.Closed})
		} else if !said.open(opened) {
			said.Unreadable = append(said.Unreadable, name)
		}
	}
	// The order of sealed sections is chance.
	slices.SortFunc(said.Closed, func(a, b Closed) int {
		return cmp.Or(cmp.Compare(a.Compartment, b.Compartment), cmp.Compare(a.Reason, b.Reason))
	})
	slices.Sort(said.Unreadable)
	return said
}

// open decodes an open section into its place. It cannot where the content is no
// such message, where there is one already, or where this version does not know the compartment.
func (s *Said) open(section Opened) bool {
	switch section.Compartment {
	case eventv1.Compartment_COMPARTMENT_CASE:
		return decode(section.Content, &s.Case)
	case eventv1.Compartment_COMPARTMENT_IDENTITY:
		return decode(section.Content, &s.Identity)
	case eventv1.Compartment_COMPARTMENT_PROTECTION:
		return decode(section.Content, &s.Protection)
	case eventv1.Compartment_COMPARTMENT_INTELLIGENCE:
		return decode(section.Content, &s.Intelligence)
	}
	return false
}

// decode puts content into place, which stays nil where content is no such message.
func decode[M any, P interface {
	*M
	proto.Message
}](content []byte, place *P) bool {
	if *place != nil {
		return false
	}
	message := P(new(M))
	if err := proto.Unmarshal(content, message); err != nil {
		return false
	}
	*place = message
	return true
}
