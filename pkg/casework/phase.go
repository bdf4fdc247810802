package casework

import (
	"fmt"
	"slices"
)

// statement is one agency's count of the people in one phase.
type statement struct {
	claim Claim
	count *Count
}

// phase is what agencies state of one step of a movement of people: each
// agency's newest statement, the one that stands for the phase first.
type phase struct {
	name    string
	current []statement
}

// newPhase keeps each agency's newest statement, in the order in which the
// agencies first spoke. The one that stands is the first by a country whose
// step it is (own), else the first: whoever speaks later can contradict it,
// never take its place. A statement without a count takes nothing back.
func newPhase(name string, all []statement, own ...string) phase {
	p := phase{name: name}
	for _, s := range all {
		if s.count == nil {
			continue
		}
		earlier := slices.IndexFunc(p.current, func(e statement) bool { return e.claim.By() == s.claim.By() })
		if earlier < 0 {
			p.current = append(p.current, s)
		} else {
			p.current[earlier] = s
		}
	}
	mine := slices.IndexFunc(p.current, func(s statement) bool { return slices.Contains(own, s.claim.Country) })
	if mine > 0 {
		s := p.current[mine]
		p.current = slices.Insert(slices.Delete(p.current, mine, mine+1), 0, s)
	}
	return p
}

// standing returns the statement that stands for the phase, and whether there is one.
func (p phase) standing() (statement, bool) {
	if len(p.current) == 0 {
		return statement{}, false
	}
	return p.current[0], true
}

// total returns the standing total; nil where nothing is stated.
func (p phase) total() *uint64 {
	s, stated := p.standing()
	if !stated {
		return nil
	}
	n := uint64(s.count.Total)
	return &n
}

// difference is a problem with the countries whose statements make it.
type difference struct {
	Problem
	claimants []string // one or two
}

// between compares what stands for two phases: "departed-received",
// "departed-received:male", "departed-received:ET". Only what both state is compared.
func between(left, right phase) []difference {
	l, stated := left.standing()
	r, alsoStated := right.standing()
	if !stated || !alsoStated {
		return nil
	}
	return compareStatements(left.name+"-"+right.name, left.name, l, right.name, r)
}

// within compares the other agencies' statements of a phase with the one that
// stands: "received@TH.police", and by sex and nationality as in between.
func (p phase) within() []difference {
	var found []difference
	for i, s := range p.current {
		if i > 0 {
			found = append(found, compareStatements(p.name+"@"+s.claim.By(), p.name, p.current[0], p.name, s)...)
		}
	}
	return found
}

// arithmetic is each statement's own problems: "received/sum-of-rows" of the
// one that stands, "received@TH.police/sum-of-rows" of another.
func (p phase) arithmetic() []difference {
	var found []difference
	for i, s := range p.current {
		prefix := p.name
		if i > 0 {
			prefix += "@" + s.claim.By()
		}
		for _, problem := range s.count.Problems() {
			problem.Name = prefix + "/" + problem.Name
			problem.Sentence = fmt.Sprintf("%s, of those %s: %s", s.claim.By(), p.name, problem.Sentence)
			found = append(found, difference{problem, []string{s.claim.Country}})
		}
	}
	return found
}

func compareStatements(name, leftName string, l statement, rightName string, r statement) []difference {
	var found []difference
	compare := func(suffix, of string, left, right uint32) {
		if left == right {
			return
		}
		claimants := []string{l.claim.Country}
		if r.claim.Country != l.claim.Country {
			claimants = append(claimants, r.claim.Country)
		}
		found = append(found, difference{Problem{
			Name:  name + suffix,
			Left:  uint64(left),
			Right: uint64(right),
			Sentence: fmt.Sprintf("%s states %d%s %s; %s states %d%s %s.",
				l.claim.By(), left, of, leftName, r.claim.By(), right, of, rightName),
		}, claimants})
	}
	compare("", "", l.count.Total, r.count.Total)
	if l.count.Male != nil && r.count.Male != nil {
		compare(":male", " male", *l.count.Male, *r.count.Male)
	}
	if l.count.Female != nil && r.count.Female != nil {
		compare(":female", " female", *l.count.Female, *r.count.Female)
	}
	for _, row := range l.count.Rows {
		if !nationalityCode.MatchString(row.Nationality) {
			continue
		}
		left, leftStated := l.count.nationality(row.Nationality)
		right, rightStated := r.count.nationality(row.Nationality)
		if leftStated && rightStated {
			compare(":"+row.Nationality, " of "+row.Nationality, left, right)
		}
	}
	return found
}
