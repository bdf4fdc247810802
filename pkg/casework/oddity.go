package casework

import "fmt"

// Oddity is something that makes no sense where it stands: kept, and said so.
type Oddity struct {
	Index uint64 `json:"index"` // log index of the event
	What  string `json:"what"`  // plain English
}

// Oddities are what was odd at each claim, in the claims' order.
type Oddities []Oddity

func (o *Oddities) add(c Claim, format string, args ...any) {
	*o = append(*o, Oddity{Index: c.Index, What: fmt.Sprintf(format, args...)})
}

// remarks carries over what could not be read when the claim was filed.
func (o *Oddities) remarks(c Claim) {
	for _, remark := range c.Remarks {
		o.add(c, "%s", remark)
	}
}
