package casework

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

func TestSiteClaimsSideBySide(t *testing.T) {
	s := newStory(t)
	s.says("TH", "police", "2025-02-01", &caseworkv1.SiteReported{SiteId: "S-1", Name: "KK Park", Near: "Myawaddy",
		Position: &caseworkv1.Position{Latitude: 16.6, Longitude: 98.5}, ControlledBy: "Border Guard Force"})
	s.says("MM", "police", "2025-02-02", &caseworkv1.SiteReported{SiteId: "S-1", Name: "KK Park",
		Position: &caseworkv1.Position{Latitude: 16.7, Longitude: 98.5}})
	s.says("MM", "police", "2025-02-03", &caseworkv1.SiteStatus{SiteId: "S-1", State: caseworkv1.SiteState_SITE_STATE_RAIDED})
	s.says("TH", "police", "2025-02-03", &caseworkv1.SiteStatus{SiteId: "S-1", State: caseworkv1.SiteState_SITE_STATE_ACTIVE})
	s.says("MM", "police", "2025-02-04", &caseworkv1.SiteStatus{SiteId: "S-1", State: caseworkv1.SiteState_SITE_STATE_ACTIVE})
	site := read[Site](s, TypeSite, "S-1")
	if got := site.Attributes.Get("name"); got.Differ || len(got.Says) != 2 {
		t.Errorf("name = %+v, want two who agree", got)
	}
	if got := site.Attributes.Get("status"); got.Differ || got.First() != "active" {
		t.Errorf("status = %+v: MM's newest word agrees", got)
	}
	want := Attributes{{Of: "position", Differ: true, Says: []Says{
		{"16.6, 98.5", "TH", "police", 0}, {"16.7, 98.5", "MM", "police", 1}}}}
	if diff := cmp.Diff(want, site.Attributes.Disagreements()); diff != "" {
		t.Errorf("disagreements (-want +got):\n%s", diff)
	}
	if len(site.Claims) != 5 || len(site.Oddities) != 0 {
		t.Errorf("%d claims, oddities %+v", len(site.Claims), site.Oddities)
	}
}

func TestSiteThatMakesNoSense(t *testing.T) {
	for name, p := range map[string]*caseworkv1.Position{
		"no number": {Latitude: math.NaN()}, "infinite": {Longitude: math.Inf(-1)}, "past the pole": {Latitude: 90.5},
	} {
		s := newStory(t)
		s.says("TH", "police", "2025-02-03", &caseworkv1.SiteStatus{SiteId: "S-1", State: caseworkv1.SiteState_SITE_STATE_ACTIVE})
		s.says("TH", "police", "2025-02-01", &caseworkv1.SiteReported{SiteId: "S-1", Name: "x", Position: p})
		site := read[Site](s, TypeSite, "S-1")
		want := Oddities{{0, "the status of a site that nobody has reported"}, {1, "the position is not on the globe"}}
		if diff := cmp.Diff(want, site.Oddities); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if site.Claims[1].Position != nil {
			t.Errorf("%s: kept as a position", name)
		}
	}
}

