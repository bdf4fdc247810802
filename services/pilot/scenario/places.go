package scenario

import (
	"fmt"
	"strings"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

func (f Facts) addMeasures(b *book) error {
	m := f.Measures
	if m == nil {
		return nil
	}
	if len(m.InForce) < 10 {
		return fmt.Errorf("measures: in_force is no date (%q)", m.InForce)
	}
	id := "M-" + m.InForce[:10]
	content := &caseworkv1.MeasureInForce{MeasureId: id}
	for _, kind := range m.Kinds {
		value, ok := caseworkv1.MeasureKind_value["MEASURE_KIND_"+strings.ToUpper(kind)]
		if !ok {
			return fmt.Errorf("measures: kind %q is unknown", kind)
		}
		content.Kinds = append(content.Kinds, caseworkv1.MeasureKind(value))
	}
	for _, point := range m.Points {
		content.Points = append(content.Points, &caseworkv1.CutPoint{From: point.From, To: point.To})
	}
	_, err := b.add(entry{by: m.By, family: "measure", occurred: m.InForce}, func(c *caseworkv1.CaseSection) {
		c.Content = &caseworkv1.CaseSection_MeasureInForce{MeasureInForce: content}
	})
	if err != nil {
		return fmt.Errorf("measures: %w", err)
	}
	for i, o := range m.Observed {
		by := o.By
		if by == "" {
			by = m.By
		}
		observation := caseworkv1.Observation_OBSERVATION_EFFECT
		if strings.Contains(o.Note, "circumvention") {
			observation = caseworkv1.Observation_OBSERVATION_CIRCUMVENTION
		}
		_, err := b.add(entry{by: by, family: "measure", occurred: o.On}, func(c *caseworkv1.CaseSection) {
			c.Content = &caseworkv1.CaseSection_MeasureObserved{MeasureObserved: &caseworkv1.MeasureObserved{
				MeasureId: id, Observation: observation, At: o.At, What: o.Note,
			}}
		})
		if err != nil {
			return fmt.Errorf("measures: observed[%d]: %w", i, err)
		}
	}
	return nil
}

func (f Facts) addSites(b *book) error {
	for i, s := range f.Sites {
		occurred := s.On
		if occurred == "" && f.Measures != nil {
			occurred = f.Measures.InForce
		}
		_, err := b.add(entry{by: s.By, family: "site", occurred: occurred}, func(c *caseworkv1.CaseSection) {
			c.Content = &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{
				SiteId: slug(s.Name), Name: s.Name, Near: s.Near, ControlledBy: s.ControlledBy,
				Position: &caseworkv1.Position{Latitude: s.Lat, Longitude: s.Lon},
			}}
		})
		if err != nil {
			return fmt.Errorf("sites[%d]: %w", i, err)
		}
	}
	return nil
}

func (f Facts) addTalks(b *book) error {
	for i, t := range f.Talks {
		if len(t.Parties) < 2 {
			return fmt.Errorf("talks[%d]: %d parties, want two at least", i, len(t.Parties))
		}
		meeting := "talks-" + t.On
		e := entry{by: t.Parties[0], family: "meeting", occurred: t.On, parties: t.Parties, note: t.Note}
		_, err := b.add(e, func(c *caseworkv1.CaseSection) {
			c.Content = &caseworkv1.CaseSection_MeetingHeld{MeetingHeld: &caseworkv1.MeetingHeld{
				MeetingId: meeting, Place: t.Where, Parties: t.Parties,
			}}
		})
		if err != nil {
			return fmt.Errorf("talks[%d]: %w", i, err)
		}
		for j, text := range t.Commitments {
			e.family, e.note = "commitment", ""
			_, err := b.add(e, func(c *caseworkv1.CaseSection) {
				c.Content = &caseworkv1.CaseSection_CommitmentMade{CommitmentMade: &caseworkv1.CommitmentMade{
					CommitmentId: fmt.Sprintf("C-%s-%d", t.On, j+1), MeetingId: meeting, Text: text, Owners: t.Parties,
				}}
			})
			if err != nil {
				return fmt.Errorf("talks[%d]: commitments[%d]: %w", i, j, err)
			}
		}
	}
	return nil
}
