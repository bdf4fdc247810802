package desk

import (
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// A desk opens to a court what it has the keys of, as long as it has them.
func TestEvidenceOpensWhatTheDeskCan(t *testing.T) {
	t.Parallel()
	const theCase, protection = eventv1.Compartment_COMPARTMENT_CASE, eventv1.Compartment_COMPARTMENT_PROTECTION
	w := newWorld(t)
	directory, keys := t.TempDir(), registrytest.OpeningsOf("XC", uint32(theCase))
	d := w.start("XC", directory, opening(uint32(theCase)))
	draft := w.site("S-1", "an invented place")
	draft.Sections = append(draft.Sections, event.Section{Compartment: protection, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: []byte("kept from XC")})
	b := w.tells(police, draft)
	settled := func(last uint64) {
		t.Helper()
		w.notarise()
		d.hasCosigned(last + 1)
		w.cosign("XA", w.checkpoint())
		until(t, "two countries have cosigned", func() bool { return d.Status().WitnessedSize == last+1 })
	}
	settled(b.places[0])
	file := func(compartments ...eventv1.Compartment) (evidence.Report, error) {
		config := Config{Country: "XC", Directory: directory, Charter: w.charter, OpeningKeys: keys, clock: func() time.Time { return spoken }}
		data, err := Evidence(t.Context(), config, b.events[0].ID, compartments...)
		if err != nil {
			return evidence.Report{}, err
		}
		return evidence.Verify(data, w.charter.Digest)
	}
	refused := func(because string, compartments ...eventv1.Compartment) {
		t.Helper()
		if _, err := file(compartments...); err == nil || !strings.Contains(err.Error(), because) {
			t.Errorf("opening %v: error = %v, want %q", compartments, err, because)
		}
	}
	report, err := file(theCase)
	must(t, err)
	if text := report.String(); !strings.Contains(text, "an invented place") || strings.Contains(text, "kept from XC") {
		t.Errorf("the report is\n%s", text)
	}
	refused("it has no part protection that this desk can open (closed: no-private-key)", theCase, protection)
	same(t, "exports", 1, exported(t, d))
	next, said := w.erases(b, keyOf(t, "XA", "police"), b.events[0])
	w.keyRecord(next.Subject(), next.Data)
	erased := w.tells(police, said)
	d.shows(erased.places[0], "")
	refused("it has no part case that this desk can open (closed: erased)", theCase)
	same(t, "exports", 1, exported(t, d))
	_, err = file()
	must(t, err)
}

// exported is how many files were made at a desk.
func exported(t *testing.T, d *running) int {
	t.Helper()
	all, err := d.ring.Made(t.Context(), 10)
	must(t, err)
	return len(all)
}
