package casework

import (
	"math"
	"strconv"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Site is a place, as agencies report it. Attributes: name, near, position,
// controlled_by, status.
type Site struct {
	ID         string      `json:"id"`
	Claims     []SiteClaim `json:"claims"` // in log order
	Attributes Attributes  `json:"attributes,omitempty"`
	Oddities   Oddities    `json:"oddities,omitempty"`
}

// SiteClaim is one thing said of a site.
type SiteClaim struct {
	Claim
	Name         string    `json:"name,omitempty"`
	Near         string    `json:"near,omitempty"`
	Position     *Position `json:"position,omitempty"`
	ControlledBy string    `json:"controlled_by,omitempty"`
	Status       string    `json:"status,omitempty"` // active, raided, abandoned, relocated
}

// Position is in WGS 84 degrees, as coarse as the originator chose.
type Position struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

const kindSiteStatus = "site.status"

func (f *folding) site(id string, claim SiteClaim) error {
	return edit(f, TypeSite, id, func(s *Site) {
		s.ID = id
		s.Claims = append(s.Claims, claim)
	})
}

func (f *folding) siteReported(m *caseworkv1.SiteReported) error {
	f.say("reported site %s, %s", m.GetSiteId(), m.GetName())
	claim := SiteClaim{Claim: f.claim, Name: m.GetName(), Near: m.GetNear(), ControlledBy: m.GetControlledBy()}
	if p := m.GetPosition(); p != nil {
		if onGlobe(p) {
			claim.Position = &Position{p.GetLatitude(), p.GetLongitude()}
		} else {
			claim.Remarks = append(claim.Remarks, "the position is not on the globe")
		}
	}
	return f.site(m.GetSiteId(), claim)
}

func (f *folding) siteStatus(m *caseworkv1.SiteStatus) error {
	status := word(m.GetState(), "SITE_STATE_")
	f.say("stated that site %s is %s", m.GetSiteId(), status)
	return f.site(m.GetSiteId(), SiteClaim{Claim: f.claim, Status: status})
}

// onGlobe refuses what is out of range, and what is no number: JSON has no form for it.
func onGlobe(p *caseworkv1.Position) bool {
	return math.Abs(p.GetLatitude()) <= 90 && math.Abs(p.GetLongitude()) <= 180
}

func (s *Site) derive() {
	s.Attributes, s.Oddities = nil, nil
	reported := false
	for _, c := range s.Claims {
		s.Oddities.remarks(c.Claim)
		s.Attributes.say(c.Claim, "name", c.Name)
		s.Attributes.say(c.Claim, "near", c.Near)
		if c.Position != nil {
			s.Attributes.say(c.Claim, "position", degrees(c.Position.Latitude)+", "+degrees(c.Position.Longitude))
		}
		s.Attributes.say(c.Claim, "controlled_by", c.ControlledBy)
		s.Attributes.say(c.Claim, "status", c.Status)
		if c.Kind == kindSiteStatus && !reported {
			s.Oddities.add(c.Claim, "the status of a site that nobody has reported")
		}
		reported = reported || c.Kind != kindSiteStatus
	}
}

// degrees writes a number as it was stated, without zeros that claim precision.
func degrees(d float64) string { return strconv.FormatFloat(d, 'f', -1, 64) }
