package casework

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// theHandover folds what was published of 12 February 2025.
func theHandover(t *testing.T) *story {
	s := newStory(t)
	s.says("TH", "ministry", "2025-02-11", announced53)
	s.says("MM", "defence", "2025-02-12", departed261)
	s.says("TH", "taskforce", "2025-02-12T15:45:00+07:00", received260)
	return s
}

func (s *story) transfer() *Transfer { s.t.Helper(); return read[Transfer](s, TypeTransfer, handover) }

// states returns each discrepancy's state by its name.
func states(t *Transfer) map[string]string {
	found := make(map[string]string)
	for _, d := range t.Discrepancies {
		found[d.Name] = d.State
	}
	return found
}

func TestAdversary_G05_HandoverOfTwelfthFebruary(t *testing.T) {
	s := theHandover(t)
	got, err := json.Marshal(s.transfer().Summary())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"T-2025-02-12","announced":53,"departed":261,"received":260,"discrepancies":[` +
		`{"name":"announced-departed","left":53,"right":261,"state":"open"},` +
		`{"name":"departed-received","left":261,"right":260,"state":"open"}]}`
	if string(got) != want {
		t.Errorf("summary\n got %s\nwant %s", got, want)
	}
	d := s.transfer().Discrepancies[1]
	if want := "MM.defence states 261 departed; TH.taskforce states 260 received."; d.Sentence != want {
		t.Errorf("sentence %q, want %q", d.Sentence, want)
	}
	if diff := cmp.Diff([]string{"MM", "TH"}, d.Sides); diff != "" {
		t.Errorf("sides (-want +got):\n%s", diff)
	}
}

// One side states its figure anew so that the two agree. The person who was
// missing is still unaccounted for: the discrepancy stays until both explain it.
func TestAdversary_G05_RestatingDoesNotClose(t *testing.T) {
	s := theHandover(t)
	s.says("MM", "defence", "2025-02-14", &caseworkv1.TransferDeparted{TransferId: handover, Count: &caseworkv1.Count{Total: 260}})
	d := s.transfer().Discrepancies
	at := slices.IndexFunc(d, func(d Discrepancy) bool { return d.Name == "departed-received" })
	if at < 0 || d[at].State != StateOpen || !d[at].Restated || d[at].Left != 261 || d[at].Right != 260 {
		t.Fatalf("after the restatement: %+v", d)
	}
	s.says("MM", "liaison", "2025-02-15", explained("departed-received"))
	s.says("TH", "liaison", "2025-02-15", explained("departed-received"))
	if got := states(s.transfer())["departed-received"]; got != StateExplained {
		t.Errorf("explained by both sides, it is %q", got)
	}
}

func TestAdversary_G05_OnlyBothSidesClose(t *testing.T) {
	const name = "departed-received"
	explain := func(countries ...string) func(*story) {
		return func(s *story) {
			for _, country := range countries {
				s.says(country, "liaison", "2025-02-13", explained(name))
			}
		}
	}
	tests := []struct {
		name string
		then []func(*story)
		want string
	}{
		{"nobody", nil, StateOpen},
		{"one side", []func(*story){explain("TH")}, StateExplainedByOne},
		{"one side twice", []func(*story){explain("TH", "TH")}, StateExplainedByOne},
		{"both sides", []func(*story){explain("TH", "MM")}, StateExplained},
		{"a third party", []func(*story){explain("CN")}, StateOpen},
		{"one side and a third party", []func(*story){explain("MM", "CN")}, StateExplainedByOne},
		{"both, then the figures change", []func(*story){explain("TH", "MM"), func(s *story) {
			s.says("TH", "taskforce", "2025-02-14", &caseworkv1.TransferReceived{TransferId: handover, Count: &caseworkv1.Count{Total: 255}})
		}}, StateOpen},
		{"both, then the same figures again", []func(*story){explain("TH", "MM"), func(s *story) {
			s.says("TH", "taskforce", "2025-02-14", received260)
		}}, StateExplained},
		{"both, and an outsider announces another route", []func(*story){func(s *story) {
			s.says("LA", "police", "2025-02-12", &caseworkv1.TransferAnnounced{
				TransferId: handover, From: "LA", To: "KH", Count: &caseworkv1.Count{Total: 53}})
		}, explain("LA", "KH")}, StateOpen},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := theHandover(t)
			for _, step := range test.then {
				step(s)
			}
			if got := states(s.transfer())[name]; got != test.want {
				t.Errorf("%s is %q, want %q", name, got, test.want)
			}
		})
	}
}

func TestAdversary_G05_OutsiderAnnouncesFirstAndCannotClose(t *testing.T) {
	s := newStory(t)
	s.says("LA", "police", "2025-02-10", &caseworkv1.TransferAnnounced{
		TransferId: handover, From: "LA", To: "KH", Count: &caseworkv1.Count{Total: 261}})
	s.says("MM", "defence", "2025-02-12", departed261)
	s.says("TH", "taskforce", "2025-02-12", received260)
	s.says("LA", "police", "2025-02-13", explained("departed-received"))
	s.says("KH", "police", "2025-02-13", explained("departed-received"))
	if got := states(s.transfer())["departed-received"]; got != StateOpen {
		t.Errorf("two outsiders made it %q", got)
	}
	s.says("MM", "defence", "2025-02-14", explained("departed-received"))
	s.says("TH", "taskforce", "2025-02-14", explained("departed-received"))
	if got := states(s.transfer())["departed-received"]; got != StateExplained {
		t.Errorf("the two who differ made it %q", got)
	}
}

func TestExplanationsAreKept(t *testing.T) {
	s := newStory(t)
	s.says("TH", "taskforce", "2025-02-12", explained("departed-received")) // before there is anything to explain
	change := s.changes[0]
	if want := "TH taskforce explained a discrepancy that does not stand in transfer " + handover; change.Summary != want {
		t.Errorf("summary %q, want %q", change.Summary, want)
	}
	s.says("TH", "ministry", "2025-02-12", announced53)
	s.says("MM", "defence", "2025-02-12", departed261)
	s.says("TH", "taskforce", "2025-02-12", received260)
	s.says("MM", "defence", "2025-02-13", explained("departed-received"))
	transfer := s.transfer()
	if got := states(transfer)["departed-received"]; got != StateExplainedByOne {
		t.Errorf("an explanation from before the figures counts: %q", got)
	}
	at := slices.IndexFunc(transfer.Discrepancies, func(d Discrepancy) bool { return d.Name == "departed-received" })
	want := []Explanation{
		{Index: 0, Country: "TH", Agency: "taskforce", Side: true, Current: false},
		{Index: 4, Country: "MM", Agency: "defence", Side: true, Current: true},
	}
	if diff := cmp.Diff(want, transfer.Discrepancies[at].Explanations); diff != "" {
		t.Errorf("explanations (-want +got):\n%s", diff)
	}
	if len(transfer.Claims) != 5 {
		t.Errorf("%d claims in the timeline, want 5", len(transfer.Claims))
	}
}

func TestDiscrepancyNames(t *testing.T) {
	count := func(total uint32, male, female *uint32, breakdown ...any) *caseworkv1.Count {
		return &caseworkv1.Count{Total: total, Male: male, Female: female, ByNationality: rows(breakdown...)}
	}
	departed := func(c *caseworkv1.Count) *caseworkv1.TransferDeparted {
		return &caseworkv1.TransferDeparted{TransferId: handover, Count: c}
	}
	received := func(c *caseworkv1.Count) *caseworkv1.TransferReceived {
		return &caseworkv1.TransferReceived{TransferId: handover, Count: c}
	}
	tests := []struct {
		name  string
		story func(*story)
		want  []string
	}{
		{"by nationality where both state it", func(s *story) {
			s.says("MM", "defence", "2025-02-12", departed(count(10, nil, nil, "ET", 6, "KE", 4)))
			s.says("TH", "taskforce", "2025-02-12", received(count(10, nil, nil, "ET", 5, "PH", 5)))
		}, []string{"departed-received:ET"}},
		{"by sex where both state it", func(s *story) {
			s.says("MM", "defence", "2025-02-12", departed(count(10, n(6), n(4))))
			s.says("TH", "taskforce", "2025-02-12", received(count(10, n(7), nil)))
		}, []string{"departed-received:male"}},
		{"a nationality with two rows has no one figure", func(s *story) {
			s.says("MM", "defence", "2025-02-12", departed(count(10, nil, nil, "ET", 6, "ET", 4)))
			s.says("TH", "taskforce", "2025-02-12", received(count(10, nil, nil, "ET", 10)))
		}, []string{"departed/row-ET-twice"}},
		{"own arithmetic", func(s *story) {
			s.says("TH", "taskforce", "2025-02-12", received(count(10, nil, nil, "ET", 9)))
		}, []string{"received/sum-of-rows"}},
		{"nobody states a departure", func(s *story) {
			s.says("TH", "ministry", "2025-02-11", announced53)
			s.says("TH", "taskforce", "2025-02-12", received(count(54, nil, nil)))
		}, []string{"announced-received"}},
		{"two agencies of one side", func(s *story) {
			s.says("TH", "taskforce", "2025-02-12", received(count(260, nil, nil)))
			s.says("TH", "police", "2025-02-12", received(count(259, nil, nil, "ET", 258)))
		}, []string{"received@TH.police", "received@TH.police/sum-of-rows"}},
		{"a newer statement of the same agency", func(s *story) {
			s.says("MM", "defence", "2025-02-12", departed261)
			s.says("TH", "taskforce", "2025-02-12", received260)
			s.says("TH", "taskforce", "2025-02-13", received(count(261, nil, nil)))
		}, []string{"departed-received"}},
		{"a statement without a count takes nothing back", func(s *story) {
			s.says("MM", "defence", "2025-02-12", departed261)
			s.says("TH", "taskforce", "2025-02-12", received260)
			s.says("TH", "taskforce", "2025-02-13", received(nil))
		}, []string{"departed-received"}},
		{"the receiving side's own statement stands, whoever spoke first", func(s *story) {
			s.says("TH", "ministry", "2025-02-11", announced53)
			s.says("MM", "defence", "2025-02-12", departed(count(53, nil, nil)))
			s.says("CN", "police", "2025-02-12", received(count(53, nil, nil)))
			s.says("TH", "taskforce", "2025-02-12", received(count(52, nil, nil)))
		}, []string{"departed-received", "received@CN.police"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			test.story(s)
			var got []string
			for _, d := range s.transfer().Discrepancies {
				got = append(got, d.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("discrepancies (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOwnArithmeticNeedsBothSides(t *testing.T) {
	s := newStory(t)
	wrong := &caseworkv1.TransferReceived{TransferId: handover, Count: &caseworkv1.Count{Total: 9, ByNationality: rows("ET", 8)}}
	s.says("TH", "taskforce", "2025-02-12", wrong)
	s.says("TH", "taskforce", "2025-02-12", explained("received/sum-of-rows"))
	if got := states(s.transfer())["received/sum-of-rows"]; got != StateExplainedByOne {
		t.Errorf("the only side that is known made it %q", got)
	}
	s.says("TH", "ministry", "2025-02-12", &caseworkv1.TransferAnnounced{
		TransferId: handover, From: "MM", To: "TH", Count: &caseworkv1.Count{Total: 9}})
	s.says("MM", "defence", "2025-02-13", explained("received/sum-of-rows"))
	if got := states(s.transfer())["received/sum-of-rows"]; got != StateExplained {
		t.Errorf("both sides made it %q", got)
	}
}

func TestTimelineKeepsSupersededClaims(t *testing.T) {
	s := theHandover(t)
	s.says("TH", "taskforce", "2025-02-13", &caseworkv1.TransferReceived{TransferId: handover, Count: &caseworkv1.Count{Total: 261}})
	transfer := s.transfer()
	var totals []uint32
	for _, c := range transfer.Claims {
		totals = append(totals, c.Count.Total)
	}
	if diff := cmp.Diff([]uint32{53, 261, 260, 261}, totals); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	if got := transfer.Received(); len(got) != 1 || got[0].Count.Total != 261 {
		t.Errorf("Received() = %+v, want the newest alone", got)
	}
}

func TestReleasedByDisagreement(t *testing.T) {
	s := theHandover(t)
	s.says("MM", "defence", "2025-02-12", &caseworkv1.TransferReleased{TransferId: handover, ReleasedBy: "the authorities"})
	if got := s.transfer().Attributes.Disagreements(); len(got) != 0 {
		t.Errorf("one claim disagrees with itself: %+v", got)
	}
	s.says("TH", "taskforce", "2025-02-12", &caseworkv1.TransferReleased{TransferId: handover, ReleasedBy: "DKBA"})
	got := s.transfer().Attributes.Disagreements()
	want := Attributes{{Of: "released_by", Differ: true, Says: []Says{
		{Value: "the authorities", Country: "MM", Agency: "defence", Index: 3},
		{Value: "DKBA", Country: "TH", Agency: "taskforce", Index: 4},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("disagreements (-want +got):\n%s", diff)
	}
}

func TestScreeningDue(t *testing.T) {
	screening := func(days uint32) *caseworkv1.TransferScreening {
		return &caseworkv1.TransferScreening{TransferId: handover, WithinDays: days, Under: "national referral mechanism"}
	}
	tests := []struct {
		name     string
		received string // empty: nobody states it
		days     uint32
		want     string
	}{
		{"a time with its offset", "2025-02-12T15:45:00+07:00", 15, "2025-02-27"},
		{"the date where it happened, not in UTC", "2025-02-12T03:00:00+07:00", 15, "2025-02-27"},
		{"over the end of February", "2025-02-20", 15, "2025-03-07"},
		{"not received yet", "", 15, ""},
		{"no such day", "2025-02-31", 15, ""},
		{"no date at all", "soon", 15, ""},
		{"days out of range", "2025-02-12", 1<<32 - 1, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			s.says("TH", "protection", "2025-02-11", screening(test.days))
			if test.received != "" {
				s.says("TH", "taskforce", test.received, received260)
			}
			got := s.transfer().Screenings
			if len(got) != 1 || got[0].Due != test.want {
				t.Errorf("screenings %+v, want one due %q", got, test.want)
			}
		})
	}
}

func TestTransferOddities(t *testing.T) {
	s := newStory(t)
	s.says("MM", "defence", "2025-02-12", departed261)
	s.says("TH", "taskforce", "2025-02-12", &caseworkv1.TransferReceived{TransferId: handover})
	s.says("TH", "ministry", "2025-02-12", &caseworkv1.TransferAnnounced{
		TransferId: handover, From: "TH", To: "TH", Count: &caseworkv1.Count{Total: 1}})
	want := Oddities{
		{0, "departed before it was announced"},
		{1, "no count is stated"},
		{2, "announced from and to the same country"},
	}
	if diff := cmp.Diff(want, s.transfer().Oddities); diff != "" {
		t.Errorf("oddities (-want +got):\n%s", diff)
	}
	if got := s.transfer().Summary(); got.Received != nil || *got.Departed != 261 {
		t.Errorf("a count that nobody stated is not nil: %+v", got)
	}
}
