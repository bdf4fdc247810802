package event_test

import (
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

func TestCompartmentsHaveNames(t *testing.T) {
	want := []string{"case", "identity", "protection", "intelligence"}
	all := event.Compartments()
	if len(all) != len(want) {
		t.Fatalf("%d compartments", len(all))
	}
	for i, c := range all {
		back, ok := event.CompartmentOf(want[i])
		if name := event.CompartmentName(c); name != want[i] || back != c || !ok || eventv1.Compartment_name[int32(c)] == "" {
			t.Errorf("compartment %d is called %q, and %q is %d", c, name, want[i], back)
		}
	}
	for _, name := range []string{"", "unspecified", "compartment_case", "9"} {
		if c, ok := event.CompartmentOf(name); ok {
			t.Errorf("%q is compartment %d", name, c)
		}
	}
	if name := event.CompartmentName(9); name != "9" {
		t.Errorf("compartment 9 is called %q", name)
	}
}
