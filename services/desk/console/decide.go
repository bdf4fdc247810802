package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
)

// actions are what may be decided about an event, as paths and texts name them.
var actions = []string{"review", "recall", "erase", "release"}

const (
	longestForm    = 64 << 10 // bytes
	decisionPasses = 20 * time.Second
)

// decidePage is a form, what it comes to, or what came of it.
type decidePage struct {
	Event     view.Entry
	Action    string
	Draft     draft
	Step      string // form, confirm, done, refused, failed, command, denied
	Problems  []string
	Command   string   // to be run instead
	Why       string   // there is no publisher
	Sections  []string // compartments that could be released
	Countries []string // that it could be released to
	Audiences []registry.Audience
	Today     string
	To        string   // the event's audience
	Members   []string // who reads it
	Passage   passage  // of what is done
	Forgotten bool     // the draft that was asked for is not there any more
}

// Ticked says whether a compartment was chosen; of a new form, none is.
func (p decidePage) Ticked(compartment string) bool { return p.Draft.Has("compartment", compartment) }

// decidable is the event that a request decides on. It fails with errNotFound where nothing can be decided
// here: it is not there, is another country's, or is itself a decision.
func (c *Console) decidable(r *http.Request, current session) (view.Entry, error) {
	at, err := index(r.PathValue("index"))
	if err != nil || !slices.Contains(actions, r.PathValue("action")) {
		return view.Entry{}, errNotFound
	}
	found, err := c.reader(current).Entries(r.Context(), view.Filter{After: at, Limit: 1})
	if err != nil {
		return view.Entry{}, fmt.Errorf("reading entry %d: %w", at, err)
	}
	if len(found) == 0 || found[0].Index != at || !c.ours(found[0]) {
		return view.Entry{}, errNotFound
	}
	return found[0], nil
}

// ours says whether an agency of this country said it, and may take it back.
func (c *Console) ours(e view.Entry) bool {
	return e.Verdict == verdict.Accepted && e.EventID != "" && e.Country == c.config.Country && e.Released == 0 && casework.Recallable(e.Kind)
}

// decision shows the form of an action, or how far a draft of it has come.
func (c *Console) decision(r *http.Request, current session) (response, error) {
	event, err := c.decidable(r, current)
	if err != nil {
		return response{}, err
	}
	shown := decidePage{Event: event, Action: r.PathValue("action"), Today: c.today(), Step: "form", To: registry.AudienceOf(event.Audience), Members: c.readersOf(event.Audience)}
	title, err := c.pages.texts.text("decide."+shown.Action, event.Index)
	if err != nil {
		return response{}, err
	}
	if !current.decides() {
		shown.Step = "denied"
		return response{status: http.StatusForbidden, template: "decide", title: title, data: shown}, nil
	}
	if shown.Why = c.unreached(r.Context(), event.Agency); shown.Why != "" {
		shown.Step, shown.Command = "command", c.command(event, shown.Action)
		return response{template: "decide", title: title, data: shown}, nil
	}
	c.choices(&shown, current)
	key := r.URL.Query().Get("draft")
	if own, ok := c.drafts.find(current.key, event.Index, shown.Action, key); ok {
		shown.Draft = own
		shown.resume(r.URL.Query().Get("change") != "")
	} else {
		shown.Forgotten = key != ""
	}
	if closedCase(c.sections(event, current)) {
		shown.Event.Summary = "" // it would be codes
	}
	if shown.Step == "done" {
		if shown.Passage, err = c.passageOf(r.Context(), current, event, shown.Draft); err != nil {
			return response{}, err
		}
	}
	return response{template: "decide", title: title, data: shown}, nil
}

func (c *Console) unreached(ctx context.Context, agency string) string {
	if c.config.Control == nil {
		return c.pages.texts["decide.none"]
	}
	ctx, cancel := context.WithTimeout(ctx, decisionPasses)
	defer cancel()
	return c.config.Control.Reaches(ctx, agency)
}

