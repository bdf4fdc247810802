package pilot_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/pilot/scenario"
)

// play runs the built-in scenario on a data directory to its end, and then story.
func play(t testing.TB, data string, story func(context.Context, *pilot.Pilot)) {
	t.Helper()
	facts, err := scenario.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	err = pilot.Run(t.Context(), pilot.Config{Data: data, Scenario: facts}, func(ctx context.Context, p *pilot.Pilot) error {
		if err := p.Settle(ctx); err != nil {
			return err
		}
		told := make(chan struct{})
		go func() { // which a failure ends, and not the pilot
			defer close(told)
			story(ctx, p)
		}()
		<-told
		return pilot.ErrDone
	})
	if err != nil {
		t.Fatal(err)
	}
}

func summaryOf(t *testing.T, ctx context.Context, p *pilot.Pilot) audit.Summary {
	t.Helper()
	summary, err := p.Summary(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

func TestScenarioIsWitnessedAndTheHandoverStandsOpen(t *testing.T) {
	t.Parallel()
	play(t, t.TempDir(), func(ctx context.Context, p *pilot.Pilot) {
		s := summaryOf(t, ctx, p)
		if s.LogSize != s.Events || s.WitnessedSize != s.LogSize || s.Accepted != s.Events || len(s.Findings) != 0 {
			t.Errorf("%d events, %d accepted, log of %d, %d witnessed, findings %v", s.Events, s.Accepted, s.LogSize, s.WitnessedSize, s.Findings)
		}
		if diff := cmp.Diff([]string{"CN", "MM", "TH"}, s.CosignedBy); diff != "" {
			t.Errorf("cosigned by (-want +got):\n%s", diff)
		}
		announced, departed, received := uint64(53), uint64(261), uint64(260)
		want := []casework.TransferSummary{{
			ID: "T-2025-02-12", Announced: &announced, Departed: &departed, Received: &received,
			Discrepancies: []casework.DiscrepancySummary{
				{Name: "announced-departed", Left: 53, Right: 261, State: "open"},
				{Name: "departed-received", Left: 261, Right: 260, State: "open"},
			},
		}}
		for _, country := range []string{"CN", "MM", "TH"} {
			if diff := cmp.Diff(want, s.Desks[country].Transfers); diff != "" {
				t.Errorf("desk %s (-want +got):\n%s", country, diff)
			}
		}
	})
}

func TestSecondStartContinues(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	var first, second audit.Summary
	play(t, data, func(ctx context.Context, p *pilot.Pilot) { first = summaryOf(t, ctx, p) })
	play(t, data, func(ctx context.Context, p *pilot.Pilot) { second = summaryOf(t, ctx, p) })
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second start has another log (-first +second):\n%s", diff)
	}
}

func TestOneDirectoryOnePilot(t *testing.T) {
	t.Parallel()
	data := played(t)
	play(t, data, func(ctx context.Context, _ *pilot.Pilot) {
		facts, err := scenario.BuiltIn()
		if err != nil {
			t.Fatal(err)
		}
		err = pilot.Run(ctx, pilot.Config{Data: data, Scenario: facts}, nil)
		if err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second pilot on the same directory: %v", err)
		}
		summary, err := pilot.Audit(ctx, data, nil)
		if err != nil || len(summary.Findings) != 0 || summary.Events == 0 {
			t.Errorf("audit beside a running pilot: %d events, findings %v, error %v", summary.Events, summary.Findings, err)
		}
	})
}

// The talks of CN and TH, and their repatriations, are said to the two alone.
const bilateral = "joint visit to the border opposite Myawaddy"

func TestCountryOutsideAnAudienceSeesNothingOfIt(t *testing.T) {
	t.Parallel()
	data := played(t)
	play(t, data, func(ctx context.Context, p *pilot.Pilot) {
		for _, country := range []string{"CN", "TH"} {
			as(t, p, country).sees("/repatriations", "R-CN-2025-02-20").sees("/commitments", "talks-2025-02-18").
				sees("/repatriations", "suspects of telecom fraud")
		}
		as(t, p, "MM").sees("/transfers", "T-2025-02-12").sees("/repatriations", "R-2025-02-12-1").
			mustNotSee("R-CN-2025-02-20", "talks-2025-02-18", "suspects of telecom fraud") // that cn-th exists, the charter says to all
		s := summaryOf(t, ctx, p)
		if s.Desks["MM"].Sealed != 5 || s.Desks["MM"].Events != s.Events-5 {
			t.Errorf("desk MM took in %d of %d events and counts %d as not its own, want 5", s.Desks["MM"].Events, s.Events, s.Desks["MM"].Sealed)
		}
	})
	for country, want := range map[string]bool{"CN": true, "MM": false, "TH": true} {
		if got := anyFileHolds(t, filepath.Join(data, "desks", country), bilateral); got != want {
			t.Errorf("a file of desk %s holds the bilateral note: %t, want %t", country, got, want)
		}
	}
}

// reader is an officer of one country at the desk's console.
type reader struct {
	t      *testing.T
	url    string
	client *http.Client
}

// everyPage is where an officer may look.
var everyPage = []string{"/", "/feed", "/transfers", "/sites", "/measures", "/commitments", "/groups", "/repatriations", "/people", "/about"}

func as(t *testing.T, p *pilot.Pilot, country string) *reader {
	return inRole(t, p, country, "officer")
}

func inRole(t *testing.T, p *pilot.Pilot, country, role string) *reader {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	officer, err := console.OfficerOf(role)
	if err != nil {
		t.Fatal(err)
	}
	consoles, err := p.Consoles(officer)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range consoles {
		if c.Country == country {
			r := &reader{t: t, url: c.URL, client: &http.Client{Jar: jar}}
			r.get(strings.TrimPrefix(c.SignIn, c.URL))
			return r
		}
	}
	t.Fatalf("no console of %s", country)
	return nil
}

func (r *reader) get(path string) string {
	r.t.Helper()
	response, err := r.client.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %s, error %v", path, response.Status, err)
	}
	return string(page)
}

func (r *reader) sees(path, text string) *reader {
	r.t.Helper()
	if !strings.Contains(r.get(path), text) {
		r.t.Errorf("%s%s does not show %q", r.url, path, text)
	}
	return r
}

func (r *reader) mustNotSee(texts ...string) {
	r.t.Helper()
	for _, path := range everyPage {
		page := r.get(path)
		for _, text := range texts {
			if strings.Contains(page, text) {
				r.t.Errorf("%s%s shows %q", r.url, path, text)
			}
		}
	}
}

func anyFileHolds(t *testing.T, directory, text string) bool {
	t.Helper()
	found := errors.New("found")
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte(text)) {
			return found
		}
		return err
	})
	if err != nil && !errors.Is(err, found) {
		t.Fatal(err)
	}
	return errors.Is(err, found)
}
