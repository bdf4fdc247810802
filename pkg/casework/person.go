package casework

import (
	"slices"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Person is somebody by a pseudonym. Nothing that names them stands here: see
// IdentityRecord. Attributes: nationality, sex, age_band, transfer, outcome.
type Person struct {
	ID         string        `json:"id"`
	Claims     []PersonClaim `json:"claims"` // in log order
	Attributes Attributes    `json:"attributes,omitempty"`
	// Child: some agency's newest word is that the age is a child's, or in
	// dispute. Another agency's "adult" does not take the protection away.
	Child    bool     `json:"child"`
	Oddities Oddities `json:"oddities,omitempty"`
}

// PersonClaim is one thing said of a person.
type PersonClaim struct {
	Claim
	Nationality string `json:"nationality,omitempty"` // ISO 3166-1 alpha-2, stateless, unknown
	Sex         string `json:"sex,omitempty"`         // female, male, other, unknown
	AgeBand     string `json:"age_band,omitempty"`    // adult, child, disputed, unknown
	Transfer    string `json:"transfer,omitempty"`    // identifier
	Outcome     string `json:"outcome,omitempty"`     // of screening: victim, not-victim, undecided
}

const kindPersonReported = "person.reported"

// Age bands that are treated as a child's.
const (
	ageChild    = "child"
	ageDisputed = "disputed"
)

func (f *folding) person(id string, claim PersonClaim) error {
	claim.Claim = f.claim
	return edit(f, TypePerson, id, func(p *Person) {
		p.ID = id
		p.Claims = append(p.Claims, claim)
	})
}

func (f *folding) personReported(m *caseworkv1.PersonReported) error {
	f.say("reported a person")
	return f.person(m.GetPersonId(), PersonClaim{
		Nationality: m.GetNationality(), Sex: word(m.GetSex(), "SEX_"),
		AgeBand: word(m.GetAgeBand(), "AGE_BAND_"), Transfer: m.GetTransferId(),
	})
}

func (f *folding) personScreened(m *caseworkv1.PersonScreened) error {
	f.say("stated the outcome of a person's screening")
	return f.person(m.GetPersonId(), PersonClaim{Outcome: word(m.GetOutcome(), "OUTCOME_")})
}

func (p *Person) derive() {
	p.Attributes, p.Oddities = nil, nil
	reported := false
	said := make(map[string]string) // age band by agency
	for _, c := range p.Claims {
		p.Oddities.remarks(c.Claim)
		p.Attributes.say(c.Claim, "nationality", c.Nationality)
		p.Attributes.say(c.Claim, "sex", c.Sex)
		p.Attributes.say(c.Claim, "age_band", c.AgeBand)
		p.Attributes.say(c.Claim, "transfer", c.Transfer)
		p.Attributes.say(c.Claim, "outcome", c.Outcome)
		if childAge(said[c.By()]) && c.AgeBand != "" && !childAge(c.AgeBand) {
			p.Oddities.add(c.Claim, "the agency said %s before, and says %s now", said[c.By()], c.AgeBand)
		}
		if c.AgeBand != "" {
			said[c.By()] = c.AgeBand
		}
		if c.Kind == kindPersonReported {
			reported = true
		} else if !reported {
			p.Oddities.add(c.Claim, "screening of a person of whom there is no report, or none that opens here")
		}
	}
	p.Child = slices.ContainsFunc(p.Attributes.Get("age_band").Says, func(s Says) bool { return childAge(s.Value) })
}

func childAge(band string) bool { return band == ageChild || band == ageDisputed }
