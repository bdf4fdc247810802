package pilot_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/services/pilot"
)

// decides fills in the form of an action, and confirms it.
func (r *reader) decides(event, action string, form url.Values) {
	r.t.Helper()
	form.Set("step", "check")
	page := r.post("/events/"+event+"/"+action, form)
	draft := regexp.MustCompile(`name="draft" value="([^"]+)"`).FindStringSubmatch(page)
	if draft == nil {
		r.t.Fatalf("%s %s: nothing to confirm: %s", action, event, inText(page))
	}
	if page = r.post("/events/"+event+"/"+action, url.Values{"step": {"confirm"}, "draft": {draft[1]}}); !strings.Contains(page, "Decided.") {
		r.t.Fatalf("%s %s: %s", action, event, inText(page))
	}
}

func (r *reader) post(path string, form url.Values) string {
	r.t.Helper()
	response, err := r.client.PostForm(r.url+path, form)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		r.t.Fatalf("POST %s: %s, error %v", path, response.Status, err)
	}
	return string(page)
}

// inText is a page without its markup.
func inText(page string) string {
	_, page, _ = strings.Cut(page, "<main")
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")), " ")
}

// comesToSee waits until a page says something; a page that is being folded again, or is not there yet, says nothing.
func (r *reader) comesToSee(path, text string) {
	r.t.Helper()
	ticker, deadline := time.NewTicker(50*time.Millisecond), time.After(2*time.Minute)
	defer ticker.Stop()
	for {
		response, err := r.client.Get(r.url + path)
		if err != nil {
			r.t.Fatal(err)
		}
		page, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			r.t.Fatal(err)
		}
		if strings.Contains(inText(string(page)), text) {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			r.t.Fatalf("%s%s does not come to say %q: %s", r.url, path, text, inText(string(page)))
		}
	}
}

// eventOf is the first event that a page leads to.
func (r *reader) eventOf(path string) string {
	r.t.Helper()
	found := regexp.MustCompile(`href="/events/(\d+)"`).FindStringSubmatch(r.get(path))
	if found == nil {
		r.t.Fatalf("%s leads to no event", path)
	}
	return found[1]
}

// What officers decide at a console goes through publisher, hub and log, and is done at every desk.
func TestOfficersDecideAtTheConsole(t *testing.T) {
	t.Parallel()
	play(t, played(t), func(ctx context.Context, p *pilot.Pilot) {
		const name, act = "Abebe (invented)", "recruited and transported"
		protection, officer, abroad := inRole(t, p, "TH", "protection"), as(t, p, "TH"), inRole(t, p, "MM", "protection")
		protection.sees("/people/P-0001", name).sees("/people/P-0001", act)
		officer.sees("/people/P-0001", name).sees("/people/P-0001", "sealed for protection")
		if strings.Contains(officer.get("/people/P-0001"), act) {
			t.Error("an officer sees what is sealed for protection")
		}
		abroad.sees("/people/P-0001", name).sees("/people/P-0001", act)

		reported := protection.eventOf("/people/P-0001")
		protection.decides(reported, "erase", url.Values{"reason": {"asked for by the person (invented)"}})
		for _, r := range []*reader{protection, abroad} {
			r.comesToSee("/events/"+reported, "sealed parts: its agency has erased the key")
			r.comesToSee("/people/P-0001", "Screening found") // the other event of this person stands
			if strings.Contains(r.get("/people/P-0001"), name) {
				t.Errorf("%s still shows the name that was erased", r.url)
			}
			r.comesToSee("/protection/erasures", "asked for by the person (invented)")
		}

		other := protection.eventOf("/people/P-0002")
		protection.decides(other, "review", url.Values{"reason": {"the case goes on"}, "date": {time.Now().AddDate(1, 0, 0).Format(time.DateOnly)}})
		protection.comesToSee("/protection", "#"+other)
		protection.decides(other, "recall", url.Values{"reason": {"not the person meant"}, "date": {time.Now().AddDate(0, 0, 7).Format(time.DateOnly)}})
		abroad.comesToSee("/events/"+other, "sealed parts: its agency has recalled it")
		protection.comesToSee("/protection/recalls", "MM: confirmed")
		protection.comesToSee("/protection/recalls", "CN: confirmed")

		const twoAlone = "/repatriations/R-CN-2025-02-20" // of CN and TH
		flight := protection.eventOf(twoAlone)
		protection.decides(flight, "release", url.Values{"to": {"MM"}, "audience": {"region"}, "compartment": {"case"}})
		abroad.comesToSee("/events/"+flight, "Its agency released it")
		abroad.comesToSee(twoAlone, "200")
		protection.comesToSee("/protection/releases", "MM")
		abroad.sees("/events/"+flight, "TH immigration released sections of it to this country").sees("/events/"+flight, "not known here")
		notice := regexp.MustCompile(`to this country: <a href="(/events/\d+)"`).FindStringSubmatch(abroad.get("/events/" + flight))
		if notice == nil {
			t.Fatal("what was released does not lead to its release")
		}
		for _, path := range []string{notice[1], "/protection/releases"} {
			if !strings.Contains(abroad.get(path), `href="/events/`+flight+`"`) {
				t.Errorf("%s does not lead to what was released", path)
			}
		}
		if err := p.Settle(ctx); err != nil {
			t.Error(err)
		}
		if s := summaryOf(t, ctx, p); len(s.Findings) != 0 {
			t.Errorf("the audit finds %v", s.Findings)
		}
	})
}
