package casework

import (
	"slices"
	"strings"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Meeting is talks between countries, with the commitments made in them.
// Attributes: place, parties, occurred.
type Meeting struct {
	ID          string         `json:"id"`
	Claims      []MeetingClaim `json:"claims"` // in log order
	Attributes  Attributes     `json:"attributes,omitempty"`
	Commitments []string       `json:"commitments,omitempty"` // identifiers, in the order in which they were made
	Oddities    Oddities       `json:"oddities,omitempty"`
}

// MeetingClaim is one thing said of a meeting: that it was held, or that a
// commitment was made in it.
type MeetingClaim struct {
	Claim
	Place      string   `json:"place,omitempty"`
	Parties    []string `json:"parties,omitempty"`    // ISO 3166-1 alpha-2
	Commitment string   `json:"commitment,omitempty"` // identifier
}

func (f *folding) meeting(id string, claim MeetingClaim) error {
	claim.Claim = f.claim
	return edit(f, TypeMeeting, id, func(m *Meeting) {
		m.ID = id
		m.Claims = append(m.Claims, claim)
	})
}

func (f *folding) meetingHeld(m *caseworkv1.MeetingHeld) error {
	f.say("held meeting %s of %s", m.GetMeetingId(), shownCodes(m.GetParties()))
	return f.meeting(m.GetMeetingId(), MeetingClaim{Place: m.GetPlace(), Parties: m.GetParties()})
}

func (m *Meeting) derive() {
	m.Attributes, m.Commitments, m.Oddities = nil, nil, nil
	held := false
	for _, c := range m.Claims {
		m.Oddities.remarks(c.Claim)
		if c.Commitment != "" {
			if !held {
				m.Oddities.add(c.Claim, "a commitment of a meeting that nobody has reported to be held")
			}
			if !slices.Contains(m.Commitments, c.Commitment) {
				m.Commitments = append(m.Commitments, c.Commitment)
			}
			continue
		}
		held = true
		m.Attributes.say(c.Claim, "place", c.Place)
		m.Attributes.say(c.Claim, "parties", asSet(c.Parties))
		m.Attributes.say(c.Claim, "occurred", c.Occurred)
	}
}

// asSet writes codes so that two agencies who name the same ones in another
// order do not seem to differ.
func asSet(codes []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(codes))), ", ")
}

// shownCodes is shownCode of each.
func shownCodes(codes []string) string {
	shown := make([]string, len(codes))
	for i, c := range codes {
		shown[i] = shownCode(c)
	}
	return strings.Join(shown, ", ")
}
