package casework

import (
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Release is an event that its agency gave to more countries than it was said to. Its
// identifier is EventRef.In. Whether the event is in the log as the release has it,
// a desk checks against its mirror.
type Release struct {
	ID       string         `json:"id"` // of the event
	Country  string         `json:"country"`
	Agency   string         `json:"agency"`
	Claims   []ReleaseClaim `json:"claims"` // in log order
	To       []string       `json:"to"`     // countries, sorted
	Oddities Oddities       `json:"oddities,omitempty"`
}

// ReleaseClaim is one release to one country.
type ReleaseClaim struct {
	Claim
	To           string   `json:"to"`            // ISO 3166-1 alpha-2
	Event        uint64   `json:"event"`         // log index of the event, as stated
	Said         string   `json:"said"`          // its kind, as its header states it
	Envelope     string   `json:"envelope"`      // SHA-256, hexadecimal
	Compartments []string `json:"compartments"`  // that the country can open from now on, as stated
	Record       string   `json:"record_digest"` // SHA-256 of the key record, hexadecimal
}

// Released is a release as a desk needs it to check and open it.
type Released struct {
	Event        EventRef
	To           string // ISO 3166-1 alpha-2
	Index        uint64 // log index of the event
	Subject      string
	Envelope     []byte // the event as it lies in the log: header read, signature not verified
	Compartments []eventv1.Compartment
	Record       []byte // SHA-256 of the release's key record
}

// ReleasedBy reads the release in s; ok is false where there is none, or where s is not
// of the agency that the released event names as its own.
func ReleasedBy(s Said) (released Released, ok bool) {
	m := s.Case.GetControlReleased()
	if m == nil {
		return Released{}, false
	}
	claims, why := readReleased(m)
	if why != "" || claims.Chain.Country != s.Country || claims.Chain.Agency != s.Agency {
		return Released{}, false
	}
	return Released{
		Event: EventRef{s.Country, s.Agency, claims.ID.String()}, To: m.GetTo(), Index: m.GetIndex(), Subject: m.GetSubject(),
		Envelope: m.GetEnvelope(), Compartments: m.GetCompartments(), Record: m.GetRecordDigest(),
	}, true
}

// readReleased reads the header of a released event. why is set where it is not readable.
func readReleased(m *caseworkv1.ControlReleased) (claims event.Claims, why string) {
	released, err := event.Decode(m.GetEnvelope())
	switch {
	case err != nil:
		return event.Claims{}, "the released event is not readable"
	case released.Claims().Subject() != m.GetSubject():
		return event.Claims{}, "the released event is not of the subject that is stated"
	case event.CheckCountry(m.GetTo()) != nil:
		return event.Claims{}, "the country that it is released to is not one"
	}
	return released.Claims(), ""
}

// judgeRelease is the gate in front of what is released.
func (f *folding) judgeRelease(breach func(code, what string)) error {
	m := f.said.Case.GetControlReleased()
	if m == nil {
		return nil
	}
	claims, why := readReleased(m)
	if why == "" && (claims.Chain.Country != f.said.Country || claims.Chain.Agency != f.said.Agency) {
		why = "the event is another agency's to release"
		breach(BreachAuthority, fmt.Sprintf("releases event %s, which %s %s said, without effect", claims.ID, claims.Chain.Country, claims.Chain.Agency))
	}
	f.released, f.notReleased = claims, why
	return nil
}

func (f *folding) controlReleased(m *caseworkv1.ControlReleased) error {
	f.say("released an event to %s", shownCode(m.GetTo()))
	if f.notReleased != "" {
		return f.unplaced(f.notReleased)
	}
	claim := ReleaseClaim{
		Claim: f.claim, To: m.GetTo(), Event: m.GetIndex(), Said: f.released.Kind,
		Envelope: event.DigestOf(m.GetEnvelope()).String(), Record: digestText(m.GetRecordDigest()),
	}
	for _, compartment := range m.GetCompartments()[:min(len(m.GetCompartments()), event.MaxSections)] {
		claim.Compartments = append(claim.Compartments, event.CompartmentName(compartment))
	}
	if claim.Record == "" {
		claim.Remarks = append(claim.Remarks, "the digest of the key record is not stated")
	}
	id := f.released.ID.String()
	return write(f, f.said.about(id).In(TypeRelease), func(r *Release) {
		r.ID, r.Country, r.Agency = id, f.said.Country, f.said.Agency
		r.Claims = append(r.Claims, claim)
	})
}

func (r *Release) derive() {
	r.To, r.Oddities = nil, nil
	for _, c := range r.Claims {
		r.Oddities.remarks(c.Claim)
		r.To = union(r.To, []string{c.To})
	}
}
