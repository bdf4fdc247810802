package casework

import (
	"slices"
	"strings"
)

// Unplaced is an event of which the fold could make no entity: its content is
// absent, of a later version, or has no readable identifier. The journal has its bytes.
type Unplaced struct {
	Claim
	Why []string `json:"why"`
}

func (u *Unplaced) derive() {}

// noContent files an event whose case section says nothing. One that is closed, or may be, is
// in no document but those of its header and of its open sections: its entry says why.
func (f *folding) noContent() error {
	closed := slices.ContainsFunc(f.said.Closed, func(c Closed) bool { return c.Compartment == compartmentCase || c.Compartment == "" })
	switch {
	case f.said.Case == nil && closed && f.said.Kind == KindSealed:
		f.say("said something; sealed: %s", f.reasons())
		return nil
	case f.said.Case == nil && closed:
		f.say("%s; sealed: %s", f.said.Kind, f.reasons())
		return nil
	case f.said.Case == nil:
		f.say("reported something without a case section")
		return f.unplaced("there is no case section")
	}
	f.say("reported something that this version does not know")
	return f.unplaced(ErrNoContent.Error())
}

// unplaced keeps an event by its index, with the reason.
func (f *folding) unplaced(why string) error {
	return write(f, Ref{TypeUnplaced, byIndex(f.said.Index)}, func(u *Unplaced) {
		u.Claim = f.claim
		u.Why = append(u.Why, why)
	})
}

// reasons lists what is closed and why: case (erased), identity (not-granted); of what has no name, the reason alone.
func (f *folding) reasons() string {
	list := make([]string, len(f.said.Closed))
	for i, c := range f.said.Closed {
		if list[i] = c.Reason; c.Compartment != "" {
			list[i] = c.Compartment + " (" + c.Reason + ")"
		}
	}
	return strings.Join(list, ", ")
}
