package desk

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// BreachUnreadable is the code of an accepted event of which a clear section
// cannot be read: the agency signed bytes that are no section of that compartment.
const BreachUnreadable = "unreadable"

// entryOf is a message's row, before what the fold adds to it.
func entryOf(m journal.Message, judged verdict.Judged) view.Entry {
	entry := view.Entry{
		Index: m.Index, Sequence: m.Sequence,
		Subject: strings.ToValidUTF8(m.Subject, "\uFFFD"),
		Verdict: judged.Code, Reason: judged.Reason,
	}
	if judged.Update {
		entry.Summary = "the charter came into force"
	}
	v := judged.Event
	if v.ID == (event.ID{}) {
		return entry // nothing in it is known to be true
	}
	entry.EventID, entry.HeaderDigest = v.ID.String(), v.HeaderDigest
	entry.Country, entry.Agency, entry.Audience = v.Chain.Country, v.Chain.Agency, v.Chain.Audience
	entry.Kind, entry.Counter = v.Kind, v.Counter
	entry.Retention, entry.Recorded = v.Retention, v.Recorded
	return entry
}

// saidOf is an accepted event as the fold sees it. A section that cannot be read
// is left out and named in breaches; the event stays accepted.
func saidOf(index uint64, v event.Verified, purposes []string) (said casework.Said, breaches []casework.Breach) {
	said = casework.Said{
		Index: index, EventID: v.ID.String(),
		Country: v.Chain.Country, Agency: v.Chain.Agency, Audience: v.Chain.Audience,
		Kind: v.Kind, Retention: v.Retention, Recorded: v.Recorded, Purposes: purposes,
	}
	for _, section := range v.Sections() {
		name := compartment(section.Compartment)
		if section.Form != eventv1.SectionForm_SECTION_FORM_CLEAR {
			said.Sealed = append(said.Sealed, name)
			continue
		}
		if err := open(&said, section); err != nil {
			breaches = append(breaches, casework.Breach{
				Code: BreachUnreadable, Index: index,
				What: fmt.Sprintf("the %s section cannot be read: %v", name, err),
			})
		}
	}
	return said, breaches
}

// compartment is a compartment's name in lower case, or its number.
func compartment(c eventv1.Compartment) string {
	return strings.ToLower(strings.TrimPrefix(c.String(), "COMPARTMENT_"))
}

// open decodes a clear section into its place. The error says nothing of the content.
func open(said *casework.Said, section event.Section) error {
	switch section.Compartment {
	case eventv1.Compartment_COMPARTMENT_CASE:
		return decode(section.Content, &said.Case)
	case eventv1.Compartment_COMPARTMENT_IDENTITY:
		return decode(section.Content, &said.Identity)
	case eventv1.Compartment_COMPARTMENT_PROTECTION:
		return decode(section.Content, &said.Protection)
	case eventv1.Compartment_COMPARTMENT_INTELLIGENCE:
		return decode(section.Content, &said.Intelligence)
	}
	return errors.New("this version knows no such compartment")
}

// section is what decode needs of a pointer to a message type.
type section[M any] interface {
	*M
	proto.Message
}

func decode[M any, P section[M]](content []byte, to *P) error {
	message := P(new(M))
	if err := proto.Unmarshal(content, message); err != nil {
		return fmt.Errorf("it is not a %s", message.ProtoReflect().Descriptor().FullName())
	}
	*to = message
	return nil
}
