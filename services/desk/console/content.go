package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

// recordsOnEvent bounds how many people of one event its page shows.
const recordsOnEvent = 30

// content is what an event says beside its case section, as far as this person works there.
type content struct {
	Identities   []casework.IdentityClaim
	Screenings   []casework.ScreeningClaim
	Intelligence string
	More         int // records that are not shown
}

// contentOf reads it from the documents that the event touched.
func (c *Console) contentOf(r *http.Request, current session, at uint64) (content, error) {
	var said content
	whole, err := c.config.Reader.Entries(r.Context(), view.Filter{After: at, Limit: 1})
	if err != nil || len(whole) == 0 || whole[0].Index != at {
		return said, err
	}
	records := slices.DeleteFunc(slices.Clone(whole[0].Refs), func(ref casework.Ref) bool {
		return compartmentOf(ref.Type) == inCase || !current.works(compartmentOf(ref.Type))
	})
	said.More = max(0, len(records)-recordsOnEvent)
	for _, ref := range records[:len(records)-said.More] {
		if err := c.addRecord(r, current, &said, ref, at); err != nil && !errors.Is(err, errNotFound) {
			return content{}, fmt.Errorf("reading what event %d says: %w", at, err)
		}
	}
	return said, nil
}

func (c *Console) addRecord(r *http.Request, current session, said *content, ref casework.Ref, at uint64) error {
	reader := c.reader(current)
	switch ref.Type {
	case casework.TypeIdentity:
		found, err := read[casework.IdentityRecord](r.Context(), reader, ref.Type, ref.ID)
		if err != nil {
			return err
		}
		for _, claim := range found.Claims {
			if claim.Index == at {
				said.Identities = append(said.Identities, claim)
			}
		}
	case casework.TypeScreening:
		found, err := read[casework.ScreeningRecord](r.Context(), reader, ref.Type, ref.ID)
		if err != nil {
			return err
		}
		for _, claim := range found.Claims {
			if claim.Index == at {
				said.Screenings = append(said.Screenings, claim)
			}
		}
	case casework.TypeIntelligence:
		found, err := read[casework.IntelligenceRecord](r.Context(), reader, ref.Type, ref.ID)
		if err != nil {
			return err
		}
		said.Intelligence = found.Text
	}
	return nil
}

// addControl says what became of an event, and what this person may decide about it.
func (c *Console) addControl(r *http.Request, current session, shown *eventPage) error {
	if shown.EventID == "" || !current.works(inCase) {
		return nil
	}
	known, found, err := c.eventBy(r.Context(), current, shown.EventID)
	if err != nil {
		return err
	}
	if !found {
		known = &casework.Event{}
	}
	var recalls []string
	for _, origin := range known.Origins {
		if origin.Country == shown.Country && origin.Agency == shown.Entry.Agency {
			shown.Erased, recalls = origin.Erased, origin.Recalls
		}
	}
	of := casework.EventRef{Country: shown.Country, Agency: shown.Entry.Agency, ID: shown.EventID}
	if shown.Became, err = c.becameOf(r.Context(), current, of, recalls); err != nil {
		return err
	}
	if shown.About, err = c.concernOf(r.Context(), current, shown.Entry); err != nil {
		return err
	}
	if current.decides() && c.ours(shown.Entry) {
		shown.Actions = actions
		switch {
		case shown.Erased:
			shown.Actions = []string{"recall"}
		case len(recalls) > 0: // nobody has anything of it to look at again, or to give
			shown.Actions = []string{"recall", "erase"}
		}
	}
	return nil
}