func TestMeasure(t *testing.T) {
	kinds := func(k ...caseworkv1.MeasureKind) []caseworkv1.MeasureKind { return k }
	inForce := &caseworkv1.MeasureInForce{MeasureId: "X", Kinds: kinds(1, 2, 3),
		Points: []*caseworkv1.CutPoint{{From: "Mae Sot", To: "Myawaddy"}}, Exemptions: []string{"the hospital"}}
	tests := []struct {
		name   string
		lifts  func(*story)
		want   []InForce
		oddity string
	}{
		{"all", func(s *story) {
			s.says("TH", "power", "2025-03-01", &caseworkv1.MeasureLifted{MeasureId: "X"})
		}, []InForce{{"TH", 0, nil, []string{"electricity", "internet", "fuel"}}}, ""},
		{"one kind", func(s *story) {
			s.says("TH", "power", "2025-03-01", &caseworkv1.MeasureLifted{MeasureId: "X", Kinds: kinds(3)})
		}, []InForce{{"TH", 0, []string{"electricity", "internet"}, []string{"fuel"}}}, ""},
		{"by another agency of the same country", func(s *story) {
			s.says("TH", "council", "2025-03-01", &caseworkv1.MeasureLifted{MeasureId: "X", Kinds: kinds(3)})
		}, []InForce{{"TH", 0, []string{"electricity", "internet"}, []string{"fuel"}}}, ""},
		{"by another country", func(s *story) {
			s.says("MM", "power", "2025-03-01", &caseworkv1.MeasureLifted{MeasureId: "X"})
		}, []InForce{{"TH", 0, []string{"electricity", "internet", "fuel"}, nil}}, "what others have in force stands"},
		{"lifted and put into force again", func(s *story) {
			s.says("TH", "power", "2025-03-01", &caseworkv1.MeasureLifted{MeasureId: "X"})
			s.says("TH", "power", "2025-03-02", &caseworkv1.MeasureInForce{MeasureId: "X", Kinds: kinds(1)})
		}, []InForce{{"TH", 2, []string{"electricity"}, []string{"internet", "fuel"}}}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			s.says("TH", "power", "2025-02-05T09:00:00+07:00", inForce)
			test.lifts(s)
			m := read[Measure](s, TypeMeasure, "X")
			if diff := cmp.Diff(test.want, m.Standing); diff != "" {
				t.Errorf("in force (-want +got):\n%s", diff)
			}
			if (test.oddity == "") != (len(m.Oddities) == 0) || test.oddity != "" && !strings.Contains(m.Oddities[0].What, test.oddity) {
				t.Errorf("oddities %+v, want %q", m.Oddities, test.oddity)
			}
		})
	}
}

func TestMeasureObservations(t *testing.T) {
	s := newStory(t)
	observed := func(o caseworkv1.Observation, what string) *caseworkv1.MeasureObserved {
		return &caseworkv1.MeasureObserved{MeasureId: "X", Observation: o, What: what}
	}
	s.says("CN", "police", "2025-02-04", observed(caseworkv1.Observation_OBSERVATION_EFFECT, "dark"))
	s.says("TH", "power", "2025-02-05", &caseworkv1.MeasureInForce{MeasureId: "X", Kinds: []caseworkv1.MeasureKind{1}})
	s.says("TH", "power", "2025-02-20", observed(caseworkv1.Observation_OBSERVATION_CIRCUMVENTION, "generators"))
	s.says("MM", "health", "2025-02-21", observed(caseworkv1.Observation_OBSERVATION_HARM, "a clinic without power"))
	m := read[Measure](s, TypeMeasure, "X")
	for observation, index := range map[string]uint64{"effect": 0, "circumvention": 2, "harm": 3} {
		got := m.Observations(observation)
		if len(got) != 1 || got[0].Index != index {
			t.Errorf("Observations(%s) = %+v, want the claim of event %d", observation, got, index)
		}
	}
	if want := (Oddities{{0, "observed of a measure that nobody has put into force"}}); !cmp.Equal(want, m.Oddities) {
		t.Errorf("oddities %+v, want %+v", m.Oddities, want)
	}
}

