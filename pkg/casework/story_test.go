package casework

import (
	"fmt"
	"testing"
	"time"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// story folds events into a cabinet, one after the other.
type story struct {
	t       *testing.T
	cabinet Memory
	index   uint64
	changes []Change
}

func newStory(t *testing.T) *story {
	t.Helper()
	return &story{t: t}
}

// says folds content that an agency states, as of a date or time.
func (s *story) says(country, agency, occurred string, content proto.Message, alter ...func(*Said)) Change {
	s.t.Helper()
	said := saidBy(s.index, country, agency, occurred, content)
	s.index++
	for _, change := range alter {
		change(&said)
	}
	change, err := Fold(&s.cabinet, said)
	if err != nil {
		s.t.Fatalf("Fold(%s by %s.%s): %v", said.Kind, country, agency, err)
	}
	s.changes = append(s.changes, change)
	return change
}

// saidBy makes an event of content, marked for a purpose that its audience has.
func saidBy(index uint64, country, agency, occurred string, content proto.Message) Said {
	section := &caseworkv1.CaseSection{
		Marking: &caseworkv1.Marking{
			Tlp: caseworkv1.Tlp_TLP_AMBER_STRICT, Pap: caseworkv1.Pap_PAP_GREEN, Purpose: "victim-protection",
			Handling: []caseworkv1.Handling{caseworkv1.Handling_HANDLING_H1},
			Grade: &caseworkv1.Marking_Admiralty{Admiralty: &caseworkv1.Admiralty{
				Source: caseworkv1.AdmiraltySource_ADMIRALTY_SOURCE_B, Information: 2}},
		},
		Source:   "a spokesman",
		Occurred: occurred,
	}
	setContent(section, content)
	kind, _ := KindOf(section)
	return Said{
		Index: index, EventID: eventID(index),
		Country: country, Agency: agency, Audience: "mechanism", Kind: kind, Retention: "standard",
		Recorded: time.Date(2025, 2, 12, 9, 0, int(index), 0, time.UTC),
		Purposes: []string{"victim-protection"}, Members: []string{"CN", "MM", "TH"},
		Case: section,
	}
}

// eventID is the identifier of the event that saidBy makes at an index.
func eventID(index uint64) string { return fmt.Sprintf("01950000-0000-7000-8000-%012x", index) }

// setContent puts a message into the field of the oneof that has its type.
func setContent(section *caseworkv1.CaseSection, content proto.Message) {
	if content == nil {
		return
	}
	fields := contents.Fields()
	for i := range fields.Len() {
		if field := fields.Get(i); field.Message().FullName() == content.ProtoReflect().Descriptor().FullName() {
			section.ProtoReflect().Set(field, protoreflect.ValueOfMessage(content.ProtoReflect()))
		}
	}
}

// read loads a document that has to be there.
func read[D any](s *story, kind, id string) *D {
	s.t.Helper()
	doc, found, err := Load[D](&s.cabinet, Ref{kind, id})
	if err != nil || !found {
		s.t.Fatalf("Load(%s, %s) = found %v, %v", kind, id, found, err)
	}
	return doc
}

func n(v uint32) *uint32 { return &v }

// rows makes a breakdown by nationality from code, total, code, total...
func rows(pairs ...any) []*caseworkv1.NationalityCount {
	var list []*caseworkv1.NationalityCount
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, &caseworkv1.NationalityCount{
			Nationality: pairs[i].(string), Total: uint32(pairs[i+1].(int))})
	}
	return list
}

const handover = "T-2025-02-12"

