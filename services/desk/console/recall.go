package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
)

// recallView is one recall, with what each country that was asked has answered.
type recallView struct {
	*casework.Recall
	Path    string
	Index   uint64 // of the newest event of it
	Answers []recallAnswer
	Late    int    // countries
	Mine    string // of a recall that asks this desk's country: its State
	Owed    *Owed  // this desk's answer, where it was not handed over yet
}

// recallAnswer is one country's.
type recallAnswer struct {
	Country string
	State   string            // confirmed, confirmed-late, partly, partly-late, late, waiting
	Receipt *casework.Receipt // nil: there is none
	By      string            // how long it is late, or still has
	Asked   int               // events that it was asked for
	Named   int               // of them, those that its receipts name
}

// answered is the state of a country that has a receipt.
func answered(receipt casework.Receipt) string {
	state := "confirmed"
	if len(receipt.Unnamed) > 0 {
		state = "partly"
	}
	if receipt.Late {
		state += "-late"
	}
	return state
}

func (c *Console) recallOf(recall *casework.Recall, owed []Owed) recallView {
	now := c.config.Now()
	shown := recallView{Recall: recall, Path: hrefOf(casework.RecallRef(recall.Country, recall.Agency, recall.ID)), Late: len(recall.Late(now))}
	if len(recall.Claims) > 0 {
		shown.Index = recall.Claims[len(recall.Claims)-1].Index
	}
	deadline, unreadable := time.Parse(time.RFC3339, recall.Deadline)
	for _, country := range recall.Expected {
		one := recallAnswer{Country: country, State: "waiting"}
		if at := slices.IndexFunc(recall.Receipts, func(receipt casework.Receipt) bool { return receipt.Country == country }); at >= 0 {
			receipt := &recall.Receipts[at]
			one.State, one.Receipt, one.Asked = answered(*receipt), receipt, len(recall.Asked(country))
			one.Named = one.Asked - len(receipt.Unnamed)
		} else if unreadable == nil {
			if now.After(deadline) {
				one.State = "late"
			}
			one.By = c.pages.texts.span(now.Sub(deadline))
		}
		if country == c.config.Country {
			shown.Mine = one.State
		}
		shown.Answers = append(shown.Answers, one)
	}
	if at := slices.IndexFunc(owed, func(o Owed) bool {
		return o.Country == recall.Country && o.Agency == recall.Agency && o.Recall == recall.ID
	}); at >= 0 {
		shown.Owed = &owed[at]
	}
	return shown
}

// span is a length of time for people, whichever way it goes.
func (c catalogue) span(d time.Duration) string {
	d = d.Abs()
	if d >= 48*time.Hour {
		return fmt.Sprintf(c["span.days"], int(d/(24*time.Hour)))
	}
	if d >= 2*time.Hour {
		return fmt.Sprintf(c["span.hours"], int(d/time.Hour))
	}
	return fmt.Sprintf(c["span.minutes"], int(d/time.Minute))
}

// newestPage is a part of what is shown newest first.
type newestPage[T any] struct {
	Rows  []T
	Older string // address of those before these; empty: there are none
	All   int
}

// newest gives the part of rows, in any order, that a request asks for with ?from=N: after the
// newest N. Many rows may be of one event, so no log index parts them.
func newest[T any](r *http.Request, rows []T, at func(T) uint64) (newestPage[T], error) {
	from, err := index(r.URL.Query().Get("from"))
	if err != nil {
		return newestPage[T]{}, errNotFound
	}
	slices.SortStableFunc(rows, func(a, b T) int { return cmp.Compare(at(b), at(a)) })
	start := int(min(from, uint64(len(rows))))
	end := min(start+rowsOnPage, len(rows))
	page := newestPage[T]{Rows: rows[start:end], All: len(rows)}
	if end < len(rows) {
		page.Older = fmt.Sprintf("%s?from=%d", r.URL.EscapedPath(), end)
	}
	return page, nil
}

func (c *Console) recalls(r *http.Request, current session) (response, error) {
	all, err := readAll[casework.Recall](r.Context(), c.reader(current), casework.TypeRecall)
	if err != nil {
		return response{}, err
	}
	owed, err := c.owed(r.Context())
	if err != nil {
		return response{}, err
	}
	rows := make([]recallView, len(all))
	for i, recall := range all {
		rows[i] = c.recallOf(recall, owed)
	}
	page, err := newest(r, rows, func(row recallView) uint64 { return row.Index })
	return response{template: "recalls", data: page}, err
}

// recallPage is one recall.
type recallPage struct {
	recallView
	Reasons []repeated[casework.RecallClaim] // the recalls themselves, in log order
	Known   []eventLink
	More    int // events that are not shown
}

// eventLink leads to an event by its identifier.
type eventLink struct {
	ID    string
	Index uint64
	Here  bool // it is in this desk's view
}

func (c *Console) recall(r *http.Request, current session) (response, error) {
	found, err := read[casework.Recall](r.Context(), c.reader(current), casework.TypeRecall, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	owed, err := c.owed(r.Context())
	if err != nil {
		return response{}, err
	}
	shown := recallPage{recallView: c.recallOf(found, owed), More: max(0, len(found.Events)-rowsOnPage)}
	recalls := slices.DeleteFunc(slices.Clone(found.Claims), func(claim casework.RecallClaim) bool { return claim.Receipt != nil })
	shown.Reasons = repeats(recalls, sameRecall, indexOfRecall)
	if shown.Known, err = c.linksTo(r.Context(), current, found.Events[:len(found.Events)-shown.More], found.Country, found.Agency); err != nil {
		return response{}, err
	}
	title, err := c.pages.texts.text("recall.title", found.ID)
	return response{template: "recall", title: title, data: shown}, err
}

// linksTo finds events by their identifiers, of one agency where one is named.
func (c *Console) linksTo(ctx context.Context, current session, ids []string, country, agency string) ([]eventLink, error) {
	var links []eventLink
	for _, id := range ids {
		link := eventLink{ID: id}
		known, found, err := c.eventBy(ctx, current, id)
		if err != nil {
			return nil, err
		}
		if found {
			for _, origin := range known.Origins {
				if country == "" || origin.Country == country && origin.Agency == agency {
					link.Index, link.Here = origin.Index, true
				}
			}
		}
		links = append(links, link)
	}
	return links, nil
}

func (c *Console) eventBy(ctx context.Context, current session, id string) (*casework.Event, bool, error) {
	document, ok, err := c.reader(current).Document(ctx, casework.Ref{Type: casework.TypeEvent, ID: id})
	if err != nil || !ok {
		return nil, false, err
	}
	known, err := decode[casework.Event](document)
	return known, err == nil, err
}
