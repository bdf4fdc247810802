// Package console is the desk's web console: pages for officers, rendered on
// the server from the read model, and a live feed.
//
// It reads, through a reader that knows in which compartments a session works: what lies in
// another one is on no page, and each section of an event says whether it is open, for whom it
// is sealed, or why this desk cannot open it. What officers decide about events of their own country it hands to
// the agency's publisher, and keeps no decision itself.
//
// Everything that an agency wrote is shown as that agency's claim, as text and never as markup. Pages work without JavaScript; the one
// script follows the live feed. The content security policy allows nothing but
// the console's own files.
package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
)

// Config is what a console needs. Fields without a stated default are required.
type Config struct {
	Country string                // the desk's member, an ISO 3166-1 alpha-2 code
	State   func() registry.State // the registry as the desk has folded it: names of agencies, purposes of audiences
	Reader  view.Reader
	Changes Changes
	Status  func() Status
	History History
	Alarms  Alarms
	Ring    Ring // default: nothing was noted
	// Attachments finds the files of an event; nil: there are none.
	Attachments Attachments
	Control     Control          // default: no publisher is configured, and pages name the command to run instead
	Now         func() time.Time // default: time.Now
	Logger      *slog.Logger     // default: discards; nothing about a person is logged
}

// Changes tells when the read model has changed. A notification may stand for
// several changes; the channel is never waited for by its sender.
type Changes interface {
	Subscribe() (changed <-chan struct{}, cancel func())
}

// History is all messages of the registry that the desk has, in the order of the log.
type History func(context.Context) ([]Update, error)

// Update is one message of the registry.
type Update struct {
	Index   uint64
	Subject string
	Verdict verdict.Code
	Reason  string   // of a refusal
	Says    []string // what it changed, in plain words, where it was accepted
}

// Status is how the desk stands to the log.
type Status struct {
	LogSize       uint64    // events in the newest checkpoint that the desk has verified
	WitnessedSize uint64    // events in the newest one that a quorum of countries has cosigned
	CosignedBy    []string  // countries that cosigned that one, sorted
	WitnessedAt   time.Time // when a quorum had last cosigned it or a larger one, by the mirrors' clocks; zero: never
	Connected     bool      // the link to the hub is up
	LastSync      time.Time // when something last came over the link; zero: never
	Alarm         string    // what is wrong with the log, in one sentence; empty: no alarm stands
	AlarmCode     string    // of that alarm
	Standing      string    // why the country or its desk cannot take part fully, and who can mend it; empty: it does
}

// Console is an http.Handler. Its streams end with their request's context, so
// the server that carries it sets a BaseContext which ends when the desk stops.
type Console struct {
	config   Config
	sessions *sessions
	streams  *streams
	drafts   *drafts
	taken    taken
	pages    *pages
	assets   *assets
	handler  http.Handler
}

// New builds a console. It fails where a required field is missing, or where
// its own templates and texts do not fit each other.
func New(config Config) (*Console, error) {
	switch {
	case config.Country == "":
		return nil, errors.New("console: no country")
	case config.State == nil, config.Reader == nil, config.Changes == nil, config.Status == nil, config.History == nil, config.Alarms == nil:
		return nil, errors.New("console: State, Reader, Changes, Status, History and Alarms are required")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	assets, err := loadAssets()
	if err != nil {
		return nil, err
	}
	pages, err := loadPages("en", assets)
	if err != nil {
		return nil, err
	}
	c := &Console{
		config:   config,
		sessions: newSessions(config.Country, config.Now),
		streams:  newStreams(),
		drafts:   newDrafts(),
		pages:    pages,
		assets:   assets,
	}
	c.handler = guard(c.routes())
	return c, nil
}

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// SignInLink makes a link that signs one person in, once, within a day. It is a
// path with a secret in its query: the caller puts the desk's address before it
// and hands it to that person alone. It fails for a role or a compartment that there is not.
func (c *Console) SignInLink(officer Officer) (string, error) {
	if err := officer.check(); err != nil {
		return "", fmt.Errorf("signing somebody in: %w", err)
	}
	return c.sessions.link(officer), nil
}

func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", c.assets)
	mux.HandleFunc("GET /sign-in", c.signIn)
	mux.HandleFunc("POST /sign-out", c.signOut)
	mux.HandleFunc("GET /feed/live", c.live)
	mux.HandleFunc("GET /alarms/{number}/{side}", c.evidence)
	mux.HandleFunc("GET /events/{index}/attachments/{compartment}/{number}/file", c.takeAway)
	mux.HandleFunc("POST /events/{index}/{action}", c.decide)
	for pattern, show := range map[string]page{
		"/{$}":            c.now,
		"/feed":           c.feed,
		"/events/{index}": c.event,

		"/events/{index}/attachments/{compartment}/{number}": c.attachment,

		"/transfers":          c.transfers,
		"/transfers/{id}":     c.transfer,
		"/sites":              c.sites,
		"/sites/{id}":         c.site,
		"/measures":           c.measures,
		"/measures/{id}":      c.measure,
		"/commitments":        c.commitments,
		"/commitments/{id}":   c.commitment,
		"/meetings/{id}":      c.meeting,
		"/groups":             c.groups,
		"/groups/{id}":        c.group,
		"/repatriations":      c.repatriations,
		"/repatriations/{id}": c.repatriation,
		"/people":             c.people,
		"/people/{id}":        c.person,
		"/about":              c.about,
		"/registry":           c.registry,
		"/alarms":             c.alarms,

		"/events/{index}/{action}": c.decision,
		"/protection":              c.calendar,
		"/protection/recalls":      c.recalls,
		"/protection/recalls/{id}": c.recall,
		"/protection/erasures":     c.erasures,
		"/protection/releases":     c.releases,
		"/protection/records":      c.records,
		"/protection/exports":      c.exports,
	} {
		mux.Handle("GET "+pattern, c.signedIn(show))
	}
	mux.Handle("/", c.signedIn(func(*http.Request, session) (response, error) { return response{}, errNotFound }))
	return mux
}
