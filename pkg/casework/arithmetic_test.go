package casework

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// list7141 is the list of 7,141 people of late February 2025 as published,
// with its errors.
func list7141() *caseworkv1.Count {
	count := &caseworkv1.Count{Total: 7141, Male: n(6716), Female: n(425), Nationalities: []uint32{27, 28}}
	for _, r := range []struct {
		code                string
		total, male, female uint32
	}{
		{"CN", 4860, 4764, 96}, {"VN", 572, 511, 61}, {"IN", 526, 498, 28}, {"ET", 430, 396, 34}, {"ID", 283, 217, 66},
		{"PH", 127, 54, 73}, {"PK", 78, 64, 4}, {"MY", 70, 65, 5}, {"KE", 64, 38, 26}, {"ZA", 26, 19, 7}, {"TW", 25, 24, 1},
		{"NP", 17, 15, 2}, {"UG", 13, 5, 8}, {"stateless", 9, 0, 0}, {"LK", 8, 8, 0}, {"UZ", 8, 7, 1}, {"NG", 7, 2, 5},
		{"GH", 6, 5, 1}, {"BD", 6, 6, 0}, {"CM", 6, 3, 3}, {"NA", 4, 2, 2}, {"RW", 4, 4, 0}, {"TN", 3, 3, 0}, {"CZ", 2, 1, 1},
		{"LA", 1, 0, 1}, {"RO", 1, 1, 0}, {"DZ", 1, 1, 0}, {"SG", 1, 1, 0},
	} {
		row := &caseworkv1.NationalityCount{Nationality: r.code, Total: r.total, Male: n(r.male), Female: n(r.female)}
		if r.code == "stateless" { // published without sexes
			row.Male, row.Female = nil, nil
		}
		count.ByNationality = append(count.ByNationality, row)
	}
	return count
}

