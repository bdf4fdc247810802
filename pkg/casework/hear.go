package casework

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Hear reads an accepted event's sections for the fold. purposes are those of its
// audience at the event's index. A clear section that is not the message of its
// compartment counts as absent, and the fold says so; a sealed one is named.
func Hear(index uint64, v event.Verified, purposes []string) Said {
	said := Said{
		Index: index, EventID: v.ID.String(),
		Country: v.Chain.Country, Agency: v.Chain.Agency, Audience: v.Chain.Audience,
		Kind: v.Kind, Retention: v.Retention, Recorded: v.Recorded, Purposes: purposes,
	}
	for _, section := range v.Sections() {
		if section.Form == eventv1.SectionForm_SECTION_FORM_SEALED {
			said.Sealed = append(said.Sealed, compartmentName(section.Compartment))
			continue
		}
		switch section.Compartment {
		case eventv1.Compartment_COMPARTMENT_CASE:
			said.Case = decode(section.Content, &caseworkv1.CaseSection{})
		case eventv1.Compartment_COMPARTMENT_IDENTITY:
			said.Identity = decode(section.Content, &caseworkv1.IdentitySection{})
		case eventv1.Compartment_COMPARTMENT_PROTECTION:
			said.Protection = decode(section.Content, &caseworkv1.ProtectionSection{})
		case eventv1.Compartment_COMPARTMENT_INTELLIGENCE:
			said.Intelligence = decode(section.Content, &caseworkv1.IntelligenceSection{})
		}
	}
	slices.Sort(said.Sealed)
	return said
}

// decode reads content into m, or gives the nil message of that type.
func decode[M proto.Message](content []byte, m M) M {
	if err := proto.Unmarshal(content, m); err != nil {
		var none M
		return none
	}
	return m
}

func compartmentName(c eventv1.Compartment) string {
	return strings.ToLower(strings.TrimPrefix(c.String(), "COMPARTMENT_"))
}
