package console

import "github.com/tripoint/tripoint/pkg/casework"

// navigation is one place that every page leads to.
type navigation struct{ Key, Path string }

var navigations = []navigation{
	{"nav.now", "/"}, {"nav.feed", "/feed"}, {"nav.transfers", "/transfers"}, {"nav.sites", "/sites"},
	{"nav.measures", "/measures"}, {"nav.commitments", "/commitments"}, {"nav.groups", "/groups"},
	{"nav.repatriations", "/repatriations"}, {"nav.people", "/people"}, {"nav.protection", "/protection"}, {"nav.about", "/about"},
}

// mark is one mark that a claim can carry, as its standard writes it, with the
// key of the text that explains it.
type mark struct{ Mark, TLP, Key string }

var marks = []mark{
	{"TLP:RED", "RED", "legend.tlp-red"}, {"TLP:AMBER+STRICT", "AMBER+STRICT", "legend.tlp-amber-strict"},
	{"TLP:AMBER", "AMBER", "legend.tlp-amber"}, {"TLP:GREEN", "GREEN", "legend.tlp-green"}, {"TLP:CLEAR", "CLEAR", "legend.tlp-clear"},
	{"PAP", "", "legend.pap"}, {"H0", "", "legend.h0"}, {"H1", "", "legend.h1"}, {"H2", "", "legend.h2"}, {"H3", "", "legend.h3"},
	{"A1 – X4", "", "legend.4x4"}, {"A1 – F6", "", "legend.admiralty"},
}

// valueGroups are the attributes whose values are codes, with the group of the
// catalogue that has their words. All others are an agency's own words.
var valueGroups = map[string]string{
	"status": "site-state", "sex": "sex", "age_band": "age-band", "outcome": "outcome",
	"progress": "commitment-state", "nationality": "nationality", "to": "destination",
}

// value is an attribute's value for people.
func (c catalogue) value(attribute, value string) string {
	if group, ok := valueGroups[attribute]; ok {
		return c.word(group, value)
	}
	return value
}

// openOnes counts the discrepancies that are not explained by both sides.
func openOnes(all []casework.Discrepancy) int {
	count := 0
	for _, d := range all {
		if d.State != casework.StateExplained {
			count++
		}
	}
	return count
}