func TestCommitment(t *testing.T) {
	progress := func(state caseworkv1.CommitmentState, proof string) *caseworkv1.CommitmentProgress {
		return &caseworkv1.CommitmentProgress{CommitmentId: "C-1", State: state, Proof: proof}
	}
	const (
		moving   = caseworkv1.CommitmentState_COMMITMENT_STATE_IN_PROGRESS
		kept     = caseworkv1.CommitmentState_COMMITMENT_STATE_FULFILLED
		disputed = caseworkv1.CommitmentState_COMMITMENT_STATE_DISPUTED
	)
	tests := []struct {
		name     string
		then     func(*story)
		state    string
		unproven bool
		overdue  bool
	}{
		{"nothing came of it", func(*story) {}, CommitmentOpen, false, true},
		{"in progress", func(s *story) { s.says("MM", "police", "2025-02-20", progress(moving, "")) }, CommitmentInProgress, false, true},
		{"fulfilled with a proof", func(s *story) { s.says("MM", "police", "2025-02-20", progress(kept, handover)) }, CommitmentFulfilled, false, false},
		{"fulfilled by word alone", func(s *story) { s.says("MM", "police", "2025-02-20", progress(kept, "")) }, CommitmentFulfilled, true, false},
		{"fulfilled, and disputed by the other", func(s *story) {
			s.says("MM", "police", "2025-02-20", progress(kept, handover))
			s.says("CN", "police", "2025-02-21", progress(disputed, ""))
		}, CommitmentDisputed, false, true},
		{"a dispute that was settled", func(s *story) {
			s.says("CN", "police", "2025-02-21", progress(disputed, ""))
			s.says("CN", "police", "2025-02-22", progress(kept, "M-2"))
		}, CommitmentFulfilled, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			s.says("CN", "police", "2025-02-16", &caseworkv1.CommitmentMade{
				CommitmentId: "C-1", Text: "a regular mechanism", Owners: []string{"MM", "CN"}, Due: "2025-03-01"})
			test.then(s)
			c := read[Commitment](s, TypeCommitment, "C-1")
			if c.State != test.state || c.Unproven != test.unproven || c.Overdue("2025-03-02") != test.overdue {
				t.Errorf("state %q, unproven %v, overdue %v; want %q, %v, %v",
					c.State, c.Unproven, c.Overdue("2025-03-02"), test.state, test.unproven, test.overdue)
			}
			if c.Overdue("2025-03-01") {
				t.Error("overdue on the day itself")
			}
		})
	}
}

func TestMeetingGathersItsCommitments(t *testing.T) {
	s := newStory(t)
	made := func(id, meeting string) *caseworkv1.CommitmentMade {
		return &caseworkv1.CommitmentMade{CommitmentId: id, MeetingId: meeting, Text: "x", Owners: []string{"CN"}}
	}
	s.says("CN", "police", "2025-02-16", made("C-1", "M-1"))
	s.says("CN", "police", "2025-02-16", &caseworkv1.MeetingHeld{MeetingId: "M-1", Place: "Naypyidaw", Parties: []string{"CN", "MM"}})
	s.says("MM", "police", "2025-02-16", &caseworkv1.MeetingHeld{MeetingId: "M-1", Place: "Naypyidaw", Parties: []string{"MM", "CN"}})
	change := s.says("MM", "police", "2025-02-16", made("C-2", "M-1"))
	s.says("MM", "police", "2025-02-16", made("C-2", "M-1"))
	s.says("MM", "police", "2025-02-16", made("C-3", "not an id"))
	if diff := cmp.Diff([]Ref{{TypeCommitment, "C-2"}, {TypeMeeting, "M-1"}, {TypeEvent, eventID(3)}}, change.Touched); diff != "" {
		t.Errorf("touched (-want +got):\n%s", diff)
	}
	m := read[Meeting](s, TypeMeeting, "M-1")
	if diff := cmp.Diff([]string{"C-1", "C-2"}, m.Commitments); diff != "" {
		t.Errorf("commitments (-want +got):\n%s", diff)
	}
	if got := m.Attributes.Disagreements(); len(got) != 0 {
		t.Errorf("the same parties in another order disagree: %+v", got)
	}
	if len(m.Oddities) != 1 || m.Oddities[0].Index != 0 {
		t.Errorf("oddities %+v, want one, of event 0", m.Oddities)
	}
	if got := read[Commitment](s, TypeCommitment, "C-3").Oddities; len(got) != 1 {
		t.Errorf("oddities %+v, want the unreadable meeting", got)
	}
}

