package casework

import (
	"time"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Review is one event's place in the calendar: when its agency has to look at it
// again. There is one for each event that was given a date; its identifier is EventRef.In.
type Review struct {
	ID       string        `json:"id"` // of the event
	Country  string        `json:"country"`
	Agency   string        `json:"agency"`
	Audience string        `json:"audience"`
	Index    uint64        `json:"index"`            // of the event
	Kind     string        `json:"kind"`             // as its header states it
	Marked   string        `json:"marked,omitempty"` // in the event's own marking, ISO 8601 date
	Claims   []ReviewClaim `json:"claims,omitempty"` // in log order
	Date     string        `json:"date"`             // the newest word, ISO 8601 date
	Done     string        `json:"done,omitempty"`   // recalled, erased: there is nothing to look at any more
	Oddities Oddities      `json:"oddities,omitempty"`
}

// ReviewClaim is one review of the event.
type ReviewClaim struct {
	Claim
	Date   string `json:"date"` // of the next one
	Reason string `json:"reason,omitempty"`
}

func (f *folding) controlReviewed(m *caseworkv1.ControlReviewed) error {
	f.say("reviewed %s", events(len(m.GetEventIds())))
	switch {
	case !isDate(m.GetReviewDate()):
		return f.unplaced("the review date is not a date")
	case len(f.subjects) == 0:
		return f.unplaced("none of the events is known here and its agency's to review")
	}
	f.say("reviewed %s, next on %s", events(len(m.GetEventIds())), m.GetReviewDate())
	claim := ReviewClaim{Claim: f.claim, Date: m.GetReviewDate(), Reason: m.GetReason()}
	for _, s := range f.subjects {
		if err := f.review(s, func(r *Review) { r.Claims = append(r.Claims, claim) }); err != nil {
			return err
		}
	}
	return nil
}

// review changes the calendar of a subject.
func (f *folding) review(s subject, change func(*Review)) error {
	return write(f, s.In(TypeReview), func(r *Review) {
		r.ID, r.Country, r.Agency = s.ID, s.Country(), s.Agency()
		r.Audience, r.Index, r.Kind, r.Done = s.Audience, s.Index, s.Kind, s.gone()
		change(r)
	})
}

func (r *Review) derive() {
	r.Date, r.Oddities = r.Marked, nil
	for _, c := range r.Claims {
		r.Oddities.remarks(c.Claim)
		r.Date = c.Date
	}
}

// Due says whether the event has to be looked at by today, an ISO 8601 date of the caller's.
func (r *Review) Due(today string) bool { return r.Done == "" && r.Date <= today }

// isDate says whether text is a day of the calendar, as ISO 8601 writes it.
func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}
