package casework

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Hear reads an accepted event's sections for the fold. audience is the one that
// the event is addressed to, as the registry had it at index; the zero Audience has
// no purpose and any retention class. A clear section that is not the message of its
// compartment is named, and so is a sealed one.
func Hear(index uint64, v event.Verified, audience registry.Audience) Said {
	said := Said{
		Index: index, EventID: v.ID.String(),
		Country: v.Chain.Country, Agency: v.Chain.Agency, Audience: registry.AudienceOf(v.Chain.Audience),
		Kind: v.Kind, Retention: v.Retention, Recorded: v.Recorded,
		Purposes: audience.Purposes, Classes: audience.Retention,
	}
	for _, section := range v.Sections() {
		name := compartmentName(section.Compartment)
		if section.Form == eventv1.SectionForm_SECTION_FORM_SEALED {
			said.Sealed = append(said.Sealed, name)
		} else if !said.open(section) {
			said.Unreadable = append(said.Unreadable, name)
		}
	}
	return said
}

// open decodes a clear section into its place. It cannot where the content is no
// such message, or where this version does not know the compartment.
func (s *Said) open(section event.Section) bool {
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
	message := P(new(M))
	if err := proto.Unmarshal(content, message); err != nil {
		return false
	}
	*place = message
	return true
}

func compartmentName(c eventv1.Compartment) string {
	return strings.ToLower(strings.TrimPrefix(c.String(), "COMPARTMENT_"))
}
