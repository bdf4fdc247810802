package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

func (f Facts) addLists(b *book) error {
	for _, number := range slices.Sorted(maps.Keys(f.Lists)) {
		l := f.Lists[number]
		count := &caseworkv1.Count{
			Total: l.Stated.Total, Male: l.Stated.Male, Female: l.Stated.Female, Nationalities: l.Stated.Countries,
		}
		for _, nationality := range slices.Sorted(maps.Keys(l.Rows)) {
			row := l.Rows[nationality]
			if len(row) != 3 || row[0] == nil {
				return fmt.Errorf("list of %s: row %s: want [total, male, female], the last two may be null", number, nationality)
			}
			count.ByNationality = append(count.ByNationality, &caseworkv1.NationalityCount{
				Nationality: nationality, Total: *row[0], Male: row[1], Female: row[2],
			})
		}
		e := entry{by: l.By, family: "group", occurred: f.dateOr(l.On), source: l.SentBy}
		_, err := b.add(e, func(c *caseworkv1.CaseSection) {
			c.Content = &caseworkv1.CaseSection_GroupListed{GroupListed: &caseworkv1.GroupListed{
				GroupId: "list-of-" + number, Title: "List of " + number + " people", SentBy: l.SentBy, Count: count,
			}}
		})
		if err != nil {
			return fmt.Errorf("list of %s: %w", number, err)
		}
	}
	return nil
}

// dateOr is the date given, else the day after the last transfer: a list of those
// who wait cannot be older than the transfers before it.
func (f Facts) dateOr(date string) string {
	if date != "" || len(f.Transfers) == 0 {
		return date
	}
	return slices.Max(slices.Collect(maps.Keys(f.Transfers)))
}

func (f Facts) addRepatriations(b *book) error {
	for _, to := range slices.Sorted(maps.Keys(f.Repatriations)) {
		for i, r := range f.Repatriations[to] {
			if err := addRepatriation(b, to, r); err != nil {
				return fmt.Errorf("repatriation_to_%s[%d]: %w", strings.ToLower(to), i, err)
			}
		}
	}
	return nil
}

// addRepatriation has the sending side report the departure, and each side that
// has a label for the people report their arrival under it.
func addRepatriation(b *book, to string, r repatriation) error {
	when := r.On
	if when == "" {
		when = r.By
	}
	id := fmt.Sprintf("R-%s-%s", to, when)
	from, err := b.sender(to)
	if err != nil {
		return err
	}
	parties := []string{from, to}
	note := r.Note
	if r.By != "" {
		note = strings.TrimSpace("on or before this day. " + note)
	}
	e := entry{by: from, family: "repatriation", occurred: when, parties: parties, note: note}
	_, err = b.add(e, func(c *caseworkv1.CaseSection) {
		c.Content = &caseworkv1.CaseSection_RepatriationDeparted{RepatriationDeparted: &caseworkv1.RepatriationDeparted{
			RepatriationId: id, To: to, Count: &caseworkv1.Count{Total: r.Count}, Flights: r.Flights, Via: r.Via,
		}}
	})
	if err != nil {
		return err
	}
	for _, country := range slices.Sorted(maps.Keys(r.Labels)) {
		e := entry{by: country, family: "repatriation", occurred: when, parties: parties}
		_, err := b.add(e, func(c *caseworkv1.CaseSection) {
			c.Content = &caseworkv1.CaseSection_RepatriationArrived{RepatriationArrived: &caseworkv1.RepatriationArrived{
				RepatriationId: id, Count: &caseworkv1.Count{Total: r.Count}, Labelled: r.Labels[country],
			}}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sender is the other party of the smallest audience that a country is in.
func (b *book) sender(to string) (string, error) {
	var smallest []string
	for _, a := range b.founding.Audiences {
		if slices.Contains(a.Members, to) && (smallest == nil || len(a.Members) < len(smallest)) {
			smallest = a.Members
		}
	}
	for _, country := range smallest {
		if country != to {
			return country, nil
		}
	}
	return "", fmt.Errorf("no audience holds %s and another country", to)
}

func (f Facts) addPeople(b *book) error {
	for i, p := range f.People {
		if err := addPerson(b, p); err != nil {
			return fmt.Errorf("people[%d]: %w", i, err)
		}
	}
	return nil
}

func addPerson(b *book, p person) error {
	sex, ok := caseworkv1.Sex_value["SEX_"+strings.ToUpper(p.Sex)]
	if !ok {
		return fmt.Errorf("sex %q is unknown", p.Sex)
	}
	age, ok := caseworkv1.AgeBand_value["AGE_BAND_"+strings.ToUpper(p.Age)]
	if !ok {
		return fmt.Errorf("age %q is unknown", p.Age)
	}
	e := entry{by: p.By, family: "person", occurred: p.On}
	report, err := b.add(e, func(c *caseworkv1.CaseSection) {
		c.Content = &caseworkv1.CaseSection_PersonReported{PersonReported: &caseworkv1.PersonReported{
			PersonId: p.ID, Nationality: p.Nationality, Sex: caseworkv1.Sex(sex), AgeBand: caseworkv1.AgeBand(age), TransferId: p.Transfer,
		}}
	})
	if err != nil {
		return err
	}
	report.Retention = "identity"
	report.Identity = &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{
		PersonId: p.ID, Name: p.Name, Transliteration: p.Transliteration,
	}}}
	if p.Screening == nil {
		return nil
	}
	outcome, ok := caseworkv1.Outcome_value["OUTCOME_"+strings.ToUpper(p.Screening.Outcome)]
	if !ok {
		return fmt.Errorf("screening outcome %q is unknown", p.Screening.Outcome)
	}
	report, err = b.add(e, func(c *caseworkv1.CaseSection) {
		c.Content = &caseworkv1.CaseSection_PersonScreened{PersonScreened: &caseworkv1.PersonScreened{
			PersonId: p.ID, Outcome: caseworkv1.Outcome(outcome),
		}}
	})
	if err != nil {
		return err
	}
	report.Retention = "identity"
	report.Protection = &caseworkv1.ProtectionSection{Screenings: []*caseworkv1.Screening{{
		PersonId: p.ID, Act: p.Screening.Act, Means: p.Screening.Means, Purpose: p.Screening.Purpose,
	}}}
	return nil
}
