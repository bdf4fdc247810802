package casework

import (
	"slices"
	"strings"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Measure is a supply cut off, or another step against a site, with what came
// of it.
type Measure struct {
	ID       string         `json:"id"`
	Claims   []MeasureClaim `json:"claims"` // in log order
	Standing []InForce      `json:"standing,omitempty"`
	Oddities Oddities       `json:"oddities,omitempty"`
}

// MeasureClaim is one thing said of a measure; its kind says which fields are set.
type MeasureClaim struct {
	Claim
	Kinds          []string   `json:"kinds,omitempty"` // electricity, internet, fuel, banking, transport; of a lifting, empty means all
	Points         []CutPoint `json:"points,omitempty"`
	LegalOrder     string     `json:"legal_order,omitempty"`
	Exemptions     []string   `json:"exemptions,omitempty"`
	LiftConditions string     `json:"lift_conditions,omitempty"`
	Observation    string     `json:"observation,omitempty"` // effect, circumvention, harm
	At             string     `json:"at,omitempty"`
	What           string     `json:"what,omitempty"`
}

// CutPoint is where a supply crosses.
type CutPoint struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// InForce is what one country has in force under a measure. Only the country
// that put it into force lifts it; what others say of that is a claim.
type InForce struct {
	Country string   `json:"country"`
	Index   uint64   `json:"index"` // of its newest claim that put something into force
	Kinds   []string `json:"kinds,omitempty"`
	Lifted  []string `json:"lifted,omitempty"`
}

const (
	kindInForce  = "measure.in_force"
	kindObserved = "measure.observed"
	kindLifted   = "measure.lifted"
)

func (f *folding) measure(id string, claim MeasureClaim) error {
	claim.Claim = f.claim
	return edit(f, TypeMeasure, id, func(m *Measure) {
		m.ID = id
		m.Claims = append(m.Claims, claim)
	})
}

func (f *folding) measureInForce(m *caseworkv1.MeasureInForce) error {
	claim := MeasureClaim{
		Kinds: measureKinds(m.GetKinds()), LegalOrder: m.GetLegalOrder(),
		Exemptions: m.GetExemptions(), LiftConditions: m.GetLiftConditions(),
	}
	for _, p := range m.GetPoints() {
		claim.Points = append(claim.Points, CutPoint{p.GetFrom(), p.GetTo()})
	}
	f.say("put measure %s into force: %s at %d points", m.GetMeasureId(), strings.Join(claim.Kinds, ", "), len(claim.Points))
	return f.measure(m.GetMeasureId(), claim)
}

func (f *folding) measureObserved(m *caseworkv1.MeasureObserved) error {
	observation := word(m.GetObservation(), "OBSERVATION_")
	f.say("observed %s of measure %s", observation, m.GetMeasureId())
	return f.measure(m.GetMeasureId(), MeasureClaim{Observation: observation, At: m.GetAt(), What: m.GetWhat()})
}

func (f *folding) measureLifted(m *caseworkv1.MeasureLifted) error {
	kinds := measureKinds(m.GetKinds())
	what := "all of it"
	if len(kinds) > 0 {
		what = strings.Join(kinds, ", ")
	}
	f.say("lifted measure %s: %s", m.GetMeasureId(), what)
	return f.measure(m.GetMeasureId(), MeasureClaim{Kinds: kinds})
}

func measureKinds(kinds []caseworkv1.MeasureKind) []string {
	var words []string
	for _, kind := range kinds {
		if w := word(kind, "MEASURE_KIND_"); w != "" && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words
}

func (m *Measure) derive() {
	m.Standing, m.Oddities = nil, nil
	for _, c := range m.Claims {
		m.Oddities.remarks(c.Claim)
		at := slices.IndexFunc(m.Standing, func(s InForce) bool { return s.Country == c.Country })
		switch c.Kind {
		case kindInForce:
			if at < 0 {
				m.Standing = append(m.Standing, InForce{Country: c.Country})
				at = len(m.Standing) - 1
			}
			m.Standing[at].enforce(c)
		case kindObserved:
			if len(m.Standing) == 0 {
				m.Oddities.add(c.Claim, "observed of a measure that nobody has put into force")
			}
		case kindLifted:
			if at < 0 {
				m.Oddities.add(c.Claim, "lifted by a country that has not put it into force; what others have in force stands")
				continue
			}
			m.Standing[at].lift(c.Kinds)
		}
	}
}

// enforce adds kinds to what is in force. A second order does not end the first.
func (s *InForce) enforce(c MeasureClaim) {
	s.Index = c.Index
	for _, kind := range c.Kinds {
		if !slices.Contains(s.Kinds, kind) {
			s.Kinds = append(s.Kinds, kind)
		}
		s.Lifted = slices.DeleteFunc(s.Lifted, func(k string) bool { return k == kind })
	}
}

// lift takes kinds out of force; none given means all.
func (s *InForce) lift(kinds []string) {
	if len(kinds) == 0 {
		kinds = slices.Clone(s.Kinds)
	}
	for _, kind := range kinds {
		if slices.Contains(s.Kinds, kind) {
			s.Kinds = slices.DeleteFunc(s.Kinds, func(k string) bool { return k == kind })
			s.Lifted = append(s.Lifted, kind)
		}
	}
}

// Observations returns the claims of one observation (effect, circumvention,
// harm), in log order.
func (m *Measure) Observations(observation string) []MeasureClaim {
	return slices.DeleteFunc(slices.Clone(m.Claims), func(c MeasureClaim) bool {
		return c.Kind != kindObserved || c.Observation != observation
	})
}
