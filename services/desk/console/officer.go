package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

// The compartments, as documents and entries name them, in the order in which pages show them.
const (
	inCase         = "case"
	inIdentity     = "identity"
	inProtection   = "protection"
	inIntelligence = "intelligence"
)

var compartments = []string{inCase, inIdentity, inProtection, inIntelligence}

// usual are the compartments that people of a role work in where nothing else is said.
var usual = map[string][]string{
	"officer":      {inCase, inIdentity},
	"supervisor":   {inCase, inIdentity},
	"protection":   {inCase, inIdentity, inProtection},
	"intelligence": {inCase, inIntelligence},
	"auditor":      {inCase},
}

// Officer is a person who may sign in.
type Officer struct {
	Role         string   // officer, supervisor, protection, intelligence, auditor
	Compartments []string // that the person works in: case, identity, protection, intelligence
}

// OfficerOf is a person of a role who works in compartments; in those of the role where none is named.
func OfficerOf(role string, compartments ...string) (Officer, error) {
	officer := Officer{Role: role, Compartments: compartments}
	if len(compartments) == 0 {
		officer.Compartments = slices.Clone(usual[role])
	}
	return officer, officer.check()
}

func (o Officer) check() error {
	if usual[o.Role] == nil {
		return fmt.Errorf("there is no role %.32q; the roles are officer, supervisor, protection, intelligence, auditor", o.Role)
	}
	if len(o.Compartments) == 0 {
		return fmt.Errorf("a person who works in no compartment sees nothing; the compartments are %s", strings.Join(compartments, ", "))
	}
	for _, compartment := range o.Compartments {
		if !slices.Contains(compartments, compartment) {
			return fmt.Errorf("there is no compartment %.32q; the compartments are %s", compartment, strings.Join(compartments, ", "))
		}
	}
	return nil
}

// works says whether the person works in a compartment: nobody is shown what lies in another one.
func (s session) works(compartment string) bool { return slices.Contains(s.compartments, compartment) }

// decides says whether the person may erase, recall, release and set reviews for agencies of
// this country. Nobody does who does not see what it is about.
func (s session) decides() bool {
	return (s.role == "protection" || s.role == "supervisor") && s.works(inCase)
}

// compartmentOf is the compartment that all of a document comes from.
func compartmentOf(entityType string) string {
	switch entityType {
	case casework.TypeIdentity:
		return inIdentity
	case casework.TypeScreening:
		return inProtection
	case casework.TypeIntelligence:
		return inIntelligence
	}
	return inCase
}

// masked is an entry as this person may see it: without what was read out of a case
// section, for who does not work there. The marking stays, as far as its standards have a code for it.
func (s session) masked(e view.Entry) view.Entry {
	if s.works(inCase) || e.EventID == "" { // the registry is in clear
		return e
	}
	e.Kind, e.Occurred, e.Source, e.Summary, e.Refs = casework.KindSealed, "", "", "", nil
	e.Marking = casework.Marking{TLP: e.Marking.TLP, PAP: e.Marking.PAP, Handling: e.Marking.Handling}
	e.Breaches = slices.DeleteFunc(slices.Clone(e.Breaches), func(b casework.Breach) bool { return b.Code != casework.BreachRetention })
	return e
}
