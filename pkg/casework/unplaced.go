package casework

import "slices"

// Unplaced is an event of which the fold could make no entity: its content is
// sealed for this reader, absent, of a later version, or has no readable
// identifier. The journal has its bytes.
type Unplaced struct {
	Claim
	Why    []string `json:"why"`
	Sealed []string `json:"sealed,omitempty"` // for this reader
}

func (u *Unplaced) derive() {}

// noContent files an event whose case section says nothing.
func (f *folding) noContent() error {
	switch {
	case slices.Contains(f.said.Sealed, compartmentCase):
		f.say("reported something that is sealed for this desk")
		return f.unplaced("the case section is sealed for this desk")
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
		u.Sealed = slices.Clone(f.said.Sealed)
	})
}
