package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tripoint/tripoint/pkg/casework"
)

func (c *Console) groups(r *http.Request, _ session) (response, error) {
	page, err := list[casework.Group](c, r, casework.TypeGroup)
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

func (c *Console) group(r *http.Request, _ session) (response, error) {
	g, err := read[casework.Group](r.Context(), c.config.Reader, casework.TypeGroup, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	shown := groupPage{Group: g, Told: timeline(c, r, g.Claims, c.pages.texts.groupSaid)}
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

func (c *Console) people(r *http.Request, _ session) (response, error) {
	page, err := list[casework.Person](c, r, casework.TypePerson)
	return response{template: "people", data: page}, err
}

// personPage is one person by a pseudonym. Identity is nil where this desk holds
// none, or where the session's role does not see names.
type personPage struct {
	*casework.Person
	Identity *casework.IdentityRecord
	Held     bool // this desk holds an identity
	Told     told
}

func (c *Console) person(r *http.Request, current session) (response, error) {
	p, err := read[casework.Person](r.Context(), c.config.Reader, casework.TypePerson, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	shown := personPage{Person: p, Told: timeline(c, r, p.Claims, c.pages.texts.personSaid)}
	identity, err := read[casework.IdentityRecord](r.Context(), c.config.Reader, casework.TypeIdentity, p.ID)
	switch {
	case errors.Is(err, errNotFound):
	case err != nil:
		return response{}, err
	default:
		shown.Held = true
		if current.mayIdentify() {
			shown.Identity = identity
		}
	}
	title, err := c.pages.texts.text("person.title", p.ID)
	return response{template: "person", title: title, data: shown}, err
}
