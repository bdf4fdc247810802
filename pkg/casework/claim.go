package casework

import (
	"fmt"
	"slices"
	"strings"
	"time"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Claim is who said something, when, how sure, and how it may be used. Every
// entry of a document begins with one.
type Claim struct {
	Index     uint64  `json:"index"` // log index
	EventID   string  `json:"event_id"`
	Country   string  `json:"country"`
	Agency    string  `json:"agency"`
	Audience  string  `json:"audience"`
	Kind      string  `json:"kind"` // of the content
	Retention string  `json:"retention"`
	Source    string  `json:"source,omitempty"`   // in the originator's words
	Occurred  string  `json:"occurred,omitempty"` // ISO 8601 date, or date and time with offset, as stated
	Recorded  string  `json:"recorded"`           // RFC 3339, UTC: the publisher's clock
	Note      string  `json:"note,omitempty"`
	Marking   Marking `json:"marking"`

	// Compartments that the event has beside its case section, opened for this
	// reader or not: so the case documents are the same for every reader.
	Compartments []string `json:"compartments,omitempty"`

	// Remarks say what of the content could not be read.
	Remarks []string `json:"remarks,omitempty"`
}

// By returns who made the claim, as COUNTRY.agency.
func (c Claim) By() string { return c.Country + "." + c.Agency }

// Marking is the marking of a claim, with each code as its standard writes it.
type Marking struct {
	TLP          string   `json:"tlp,omitempty"`      // TLP 2.0: CLEAR, GREEN, AMBER, AMBER+STRICT, RED
	PAP          string   `json:"pap,omitempty"`      // CLEAR, GREEN, AMBER, RED
	Handling     []string `json:"handling,omitempty"` // Europol: H0, H1, H2, H3
	HandlingText string   `json:"handling_text,omitempty"`
	Scale        string   `json:"scale,omitempty"` // of the grade: 4x4 or admiralty
	Grade        string   `json:"grade,omitempty"` // on that scale, for example B2
	Purpose      string   `json:"purpose,omitempty"`
	LegalBasis   string   `json:"legal_basis,omitempty"`
	Offence      string   `json:"offence,omitempty"`
	ReviewDate   string   `json:"review_date,omitempty"`
}

// newClaim reads a claim from an event. Times are written as text here because
// a year past 9999 cannot be marshalled, and a publisher's clock can say anything.
func newClaim(s Said, kind string) Claim {
	return Claim{
		Index:        s.Index,
		EventID:      s.EventID,
		Country:      s.Country,
		Agency:       s.Agency,
		Audience:     s.Audience,
		Kind:         kind,
		Retention:    s.Retention,
		Source:       s.Case.GetSource(),
		Occurred:     s.Case.GetOccurred(),
		Recorded:     s.Recorded.UTC().Format(time.RFC3339Nano),
		Note:         s.Case.GetNote(),
		Marking:      markingOf(s.Case.GetMarking()),
		Compartments: compartmentsOf(s),
	}
}

func markingOf(m *caseworkv1.Marking) Marking {
	marking := Marking{
		TLP:          strings.ReplaceAll(code(m.GetTlp(), "TLP_"), "_", "+"),
		PAP:          code(m.GetPap(), "PAP_"),
		HandlingText: m.GetHandlingText(),
		Purpose:      m.GetPurpose(),
		LegalBasis:   m.GetLegalBasis(),
		Offence:      m.GetOffence(),
		ReviewDate:   m.GetReviewDate(),
	}
	for _, h := range m.GetHandling() {
		marking.Handling = append(marking.Handling, code(h, "HANDLING_"))
	}
	switch {
	case m.GetFourByFour() != nil:
		g := m.GetFourByFour()
		marking.Scale = "4x4"
		marking.Grade = fmt.Sprintf("%s%d", code(g.GetSource(), "FOUR_BY_FOUR_SOURCE_"), g.GetInformation())
	case m.GetAdmiralty() != nil:
		g := m.GetAdmiralty()
		marking.Scale = "admiralty"
		marking.Grade = fmt.Sprintf("%s%d", code(g.GetSource(), "ADMIRALTY_SOURCE_"), g.GetInformation())
	}
	return marking
}

// compartmentsOf returns the compartments beside the case section, sorted, each once. Parts that nothing
// names are in no document.
func compartmentsOf(s Said) []string {
	var all []string
	if s.Identity != nil {
		all = append(all, TypeIdentity)
	}
	if s.Protection != nil {
		all = append(all, compartmentProtection)
	}
	if s.Intelligence != nil {
		all = append(all, TypeIntelligence)
	}
	for _, closed := range s.Closed {
		if closed.Compartment != compartmentCase && closed.Compartment != "" {
			all = append(all, closed.Compartment)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Compartments whose names are not document types.
const (
	compartmentCase       = "case"
	compartmentProtection = "protection"
)

// code returns an enum value's name without its prefix; empty where it was not
// stated. A value that this version does not know shows as its number.
func code(value fmt.Stringer, prefix string) string {
	name := strings.TrimPrefix(value.String(), prefix)
	if name == "UNSPECIFIED" {
		return ""
	}
	return name
}

// word is code in lower case with hyphens: the documents' own words.
func word(value fmt.Stringer, prefix string) string {
	return strings.ToLower(strings.ReplaceAll(code(value, prefix), "_", "-"))
}