// The published figures of the handover of 12 February 2025.
var (
	announced53 = &caseworkv1.TransferAnnounced{TransferId: handover, From: "MM", To: "TH",
		Crossing: "Trade crossing point 28, Chong Khaep",
		Count: &caseworkv1.Count{Total: 53, ByNationality: rows(
			"ET", 21, "PH", 12, "NP", 6, "PK", 5, "KE", 4, "BR", 2, "BD", 2, "TZ", 1)}}
	departed261 = &caseworkv1.TransferDeparted{TransferId: handover, Count: &caseworkv1.Count{Total: 261}}
	received260 = &caseworkv1.TransferReceived{TransferId: handover,
		Count: &caseworkv1.Count{Total: 260, Male: n(221), Female: n(39), Nationalities: []uint32{20}, ByNationality: rows(
			"ET", 138, "KE", 23, "PH", 16, "MY", 15, "PK", 12, "CN", 10, "ID", 8, "NP", 7, "TW", 7, "UG", 6, "LA", 6,
			"BI", 2, "BD", 2, "BR", 2, "NG", 1, "GH", 1, "IN", 1, "KH", 1, "LK", 1, "TZ", 1)}}
)

// explained is one country's account of a discrepancy of the handover.
func explained(name string) *caseworkv1.TransferExplained {
	return &caseworkv1.TransferExplained{TransferId: handover, Discrepancy: name, Reason: "one fell ill on the way"}
}

// everyKind has one message of each kind, with what it needs to make sense.
func everyKind() []proto.Message {
	return []proto.Message{
		&caseworkv1.MeetingHeld{MeetingId: "M-1", Place: "Mae Sot", Parties: []string{"CN", "TH"}},
		&caseworkv1.CommitmentMade{CommitmentId: "C-1", MeetingId: "M-1", Text: "a regular mechanism", Owners: []string{"CN", "MM"}, Due: "2025-03-01"},
		&caseworkv1.CommitmentProgress{CommitmentId: "C-1", State: caseworkv1.CommitmentState_COMMITMENT_STATE_IN_PROGRESS},
		&caseworkv1.SiteReported{SiteId: "S-1", Name: "KK Park", Near: "Myawaddy", Position: &caseworkv1.Position{Latitude: 16.6, Longitude: 98.5}, ControlledBy: "BGF area"},
		&caseworkv1.SiteStatus{SiteId: "S-1", State: caseworkv1.SiteState_SITE_STATE_ACTIVE},
		&caseworkv1.MeasureInForce{MeasureId: "X-1", Kinds: []caseworkv1.MeasureKind{1, 2, 3}, Points: []*caseworkv1.CutPoint{{From: "Mae Sot", To: "Myawaddy"}}},
		&caseworkv1.MeasureObserved{MeasureId: "X-1", Observation: caseworkv1.Observation_OBSERVATION_CIRCUMVENTION, At: "Shwe Kokko", What: "generators"},
		&caseworkv1.MeasureLifted{MeasureId: "X-1", Kinds: []caseworkv1.MeasureKind{3}},
		announced53, departed261, received260, explained("departed-received"),
		&caseworkv1.TransferScreening{TransferId: handover, WithinDays: 15, Under: "national referral mechanism"},
		&caseworkv1.TransferReleased{TransferId: handover, ReleasedBy: "DKBA"},
		&caseworkv1.GroupListed{GroupId: "G-1", Title: "list", SentBy: "BGF", Count: list7141()},
		&caseworkv1.PersonReported{PersonId: "P-1", Nationality: "ET", Sex: caseworkv1.Sex_SEX_MALE, AgeBand: caseworkv1.AgeBand_AGE_BAND_ADULT, TransferId: handover},
		&caseworkv1.PersonScreened{PersonId: "P-1", Outcome: caseworkv1.Outcome_OUTCOME_VICTIM},
		&caseworkv1.RepatriationPlanned{RepatriationId: "R-1", To: "CN", Count: &caseworkv1.Count{Total: 200}},
		&caseworkv1.RepatriationDeparted{RepatriationId: "R-1", To: "CN", Count: &caseworkv1.Count{Total: 200}, Flights: 4, Via: "Mae Sot"},
		&caseworkv1.RepatriationArrived{RepatriationId: "R-1", Count: &caseworkv1.Count{Total: 200}, Labelled: "suspects"},
		erased(eventID(2)), recalled("RC-1", eventID(3), eventID(6)), receipt("RC-1", "TH", "agency", eventID(3)),
		released("MM", envelope("CN", "agency")), reviewed("2026-01-31", eventID(0)),
	}
}