func TestProblems(t *testing.T) {
	type found struct {
		Name        string
		Left, Right uint64
	}
	row := func(code string, total uint32, male, female *uint32) Row { return Row{code, total, male, female} }
	tests := []struct {
		name  string
		count *Count
		want  []found
	}{
		{"nothing", nil, nil},
		{"a bare total", &Count{Total: 261}, nil},
		{"zero people", &Count{}, nil},
		{"the handover as announced", CountOf(announced53.Count), nil},
		{"the handover as received", CountOf(received260.Count), nil},
		{"the list of 7,141", CountOf(list7141()), []found{
			{"sum-of-rows", 7141, 7158}, {"row-PK-sexes", 78, 68},
			{"nationalities-27", 27, 28}, {"nationalities-stated", 27, 28}}},
		{"rows below the total", &Count{Total: 10, Rows: []Row{row("ET", 4, nil, nil), row("KE", 5, nil, nil)}},
			[]found{{"sum-of-rows", 10, 9}}},
		{"rows past 32 bits", &Count{Total: 0, Rows: []Row{row("ET", 1<<32-1, nil, nil), row("KE", 1, nil, nil)}},
			[]found{{"sum-of-rows", 0, 1 << 32}}},
		{"sexes past 32 bits", &Count{Total: 0, Male: n(1<<32 - 1), Female: n(1)}, []found{{"sexes", 0, 1 << 32}}},
		{"sexes do not sum", &Count{Total: 260, Male: n(221), Female: n(40)}, []found{{"sexes", 260, 261}}},
		{"one sex stated is not the other at zero", &Count{Total: 260, Male: n(221)}, nil},
		{"zero stated is stated", &Count{Total: 260, Male: n(221), Female: n(0)}, []found{{"sexes", 260, 221}}},
		{"male alone above the total", &Count{Total: 5, Male: n(6)}, []found{{"male-over-total", 5, 6}}},
		{"female alone above the total", &Count{Total: 5, Female: n(6)}, []found{{"female-over-total", 5, 6}}},
		{"a row's sexes", &Count{Total: 78, Rows: []Row{row("PK", 78, n(64), n(4))}}, []found{{"row-PK-sexes", 78, 68}}},
		{"a row with one sex", &Count{Total: 9, Rows: []Row{row("stateless", 9, n(3), nil)}}, nil},
		{"a row's male above its total", &Count{Total: 9, Rows: []Row{row("unknown", 9, n(10), nil)}},
			[]found{{"row-unknown-male-over-total", 9, 10}}},
		{"columns", &Count{Total: 9, Male: n(5), Female: n(4), Rows: []Row{row("ET", 4, n(2), n(2)), row("KE", 5, n(2), n(3))}},
			[]found{{"males-of-rows", 5, 4}, {"females-of-rows", 4, 5}}},
		{"a column with a gap is no column", &Count{Total: 9, Male: n(5), Female: n(4),
			Rows: []Row{row("ET", 4, nil, n(2)), row("KE", 5, n(2), n(3))}}, []found{{"females-of-rows", 4, 5}}},
		{"a column whose sum is not stated", &Count{Total: 4, Rows: []Row{row("ET", 4, n(2), n(2))}}, nil},
		{"two rows of one nationality", &Count{Total: 9, Rows: []Row{row("ET", 4, nil, nil), row("ET", 5, nil, nil)}},
			[]found{{"row-ET-twice", 4, 5}}},
		{"two equal rows are no less a problem", &Count{Total: 8, Rows: []Row{row("ET", 4, nil, nil), row("ET", 4, nil, nil), row("ET", 0, nil, nil)}},
			[]found{{"row-ET-twice", 4, 4}}},
		{"a row without a readable nationality", &Count{Total: 2, Rows: []Row{row("ET", 1, nil, nil), row("x/y", 1, n(1), n(1))}},
			[]found{{"row-#2-sexes", 1, 2}}},
		{"number of nationalities", &Count{Total: 2, Rows: []Row{row("ET", 1, nil, nil), row("KE", 1, nil, nil)}, Nationalities: []uint32{3}},
			[]found{{"nationalities-3", 3, 2}}},
		{"nationalities with no rows", &Count{Total: 2, Nationalities: []uint32{3}}, nil},
		{"two numbers of nationalities", &Count{Total: 2, Nationalities: []uint32{4, 3, 4}}, []found{{"nationalities-stated", 3, 4}}},
		{"one number of nationalities twice", &Count{Total: 2, Nationalities: []uint32{3, 3}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []found
			for _, p := range test.count.Problems() {
				got = append(got, found{p.Name, p.Left, p.Right})
				if p.Sentence == "" || p.Sentence[len(p.Sentence)-1] != '.' {
					t.Errorf("%s: %q is no sentence", p.Name, p.Sentence)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblemsDoNotAlterTheCount(t *testing.T) {
	count := &Count{Total: 1, Nationalities: []uint32{28, 27}}
	count.Problems()
	if diff := cmp.Diff([]uint32{28, 27}, count.Nationalities); diff != "" {
		t.Errorf("the originator's order of numbers changed:\n%s", diff)
	}
}

func TestSentences(t *testing.T) {
	var got []string
	for _, p := range CountOf(list7141()).Problems() {
		got = append(got, p.Sentence)
	}
	want := []string{
		"The stated total is 7141; the nationalities add up to 7158.",
		"The total of PK is 78; male and female together are 68.",
		"The source speaks of 27 nationalities; there are 28 rows, 1 of them stateless or unknown.",
		"The source speaks of 27 nationalities, and also of 28.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sentences (-want +got):\n%s", diff)
	}
}

func TestAdversary_G05_ListThatDoesNotSum(t *testing.T) {
	s := newStory(t)
	s.says("TH", "taskforce", "2025-02-28", &caseworkv1.GroupListed{
		GroupId: "G-7141", Title: "people to be sent home", SentBy: "Border Guard Force", Count: list7141()})
	group := read[Group](s, TypeGroup, "G-7141")
	var names []string
	for _, p := range group.Problems {
		names = append(names, p.Name)
	}
	want := []string{"listed/sum-of-rows", "listed/row-PK-sexes", "listed/nationalities-27", "listed/nationalities-stated"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if got := group.Claims[0].Count.Total; got != 7141 {
		t.Errorf("the stated total was mended to %d", got)
	}
}
