package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/casework"
)

func (c *Console) transfers(r *http.Request, current session) (response, error) {
	page, err := list[casework.Transfer](c, r, current, casework.TypeTransfer)
	return response{template: "transfers", data: page}, err
}

// transferPage is one handover with both sides' counts.
type transferPage struct {
	*casework.Transfer
	Columns       []column
	Table         []tableRow
	Sums          []sums
	Discrepancies []discrepancyView
	Told          told
	Open          int // discrepancies that are not explained by both sides
}

// column is one agency's standing statement of one step.
type column struct {
	Phase string // announced, departed, received
	casework.TransferClaim
}

// tableRow is one line of the comparison: the same number as each column has it.
type tableRow struct {
	Label  string // a key of the catalogue, or empty where Code is set
	Code   string // a nationality
	Cells  []*uint32
	Differ bool // two columns state it and do not agree
}

func (c *Console) transfer(r *http.Request, current session) (response, error) {
	t, err := read[casework.Transfer](r.Context(), c.reader(current), casework.TypeTransfer, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	told, err := timeline(c, r, current, t.Claims, c.pages.texts.transferSaid)
	if err != nil {
		return response{}, err
	}
	shown := transferPage{Transfer: t, Told: told}
	for _, phase := range []struct {
		name   string
		claims []casework.TransferClaim
	}{{"announced", t.Announced()}, {"departed", t.Departed()}, {"received", t.Received()}} {
		for _, claim := range phase.claims {
			shown.Columns = append(shown.Columns, column{phase.name, claim})
		}
	}
	shown.Table = compare(shown.Columns)
	for _, column := range shown.Columns {
		shown.Sums = append(shown.Sums, sumsOf(c.pages.texts, column.Phase, column.By(), column.Count))
	}
	for _, d := range t.Discrepancies {
		shown.Discrepancies = append(shown.Discrepancies, explain(d, t.Claims))
		if d.State != casework.StateExplained {
			shown.Open++
		}
	}
	title, err := c.pages.texts.text("transfer.title", t.ID)
	return response{template: "transfer", title: title, data: shown}, err
}

// compare lays the columns' numbers beside each other. Nationalities come in the
// order in which they are first stated, from the last column on: the longest list.
func compare(columns []column) []tableRow {
	rows := []tableRow{{Label: "count.total"}, {Label: "count.male"}, {Label: "count.female"}}
	var codes []string
	for _, column := range slices.Backward(columns) {
		for _, row := range column.Count.Rows {
			if !slices.Contains(codes, row.Nationality) {
				codes = append(codes, row.Nationality)
				rows = append(rows, tableRow{Code: row.Nationality})
			}
		}
	}
	for i := range rows {
		for _, column := range columns {
			rows[i].Cells = append(rows[i].Cells, cell(rows[i], column.Count))
		}
		rows[i].Differ = differ(rows[i].Cells)
	}
	return slices.DeleteFunc(rows, func(row tableRow) bool {
		return !slices.ContainsFunc(row.Cells, func(n *uint32) bool { return n != nil })
	})
}

func cell(row tableRow, count *casework.Count) *uint32 {
	switch row.Label {
	case "count.total":
		return &count.Total
	case "count.male":
		return count.Male
	case "count.female":
		return count.Female
	}
	for _, stated := range count.Rows {
		if stated.Nationality == row.Code {
			return &stated.Total
		}
	}
	return nil
}

func differ(cells []*uint32) bool {
	var first *uint32
	for _, n := range cells {
		switch {
		case n == nil:
		case first == nil:
			first = n
		case *n != *first:
			return true
		}
	}
	return false
}

// sums is the arithmetic of one statement, written out.
type sums struct {
	Phase, By string
	Sums      []sum
}

// sum is one addition beside the number that it should give.
type sum struct {
	Label  string // a key of the catalogue
	Terms  string // 138 + 23 + 16
	Result uint64
	Stated uint64
}

// Agrees says whether the addition gives what was stated.
func (s sum) Agrees() bool { return s.Result == s.Stated }

func sumsOf(texts catalogue, phase, by string, count *casework.Count) sums {
	shown := sums{Phase: phase, By: by}
	add := func(label string, stated uint64, parts ...uint64) {
		one := sum{Label: label, Stated: stated}
		terms := make([]string, len(parts))
		for i, part := range parts {
			terms[i] = texts.number(part)
			one.Result += part
		}
		one.Terms = strings.Join(terms, " + ")
		shown.Sums = append(shown.Sums, one)
	}
	if len(count.Rows) > 0 {
		parts := make([]uint64, len(count.Rows))
		for i, row := range count.Rows {
			parts[i] = uint64(row.Total)
		}
		add("sum.nationalities", uint64(count.Total), parts...)
	}
	if count.Male != nil && count.Female != nil {
		add("sum.sexes", uint64(count.Total), uint64(*count.Male), uint64(*count.Female))
	}
	return shown
}

// discrepancyView is a discrepancy with its explanations' words, and who has
// still to explain it.
type discrepancyView struct {
	casework.Discrepancy
	Accounts []account
	Waiting  []string // countries
}

type account struct {
	casework.Explanation
	Reason string
}

func explain(d casework.Discrepancy, claims []casework.TransferClaim) discrepancyView {
	shown := discrepancyView{Discrepancy: d, Waiting: slices.Clone(d.Sides)}
	for _, e := range d.Explanations {
		one := account{Explanation: e}
		for _, claim := range claims {
			if claim.Index == e.Index {
				one.Reason = claim.Reason
			}
		}
		shown.Accounts = append(shown.Accounts, one)
		if e.Side && e.Current {
			shown.Waiting = slices.DeleteFunc(shown.Waiting, func(country string) bool { return country == e.Country })
		}
	}
	return shown
}

// Gap is by how much the two numbers differ.
func (d discrepancyView) Gap() uint64 {
	if d.Left > d.Right {
		return d.Left - d.Right
	}
	return d.Right - d.Left
}

// repatriationPage is one return of people.
type repatriationPage struct {
	*casework.Repatriation
	Told told
}

func (c *Console) repatriations(r *http.Request, current session) (response, error) {
	page, err := list[casework.Repatriation](c, r, current, casework.TypeRepatriation)
	return response{template: "repatriations", data: page}, err
}

func (c *Console) repatriation(r *http.Request, current session) (response, error) {
	found, err := read[casework.Repatriation](r.Context(), c.reader(current), casework.TypeRepatriation, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	told, err := timeline(c, r, current, found.Claims, c.pages.texts.repatriationSaid)
	if err != nil {
		return response{}, err
	}
	title, err := c.pages.texts.text("repatriation.title", found.ID)
	shown := repatriationPage{found, told}
	if err != nil {
		return response{}, fmt.Errorf("showing a repatriation: %w", err)
	}
	return response{template: "repatriation", title: title, data: shown}, nil
}