func TestChildIsAChildWhileAnybodySaysSo(t *testing.T) {
	type word struct {
		country string
		band    caseworkv1.AgeBand
	}
	const adult, child, disputed, unknown = caseworkv1.AgeBand_AGE_BAND_ADULT, caseworkv1.AgeBand_AGE_BAND_CHILD,
		caseworkv1.AgeBand_AGE_BAND_DISPUTED, caseworkv1.AgeBand_AGE_BAND_UNKNOWN
	tests := []struct {
		name     string
		words    []word
		want     bool
		oddities int
	}{
		{"adult", []word{{"TH", adult}}, false, 0},
		{"unknown", []word{{"TH", unknown}}, false, 0},
		{"child", []word{{"TH", child}}, true, 0},
		{"disputed", []word{{"TH", disputed}}, true, 0},
		{"another agency says adult", []word{{"TH", child}, {"MM", adult}}, true, 0},
		{"the same agency says adult", []word{{"TH", child}, {"TH", adult}}, false, 1},
		{"the same agency says so again", []word{{"TH", child}, {"TH", disputed}}, true, 0},
		{"the same agency no longer knows", []word{{"TH", child}, {"TH", unknown}}, false, 1},
		{"one of two takes it back", []word{{"TH", child}, {"MM", disputed}, {"TH", adult}}, true, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			for _, w := range test.words {
				s.says(w.country, "protection", "2025-02-13", &caseworkv1.PersonReported{
					PersonId: "P-1", Nationality: "ET", Sex: caseworkv1.Sex_SEX_FEMALE, AgeBand: w.band})
			}
			p := read[Person](s, TypePerson, "P-1")
			if p.Child != test.want || len(p.Oddities) != test.oddities {
				t.Errorf("child %v, oddities %+v; want %v and %d", p.Child, p.Oddities, test.want, test.oddities)
			}
		})
	}
}

func TestPersonOutcomesStayTwoClaims(t *testing.T) {
	s := newStory(t)
	screened := func(o caseworkv1.Outcome) *caseworkv1.PersonScreened {
		return &caseworkv1.PersonScreened{PersonId: "P-1", Outcome: o}
	}
	s.says("TH", "protection", "2025-02-20", screened(caseworkv1.Outcome_OUTCOME_VICTIM))
	s.says("CN", "police", "2025-02-21", screened(caseworkv1.Outcome_OUTCOME_NOT_VICTIM))
	p := read[Person](s, TypePerson, "P-1")
	want := Attribute{Of: "outcome", Differ: true, Says: []Says{
		{"victim", "TH", "protection", 0}, {"not-victim", "CN", "police", 1}}}
	if diff := cmp.Diff(want, p.Attributes.Get("outcome")); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	if len(p.Oddities) != 2 {
		t.Errorf("oddities %+v, want two of a person of whom there is no report", p.Oddities)
	}
}

func TestRepatriation(t *testing.T) {
	s := newStory(t)
	s.says("TH", "immigration", "2025-02-19", &caseworkv1.RepatriationPlanned{RepatriationId: "R", To: "CN", Count: &caseworkv1.Count{Total: 200}})
	s.says("TH", "immigration", "2025-02-20", &caseworkv1.RepatriationDeparted{RepatriationId: "R", To: "CN",
		Count: &caseworkv1.Count{Total: 200}, Flights: 4, Via: "Mae Sot"})
	s.says("CN", "police", "2025-02-20", &caseworkv1.RepatriationArrived{RepatriationId: "R", Count: &caseworkv1.Count{Total: 199}, Labelled: "suspects"})
	s.says("TH", "protection", "2025-02-20", &caseworkv1.RepatriationArrived{RepatriationId: "R", Count: &caseworkv1.Count{Total: 200}, Labelled: "victims"})
	r := read[Repatriation](s, TypeRepatriation, "R")
	var names []string
	for _, p := range r.Differences {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"departed-arrived", "arrived@TH.protection"}, names); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	if got := r.Attributes.Get("labelled"); !got.Differ || len(got.Says) != 2 {
		t.Errorf("labels = %+v, want two that differ", got)
	}
}
