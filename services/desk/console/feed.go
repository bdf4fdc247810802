package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
)

const (
	entriesOnPage = 40
	// lookBack bounds one read while looking for older entries.
	lookBack = 4096
)

// feedPage is the feed, or a part of it.
type feedPage struct {
	Entries   []liveEntry
	Blank     liveEntry // the mould for entries that come in live
	Family    string
	Country   string
	Families  []string
	Countries []string
	Older     string // address of the entries before these; empty: there are none
	Newest    bool   // these are the newest, so the page goes on live
	Live      string // address of the stream that continues after the first of these
}

func (c *Console) feed(r *http.Request, current session) (response, error) {
	query := r.URL.Query()
	filter, err := feedFilter(query)
	if err != nil {
		return response{}, errNotFound
	}
	before, err := index(query.Get("before"))
	if err != nil {
		return response{}, errNotFound
	}
	shown := feedPage{
		Family: filter.Family, Country: filter.Country, Newest: query.Get("before") == "",
		Families: families(), Countries: c.config.State().Countries(),
	}
	var found []view.Entry
	if shown.Newest {
		filter.Newest, filter.Limit = true, entriesOnPage+1
		found, err = c.reader(current).Entries(r.Context(), filter)
	} else {
		found, err = c.older(r.Context(), current, filter, before, entriesOnPage+1)
	}
	if err != nil {
		return response{}, fmt.Errorf("reading the feed: %w", err)
	}
	if len(found) > entriesOnPage {
		found = found[:entriesOnPage]
		shown.Older = feedPath("/feed", filter, "before", found[entriesOnPage-1].Index)
	}
	shown.Live = feedPath("/feed/live", filter, "", 0)
	if len(found) > 0 {
		shown.Live = feedPath("/feed/live", filter, "after", found[0].Index)
	}
	shown.Entries = c.liveEntries(found, current)
	return response{template: "feed", data: shown}, nil
}

// older reads the newest entries below a log index, newest first. A filter has
// no upper bound, so it reads windows that reach further and further back.
func (c *Console) older(ctx context.Context, current session, filter view.Filter, before uint64, limit int) ([]view.Entry, error) {
	// Above the newest entry there is nothing to read, however far that is.
	newest, err := c.config.Reader.Cursor(ctx)
	if err != nil {
		return nil, err
	}
	before = min(before, newest.Index+1)
	var found []view.Entry
	for width := uint64(4 * limit); before > 0 && len(found) < limit; width = min(2*width, lookBack) {
		start := before - min(width, before)
		filter.After, filter.Limit, filter.Newest = start, int(before-start), false
		window, err := c.reader(current).Entries(ctx, filter)
		if err != nil {
			return nil, err
		}
		window = slices.DeleteFunc(window, func(e view.Entry) bool { return e.Index >= before })
		slices.Reverse(window)
		found = append(found, window...)
		before = start
	}
	return found[:min(len(found), limit)], nil
}

// refused counts the entries that were neither accepted nor mere repetitions.
func (c *Console) refused(ctx context.Context) (uint64, error) {
	counts, err := c.config.Reader.Counts(ctx)
	if err != nil {
		return 0, fmt.Errorf("counting verdicts: %w", err)
	}
	var refused uint64
	for code, n := range counts {
		if code.Refused() {
			refused += n
		}
	}
	return refused, nil
}

// feedFilter reads the filters of the feed's form. It refuses what no entry can have.
func feedFilter(query url.Values) (view.Filter, error) {
	filter := view.Filter{Family: query.Get("family"), Country: query.Get("country")}
	if filter.Family != "" && !slices.Contains(families(), filter.Family) {
		return filter, fmt.Errorf("no family %.32q", filter.Family)
	}
	if filter.Country != "" && event.CheckCountry(filter.Country) != nil {
		return filter, fmt.Errorf("no country %.32q", filter.Country)
	}
	return filter, nil
}

func feedPath(path string, filter view.Filter, bound string, index uint64) string {
	query := url.Values{}
	if filter.Family != "" {
		query.Set("family", filter.Family)
	}
	if filter.Country != "" {
		query.Set("country", filter.Country)
	}
	if bound != "" {
		query.Set(bound, strconv.FormatUint(index, 10))
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// index reads a log index in its one form; empty is 0.
func index(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 48)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, fmt.Errorf("%.32q is no log index", text)
	}
	return n, nil
}

// families are the parts of the kinds before the dot, sorted.
func families() []string {
	var all []string
	for _, kind := range casework.Kinds() {
		family, _, _ := strings.Cut(kind, ".")
		all = append(all, family)
	}
	return slices.Compact(all)
}

// eventPage is one entry of the log.
type eventPage struct {
	view.Entry
	Accepted  bool
	Witnessed bool     // a quorum of countries has cosigned a log that has it
	Doubted   bool     // its agency no longer vouches for it
	To        string   // its audience; Entry.Audience is the address
	Purposes  []string // what its audience may use it for
	Members   []string // who reads what was said to its address
	Name      string   // the agency's name in the registry
	Sections  []liveSection
	Content   content // of those beside the case section
	Files     []linkedFile
	Actions   []string // that this person may decide on
	Erased    bool     // its agency has
	Became    became
	About     *concern // of an event of control; nil: it is none, or had no effect
	Days      uint64   // that its retention class keeps it; 0: unknown
}

func (c *Console) event(r *http.Request, current session) (response, error) {
	at, err := index(r.PathValue("index"))
	if err != nil {
		return response{}, errNotFound
	}
	found, err := c.reader(current).Entries(r.Context(), view.Filter{After: at, Limit: 1})
	if err != nil {
		return response{}, fmt.Errorf("reading entry %d: %w", at, err)
	}
	if len(found) == 0 || found[0].Index != at {
		return response{}, errNotFound
	}
	state := c.config.State()
	to := registry.AudienceOf(found[0].Audience)
	audience, _ := state.Audience(to)
	shown := eventPage{
		Entry: found[0], Accepted: found[0].Verdict == verdict.Accepted, Witnessed: at < c.config.Status().WitnessedSize,
		To: to, Purposes: audience.Purposes, Name: c.agencyName(found[0].Country, found[0].Agency),
		Members: c.readersOf(found[0].Audience), Days: uint64(state.Retention()[found[0].Retention]),
	}
	shown.Doubted = shown.Accepted && state.Doubted(shown.Country, shown.Entry.Agency, at)
	if shown.Accepted {
		shown.Sections = c.sections(found[0], current)
		if shown.Content, err = c.contentOf(r, current, at); err != nil {
			return response{}, err
		}
		if shown.Files, err = c.filesOf(r, current, at); err != nil {
			return response{}, err
		}
	}
	if err := c.addControl(r, current, &shown); err != nil {
		return response{}, err
	}
	if closedCase(shown.Sections) {
		shown.Summary = "" // it would be codes: the sections say it in words
	}
	title, err := c.pages.texts.text("event.title", at)
	return response{template: "event", title: title, data: shown}, err
}

// agencyName is an agency's name in the registry; empty where it has none.
func (c *Console) agencyName(country, id string) string {
	agency, _ := c.config.State().Agency(country, id)
	return agency.Name
}
