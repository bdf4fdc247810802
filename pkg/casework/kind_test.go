package casework

import (
	"errors"
	"slices"
	"testing"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

func TestKindOf(t *testing.T) {
	for _, section := range []*caseworkv1.CaseSection{nil, {}, {Source: "x"}} {
		if kind, err := KindOf(section); !errors.Is(err, ErrNoContent) {
			t.Errorf("KindOf(%v) = %q, %v", section, kind, err)
		}
	}
	section := new(caseworkv1.CaseSection)
	setContent(section, &caseworkv1.MeasureInForce{})
	if kind, err := KindOf(section); err != nil || kind != "measure.in_force" {
		t.Errorf("KindOf = %q, %v, want measure.in_force", kind, err)
	}
}

func TestKinds(t *testing.T) {
	kinds := Kinds()
	if len(kinds) != len(everyKind()) || !slices.IsSorted(kinds) {
		t.Errorf("Kinds() = %v", kinds)
	}
	// What derivations turn on has to be the name of a field.
	for _, kind := range []string{
		kindAnnounced, kindDeparted, kindReceived, kindExplained, kindScreening, kindSiteStatus, kindInForce, kindObserved,
		kindLifted, kindCommitmentMade, kindPersonReported, kindReturnPlanned, kindReturnDeparted, kindReturnArrived,
	} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("%s is no kind", kind)
		}
	}
}