// resume goes on with the draft; change opens its form again.
func (p *decidePage) resume(change bool) {
	switch {
	case p.Draft.outcome == "done":
		p.Step = "done"
	case change:
	case p.Draft.outcome != "":
		p.Step = p.Draft.outcome
	case len(p.Draft.problems) > 0:
		p.Problems = p.Draft.problems
	default:
		p.Step = "confirm"
	}
}

// readersOf are the countries that read what is said to an address.
func (c *Console) readersOf(address string) []string {
	state := c.config.State()
	audience, _ := state.Audience(registry.AudienceOf(address))
	return slices.DeleteFunc(slices.Clone(audience.Members), func(country string) bool { return !slices.Contains(state.Reads(country), address) })
}

// choices are what a release can be made of: sections that are open to this person, and
// countries and audiences that the registry has.
func (c *Console) choices(p *decidePage, current session) {
	if p.Action != "release" {
		return
	}
	for _, s := range c.sections(p.Event, current) {
		if s.State == stateOpen {
			p.Sections = append(p.Sections, s.Compartment)
		}
	}
	state := c.config.State()
	for _, country := range state.Countries() {
		if country != c.config.Country && !slices.Contains(state.Reads(country), p.Event.Audience) {
			p.Countries = append(p.Countries, country)
		}
	}
	for _, id := range state.AudiencesOf(c.config.Country) {
		if audience, ok := state.Audience(id); ok && slices.ContainsFunc(p.Countries, audience.Has) {
			p.Audiences = append(p.Audiences, audience)
		}
	}
}

// decide takes a form, or the word that a draft is to be sent. Whatever comes of it is shown
// by the page that it leads to, which may be loaded again. guard has refused what other sites send.
func (c *Console) decide(w http.ResponseWriter, r *http.Request) {
	current, ok := c.sessions.of(r)
	if !ok {
		c.askToSignIn(w, r)
		return
	}
	event, err := c.decidable(r, current)
	r.Body = http.MaxBytesReader(w, r.Body, longestForm)
	switch {
	case errors.Is(err, errNotFound):
		c.send(w, r, current, response{status: http.StatusNotFound, template: "missing"})
		return
	case err != nil:
		c.fail(w, r, current, err)
		return
	case !current.decides():
		shown := decidePage{Event: event, Action: r.PathValue("action"), Step: "denied"}
		c.send(w, r, current, response{status: http.StatusForbidden, template: "decide", title: c.pages.texts["decide.title"], data: shown})
		return
	case r.ParseForm() != nil:
		http.Error(w, c.pages.texts["decide.too-long"], http.StatusRequestEntityTooLarge)
		return
	}
	action := r.PathValue("action")
	own, found := c.drafts.find(current.key, event.Index, action, r.PostForm.Get("draft"))
	switch {
	case r.PostForm.Get("step") != "confirm":
		own = c.checked(event, action, r.PostForm, current)
	case !found:
		http.Redirect(w, r, r.URL.Path+"?draft=forgotten", http.StatusSeeOther) // it was made before a restart: the form again
		return
	case len(own.problems) == 0 && own.outcome != "done":
		own = c.hand(r.Context(), event, own)
	}
	own = c.drafts.keep(own)
	http.Redirect(w, r, r.URL.Path+"?"+url.Values{"draft": {own.key}}.Encode(), http.StatusSeeOther)
}

// checked makes a draft of what a form has.
func (c *Console) checked(event view.Entry, action string, form url.Values, current session) draft {
	own := draft{owner: current.key, index: event.Index, action: action, values: url.Values{}}
	for _, field := range []string{"reason", "date", "to", "audience", "compartment"} {
		own.values[field] = slices.Clone(form[field])
	}
	page := decidePage{Event: event, Action: action, Draft: own}
	c.choices(&page, current)
	own.problems = c.problems(page)
	return own
}
