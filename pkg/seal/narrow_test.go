package seal_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Who is left out opens nothing, and all others what they did; also under a later key, and after
// something is erased.
func TestNarrow(t *testing.T) {
	b := publish(t, event.Head{}, drafts(2, theCase, identity), slices.Concat(openings(theCase, "XA", "XB", "XC"), openings(identity, "XA", "XB", "XC"))...)
	key, registered := signer(t, "XA", "police")
	keep := func(g seal.Granted) bool { return g.Country != "XC" && (g.Country != "XB" || g.Compartment != theCase) }
	every := func(eventv1.Compartment) bool { return true }
	next, dropped, err := seal.Narrow(key, b.record, keep, every)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]seal.Granted{{Country: "XB", Compartment: theCase, Epoch: 1}, {Country: "XC", Compartment: theCase, Epoch: 1}, {Country: "XC", Compartment: identity, Epoch: 1}}, dropped); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
	if next.Revision != 2 || next.Grantor != b.record.Grantor || next.Expires != b.record.Expires || next.Subject() != b.record.Subject() {
		t.Errorf("the next revision has other terms: %+v", next.Terms)
	}
	again, dropped, err := seal.Narrow(key, next, keep, every)
	if err != nil || len(dropped) > 0 || again.Revision != 2 {
		t.Errorf("nothing is left to drop, and it made revision %d without %v (%v)", again.Revision, dropped, err)
	}
	b.record = arrive(t, next.Data, registered)
	for country, want := range map[string]string{"XA": ",", "XB": "not-granted,", "XC": "not-granted,not-granted"} {
		if got := b.openAs(t, country, 1); got != want {
			t.Errorf("%s: %q, want %q", country, got, want)
		}
	}
	if next, err = seal.Erase(key, next, b.events[0].ID); err != nil {
		t.Fatal(err)
	}
	b.record = arrive(t, next.Data, registered)
	if got := b.openAs(t, "XA", 0) + "|" + b.openAs(t, "XA", 1); got != "erased,erased|," {
		t.Errorf("after an erasure XA: %q", got)
	}
	nobody := func(g seal.Granted) bool { return g.Compartment != identity }
	if _, _, err := seal.Narrow(key, next, nobody, every); !errors.Is(err, seal.ErrNobody) {
		t.Errorf("a compartment without a reader: %v, want ErrNobody", err)
	}
	without, _, err := seal.Narrow(key, next, nobody, func(c eventv1.Compartment) bool { return c == theCase })
	if err != nil || slices.ContainsFunc(without.Granted(), func(g seal.Granted) bool { return g.Compartment == identity }) {
		t.Errorf("a compartment that no event needs, without a reader: %v (%v)", without.Granted(), err)
	}
	if _, _, err := seal.Narrow(key, next, func(seal.Granted) bool { return false }, func(eventv1.Compartment) bool { return false }); !errors.Is(err, seal.ErrNobody) {
		t.Errorf("no reader at all: %v, want ErrNobody", err)
	}
	if next, err = seal.Erase(key, next, b.events[1].ID); err != nil {
		t.Fatal(err)
	}
	if same, dropped, err := seal.Narrow(key, next, nobody, every); err != nil || len(dropped) > 0 || same.Digest != next.Digest {
		t.Errorf("a record that nothing is in: %v dropped (%v)", dropped, err)
	}
}
