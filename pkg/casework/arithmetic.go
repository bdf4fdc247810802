package casework

import (
	"fmt"
	"slices"
)

// Problem is two numbers that ought to be equal and are not. Name is stable:
// people refer to it when they explain it.
type Problem struct {
	Name     string `json:"name"`
	Left     uint64 `json:"left"`     // as stated
	Right    uint64 `json:"right"`    // as it adds up, or as stated elsewhere
	Sentence string `json:"sentence"` // plain English
}

// Problems does the arithmetic of one count, in this order:
//
//	sum-of-rows           stated total; sum of the nationalities' totals
//	sexes                 stated total; male and female together, where both are stated
//	male-over-total       stated total; male, where female is not stated (female-over-total likewise)
//	row-CC-sexes          a nationality's total; its male and female together
//	row-CC-male-over-total, row-CC-female-over-total
//	row-CC-twice          a nationality's first total; its second
//	males-of-rows         stated male; sum of the rows' male, where every row states it (females-of-rows likewise)
//	nationalities-N       N nationalities stated; number of rows, where there are rows
//	nationalities-stated  the smallest and the largest number of nationalities, where several are stated
//
// A number that is not stated takes part in nothing. A row whose nationality
// is not a code is called by its place: row-#3-sexes.
func (c *Count) Problems() []Problem {
	if c == nil {
		return nil
	}
	var found problems
	if len(c.Rows) > 0 {
		found.unequal("sum-of-rows", uint64(c.Total), c.sum(),
			"The stated total is %d; the nationalities add up to %d.")
	}
	found.sexes("", "the count", c.Total, c.Male, c.Female)
	c.rowProblems(&found)
	found.column("males-of-rows", "male", c.Male, c.Rows, func(r Row) *uint32 { return r.Male })
	found.column("females-of-rows", "female", c.Female, c.Rows, func(r Row) *uint32 { return r.Female })
	c.nationalityProblems(&found)
	return found
}

type problems []Problem

// unequal adds a problem where left and right differ; sentence formats both.
func (p *problems) unequal(name string, left, right uint64, sentence string) {
	if left != right {
		*p = append(*p, Problem{Name: name, Left: left, Right: right, Sentence: fmt.Sprintf(sentence, left, right)})
	}
}

// sexes compares male and female with a total, as far as they are stated.
func (p *problems) sexes(prefix, of string, total uint32, male, female *uint32) {
	left := uint64(total)
	switch {
	case male != nil && female != nil:
		p.unequal(prefix+"sexes", left, uint64(*male)+uint64(*female),
			"The total of "+of+" is %d; male and female together are %d.")
	case male != nil && *male > total:
		p.unequal(prefix+"male-over-total", left, uint64(*male), "The total of "+of+" is %d, and yet %d are male.")
	case female != nil && *female > total:
		p.unequal(prefix+"female-over-total", left, uint64(*female), "The total of "+of+" is %d, and yet %d are female.")
	}
}

// column compares a stated number with the sum of its column, where every row has one.
func (p *problems) column(name, sex string, stated *uint32, rows []Row, of func(Row) *uint32) {
	if stated == nil || len(rows) == 0 {
		return
	}
	var sum uint64
	for _, row := range rows {
		n := of(row)
		if n == nil {
			return
		}
		sum += uint64(*n)
	}
	p.unequal(name, uint64(*stated), sum, "The stated number of "+sex+" is %d; the rows' "+sex+" add up to %d.")
}

func (c *Count) sum() uint64 {
	var sum uint64
	for _, row := range c.Rows {
		sum += uint64(row.Total)
	}
	return sum
}

// rowProblems looks at each row by itself, and for nationalities that have two.
func (c *Count) rowProblems(found *problems) {
	first := make(map[string]uint32, len(c.Rows))
	twice := make(map[string]bool)
	for i, row := range c.Rows {
		name := row.Nationality
		if !nationalityCode.MatchString(name) {
			name = fmt.Sprintf("#%d", i+1)
		}
		found.sexes("row-"+name+"-", name, row.Total, row.Male, row.Female)
		earlier, again := first[name]
		if !again {
			first[name] = row.Total
			continue
		}
		if twice[name] {
			continue
		}
		twice[name] = true
		// Two equal rows are a problem too: one of them is too many.
		*found = append(*found, Problem{Name: "row-" + name + "-twice", Left: uint64(earlier), Right: uint64(row.Total),
			Sentence: fmt.Sprintf("%s has more than one row: the first says %d, the second %d.", name, earlier, row.Total)})
	}
}

// nationalityProblems compares the stated numbers of nationalities with the
// rows and with each other. Stateless and unknown are rows like any other: a
// source may have counted them or not, so the sentence says how many there are.
func (c *Count) nationalityProblems(found *problems) {
	stated := slices.Compact(slices.Sorted(slices.Values(c.Nationalities)))
	if len(c.Rows) > 0 {
		none := 0
		for _, row := range c.Rows {
			if row.Nationality == "stateless" || row.Nationality == "unknown" {
				none++
			}
		}
		sentence := "The source speaks of %d nationalities; there are %d rows"
		if none > 0 {
			sentence += fmt.Sprintf(", %d of them stateless or unknown", none)
		}
		for _, n := range stated {
			found.unequal(fmt.Sprintf("nationalities-%d", n), uint64(n), uint64(len(c.Rows)), sentence+".")
		}
	}
	if len(stated) > 1 {
		found.unequal("nationalities-stated", uint64(stated[0]), uint64(stated[len(stated)-1]),
			"The source speaks of %d nationalities, and also of %d.")
	}
}
