package casework

import (
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Repatriation is a return of people, counted. Attributes: to, via, how,
// labelled (what each side calls those who came: one agency's claim).
type Repatriation struct {
	ID          string              `json:"id"`
	Claims      []RepatriationClaim `json:"claims"` // in log order
	Attributes  Attributes          `json:"attributes,omitempty"`
	Differences []Problem           `json:"differences,omitempty"` // named as in a transfer: planned-departed, arrived/sum-of-rows
	Oddities    Oddities            `json:"oddities,omitempty"`
}

// RepatriationClaim is one thing said of a repatriation; its kind says which fields are set.
type RepatriationClaim struct {
	Claim
	To       string `json:"to,omitempty"` // ISO 3166-1 alpha-2, or several
	Count    *Count `json:"count,omitempty"`
	Flights  uint32 `json:"flights,omitempty"`
	Via      string `json:"via,omitempty"`
	How      string `json:"how,omitempty"`
	Labelled string `json:"labelled,omitempty"`
}

const (
	kindReturnPlanned  = "repatriation.planned"
	kindReturnDeparted = "repatriation.departed"
	kindReturnArrived  = "repatriation.arrived"
)

func (f *folding) repatriation(id string, claim RepatriationClaim) error {
	claim.Claim = f.claim
	if claim.Count == nil {
		claim.Remarks = append(claim.Remarks, "no count is stated")
	}
	return edit(f, TypeRepatriation, id, func(r *Repatriation) {
		r.ID = id
		r.Claims = append(r.Claims, claim)
	})
}

func (f *folding) repatriationPlanned(m *caseworkv1.RepatriationPlanned) error {
	f.say("planned repatriation %s of %s to %s", m.GetRepatriationId(), people(m.GetCount()), shownCode(m.GetTo()))
	return f.repatriation(m.GetRepatriationId(), RepatriationClaim{To: m.GetTo(), Count: CountOf(m.GetCount())})
}

func (f *folding) repatriationDeparted(m *caseworkv1.RepatriationDeparted) error {
	f.say("stated the departure of %s in repatriation %s to %s",
		people(m.GetCount()), m.GetRepatriationId(), shownCode(m.GetTo()))
	return f.repatriation(m.GetRepatriationId(), RepatriationClaim{
		To: m.GetTo(), Count: CountOf(m.GetCount()), Flights: m.GetFlights(), Via: m.GetVia(), How: m.GetHow(),
	})
}

func (f *folding) repatriationArrived(m *caseworkv1.RepatriationArrived) error {
	f.say("stated the arrival of %s in repatriation %s", people(m.GetCount()), m.GetRepatriationId())
	return f.repatriation(m.GetRepatriationId(), RepatriationClaim{
		Count: CountOf(m.GetCount()), Labelled: m.GetLabelled(),
	})
}

func (r *Repatriation) derive() {
	r.Attributes, r.Differences, r.Oddities = nil, nil, nil
	all := make(map[string][]statement)
	for _, c := range r.Claims {
		r.Oddities.remarks(c.Claim)
		r.Attributes.say(c.Claim, "to", c.To)
		r.Attributes.say(c.Claim, "via", c.Via)
		r.Attributes.say(c.Claim, "how", c.How)
		r.Attributes.say(c.Claim, "labelled", c.Labelled)
		if c.Kind == kindReturnArrived && len(all[kindReturnDeparted]) == 0 {
			r.Oddities.add(c.Claim, "arrived before anybody stated a departure")
		}
		all[c.Kind] = append(all[c.Kind], statement{c.Claim, c.Count})
	}
	var to string
	if destination := r.Attributes.Get("to"); !destination.Differ {
		to = destination.First()
	}
	planned := newPhase("planned", all[kindReturnPlanned])
	departed := newPhase("departed", all[kindReturnDeparted])
	arrived := newPhase("arrived", all[kindReturnArrived], to)
	found := between(planned, departed)
	found = append(found, between(departed, arrived)...)
	for _, p := range []phase{planned, departed, arrived} {
		found = append(found, p.within()...)
		found = append(found, p.arithmetic()...)
	}
	r.Differences = problemsOf(found)
}
