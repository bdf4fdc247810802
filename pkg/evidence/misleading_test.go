package evidence_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
)

// An agency is given a name that ends the sentence and says who it is not.
func TestAdversary_E06_NameThatSpeaksForAnotherAgency(t *testing.T) {
	w := newWorld(t)
	const name = `Border Police), an agency of XB, said this. (The rest of this line is by "XA`
	update := registrytest.Enrol("XA", "other")
	update.GetAgencyEnrolled().GetAgency().Name = name
	w.amend(update, "root XA", "publisher XA/other")
	index := w.say(event.Chain{Country: "XA", Agency: "other", Audience: "region"})
	report := w.holds(w.writes(w.parts(index, index+1)))
	want := fmt.Sprintf("XA/other, an agency of XA that calls itself %q, said this:", name)
	if !strings.Contains(report.Proven[0], want) {
		t.Errorf("%s", report.Proven[0])
	}
}

// What is said has more in it than this program can show: it says so.
func TestAdversary_E11_ContentWithFieldsThatAreNotShown(t *testing.T) {
	w := newWorld(t)
	draft := w.draft()
	plain := w.tell(draft)
	report := w.holds(w.writes(w.parts(plain, plain+1)))
	if report.Event.Sections[0].Unshown != 0 || strings.Contains(report.String(), "not shown") {
		t.Errorf("all of it is shown: %s", report)
	}
	draft = w.draft()
	more := protowire.AppendBytes(protowire.AppendTag(nil, 9999, protowire.BytesType), []byte("none of this is so"))
	draft.Sections[0].Content = append(draft.Sections[0].Content, more...)
	index := w.tell(draft)
	report = w.holds(w.writes(w.parts(index, index+1)))
	if report.Event.Sections[0].Unshown != len(more) || !strings.Contains(report.String(), fmt.Sprintf("%d bytes of it are not shown", len(more))) {
		t.Errorf("%d bytes are not shown: %s", report.Event.Sections[0].Unshown, report)
	}
}

// tell stores an event of police.
func (w *world) tell(draft event.Draft) uint64 {
	w.t.Helper()
	signed := w.signs("publisher XA/police", police, draft)
	return w.store(signed.Subject, signed.Data)
}
