package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

func (f Facts) addTransfers(b *book) error {
	for _, date := range slices.Sorted(maps.Keys(f.Transfers)) {
		t := f.Transfers[date]
		if t.Announced == nil || t.Departed == nil || t.Received == nil {
			return fmt.Errorf("transfer of %s: want announced, departed and received", date)
		}
		c := crossing{book: b, transfer: t, id: "T-" + date, date: date}
		if err := errors.Join(c.counts(), c.released(), c.screened(), c.repatriated()); err != nil {
			return fmt.Errorf("transfer of %s: %w", date, err)
		}
	}
	return nil
}

// crossing is one transfer on its way into the book.
type crossing struct {
	book *book
	transfer
	id, date string
}

func (c crossing) when(s *stated) string {
	switch {
	case s.At != "":
		return s.At
	case s.On != "":
		return s.On
	}
	return c.date
}

func (c crossing) counts() error {
	for _, side := range []struct {
		*stated
		set func(*caseworkv1.CaseSection)
	}{
		{c.Announced, func(s *caseworkv1.CaseSection) {
			s.Content = &caseworkv1.CaseSection_TransferAnnounced{TransferAnnounced: &caseworkv1.TransferAnnounced{
				TransferId: c.id, From: c.Departed.By, To: c.Received.By, Crossing: c.Crossing, Count: c.Announced.count(),
			}}
		}},
		{c.Departed, func(s *caseworkv1.CaseSection) {
			s.Content = &caseworkv1.CaseSection_TransferDeparted{TransferDeparted: &caseworkv1.TransferDeparted{
				TransferId: c.id, Crossing: c.Crossing, Count: c.Departed.count(),
			}}
		}},
		{c.Received, func(s *caseworkv1.CaseSection) {
			s.Content = &caseworkv1.CaseSection_TransferReceived{TransferReceived: &caseworkv1.TransferReceived{
				TransferId: c.id, Crossing: c.Crossing, Count: c.Received.count(),
			}}
		}},
	} {
		e := entry{by: side.By, family: "transfer", occurred: c.when(side.stated), source: side.Source}
		if _, err := c.book.add(e, side.set); err != nil {
			return err
		}
	}
	return nil
}

func (c crossing) released() error {
	for _, claim := range c.ReleasedBy.Claims {
		by, source := claim.By, ""
		if len(by) != 2 { // no member: the receiving side reports what it heard, and from whom
			by, source = c.Received.By, claim.By
		}
		e := entry{by: by, family: "transfer", occurred: c.date, source: source}
		_, err := c.book.add(e, func(s *caseworkv1.CaseSection) {
			s.Content = &caseworkv1.CaseSection_TransferReleased{TransferReleased: &caseworkv1.TransferReleased{
				TransferId: c.id, ReleasedBy: claim.Who,
			}}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c crossing) screened() error {
	if c.Screening == nil {
		return nil
	}
	e := entry{by: c.Screening.By, family: "transfer", occurred: c.when(c.Received)}
	_, err := c.book.add(e, func(s *caseworkv1.CaseSection) {
		s.Content = &caseworkv1.CaseSection_TransferScreening{TransferScreening: &caseworkv1.TransferScreening{
			TransferId: c.id, WithinDays: c.Screening.WithinDays, Under: c.Screening.Under,
		}}
	})
	return err
}

func (c crossing) repatriated() error {
	for i, r := range c.Repatriated {
		e := entry{by: c.Received.By, family: "repatriation", occurred: r.On}
		_, err := c.book.add(e, func(s *caseworkv1.CaseSection) {
			s.Content = &caseworkv1.CaseSection_RepatriationDeparted{RepatriationDeparted: &caseworkv1.RepatriationDeparted{
				RepatriationId: fmt.Sprintf("R-%s-%d", c.date, i+1), To: "several", Count: &caseworkv1.Count{Total: r.Count}, How: r.How,
			}}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *stated) count() *caseworkv1.Count {
	count := &caseworkv1.Count{Total: s.Count, Male: s.Male, Female: s.Female}
	if s.Nationalities != nil {
		count.Nationalities = []uint32{*s.Nationalities}
	}
	for _, nationality := range slices.Sorted(maps.Keys(s.ByNationality)) {
		count.ByNationality = append(count.ByNationality, &caseworkv1.NationalityCount{
			Nationality: nationality, Total: s.ByNationality[nationality],
		})
	}
	return count
}
