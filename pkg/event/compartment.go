package event

import (
	"strings"

	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// compartmentPrefix begins the names of compartments in the schema.
const compartmentPrefix = "COMPARTMENT_"

// Compartments are all that this version knows, in their order.
func Compartments() []eventv1.Compartment {
	all := make([]eventv1.Compartment, len(eventv1.Compartment_name)-1)
	for i := range all {
		all[i] = eventv1.Compartment(i + 1)
	}
	return all
}

// CompartmentName is how a compartment is called in commands, files and on screens:
// "identity". One that this version does not know has its number.
func CompartmentName(c eventv1.Compartment) string {
	return strings.ToLower(strings.TrimPrefix(c.String(), compartmentPrefix))
}

// CompartmentOf is the compartment of a name; ok is false where there is none.
func CompartmentOf(name string) (c eventv1.Compartment, ok bool) {
	number, ok := eventv1.Compartment_value[compartmentPrefix+strings.ToUpper(name)]
	return eventv1.Compartment(number), ok && number != 0
}
