package casework

import (
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// IdentityRecord is who a person is, as agencies state it. It is a document
// apart, so that it can be withheld and erased by itself.
type IdentityRecord struct {
	ID     string          `json:"id"` // of the person
	Claims []IdentityClaim `json:"claims"`
}

// IdentityClaim is one agency's statement of an identity.
type IdentityClaim struct {
	Claim
	Name            string `json:"name,omitempty"` // in its original script
	Transliteration string `json:"transliteration,omitempty"`
	DateOfBirth     string `json:"date_of_birth,omitempty"` // ISO 8601
}

// ScreeningRecord is what was learned of a person in screening and care.
type ScreeningRecord struct {
	ID     string           `json:"id"` // of the person
	Claims []ScreeningClaim `json:"claims"`
}

// ScreeningClaim is one screening by the elements of the Palermo Protocol, article 3.
type ScreeningClaim struct {
	Claim
	Act     string `json:"act,omitempty"`
	Means   string `json:"means,omitempty"` // for a child none are needed
	Purpose string `json:"purpose,omitempty"`
}

// IntelligenceRecord is the intelligence section of one event.
type IntelligenceRecord struct {
	Claim
	Text string `json:"text"`
}

func (*IdentityRecord) derive()     {}
func (*ScreeningRecord) derive()    {}
func (*IntelligenceRecord) derive() {}

// personRef returns where the record of a person stands. One that has no
// readable identifier stays in its compartment, by the event's index behind a
// sign that no identifier begins with: it must not surface in a case document.
func (f *folding) personRef(kind, id string) Ref {
	if !identifier.MatchString(id) {
		id = "@" + byIndex(f.said.Index)
	}
	return Ref{kind, id}
}

func (f *folding) fileIdentity() error {
	for _, p := range f.said.Identity.GetPersons() {
		ref := f.personRef(TypeIdentity, p.GetPersonId())
		claim := IdentityClaim{
			Claim: f.claim, Name: p.GetName(), Transliteration: p.GetTransliteration(), DateOfBirth: p.GetDateOfBirth(),
		}
		if err := write(f, ref, func(r *IdentityRecord) {
			r.ID = ref.ID
			r.Claims = append(r.Claims, claim)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (f *folding) fileScreening() error {
	for _, s := range f.said.Protection.GetScreenings() {
		ref := f.personRef(TypeScreening, s.GetPersonId())
		claim := f.screeningClaim(s)
		if err := write(f, ref, func(r *ScreeningRecord) {
			r.ID = ref.ID
			r.Claims = append(r.Claims, claim)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (f *folding) screeningClaim(s *caseworkv1.Screening) ScreeningClaim {
	return ScreeningClaim{Claim: f.claim, Act: s.GetAct(), Means: s.GetMeans(), Purpose: s.GetPurpose()}
}

func (f *folding) fileIntelligence() error {
	if f.said.Intelligence == nil {
		return nil
	}
	return write(f, Ref{TypeIntelligence, byIndex(f.said.Index)}, func(r *IntelligenceRecord) {
		r.Claim, r.Text = f.claim, f.said.Intelligence.GetText()
	})
}
