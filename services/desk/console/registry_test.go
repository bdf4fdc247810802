package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/verdict"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// amended is a view with two reports of XA.police, at 1 and 2, whose key was then
// revoked and is doubted from 2 on; XB is suspended, and XC has joined pair.
func amended(t testing.TB) *memoryView {
	t.Helper()
	v := newMemoryView(t)
	log := registrytest.NewLog(t)
	v.updates = []Update{{Subject: registry.FoundingSubject, Verdict: verdict.Accepted, Says: []string{"Founds the log."}}}
	for range 2 {
		index := v.say("XA.police", &caseworkv1.CaseSection{Occurred: "2025-02-12", Content: &caseworkv1.CaseSection_SiteReported{
			SiteReported: &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"}}})
		v.entries[index].Audience = "region"
	}
	log.Next = 3
	for _, one := range []struct {
		change  *registryv1.Update
		signers []string
	}{
		{registrytest.RevokeKey(registrytest.AgencyOwner("XA", "police"), 2), []string{"root XA"}},
		{registrytest.Join("pair", "XC"), []string{"root XA", "root XB", "root XC"}},
		{registrytest.Suspend("XB"), []string{"root XA", "root XB", "root XC"}},
	} {
		says := log.State.Say(one.change)
		index := log.Apply(t, one.change, one.signers...)
		v.updates = append(v.updates, Update{Index: index, Subject: registry.SubjectOf(one.change), Verdict: verdict.Accepted, Says: says})
	}
	v.updates = append(v.updates, Update{Index: 6, Subject: "reg.member.left", Verdict: verdict.NotUpdate, Reason: "not a <b>signed</b> registry update"})
	v.registry = log.State
	return v
}

func TestDoubtedEventsAreMarkedInWords(t *testing.T) {
	v := amended(t)
	officer := signIn(t, open(t, v, nil), "officer")
	for path, marks := range map[string]int{"/events/1": 0, "/events/2": 1, "/feed": 1, "/": 1, "/sites/S-1": 1} {
		page, _, _ := strings.Cut(officer.get(path), "<template")
		shown := strings.Count(page, ">doubted<") + strings.Count(page, ">doubted:<")
		if shown != marks {
			t.Errorf("%s marks %d events as doubted, want %d", path, shown, marks)
		}
	}
	if text := plainText(officer.get("/events/2")); !strings.Contains(text, "XA police no longer vouches for this") {
		t.Errorf("the event page does not say who doubts it: %s", text)
	}
	entry := officer.console.liveEntryOf(v.entries[2], session{})
	if entry.DoubtedText != "doubted" || officer.console.liveEntryOf(v.entries[1], session{}).DoubtedText != "" {
		t.Errorf("the live feed says %q", entry.DoubtedText)
	}
}

func TestAnAudienceIsShownByItsName(t *testing.T) {
	v := amended(t)
	v.entries[2].Audience = "pair_4"
	officer := signIn(t, open(t, v, nil), "officer")
	if text := plainText(officer.get("/events/2")); !strings.Contains(text, "Audience pair read by XA, XC") || !strings.Contains(text, "Address pair_4") {
		t.Errorf("the event page says: %s", text)
	}
	v.entries[2].Audience = "pair" // said before XC came in
	if text := plainText(officer.get("/events/2")); !strings.Contains(text, "Audience pair read by XA Address pair") {
		t.Errorf("the event page says: %s", text)
	}
	v.entries[2].Audience = "pair_4"
	if live := officer.console.liveEntryOf(v.entries[2], session{}); live.Audience != "pair" {
		t.Errorf("the live feed says %q", live.Audience)
	}
}

func TestTheRegistryInPlainWords(t *testing.T) {
	v := amended(t)
	officer := signIn(t, open(t, v, nil), "officer")
	for path, wants := range map[string][]string{
		"/registry": {
			"A change of the charter takes the roots of 2 members",
			"XA police its key was revoked", "XB police XB is suspended since index 5", "XB suspended since #5. a reason made up for a test",
			"pair XA/border, XC/police, XC/border XA, XC rescue pair_4", "region XA/border, XC/police, XC/border XA, XC rescue, prosecution region",
			"#5 reg.member.suspended XB is suspended", "It stops reading the audience pair.", "XC joins the audience pair, where XA, XB are.",
			"no longer vouches for what it signed from log index 2 on", "#6 reg.member.left change refused", "not a <b>signed</b> registry update",
		},
		"/about": {"XB suspended a reason made up for a test #5 does not count now", "XC active #0 counts as a witness", "XA police police of XA does not publish its key was revoked", "valid from #1"},
	} {
		text := plainText(officer.get(path))
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", path, want, text)
			}
		}
	}
}

func TestTheHistoryGoesOnWhereItStopped(t *testing.T) {
	v := amended(t)
	for i := range updatesOnPage {
		v.updates = append(v.updates, Update{Index: uint64(10 + i), Subject: "reg.made.up", Verdict: verdict.NotUpdate, Reason: fmt.Sprint("reason ", i)})
	}
	officer := signIn(t, open(t, v, nil), "officer")
	newest := officer.get("/registry")
	if strings.Contains(newest, "Founds the log.") || !strings.Contains(newest, `href="/registry?before=10#history"`) {
		t.Error("the newest part does not lead to the one before it")
	}
	if older := officer.get("/registry?before=10"); !strings.Contains(older, "Founds the log.") || strings.Contains(older, "reason 0") {
		t.Error("the older part is not the rest")
	}
}

func TestTheStandingIsOnEveryPage(t *testing.T) {
	v := newMemoryView(t)
	c := open(t, february(v), nil)
	officer, stranger := signIn(t, c, "officer"), &browser{t: t, console: c}
	const sentence = "TH is suspended since index 7, for this reason: <none>."
	for _, standing := range []string{"", sentence} {
		c.config.Status = func() Status { s := v.status(); s.Standing = standing; return s }
		for _, path := range everyPage {
			text := plainText(officer.get(path))
			if shown := strings.Contains(text, "This country does not take part fully. "+sentence); shown != (standing != "") {
				t.Errorf("%s shows a standing: %t", path, shown)
			}
		}
	}
	if strings.Contains(stranger.do("GET", "/").Body.String(), "suspended") {
		t.Error("somebody who is not signed in sees how the country stands")
	}
}
