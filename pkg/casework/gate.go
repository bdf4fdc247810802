package casework

import (
	"fmt"
	"slices"
)

// Breaches is the document of one event that went through a gate regardless:
// all documents of TypeBreach are the list for desks and auditors, by index.
type Breaches struct {
	Claim
	Breaches []Breach `json:"breaches"`
}

func (b *Breaches) derive() {}

// judge puts an event before the gates. A gate is a function of the event and
// of the state before it; a breach is kept, never hidden, and stops nothing.
func (f *folding) judge() error {
	var found []Breach
	breach := func(code, what string) {
		found = append(found, Breach{Code: code, Index: f.said.Index, What: oneLine(what)})
	}
	for _, compartment := range f.said.Unreadable {
		breach(BreachUnreadable, fmt.Sprintf("the %s section cannot be read: it is no message of a compartment that this version knows", compartment))
	}
	// The class stands in the header: it is judged whether or not anything can be read.
	if len(f.said.Classes) > 0 && !slices.Contains(f.said.Classes, f.said.Retention) {
		breach(BreachRetention, fmt.Sprintf("of retention class %q, which audience %q does not have", f.said.Retention, f.said.Audience))
	}
	if f.said.Case != nil { // else there is no marking to judge: sealed or absent
		f.judgeCase(breach)
		if err := f.judgeControl(breach); err != nil {
			return err
		}
	}
	if len(found) == 0 {
		return nil
	}
	f.change.Breaches = found
	return write(f, Ref{TypeBreach, byIndex(f.said.Index)}, func(b *Breaches) {
		b.Claim, b.Breaches = f.claim, found
	})
}

func (f *folding) judgeCase(breach func(code, what string)) {
	purpose := f.claim.Marking.Purpose
	switch {
	case purpose == "":
		breach(BreachPurpose, fmt.Sprintf("marked for no purpose; audience %q needs one", f.said.Audience))
	case !slices.Contains(f.said.Purposes, purpose):
		breach(BreachPurpose, fmt.Sprintf("marked for %.64q, which is no purpose of audience %q", purpose, f.said.Audience))
	}
	if f.change.Kind != "" && f.said.Kind != f.change.Kind && f.said.Kind != KindSealed {
		breach(BreachKind, fmt.Sprintf("announced as %.64q, and its content is %q", f.said.Kind, f.change.Kind))
	}
}
