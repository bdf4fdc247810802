package console

import (
	"context"
	"fmt"
	"slices"

	"github.com/tripoint/tripoint/pkg/view"
)

// States of a section, for one person at one desk.
const (
	stateOpen      = "open"
	stateElsewhere = "elsewhere" // the person does not work there: what the desk has of it is not told
	stateClosed    = "closed"    // the person works there, and the desk cannot open it
)

// liveSection says of one section of an event whether the person may read it, and
// where not, why. Each section that the event has is in one: never a blank.
type liveSection struct {
	Compartment string `json:"compartment"` // empty: nothing tells this desk which
	State       string `json:"state"`       // open, elsewhere, closed
	Reason      string `json:"reason"`      // code, where closed
	Text        string `json:"text"`        // the same for people
	More        int    `json:"more"`        // further sections of which there is nothing else to say; 0 where Compartment is known
}

// sections are those of an entry, in the order in which pages show compartments.
func (c *Console) sections(e view.Entry, current session) []liveSection {
	all := []liveSection{}
	for _, compartment := range e.Open {
		all = append(all, c.section(compartment, "", current))
	}
	for _, closed := range e.Closed {
		all = append(all, c.section(closed.Compartment, closed.Reason, current))
	}
	place := func(s liveSection) int {
		if at := slices.Index(compartments, s.Compartment); at >= 0 {
			return at
		}
		return len(compartments)
	}
	slices.SortStableFunc(all, func(a, b liveSection) int { return place(a) - place(b) })
	return c.together(all)
}

// together has sections that nothing tells apart in one, with their number.
func (c *Console) together(all []liveSection) []liveSection {
	kept := all[:0]
	for _, s := range all {
		at := slices.IndexFunc(kept, func(k liveSection) bool {
			return s.Compartment == "" && k.Compartment == "" && k.State == s.State && k.Reason == s.Reason
		})
		if at < 0 {
			kept = append(kept, s)
			continue
		}
		kept[at].More++
		texts, parts := c.pages.texts, uint64(kept[at].More+1)
		if s.State == stateElsewhere {
			kept[at].Text = fmt.Sprintf(texts["section.others.several"], texts.number(parts))
		} else {
			kept[at].Text = fmt.Sprintf(texts["section.unnamed.several"], texts.number(parts), texts.word("closed", s.Reason))
		}
	}
	return kept
}

func (c *Console) section(compartment, reason string, current session) liveSection {
	texts := c.pages.texts
	name := texts.word("compartment", compartment)
	switch {
	case compartment == "" && current.works(inCase):
		return liveSection{State: stateClosed, Reason: reason, Text: fmt.Sprintf(texts["section.unnamed"], texts.word("closed", reason))}
	case compartment == "":
		return liveSection{State: stateElsewhere, Text: texts["section.others"]}
	case !current.works(compartment):
		return liveSection{Compartment: compartment, State: stateElsewhere, Text: fmt.Sprintf(texts["section.elsewhere"], name)}
	case reason != "":
		return liveSection{Compartment: compartment, State: stateClosed, Reason: reason, Text: fmt.Sprintf(texts["section.closed"], name, texts.word("closed", reason))}
	}
	return liveSection{Compartment: compartment, State: stateOpen, Text: fmt.Sprintf(texts["section.open"], name)}
}

// closedCase says whether the case section is one of them, or may be, and this person does not have it.
func closedCase(all []liveSection) bool {
	may := false
	for _, s := range all {
		if s.Compartment == inCase {
			return s.State != stateOpen
		}
		may = may || s.Compartment == ""
	}
	return may
}

// sectionsAt are the sections of the event at a log index beside its case section.
func (c *Console) sectionsAt(ctx context.Context, current session, at uint64) ([]liveSection, error) {
	found, err := c.reader(current).Entries(ctx, view.Filter{After: at, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("reading entry %d: %w", at, err)
	}
	if len(found) == 0 || found[0].Index != at {
		return nil, nil
	}
	return slices.DeleteFunc(c.sections(found[0], current), func(s liveSection) bool { return s.Compartment == inCase }), nil
}

// whyNot are the reasons, each once, why sections that are of a compartment, or may be, say nothing here.
func whyNot(claims []said, compartment string) []liveSection {
	var all []liveSection
	for _, claim := range claims {
		for _, s := range claim.Sections {
			if (s.Compartment == compartment || s.Compartment == "") && s.State != stateOpen && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}
