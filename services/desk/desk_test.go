package desk

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

func TestADeskFollowsFoldsAndCosigns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XB")
	changed, cancel := d.Live().Subscribe()
	defer cancel()
	w.say(police)
	index := w.say(border)
	d.has(index)
	until(t, "a subscriber is told of new entries", func() bool {
		select {
		case <-changed:
			return true
		default:
			return false
		}
	})
	entries := d.entries()
	same(t, "verdicts", map[uint64]verdict.Code{0: verdict.Accepted, 1: verdict.Accepted, 2: verdict.Accepted}, d.verdicts())
	last := entries[2]
	same(t, "who", []string{"XB", "border", "region", "site.reported"}, []string{last.Country, last.Agency, last.Audience, last.Kind})
	same(t, "what", []string{"2025-02-12", "a visit"}, []string{last.Occurred, last.Source})
	same(t, "touched", []casework.Ref{{Type: casework.TypeSite, ID: "S-2"}, {Type: casework.TypeEvent, ID: last.EventID}}, last.Refs)
	if last.Summary == "" || entries[0].Summary == "" {
		t.Errorf("summaries are %q and %q", entries[0].Summary, last.Summary)
	}
	until(t, "the registry is founded", func() bool { return d.State().Founded() })

	checkpoint := w.notarise()
	d.hasCosigned(3)
	same(t, "witnessed by one of a quorum of two", uint64(0), d.Status().WitnessedSize)
	w.cosign("XA", checkpoint)
	until(t, "size 3 is witnessed", func() bool { return d.Status().WitnessedSize == 3 })
	status := d.Status()
	same(t, "cosigned by", []string{"XA", "XB"}, status.CosignedBy)
	same(t, "log size", uint64(3), status.LogSize)
	same(t, "alarm", "", status.Alarm)
	if !status.Connected || status.LastSync.IsZero() {
		t.Errorf("link: %+v", status)
	}
	if err := d.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestADeskSeesItsAudiencesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XC")
	w.say(police)
	w.say(pair)
	index := w.say(border)
	d.has(index)
	same(t, "verdicts", map[uint64]verdict.Code{0: verdict.Accepted, 1: verdict.Accepted, 3: verdict.Accepted}, d.verdicts())
	w.notarise()
	d.hasCosigned(4)
	same(t, "alarm", "", d.Status().Alarm)
}

func TestAStartGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	d := w.start("XA", directory)
	w.say(police)
	w.notarise()
	d.hasCosigned(2)
	must(t, d.stop())
	w.say(police)
	w.say(pair)
	w.notarise()
	d = w.start("XA", directory)
	d.hasCosigned(4)
	d.has(3) // what is cosigned is journaled, and folded a little later
	same(t, "entries", 4, len(d.entries()))
	must(t, d.stop())
	// A third start has nothing to add, and may publish its newest cosignature again.
	d = w.start("XA", directory)
	until(t, "the third start has heard from the hub", func() bool { return !d.Status().LastSync.IsZero() })
	must(t, d.stop())
	sizes := w.cosigned("XA")
	for i := 1; i < len(sizes); i++ {
		if sizes[i] < sizes[i-1] {
			t.Errorf("cosigned sizes went back: %v", sizes)
		}
	}
	same(t, "newest cosigned size", uint64(4), sizes[len(sizes)-1])
}

func TestADeskOpensAndServesWhileTheHubIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA", func(c *Config) {
		c.Stream.URL = "nats://127.0.0.1:1"
		c.Listen = "127.0.0.1:0"
		c.Console = func(d *Desk) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := d.Reader().Cursor(r.Context()); err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
				}
			}), nil
		}
	})
	response, err := http.Get(d.URL())
	must(t, err)
	response.Body.Close()
	same(t, "status", http.StatusOK, response.StatusCode)
	same(t, "connected", false, d.Status().Connected)
	must(t, d.stop())
}

