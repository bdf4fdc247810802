package casework

import (
	"cmp"
	"slices"
	"time"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Said is one accepted event as the fold sees it. Its header is verified; its
// content is what an agency chose to say and may be anything.
type Said struct {
	Index     uint64    // log index
	EventID   string    // UUID text
	Country   string    // ISO 3166-1 alpha-2 code of the publishing member
	Agency    string    // identifier in the registry
	Audience  string    // identifier in the registry, whichever circle was addressed
	Kind      string    // as the header states it
	Retention string    // retention class
	Recorded  time.Time // the publisher's clock; shown, never judged by

	// Purposes are what the audience may use events for, as the registry had
	// them at Index. None means that nothing is allowed.
	Purposes []string

	// Classes are the retention classes that events of the audience may have,
	// likewise. None means all.
	Classes []string

	// Members are the countries that read the audience, likewise.
	Members []string

	// Sections, nil where absent or closed to this reader.
	Case         *caseworkv1.CaseSection
	Identity     *caseworkv1.IdentitySection
	Protection   *caseworkv1.ProtectionSection
	Intelligence *caseworkv1.IntelligenceSection

	// Closed are the compartments that are present and closed to this reader.
	Closed []Closed

	// Unreadable names the compartments, likewise, whose open section is no
	// message of that compartment, or whose compartment this version does not
	// know. Their section is nil.
	Unreadable []string
}

// Event is the event's reference.
func (s Said) Event() EventRef { return s.about(s.EventID) }

// Open are the compartments of the sections that this reader has opened, sorted.
func (s Said) Open() []string {
	open := slices.Clone(s.Unreadable)
	for name, here := range map[string]bool{
		compartmentCase: s.Case != nil, TypeIdentity: s.Identity != nil, compartmentProtection: s.Protection != nil, TypeIntelligence: s.Intelligence != nil,
	} {
		if here {
			open = append(open, name)
		}
	}
	slices.Sort(open)
	return slices.Compact(open)
}

// about refers to another event of the same agency.
func (s Said) about(id string) EventRef { return EventRef{s.Country, s.Agency, id} }

// Closed is a section that a reader cannot read, and why. Reasons differ from reader
// to reader: no document has them.
type Closed struct {
	Compartment string `json:"compartment"` // in lower case: case, identity, protection, intelligence; empty: nothing tells this reader which
	Reason      string `json:"reason"`      // a code: a seal.Reason, or recalled
}

// Ref names one document, for example {"transfer", "T-2025-02-12"}.
type Ref struct {
	Type string `json:"type"` // one of the Type constants
	ID   string `json:"id"`
}

// compare orders references by type, then by identifier, bytewise: the order
// of SQL's binary collation.
func (r Ref) compare(other Ref) int {
	if c := cmp.Compare(r.Type, other.Type); c != 0 {
		return c
	}
	return cmp.Compare(r.ID, other.ID)
}

// The types of documents. The last three of the people hold what the case
// documents never do, so that each can be erased by itself.
const (
	TypeTransfer     = "transfer"
	TypeSite         = "site"
	TypeMeasure      = "measure"
	TypeCommitment   = "commitment"
	TypeMeeting      = "meeting"
	TypeGroup        = "group"
	TypePerson       = "person"
	TypeRepatriation = "repatriation"

	TypeIdentity     = "identity"     // by person identifier
	TypeScreening    = "screening"    // by person identifier
	TypeIntelligence = "intelligence" // by log index, 20 digits

	TypeEvent   = "event"   // by event identifier
	TypeRecall  = "recall"  // by RecallRef
	TypeReview  = "review"  // by EventRef.In, like the two below
	TypeErasure = "erasure" //
	TypeRelease = "release" //

	TypeBreach   = "breach"   // by log index, 20 digits
	TypeUnplaced = "unplaced" // by log index, 20 digits
)

// Change is what one event did.
type Change struct {
	Kind     string   `json:"kind"`               // of the content; empty where no case section was read
	Touched  []Ref    `json:"touched,omitempty"`  // documents written, each once, in the order of writing
	Marking  Marking  `json:"marking"`            // of the event; empty where no case section was read
	Summary  string   `json:"summary"`            // one plain line; nothing about a person stands in it
	Breaches []Breach `json:"breaches,omitempty"` // gates that the event went through regardless
	Closed   []Closed `json:"closed,omitempty"`   // as in Said
}

// Breach is a gate that an event broke. The event is kept.
type Breach struct {
	Code  string `json:"code"`  // one of the Breach constants
	Index uint64 `json:"index"` // log index of the event
	What  string `json:"what"`  // one plain sentence
}

// Codes of breaches.
const (
	BreachPurpose = "purpose" // marked for a purpose that its audience does not have
	BreachKind    = "kind"    // the header's kind is not the content's

	BreachRetention  = "retention"  // of a retention class that its audience does not have
	BreachUnreadable = "unreadable" // a section that is no message of its compartment

	BreachAuthority = "authority" // decides on another agency's event
)
