package console

import (
	"net/url"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/view"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// The page of a decision that was made says how far it has come, each time that it is loaded.
func TestADecisionIsFollowed(t *testing.T) {
	v, c, _ := decides(t)
	b := signIn(t, c, "protection")
	said := func(content *caseworkv1.CaseSection) uint64 {
		content.Occurred = "2025-03-03"
		return v.say("TH.police", content)
	}
	for _, test := range []struct {
		action string
		at     string
		form   url.Values
		says   func(key string) uint64
		after  []string
	}{
		{"review", "2", url.Values{"reason": {"still needed"}, "date": {"2025-06-01"}}, func(string) uint64 {
			return said(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReviewed{ControlReviewed: &caseworkv1.ControlReviewed{
				EventIds: []string{idAt(2)}, ReviewDate: "2025-06-01", Reason: "still needed"}}})
		}, []string{"in the calendar"}},
		{"recall", "2", url.Values{"reason": {"wrong site"}, "date": {"2025-03-10"}}, func(key string) uint64 {
			id := recallID(view.Entry{Index: 2}, draft{key: key})
			at := said(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
				RecallId: id, EventIds: []string{idAt(2)}, Reason: "wrong site", Deadline: "2025-03-10T23:59:59Z"}}})
			v.say("MM.protection", &caseworkv1.CaseSection{Occurred: "2025-03-03", Content: &caseworkv1.CaseSection_ControlReceipt{ControlReceipt: &caseworkv1.ControlReceipt{
				RecallId: id, EventIds: []string{idAt(2)}, Destroyed: "2025-03-03T12:00:00Z", Country: "TH", Agency: "police"}}})
			return at
		}, []string{"MM: confirmed", "CN: still has 7 days"}},
		{"erase", "1", url.Values{"reason": {"asked for"}}, func(string) uint64 {
			return said(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlErased{ControlErased: &caseworkv1.ControlErased{
				Reason: "asked for", Erasures: []*caseworkv1.Erasure{{EventId: idAt(1), Batch: make([]byte, 32), Revision: 2, RecordDigest: make([]byte, 32)}}}}})
		}, []string{"No desk answers"}},
	} {
		t.Run(test.action, func(t *testing.T) {
			path := "/events/" + test.at + "/" + test.action
			checked, _ := b.post(path, with(test.form, "step", "check"))
			key := draftOf.FindStringSubmatch(checked)[1]
			page, address := b.post(path, url.Values{"step": {"confirm"}, "draft": {key}})
			if text := plainText(page); !strings.Contains(text, "waiting It is not in the log yet") || !strings.Contains(text, "The publisher of TH police has the decision") {
				t.Errorf("before the log has it: %s", text)
			}
			at := test.says(key)
			text := plainText(b.get(address))
			for _, want := range append(test.after, "done It is in the log: #"+c.pages.texts.number(at)) {
				if !strings.Contains(text, want) {
					t.Errorf("the page does not say %q: %s", want, text)
				}
			}
		})
	}
}
