package scenario

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Step is one report and the agency that makes it.
type Step struct {
	Country, Agency string
	Report          *caseworkv1.Report
}

// purposes say what each family of events is shared for.
var purposes = map[string]string{
	"meeting": "mechanism", "commitment": "mechanism",
	"site": "disruption", "measure": "disruption",
	"transfer": "rescue", "group": "rescue", "person": "rescue", "repatriation": "rescue",
}

// Steps are the reports that the facts give, in the order in which they happened.
// The same facts always give the same steps, so that a scenario can be played
// again: each report has its own idempotency key.
func (f Facts) Steps() ([]Step, error) {
	b := &book{founding: f.Founding}
	for _, chapter := range []func(*book) error{
		f.addMeasures, f.addSites, f.addTalks, f.addTransfers, f.addLists, f.addRepatriations, f.addPeople,
	} {
		if err := chapter(b); err != nil {
			return nil, fmt.Errorf("scenario: %w", err)
		}
	}
	slices.SortStableFunc(b.steps, func(a, c Step) int {
		return cmp.Compare(day(a), day(c))
	})
	for i, step := range b.steps {
		step.Report.IdempotencyKey = fmt.Sprintf("scenario/%03d", i+1)
	}
	return b.steps, nil
}

func day(s Step) string { return s.Report.GetCase().GetOccurred()[:10] }

// book collects steps.
type book struct {
	founding *Founding
	steps    []Step
}

// entry is what a chapter says of one report, besides its content.
type entry struct {
	by       string   // country; where empty, the first agency that speaks of the family
	family   string   // of the event's kind
	parties  []string // who must be able to read it; empty: everybody
	occurred string
	source   string
	note     string
}

var occurredForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}`)

// add makes a report of an entry; set puts the content in.
func (b *book) add(e entry, set func(*caseworkv1.CaseSection)) (*caseworkv1.Report, error) {
	country, agency, err := b.voice(e.by, e.family)
	if err != nil {
		return nil, err
	}
	audience, err := b.audience(country, e.parties)
	if err != nil {
		return nil, err
	}
	if !occurredForm.MatchString(e.occurred) {
		return nil, fmt.Errorf("a %s report of %s has no date (%q)", e.family, country, e.occurred)
	}
	section := &caseworkv1.CaseSection{
		Marking: &caseworkv1.Marking{
			Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_AMBER, Purpose: purposes[e.family],
			Grade: &caseworkv1.Marking_FourByFour{FourByFour: &caseworkv1.FourByFour{
				Source: caseworkv1.FourByFourSource_FOUR_BY_FOUR_SOURCE_B, Information: 2,
			}},
		},
		Source: e.source, Occurred: e.occurred, Note: e.note,
	}
	set(section)
	report := &caseworkv1.Report{Audience: audience, Retention: "case", Case: section}
	b.steps = append(b.steps, Step{Country: country, Agency: agency, Report: report})
	return report, nil
}

// voice is the agency that speaks of a family of events for a country: the one
// that names it, else the country's first.
func (b *book) voice(country, family string) (string, string, error) {
	first := ""
	for _, a := range b.founding.Agencies {
		if country != "" && a.Country != country {
			continue
		}
		if slices.Contains(a.Reports, family) {
			return a.Country, a.Agency, nil
		}
		if first == "" && country != "" {
			first = a.Agency
		}
	}
	if first == "" {
		return "", "", fmt.Errorf("no agency of %q speaks of %s", country, family)
	}
	return country, first, nil
}

// audience is the smallest one that the author and all parties are in; for no
// parties the largest.
func (b *book) audience(country string, parties []string) (string, error) {
	best, size := "", 0
	for _, a := range b.founding.Audiences {
		fits := slices.Contains(a.Members, country)
		for _, party := range parties {
			fits = fits && slices.Contains(a.Members, party)
		}
		better := best == "" || len(parties) > 0 && len(a.Members) < size || len(parties) == 0 && len(a.Members) > size
		if fits && better {
			best, size = a.Audience, len(a.Members)
		}
	}
	if best == "" {
		return "", fmt.Errorf("no audience holds %s and %s", country, strings.Join(parties, ", "))
	}
	return best, nil
}

// slug makes an identifier of a name.
func slug(name string) string {
	lower := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	return strings.Trim(regexp.MustCompile(`-+`).ReplaceAllString(lower, "-"), "-")
}
