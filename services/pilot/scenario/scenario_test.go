package scenario

import (
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/casework"
)

func steps(t *testing.T, f Facts) []Step {
	t.Helper()
	played, err := f.Steps()
	if err != nil {
		t.Fatal(err)
	}
	return played
}

func TestBuiltInScenarioIsWhatPublishersAccept(t *testing.T) {
	facts, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, step := range steps(t, facts) {
		if err := protovalidate.Validate(step.Report); err != nil {
			t.Errorf("%s: %v", step.Report.GetIdempotencyKey(), err)
		}
		kind, err := casework.KindOf(step.Report.GetCase())
		if err != nil {
			t.Fatal(err)
		}
		kinds[kind]++
	}
	want := map[string]int{
		"meeting.held": 2, "commitment.made": 4, "site.reported": 2, "measure.in_force": 1, "measure.observed": 1,
		"transfer.announced": 1, "transfer.departed": 1, "transfer.received": 1, "transfer.released": 2, "transfer.screening": 1,
		"group.listed": 1, "person.reported": 3, "person.screened": 3, "repatriation.departed": 3, "repatriation.arrived": 2,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds of events (-want +got):\n%s", diff)
	}
}

func TestSameFactsGiveTheSameSteps(t *testing.T) {
	facts, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	one, two := steps(t, facts), steps(t, facts)
	for i := range one {
		if one[i].Country != two[i].Country || one[i].Agency != two[i].Agency || !proto.Equal(one[i].Report, two[i].Report) {
			t.Errorf("step %d differs between two readings of one file", i)
		}
	}
}

func TestFactsNeedNoFounding(t *testing.T) {
	facts, err := Parse([]byte(`
transfer_2030_01_02:
  crossing: somewhere
  announced: {count: 7, by: TH, source: "a notice"}
  departed: {count: 9, by: MM}
  received: {count: 8, by: TH, at: "2030-01-02T10:00:00+07:00", by_nationality: {KE: 8}}
  released_by: {claims: [{by: MM, who: one}, {by: press, who: another}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	var totals []uint32
	for _, step := range steps(t, facts) {
		c := step.Report.GetCase()
		for _, count := range []uint32{
			c.GetTransferAnnounced().GetCount().GetTotal(), c.GetTransferDeparted().GetCount().GetTotal(), c.GetTransferReceived().GetCount().GetTotal(),
		} {
			if count > 0 {
				totals = append(totals, count)
			}
		}
	}
	if diff := cmp.Diff([]uint32{7, 9, 8}, totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
}

func TestFaultyFilesTeach(t *testing.T) {
	for name, test := range map[string]struct{ text, says string }{
		"unknown section": {"weather: fine\n", `weather: unknown: want founding`},
		"unknown field":   {"measures:\n  bye: TH\n", "field bye not found"},
		"no date":         {"measures:\n  by: TH\n  kinds: [fuel]\n", "in_force is no date"},
		"unknown kind":    {"measures:\n  by: TH\n  in_force: 2030-01-01\n  kinds: [gas]\n", `kind "gas" is unknown`},
		"no member":       {"measures:\n  by: XX\n  in_force: 2030-01-01\n  kinds: [fuel]\n", `no agency of "XX"`},
		"one party":       {"talks:\n  - {on: 2030-01-01, parties: [TH]}\n", "1 parties, want two"},
		"half a transfer": {"transfer_2030_01_01:\n  announced: {count: 1, by: TH}\n", "want announced, departed and received"},
		"short row":       {"list_of_3:\n  on: 2030-01-01\n  rows: {KE: [3]}\n", "want [total, male, female]"},
	} {
		facts, err := Parse([]byte(test.text))
		if err == nil {
			_, err = facts.Steps()
		}
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, test.says)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(builtIn)
	f.Fuzz(func(t *testing.T, data []byte) {
		facts, err := Parse(data)
		if err != nil {
			return
		}
		if _, err := facts.Steps(); err != nil {
			return
		}
	})
}
