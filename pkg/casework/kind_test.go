package casework

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func TestMarkingIsWrittenAsItsStandardDoes(t *testing.T) {
	tests := []struct {
		name    string
		marking *caseworkv1.Marking
		want    Marking
	}{
		{"none", nil, Marking{}},
		{"a 4x4 grade", &caseworkv1.Marking{
			Tlp: caseworkv1.Tlp_TLP_RED, Pap: caseworkv1.Pap_PAP_AMBER,
			Grade: &caseworkv1.Marking_FourByFour{FourByFour: &caseworkv1.FourByFour{
				Source: caseworkv1.FourByFourSource_FOUR_BY_FOUR_SOURCE_X, Information: 4}},
		}, Marking{TLP: "RED", PAP: "AMBER", Scale: "4x4", Grade: "X4"}},
		{"a code of a later version", &caseworkv1.Marking{Tlp: 9}, Marking{TLP: "9"}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, markingOf(test.marking)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
