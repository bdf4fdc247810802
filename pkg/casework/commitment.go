package casework

import (
	"slices"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Commitment is what countries promised, and what came of it. Attributes:
// text, owners, due, meeting, progress.
type Commitment struct {
	ID         string            `json:"id"`
	Claims     []CommitmentClaim `json:"claims"` // in log order
	Attributes Attributes        `json:"attributes,omitempty"`
	State      string            `json:"state"`              // one of the Commitment constants
	Unproven   bool              `json:"unproven,omitempty"` // fulfilled, and nobody who says so names a proof
	Oddities   Oddities          `json:"oddities,omitempty"`
}

// CommitmentClaim is one thing said of a commitment.
type CommitmentClaim struct {
	Claim
	Meeting  string   `json:"meeting,omitempty"` // identifier
	Text     string   `json:"text,omitempty"`
	Owners   []string `json:"owners,omitempty"`   // ISO 3166-1 alpha-2
	Due      string   `json:"due,omitempty"`      // ISO 8601 date
	Progress string   `json:"progress,omitempty"` // in-progress, fulfilled, disputed
	Proof    string   `json:"proof,omitempty"`
}

// States of a commitment, by each agency's newest word: disputed where anybody
// disputes, else fulfilled where anybody says so, else in progress.
const (
	CommitmentOpen       = "open"
	CommitmentInProgress = "in-progress"
	CommitmentFulfilled  = "fulfilled"
	CommitmentDisputed   = "disputed"
)

const kindCommitmentMade = "commitment.made"

func (f *folding) commitment(id string, claim CommitmentClaim) error {
	return edit(f, TypeCommitment, id, func(c *Commitment) {
		c.ID = id
		c.Claims = append(c.Claims, claim)
	})
}

// commitmentMade files the commitment, and its place in the ledger of its meeting.
func (f *folding) commitmentMade(m *caseworkv1.CommitmentMade) error {
	f.say("recorded commitment %s of %s", m.GetCommitmentId(), shownCodes(m.GetOwners()))
	claim := CommitmentClaim{Claim: f.claim, Text: m.GetText(), Owners: m.GetOwners(), Due: m.GetDue()}
	inMeeting := identifier.MatchString(m.GetMeetingId())
	if inMeeting {
		claim.Meeting = m.GetMeetingId()
	} else if m.GetMeetingId() != "" {
		claim.Remarks = append(claim.Remarks, "the identifier of the meeting is not one")
	}
	if err := f.commitment(m.GetCommitmentId(), claim); err != nil {
		return err
	}
	if !inMeeting || !identifier.MatchString(m.GetCommitmentId()) {
		return nil
	}
	return f.meeting(m.GetMeetingId(), MeetingClaim{Commitment: m.GetCommitmentId()})
}

func (f *folding) commitmentProgress(m *caseworkv1.CommitmentProgress) error {
	progress := word(m.GetState(), "COMMITMENT_STATE_")
	f.say("stated that commitment %s is %s", m.GetCommitmentId(), progress)
	return f.commitment(m.GetCommitmentId(), CommitmentClaim{Claim: f.claim, Progress: progress, Proof: m.GetProof()})
}

func (c *Commitment) derive() {
	c.Attributes, c.Oddities, c.Unproven = nil, nil, false
	made := false
	proven := make(map[uint64]bool)
	for _, claim := range c.Claims {
		c.Oddities.remarks(claim.Claim)
		c.Attributes.say(claim.Claim, "text", claim.Text)
		c.Attributes.say(claim.Claim, "owners", asSet(claim.Owners))
		c.Attributes.say(claim.Claim, "due", claim.Due)
		c.Attributes.say(claim.Claim, "meeting", claim.Meeting)
		c.Attributes.say(claim.Claim, "progress", claim.Progress)
		proven[claim.Index] = claim.Proof != ""
		if claim.Kind == kindCommitmentMade {
			made = true
		} else if !made {
			c.Oddities.add(claim.Claim, "progress of a commitment that nobody has recorded")
		}
	}
	c.State = CommitmentOpen
	words := c.Attributes.Get("progress").Says
	for _, state := range []string{CommitmentDisputed, CommitmentFulfilled, CommitmentInProgress} {
		if slices.ContainsFunc(words, func(s Says) bool { return s.Value == state }) {
			c.State = state
			break
		}
	}
	if c.State == CommitmentFulfilled {
		c.Unproven = !slices.ContainsFunc(words, func(s Says) bool { return s.Value == CommitmentFulfilled && proven[s.Index] })
	}
}

// Due returns the earliest date that anybody states; empty where none is stated.
func (c *Commitment) Due() string {
	var dates []string
	for _, s := range c.Attributes.Get("due").Says {
		dates = append(dates, s.Value)
	}
	if len(dates) == 0 {
		return ""
	}
	return slices.Min(dates)
}

// Overdue says whether the commitment was due before today (an ISO 8601 date,
// the caller's: the fold has no clock) and is not fulfilled.
func (c *Commitment) Overdue(today string) bool {
	due := c.Due()
	return due != "" && due < today && c.State != CommitmentFulfilled
}