func TestOpenStreamsEndWithTheDesk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA", func(c *Config) {
		c.Listen = "127.0.0.1:0"
		c.Console = func(*Desk) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}), nil
		}
	})
	response, err := http.Get(d.URL())
	must(t, err)
	defer response.Body.Close()
	began := time.Now()
	must(t, d.stop())
	if took := time.Since(began); took >= 5*time.Second {
		t.Errorf("stopping took %s: it waited for an open stream", took)
	}
}

func TestAnotherMirrorKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]func(*Config){
		"another country's key": func(c *Config) { c.MirrorKey = registrytest.Key("mirror XB") },
		"no key":                func(c *Config) { c.MirrorKey = nil },
		"no member":             func(c *Config) { c.Country = "ZZ" },
	} {
		config := Config{Country: "XA", Directory: t.TempDir(), Charter: w.charter, MirrorKey: registrytest.Key("mirror XA"), Stream: stream.Config{URL: w.url}}
		change(&config)
		if d, err := New(t.Context(), config); err == nil {
			d.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestASectionThatCannotBeReadIsSaidSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA")
	clear := func(c eventv1.Compartment, content string) event.Section {
		return event.Section{Compartment: c, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: []byte(content)}
	}
	sealed := event.Section{Form: eventv1.SectionForm_SECTION_FORM_SEALED, Commitment: make([]byte, 32), Content: []byte("\xff")}
	for _, c := range []struct {
		name     string
		sections []event.Section
		breach   string
	}{
		{"case", []event.Section{clear(eventv1.Compartment_COMPARTMENT_CASE, "\xff\xff")}, "the case section cannot be read"},
		{"protection beside a good case", []event.Section{w.section("site.reported", "S-9"), clear(eventv1.Compartment_COMPARTMENT_PROTECTION, "\xff")}, "the protection section cannot be read"},
		{"a compartment of the future", []event.Section{w.section("site.reported", "S-9"), clear(99, "")}, "the 99 section cannot be read"},
		{"sealed is no fault", []event.Section{w.section("site.reported", "S-9"), sealed}, ""},
	} {
		draft := w.draft("site.reported", c.sections...)
		if c.sections[len(c.sections)-1].Form == eventv1.SectionForm_SECTION_FORM_SEALED {
			draft.Parts = make([]byte, 32)
		}
		messages, head := w.sign(police, w.agency[police.String()], draft)
		w.agency[police.String()] = head
		index := w.publish(messages[0])
		d.has(index)
		entries, err := d.Reader().Entries(t.Context(), view.Filter{After: index})
		must(t, err)
		same(t, c.name+": verdict", verdict.Accepted, entries[0].Verdict)
		var what string
		for _, breach := range entries[0].Breaches {
			if breach.Code == casework.BreachUnreadable {
				what = breach.What
			}
		}
		if !strings.HasPrefix(what, c.breach) || (c.breach == "") != (what == "") {
			t.Errorf("%s: breach is %q, want %q", c.name, what, c.breach)
		}
	}
}

func TestLiveNeverWaits(t *testing.T) {
	t.Parallel()
	var l Live
	slow, cancelSlow := l.Subscribe()
	gone, cancelGone := l.Subscribe()
	cancelGone()
	cancelGone()
	for range 3 {
		l.notify()
	}
	same(t, "waiting notifications of a slow subscriber", 1, len(slow))
	same(t, "notifications after cancel", 0, len(gone))
	cancelSlow()
	l.notify()
	same(t, "subscribers left", 0, len(l.subscribers))
}

// files lists the view's files of a desk.
func files(t *testing.T, directory string) []string {
	t.Helper()
	var names []string
	all, err := os.ReadDir(directory)
	must(t, err)
	for _, entry := range all {
		if name := entry.Name(); strings.HasPrefix(name, "view") && filepath.Ext(name) == ".db" {
			names = append(names, name)
		}
	}
	return names
}
