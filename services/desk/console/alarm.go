package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
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
	Alarms  []Alarm
	Held    bool   // this role may fetch what may be case content
	Notes   notes  // codes whose evidence is not
	Older   string // address of the alarms before these; empty: there are none
	Newest  bool   // these are the newest
	Stands  int
	Country string
}

const alarmsOnPage = 20

// notes are the codes whose evidence is signed notes and digests, and never a
// message: whoever is signed in may have it.
type notes []string

// Only says whether all evidence of such alarms is notes.
func (n notes) Only(code string) bool { return slices.Contains(n, code) }

var noteCodes = notes{"rollback", "fork", "mismatch", "registry", "state-lost", "damaged", "withheld", "dissent"}

func (c *Console) alarms(r *http.Request, current session) (response, error) {
	before, err := index(r.URL.Query().Get("before"))
	if err != nil {
		return response{}, errNotFound
	}
	all, err := c.config.Alarms(r.Context())
	if err != nil {
		return response{}, fmt.Errorf("reading alarms: %w", err)
	}
	shown := alarmsPage{Held: current.mayIdentify(), Notes: noteCodes, Newest: before == 0, Country: c.config.Country}
	for _, alarm := range slices.Backward(all) {
		if alarm.Ended == nil {
			shown.Stands++
		}
		switch {
		case before > 0 && uint64(alarm.Number) >= before:
		case len(shown.Alarms) < alarmsOnPage:
			shown.Alarms = append(shown.Alarms, alarm)
		case shown.Older == "":
			shown.Older = fmt.Sprintf("/alarms?before=%d", shown.Alarms[alarmsOnPage-1].Number)
		}
	}
	return response{template: "alarms", data: shown}, nil
}

// evidence hands out one side of an alarm, byte for byte, as a file: never as
// something that a browser would show. It may be a whole message of the log, so that
// those who may not see names do not get it.
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
	if at < 0 || !current.mayIdentify() && !noteCodes.Only(all[at].Code) {
		c.send(w, r, current, response{status: http.StatusNotFound, template: "missing"})
		return
	}
	side := map[string][]byte{"have": all[at].Have, "got": all[at].Got}[r.PathValue("side")]
	if len(side) == 0 {
		c.send(w, r, current, response{status: http.StatusNotFound, template: "missing"})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="alarm-%s-%d-%s"`, c.config.Country, number, r.PathValue("side")))
	w.Header().Set("Content-Length", strconv.Itoa(len(side)))
	_, _ = w.Write(side) // the browser has gone: nobody is left to tell
}
