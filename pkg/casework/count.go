package casework

import (
	"regexp"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Count is a stated number of people with its parts, as stated. What is nil was
// not stated, and is never treated as zero.
type Count struct {
	Total         uint32   `json:"total"`
	Male          *uint32  `json:"male,omitempty"`
	Female        *uint32  `json:"female,omitempty"`
	Rows          []Row    `json:"by_nationality,omitempty"` // in the originator's order
	Nationalities []uint32 `json:"nationalities,omitempty"`  // how many nationalities; several where sources differ
}

// Row is the share of one nationality.
type Row struct {
	Nationality string  `json:"nationality"` // ISO 3166-1 alpha-2, stateless or unknown
	Total       uint32  `json:"total"`
	Male        *uint32 `json:"male,omitempty"`
	Female      *uint32 `json:"female,omitempty"`
}

// CountOf reads a count; nil for nil.
func CountOf(c *caseworkv1.Count) *Count {
	if c == nil {
		return nil
	}
	count := &Count{
		Total:         c.Total,
		Male:          c.Male,
		Female:        c.Female,
		Nationalities: c.Nationalities,
	}
	for _, n := range c.ByNationality {
		row := Row{Nationality: n.GetNationality(), Total: n.GetTotal()}
		if n != nil {
			row.Male, row.Female = n.Male, n.Female
		}
		count.Rows = append(count.Rows, row)
	}
	return count
}

// nationality returns the stated total of a nationality, and false where it is
// not stated, or stated in several rows and so has no one figure.
func (c *Count) nationality(code string) (uint32, bool) {
	var total uint32
	found := 0
	for _, row := range c.Rows {
		if row.Nationality == code {
			total = row.Total
			found++
		}
	}
	return total, found == 1
}

// nationalityCode is the form of a code that may stand in a problem's name.
var nationalityCode = regexp.MustCompile(`^([A-Z]{2}|stateless|unknown)$`)
