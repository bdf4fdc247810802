package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
)

// tab is one of the pages under /protection.
type tab struct{ Key, Path string }

var tabs = []tab{
	{"calendar.title", "/protection"}, {"recalls.title", "/protection/recalls"}, {"erasures.title", "/protection/erasures"},
	{"releases.title", "/protection/releases"}, {"records.title", "/protection/records"}, {"exports.title", "/protection/exports"},
}

// calendarPage says which events have to be looked at again, and when.
type calendarPage struct {
	Days                 []calendarDay
	Overdue, Due, Coming int // events in all
	Everybody            bool
	Mine                 string       // this desk's country
	More                 string       // address of the days after these; empty: there are none
	Waiting              []recallView // recalls of this country, or that it has to answer, which wait for an answer: the newest
	Unshown              int          // further ones
}

// calendarDay is one day's reviews, in the order of the log.
type calendarDay struct {
	Date    string
	State   string // overdue, due, coming
	Reviews []*casework.Review
}

// calendar shows what this country's agencies have to look at again, or with ?of=all everybody's.
// ?after=DATE.INDEX goes on where a page has ended.
func (c *Console) calendar(r *http.Request, current session) (response, error) {
	all, err := readAll[casework.Review](r.Context(), c.reader(current), casework.TypeReview)
	if err != nil {
		return response{}, err
	}
	date, at, err := calendarPlace(r.URL.Query().Get("after"))
	if err != nil {
		return response{}, errNotFound
	}
	shown := calendarPage{Everybody: r.URL.Query().Get("of") == "all", Mine: c.config.Country}
	all = slices.DeleteFunc(all, func(review *casework.Review) bool {
		return review.Done != "" || review.Date == "" || !shown.Everybody && review.Country != c.config.Country
	})
	slices.SortFunc(all, func(a, b *casework.Review) int {
		return cmp.Or(strings.Compare(a.Date, b.Date), cmp.Compare(a.Index, b.Index))
	})
	if err := c.addWaiting(r, current, &shown); err != nil {
		return response{}, err
	}
	rows := 0
	for _, review := range all {
		state := shown.count(review.Date, c.today())
		if review.Date < date || review.Date == date && review.Index <= at {
			continue
		}
		if rows++; rows > rowsOnPage {
			continue
		}
		if last := len(shown.Days) - 1; last < 0 || shown.Days[last].Date != review.Date {
			shown.Days = append(shown.Days, calendarDay{Date: review.Date, State: state})
		}
		day := &shown.Days[len(shown.Days)-1]
		day.Reviews = append(day.Reviews, review)
	}
	if rows > rowsOnPage {
		day := shown.Days[len(shown.Days)-1]
		shown.More = fmt.Sprintf("/protection?after=%s.%d", day.Date, day.Reviews[len(day.Reviews)-1].Index)
		if shown.Everybody {
			shown.More += "&of=all"
		}
	}
	return response{template: "calendar", data: shown}, nil
}

// waitingOnPage bounds the recalls beside the calendar.
const waitingOnPage = 5

// addWaiting finds the recalls that concern this country and still wait for an answer.
func (c *Console) addWaiting(r *http.Request, current session, p *calendarPage) error {
	all, err := readAll[casework.Recall](r.Context(), c.reader(current), casework.TypeRecall)
	if err != nil {
		return err
	}
	owed, err := c.owed(r.Context())
	if err != nil {
		return err
	}
	for _, recall := range all {
		one := c.recallOf(recall, owed)
		if one.Owed != nil || one.Mine == "waiting" || one.Mine == "late" || recall.Country == c.config.Country && len(recall.Waiting()) > 0 {
			p.Waiting = append(p.Waiting, one)
		}
	}
	slices.SortFunc(p.Waiting, func(a, b recallView) int { return cmp.Compare(b.Index, a.Index) })
	p.Unshown = max(0, len(p.Waiting)-waitingOnPage)
	p.Waiting = p.Waiting[:len(p.Waiting)-p.Unshown]
	return nil
}

// count adds a date to the sums, and says what it is today.
func (p *calendarPage) count(date, today string) (state string) {
	switch {
	case date < today:
		p.Overdue++
		return "overdue"
	case date == today:
		p.Due++
		return "due"
	}
	p.Coming++
	return "coming"
}

func calendarPlace(text string) (date string, at uint64, err error) {
	if text == "" {
		return "", 0, nil
	}
	date, number, _ := strings.Cut(text, ".")
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return "", 0, err
	}
	at, err = strconv.ParseUint(number, 10, 48)
	return date, at, err
}
