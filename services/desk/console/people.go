package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tripoint/tripoint/pkg/casework"
)

func (c *Console) groups(r *http.Request, current session) (response, error) {
	page, err := list[casework.Group](c, r, current, casework.TypeGroup)
	return response{template: "groups", data: page}, err
}

// groupPage is one list of people as counts.
type groupPage struct {
	*casework.Group
	Tables []countTable
	Told   told
}

// countTable is one agency's newest statement of the list, with its arithmetic
// beside the rows that it concerns.
type countTable struct {
	casework.GroupClaim
	Written []sums
	Whole   []casework.Problem // of the list as a whole
	Rows    []markedRow
	Wrong   int // rows that do not add up
}

type markedRow struct {
	casework.Row
	Problems []casework.Problem
}

func (c *Console) group(r *http.Request, current session) (response, error) {
	g, err := read[casework.Group](r.Context(), c.reader(current), casework.TypeGroup, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	told, err := timeline(c, r, current, g.Claims, c.pages.texts.groupSaid)
	if err != nil {
		return response{}, err
	}
	shown := groupPage{Group: g, Told: told}
	newest := map[string]uint64{}
	for _, claim := range g.Claims {
		if claim.Count != nil {
			newest[claim.By()] = claim.Index
		}
	}
	for _, claim := range g.Claims {
		if claim.Count != nil && newest[claim.By()] == claim.Index {
			shown.Tables = append(shown.Tables, c.pages.texts.countTable(claim))
		}
	}
	title, err := c.pages.texts.text("group.title", g.ID)
	return response{template: "group", title: title, data: shown}, err
}

// countTable puts each problem beside its row. Problems of a row are named
// row-CC-...: see casework.Count.Problems.
func (c catalogue) countTable(claim casework.GroupClaim) countTable {
	table := countTable{GroupClaim: claim, Written: []sums{sumsOf(c, "listed", claim.By(), claim.Count)}}
	problems := claim.Count.Problems()
	placed := map[string]bool{}
	for _, row := range claim.Count.Rows {
		marked := markedRow{Row: row}
		for _, problem := range problems {
			if strings.HasPrefix(problem.Name, "row-"+row.Nationality+"-") {
				marked.Problems = append(marked.Problems, problem)
				placed[problem.Name] = true
			}
		}
		if len(marked.Problems) > 0 {
			table.Wrong++
		}
		table.Rows = append(table.Rows, marked)
	}
	for _, problem := range problems {
		if !placed[problem.Name] {
			table.Whole = append(table.Whole, problem)
		}
	}
	return table
}

func (c *Console) people(r *http.Request, current session) (response, error) {
	page, err := list[casework.Person](c, r, current, casework.TypePerson)
	return response{template: "people", data: page}, err
}

// personPage is one person by a pseudonym, with what this session sees of who they are and
// of how they were screened.
type personPage struct {
	*casework.Person
	Identity  record[casework.IdentityRecord]
	Screening record[casework.ScreeningRecord]
	Told      told
}

// record is a document of another compartment than the case.
type record[D any] struct {
	Found *D            // nil: there is none, or it is not for this person
	Why   []liveSection // why there is nothing, or not all, by compartment
}

// recordOf reads what a compartment has of a person. That it is sealed for somebody is said whether
// there is anything or not.
func recordOf[D any](c *Console, r *http.Request, current session, id string, kind string, claims []said) (record[D], error) {
	compartment := compartmentOf(kind)
	if !current.works(compartment) {
		return record[D]{Why: []liveSection{c.section(compartment, "", current)}}, nil
	}
	found, err := read[D](r.Context(), c.reader(current), kind, id)
	if err != nil && !errors.Is(err, errNotFound) {
		return record[D]{}, err
	}
	return record[D]{found, whyNot(claims, compartment)}, nil
}

func (c *Console) person(r *http.Request, current session) (response, error) {
	p, err := read[casework.Person](r.Context(), c.reader(current), casework.TypePerson, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	told, err := timeline(c, r, current, p.Claims, c.pages.texts.personSaid)
	if err != nil {
		return response{}, err
	}
	shown := personPage{Person: p, Told: told}
	if shown.Identity, err = recordOf[casework.IdentityRecord](c, r, current, p.ID, casework.TypeIdentity, told.Claims); err != nil {
		return response{}, err
	}
	if shown.Screening, err = recordOf[casework.ScreeningRecord](c, r, current, p.ID, casework.TypeScreening, told.Claims); err != nil {
		return response{}, err
	}
	title, err := c.pages.texts.text("person.title", p.ID)
	return response{template: "person", title: title, data: shown}, err
}
