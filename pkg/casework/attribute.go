package casework

import "slices"

// Attribute is one thing that can be said of an entity, with each agency's
// newest word on it side by side.
type Attribute struct {
	Of     string `json:"of"`
	Says   []Says `json:"says"`
	Differ bool   `json:"differ"` // not everybody says the same: a disagreement
}

// Says is one agency's newest word.
type Says struct {
	Value   string `json:"value"`
	Country string `json:"country"`
	Agency  string `json:"agency"`
	Index   uint64 `json:"index"` // of the claim
}

// Attributes are in the order in which they were first spoken of.
type Attributes []Attribute

// Get returns what is said of an attribute; the zero Attribute where nothing is.
func (a Attributes) Get(of string) Attribute {
	for _, attribute := range a {
		if attribute.Of == of {
			return attribute
		}
	}
	return Attribute{Of: of}
}

// Disagreements returns the attributes on which agencies differ.
func (a Attributes) Disagreements() Attributes {
	return slices.DeleteFunc(slices.Clone(a), func(attribute Attribute) bool { return !attribute.Differ })
}

// First returns the first agency's word; empty where there is none. It is what
// a heading shows, never what is true.
func (a Attribute) First() string {
	if len(a.Says) == 0 {
		return ""
	}
	return a.Says[0].Value
}

// say adds an agency's word, in place of its earlier one. What is not stated
// takes nothing back.
func (a *Attributes) say(c Claim, of, value string) {
	if value == "" {
		return
	}
	at := slices.IndexFunc(*a, func(attribute Attribute) bool { return attribute.Of == of })
	if at < 0 {
		*a = append(*a, Attribute{Of: of})
		at = len(*a) - 1
	}
	attribute := &(*a)[at]
	says := Says{Value: value, Country: c.Country, Agency: c.Agency, Index: c.Index}
	earlier := slices.IndexFunc(attribute.Says, func(s Says) bool { return s.Country == c.Country && s.Agency == c.Agency })
	if earlier < 0 {
		attribute.Says = append(attribute.Says, says)
	} else {
		attribute.Says[earlier] = says
	}
	attribute.Differ = slices.ContainsFunc(attribute.Says, func(s Says) bool { return s.Value != attribute.Says[0].Value })
}
