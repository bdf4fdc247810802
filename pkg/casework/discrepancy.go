package casework

import (
	"fmt"
	"slices"
	"strings"
)

// Discrepancy is a problem of a transfer that stays until both sides have
// explained it. One between two sides' figures stays even where a side states
// its figure anew and they agree: whoever counted 261 people and now says 260
// still owes an account of one. A statement's own arithmetic may be mended.
//
// Names are stable and are what an explanation refers to:
//
//	announced-departed, departed-received   two sides' totals
//	announced-received                      where nobody has stated a departure
//	departed-received:male, :female, :ET    where both state it
//	received@TH.police, and with :ET        another agency's statement of the same phase
//	received/sum-of-rows                    a statement's own arithmetic (Count.Problems)
//	received@TH.police/sum-of-rows          that of another agency
type Discrepancy struct {
	Problem
	State        string        `json:"state"`
	Restated     bool          `json:"restated,omitempty"` // newer statements no longer show it
	Sides        []string      `json:"sides"`              // countries that have to explain it
	Explanations []Explanation `json:"explanations,omitempty"`
}

// States of a discrepancy.
const (
	StateOpen           = "open"
	StateExplainedByOne = "explained-by-one" // by some side, not yet by all
	StateExplained      = "explained"
)

// Explanation is one agency's account. It counts where it is a side's and the
// figures are still those that it explained.
type Explanation struct {
	Index   uint64 `json:"index"` // of the claim, which has the reason
	Country string `json:"country"`
	Agency  string `json:"agency"`
	Side    bool   `json:"side"`    // the country is a side of this discrepancy
	Current bool   `json:"current"` // the figures have not changed since
}

func (t *Transfer) discrepancies() []Discrepancy {
	announced, departed, received := t.phases()
	found := between(announced, departed)
	found = append(found, between(departed, received)...)
	if len(departed.current) == 0 {
		found = append(found, between(announced, received)...)
	}
	phases := []phase{announced, departed, received}
	for _, p := range phases {
		found = append(found, p.within()...)
		found = append(found, p.arithmetic()...)
	}
	var list []Discrepancy
	for _, d := range found {
		list = append(list, Discrepancy{Problem: d.Problem, Sides: t.sides(d.claimants, phases)})
	}
	list = append(list, restated(t.Discrepancies, list, phases)...)
	for i := range list {
		list[i].explain(t.Claims)
	}
	return list
}

// restated are the discrepancies between two sides that were there before and no
// longer show, though both phases are still stated.
func restated(before, now []Discrepancy, phases []phase) []Discrepancy {
	stated := map[string]bool{}
	for _, p := range phases {
		stated[p.name] = len(p.current) > 0
	}
	between := map[string]bool{
		"announced-departed": stated["announced"] && stated["departed"],
		"departed-received":  stated["departed"] && stated["received"],
		"announced-received": stated["announced"] && stated["received"] && !stated["departed"],
	}
	var kept []Discrepancy
	for _, d := range before {
		pair, _, _ := strings.Cut(d.Name, ":")
		shows := slices.ContainsFunc(now, func(other Discrepancy) bool { return other.Name == d.Name })
		if shows || !between[pair] {
			continue
		}
		d.Restated, d.Explanations = true, nil
		d.Sentence = fmt.Sprintf("It was %d against %d. Newer statements no longer show it; both sides still owe an account.", d.Left, d.Right)
		kept = append(kept, d)
	}
	return kept
}

// sides returns the countries that have to explain a discrepancy, sorted. They
// are the two ends of the transfer, where all who announced it agree on them
// and nobody else states a departure or a reception: an outsider who announces
// a route must not be able to close what others disagree about. Otherwise they
// are the countries whose statements differ; for one country's own arithmetic,
// all countries whose statements stand.
func (t *Transfer) sides(claimants []string, phases []phase) []string {
	from, to := t.route()
	ends := from != "" && to != ""
	var standing []string
	for i, p := range phases {
		s, stated := p.standing()
		if !stated {
			continue
		}
		standing = append(standing, s.claim.Country)
		if i > 0 && s.claim.Country != from && s.claim.Country != to {
			ends = false
		}
	}
	sides := slices.Clone(claimants)
	switch {
	case ends:
		sides = []string{from, to}
	case len(claimants) < 2:
		sides = append(sides, standing...)
	}
	slices.Sort(sides)
	return slices.Compact(sides)
}

// explain gathers the explanations and sets the state. One country alone never
// closes a discrepancy, even where no other side is known.
func (d *Discrepancy) explain(claims []TransferClaim) {
	var by []string
	for _, c := range claims {
		if c.Kind != kindExplained || c.Discrepancy != d.Name {
			continue
		}
		e := Explanation{
			Index: c.Index, Country: c.Country, Agency: c.Agency,
			Side:    slices.Contains(d.Sides, c.Country),
			Current: c.Saw != nil && *c.Saw == Figures{d.Left, d.Right},
		}
		d.Explanations = append(d.Explanations, e)
		if e.Side && e.Current && !slices.Contains(by, c.Country) {
			by = append(by, c.Country)
		}
	}
	switch {
	case len(by) == 0:
		d.State = StateOpen
	case len(by) < len(d.Sides) || len(d.Sides) < 2:
		d.State = StateExplainedByOne
	default:
		d.State = StateExplained
	}
}

// TransferSummary is a transfer in a few numbers: part of the contract of the
// command's JSON output, changed only by addition. A phase of which nobody has
// stated a count is null.
type TransferSummary struct {
	ID            string               `json:"id"`
	Announced     *uint64              `json:"announced"`
	Departed      *uint64              `json:"departed"`
	Received      *uint64              `json:"received"`
	Discrepancies []DiscrepancySummary `json:"discrepancies"`
}

// DiscrepancySummary is a discrepancy in a TransferSummary.
type DiscrepancySummary struct {
	Name  string `json:"name"`
	Left  uint64 `json:"left"`
	Right uint64 `json:"right"`
	State string `json:"state"`
}

// Summary returns the transfer in a few numbers.
func (t *Transfer) Summary() TransferSummary {
	announced, departed, received := t.phases()
	summary := TransferSummary{
		ID:        t.ID,
		Announced: announced.total(), Departed: departed.total(), Received: received.total(),
		Discrepancies: []DiscrepancySummary{},
	}
	for _, d := range t.Discrepancies {
		summary.Discrepancies = append(summary.Discrepancies, DiscrepancySummary{d.Name, d.Left, d.Right, d.State})
	}
	return summary
}

// Announced returns each agency's newest statement of those to come, the one that stands first.
func (t *Transfer) Announced() []TransferClaim { p, _, _ := t.phases(); return t.of(p) }

// Departed returns each agency's newest statement of those who left, the one that stands first.
func (t *Transfer) Departed() []TransferClaim { _, p, _ := t.phases(); return t.of(p) }

// Received returns each agency's newest statement of those who came, the one that stands first.
func (t *Transfer) Received() []TransferClaim { _, _, p := t.phases(); return t.of(p) }

func (t *Transfer) of(p phase) []TransferClaim {
	var list []TransferClaim
	for _, s := range p.current {
		for _, c := range t.Claims {
			if c.Index == s.claim.Index {
				list = append(list, c)
			}
		}
	}
	return list
}
