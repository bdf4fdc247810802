package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Alarms are all alarms that the desk has ever raised, in the order of their numbers.
type Alarms func(context.Context) ([]Alarm, error)

// Alarm is an accusation with its evidence.
type Alarm struct {
	Number int64
	Raised time.Time
	Code   string
	Index  *uint64 // log index that it is about; nil: of none
	What   string  // in plain words
	Have   []byte  // what the desk holds; empty: nothing is kept of this side
	Got    []byte  // what contradicts it; likewise
	Ended  *Ended  // nil: it stands
}

// Ended says how an alarm ended.
type Ended struct {
	When   time.Time
	Person string // who has settled it; empty: it ended by itself
	Reason string
}

// Advice is what to do about an alarm, in English; a code without any gives the
// code in words.
func Advice(code string) string {
	texts, err := loadCatalogue("en")
	if err != nil {
		return "" // New fails before
	}
	return texts.word("alarm-do", code)
}

// alarmsPage is what a desk has found to be wrong with the log, newest first.
type alarmsPage struct {
	Alarms  []shownAlarm
	Older   string // address of the alarms before these; empty: there are none
	Newest  bool   // these are the newest
	Stands  int
	Country string
}

const alarmsOnPage = 20

// shownAlarm is an alarm with the sides that this person may fetch.
type shownAlarm struct {
	Alarm
	HaveFile, GotFile bool
	Withheld          bool // a side is there, and not for this person
}

func (s session) shows(alarm Alarm) shownAlarm {
	shown := shownAlarm{Alarm: alarm, HaveFile: s.mayHave(alarm.Code, alarm.Have), GotFile: s.mayHave(alarm.Code, alarm.Got)}
	shown.Withheld = len(alarm.Have) > 0 && !shown.HaveFile || len(alarm.Got) > 0 && !shown.GotFile
	return shown
}

// noteCodes are the alarms whose evidence is signed notes and digests, but for a message of
// an event in a dissent: whoever is signed in may have what is no event.
var noteCodes = []string{"rollback", "fork", "mismatch", "registry", "state-lost", "damaged", "withheld", "dissent"}

// mayHave says whether this person may have one side of an alarm. An event is for who works
// in each compartment of which it has a section in clear: the others are ciphertext. What is
// no event, and should be one, may be a part of anything: it is for who sees names.
func (s session) mayHave(code string, side []byte) bool {
	if len(side) == 0 {
		return false
	}
	sections, ok := sectionsInClear(side)
	if !ok {
		return slices.Contains(noteCodes, code) || s.works(inCase) && s.works(inIdentity)
	}
	return !slices.ContainsFunc(sections, func(compartment string) bool { return !s.works(compartment) })
}

// sectionsInClear are the compartments of an event's sections in clear, as its bytes
// have them: nothing of it need be true. ok is false where it is no event.
func sectionsInClear(data []byte) (inClear []string, ok bool) {
	if _, err := event.Decode(data); err != nil {
		return nil, false
	}
	envelope, header := &eventv1.Envelope{}, &eventv1.Header{}
	if proto.Unmarshal(data, envelope) != nil || proto.Unmarshal(envelope.GetHeader(), header) != nil {
		return nil, false
	}
	for _, section := range header.GetSections() {
		if section.GetForm() != eventv1.SectionForm_SECTION_FORM_SEALED {
			inClear = append(inClear, strings.ToLower(strings.TrimPrefix(section.GetCompartment().String(), "COMPARTMENT_")))
		}
	}
	return inClear, true
}

func (c *Console) alarms(r *http.Request, current session) (response, error) {
	before, err := index(r.URL.Query().Get("before"))
	if err != nil {
		return response{}, errNotFound
	}
	all, err := c.config.Alarms(r.Context())
	if err != nil {
		return response{}, fmt.Errorf("reading alarms: %w", err)
	}
	shown := alarmsPage{Newest: before == 0, Country: c.config.Country}
	for _, alarm := range slices.Backward(all) {
		if alarm.Ended == nil {
			shown.Stands++
		}
		switch {
		case before > 0 && uint64(alarm.Number) >= before:
		case len(shown.Alarms) < alarmsOnPage:
			shown.Alarms = append(shown.Alarms, current.shows(alarm))
		case shown.Older == "":
			shown.Older = fmt.Sprintf("/alarms?before=%d", shown.Alarms[alarmsOnPage-1].Number)
		}
	}
	return response{template: "alarms", data: shown}, nil
}

// evidence hands out one side of an alarm, byte for byte, as a file: never as
// something that a browser would show. It may be a whole message of the log: see mayHave.
func (c *Console) evidence(w http.ResponseWriter, r *http.Request) {
	current, ok := c.sessions.of(r)
	if !ok {
		c.askToSignIn(w, r)
		return
	}
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		c.send(w, r, current, response{status: http.StatusNotFound, template: "missing"})
		return
	}
	all, err := c.config.Alarms(r.Context())
	if err != nil {
		c.fail(w, r, current, fmt.Errorf("reading alarms: %w", err))
		return
	}
	at := slices.IndexFunc(all, func(a Alarm) bool { return a.Number == number })
	var side []byte
	if at >= 0 {
		side = map[string][]byte{"have": all[at].Have, "got": all[at].Got}[r.PathValue("side")]
	}
	if at < 0 || !current.mayHave(all[at].Code, side) {
		c.send(w, r, current, response{status: http.StatusNotFound, template: "missing"})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="alarm-%s-%d-%s"`, c.config.Country, number, r.PathValue("side")))
	w.Header().Set("Content-Length", strconv.Itoa(len(side)))
	_, _ = w.Write(side) // the browser has gone: nobody is left to tell
}
