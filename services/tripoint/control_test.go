package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/desk/journal"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/pilot/scenario"
)

// said is an event, and its place in the log.
type said struct {
	event.ID
	index uint64
}

// saidBy are the events of an agency to all, as a desk of its country has them.
func saidBy(t *testing.T, data, country, agency string) (all []said) {
	t.Helper()
	j, err := journal.Read(t.Context(), filepath.Join(data, "desks", country, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	messages, err := j.Messages(t.Context(), 1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if e, err := event.Decode(m.Data); err == nil && strings.HasPrefix(m.Subject, "evt.region."+country+"."+agency+".") {
			all = append(all, said{e.Claims().ID, m.Index})
		}
	}
	return all
}

// officer works in protection at the consoles of all countries.
type officer struct {
	t       *testing.T
	pages   map[string]string // URL of the console, by country
	browser *http.Client
}

func signIn(t *testing.T, p *pilot.Pilot) *officer {
	t.Helper()
	role, err := console.OfficerOf("protection")
	if err != nil {
		t.Fatal(err)
	}
	consoles, err := p.Consoles(role)
	if err != nil {
		t.Fatal(err)
	}
	o := &officer{t: t, pages: map[string]string{}, browser: &http.Client{}}
	if o.browser.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range consoles {
		o.pages[c.Country] = c.URL
		o.get(c.SignIn)
	}
	return o
}

func (o *officer) get(url string) string {
	o.t.Helper()
	response, err := o.browser.Get(url)
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(page), " ")), " ")
}

// comesToSee waits until a page says something, at each of the countries.
func (o *officer) comesToSee(path, text string, countries ...string) {
	o.t.Helper()
	for _, country := range countries {
		page := ""
		comesTo(o.t, country+path+" says "+text, func() bool {
			page = o.get(o.pages[country] + path)
			return strings.Contains(page, text)
		}, &page)
	}
}

// comesTo waits, and says what there was instead.
func comesTo(t *testing.T, what string, holds func() bool, instead *string) {
	t.Helper()
	tick, late := time.NewTicker(20*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it does not come to it that %s, but: %s", what, *instead)
		}
	}
}

// An agency erases one of its events, recalls another and reviews a third, by the commands:
// every desk does what was said, and the audit finds nothing.
func TestErasesRecallsAndReviewsByCommand(t *testing.T) {
	facts, err := scenario.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "pilot-data")
	if err := pilot.Run(t.Context(), pilot.Config{Data: data, Scenario: facts}, func(ctx context.Context, p *pilot.Pilot) error {
		if err := p.Settle(ctx); err != nil {
			return err
		}
		ended := make(chan struct{})
		go func() { // which a failure ends, and not the pilot
			defer close(ended)
			controls(t, data, signIn(t, p))
		}()
		<-ended
		return pilot.ErrDone
	}); err != nil {
		t.Fatal(err)
	}
}

func controls(t *testing.T, data string, at *officer) {
	events := saidBy(t, data, "TH", "immigration")
	if len(events) < 3 {
		t.Fatalf("the agency has said %d events to all", len(events))
	}
	erased, recalled, reviewed := events[0], events[1], events[2]
	does := func(verb string, e said, more ...string) map[string]any {
		t.Helper()
		out := command(t, append([]string{"publisher", verb, e.String(), "--data", data, "--as", "TH/immigration", "--reason", "an invented reason"}, more...)...)
		var answer map[string]any
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("%s: %v\n%s", verb, err, out)
		}
		return answer
	}
	page := func(e said) string { return fmt.Sprintf("/events/%d", e.index) }

	if first, again := does("erase", erased), does("erase", erased); first["event_id"] != erased.String() || first["repeated"] != false || again["repeated"] != true {
		t.Errorf("erase said %v, and again %v", first, again)
	}
	at.comesToSee(page(erased), ": its agency has erased the key", "CN", "MM", "TH")

	say := []string{"--audience", "region", "--retention", "case", "--purpose", "rescue"}
	recall := append([]string{"--id", "R-1", "--deadline", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, say...)
	if first, again := does("recall", recalled, recall...), does("recall", recalled, recall...); first["event_id"] == nil || first["event_id"] != again["event_id"] {
		t.Errorf("recall said %v, and again %v", first, again)
	}
	at.comesToSee(page(recalled), ": its agency has recalled it", "CN", "MM")
	at.comesToSee("/protection/recalls", "MM: confirmed", "TH")
	at.comesToSee("/protection/recalls", "CN: confirmed", "TH")

	next := time.Now().AddDate(1, 0, 0).Format(time.DateOnly)
	does("review", reviewed, append([]string{"--date", next}, say...)...)
	at.comesToSee("/protection", next, "TH") // its own calendar

	// What is this agency's is not another's to erase.
	foreign := exec.Command(tripoint(t), "publisher", "erase", recalled.String(), "--data", data, "--as", "TH/border", "--reason", "an invented reason")
	if out, err := foreign.CombinedOutput(); err == nil || !strings.Contains(string(out), recalled.String()) {
		t.Errorf("another agency erases it: %v\n%s", err, out)
	}
	var summary audit.Summary
	replayed := ""
	comesTo(t, "all of it is witnessed", func() bool {
		summary = audit.Summary{}
		out := command(t, "audit", "replay", "--data", data, "--output", "json")
		replayed = string(out)
		return json.NewDecoder(bytes.NewReader(out)).Decode(&summary) == nil && summary.WitnessedSize == summary.Events
	}, &replayed)
	if len(summary.Findings) != 0 || summary.Refused != 0 {
		t.Errorf("%d refused, findings %v", summary.Refused, summary.Findings)
	}
}
