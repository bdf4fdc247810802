package casework

import (
	"fmt"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Recall is what an agency asked every reader to destroy, and who has said that it
// did. A recall's identifier is its agency's own, so the document is that of RecallRef.
type Recall struct {
	ID       string        `json:"id"` // recall_id
	Country  string        `json:"country"`
	Agency   string        `json:"agency"`
	Claims   []RecallClaim `json:"claims"`             // in log order: what was recalled, and receipts
	Events   []string      `json:"events,omitempty"`   // identifiers, of events that are known here and its to recall
	Deadline string        `json:"deadline,omitempty"` // RFC 3339, the newest stated
	Reason   string        `json:"reason,omitempty"`   // likewise
	Expected []string      `json:"expected,omitempty"` // countries that have to answer, sorted
	Receipts []Receipt     `json:"receipts,omitempty"` // the newest of each country, of all that is recalled
	Oddities Oddities      `json:"oddities,omitempty"`
}

// RecallClaim is a recall, or a receipt.
type RecallClaim struct {
	Claim
	Events   []string `json:"events,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Deadline string   `json:"deadline,omitempty"`
	Expected []string `json:"expected,omitempty"` // as the registry and releases had it at Index
	Receipt  *Receipt `json:"receipt,omitempty"`
}

// Receipt is one country's word that it has destroyed what it had.
type Receipt struct {
	Index     uint64   `json:"index"` // of its event
	Country   string   `json:"country"`
	Agency    string   `json:"agency"`
	Recorded  string   `json:"recorded"`         // RFC 3339, UTC: of its event, by its publisher's clock
	Destroyed string   `json:"destroyed"`        // RFC 3339, as stated
	Exports   uint32   `json:"exports"`          // files that had been exported with it
	Events    []string `json:"events,omitempty"` // identifiers of those that it had

	// Derived, of those in Recall.Receipts. Both are the country's own word: the log has no
	// clock, and nobody else knows what a desk had.
	Late    bool     `json:"late,omitempty"`    // recorded, or destroyed, after the deadline
	Unnamed []string `json:"unnamed,omitempty"` // of the events that it was asked for, those that no receipt of it names: it says that it had none of them
}

// RecallRef is the document of an agency's recall.
func RecallRef(country, agency, recallID string) Ref {
	return Ref{TypeRecall, country + "." + agency + "." + recallID}
}

// RecalledBy returns the events that s recalls; none where it recalls nothing. It needs no
// cabinet, so that a desk can note them when s is heard and withhold their
// sections when it folds again from the beginning. Only such events are recalled
// by it as come before s in the log and are Recallable.
func RecalledBy(s Said) []EventRef {
	if !identifier.MatchString(s.Case.GetControlRecalled().GetRecallId()) {
		return nil
	}
	var refs []EventRef
	for _, id := range eventIDs(s.Case) {
		refs = append(refs, s.about(id))
	}
	return refs
}

// Recalled says whether an event is recalled, as far as c has been folded.
func Recalled(c Cabinet, ref EventRef) (bool, error) {
	stored, _, err := Load[Event](c, Ref{TypeEvent, ref.ID})
	if err != nil {
		return false, err
	}
	origin := stored.by(ref.Country, ref.Agency)
	return origin != nil && len(origin.Recalls) > 0, nil
}

// AskedBy returns the countries that s asks for a receipt, sorted; none where it recalls nothing
// of its agency's own. s is folded into c.
func AskedBy(c Cabinet, s Said) ([]string, error) {
	id := s.Case.GetControlRecalled().GetRecallId()
	if !identifier.MatchString(id) {
		return nil, nil
	}
	stored, found, err := Load[Recall](c, RecallRef(s.Country, s.Agency, id))
	if err != nil || !found {
		return nil, err
	}
	for _, claim := range stored.Claims {
		if claim.Index == s.Index && claim.Receipt == nil {
			return claim.Expected, nil
		}
	}
	return nil, nil
}

func (f *folding) controlRecalled(m *caseworkv1.ControlRecalled) error {
	f.say("recalled %s", events(len(m.GetEventIds())))
	id := m.GetRecallId()
	if !identifier.MatchString(id) {
		return f.unplaced("the identifier of the recall is not one")
	}
	subjects := f.recallable()
	expected, err := f.expected(subjects)
	if err != nil {
		return err
	}
	if _, err := time.Parse(time.RFC3339, m.GetDeadline()); err != nil {
		f.remark("the deadline is not a time")
	}
	claim := RecallClaim{Claim: f.claim, Reason: m.GetReason(), Deadline: m.GetDeadline(), Expected: expected}
	for _, s := range subjects {
		claim.Events = append(claim.Events, s.ID)
	}
	if err := f.recall(f.said.Country, f.said.Agency, id, claim); err != nil {
		return err
	}
	for _, s := range subjects {
		if err := f.mark(s, func(o *Origin) {
			if !slices.Contains(o.Recalls, id) {
				o.Recalls = append(o.Recalls, id)
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

func (f *folding) controlReceipt(m *caseworkv1.ControlReceipt) error {
	f.say("confirmed a recall")
	if !identifier.MatchString(m.GetRecallId()) || event.CheckCountry(m.GetCountry()) != nil || event.CheckToken("agency", m.GetAgency()) != nil {
		return f.unplaced("the recall that it is a receipt of is not readable")
	}
	f.say("confirmed recall %s of %s %s", m.GetRecallId(), m.GetCountry(), m.GetAgency())
	if _, err := time.Parse(time.RFC3339, m.GetDestroyed()); err != nil {
		f.remark("when it was destroyed is not a time")
	}
	return f.recall(m.GetCountry(), m.GetAgency(), m.GetRecallId(), RecallClaim{Claim: f.claim, Receipt: &Receipt{
		Index: f.said.Index, Country: f.said.Country, Agency: f.said.Agency, Recorded: f.claim.Recorded,
		Destroyed: m.GetDestroyed(), Exports: m.GetExports(), Events: readableIDs(m.GetEventIds()),
	}})
}

func (f *folding) recall(country, agency, id string, claim RecallClaim) error {
	return write(f, RecallRef(country, agency, id), func(r *Recall) {
		r.ID, r.Country, r.Agency = id, country, agency
		r.Claims = append(r.Claims, claim)
	})
}

// expected are the countries that have to answer: who reads the recall's audience, but
// its originator. Where the events were said elsewhere, and only released to
// countries here, it is these alone.
func (f *folding) expected(subjects []subject) ([]string, error) {
	all := slices.DeleteFunc(slices.Clone(f.said.Members), func(country string) bool { return country == f.said.Country })
	slices.Sort(all)
	if f.unknown == 0 && len(subjects) == 0 {
		return nil, nil
	}
	if slices.ContainsFunc(subjects, func(s subject) bool { return s.Audience == f.said.Audience }) {
		return all, nil
	}
	var released []string
	for _, id := range eventIDs(f.said.Case) {
		release, found, err := Load[Release](f.cabinet, f.said.about(id).In(TypeRelease))
		if err != nil {
			return nil, err
		}
		if !found {
			return all, nil
		}
		released = append(released, release.To...)
	}
	return slices.DeleteFunc(all, func(country string) bool { return !slices.Contains(released, country) }), nil
}

func (r *Recall) derive() {
	r.Events, r.Deadline, r.Reason, r.Expected, r.Receipts, r.Oddities = nil, "", "", nil, nil, nil
	recalled := false
	for _, c := range r.Claims {
		r.Oddities.remarks(c.Claim)
		if c.Receipt != nil {
			r.receive(c, recalled)
			continue
		}
		more := slices.ContainsFunc(c.Events, func(id string) bool { return !slices.Contains(r.Events, id) })
		if recalled && more { // what these have answered is less than they are asked now
			r.Receipts = slices.DeleteFunc(r.Receipts, func(earlier Receipt) bool { return slices.Contains(c.Expected, earlier.Country) })
		}
		recalled = true
		r.Events = union(r.Events, c.Events)
		r.Expected = union(r.Expected, c.Expected)
		r.Deadline, r.Reason = c.Deadline, c.Reason
	}
	for i := range r.Receipts {
		receipt := &r.Receipts[i]
		receipt.Late = r.after(receipt.Recorded) || r.after(receipt.Destroyed)
		receipt.Unnamed = r.unnamed(receipt.Country)
	}
}

// after reports whether a time is after the deadline; not where one of them is not readable.
func (r *Recall) after(text string) bool {
	deadline, err := time.Parse(time.RFC3339, r.Deadline)
	if err != nil {
		return false
	}
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && at.After(deadline)
}

// unnamed are the events that a country was asked for and that none of its receipts names, sorted.
func (r *Recall) unnamed(country string) []string {
	asked := r.Asked(country)
	for _, c := range r.Claims {
		if c.Receipt != nil && c.Receipt.Country == country {
			asked = slices.DeleteFunc(asked, func(id string) bool { return slices.Contains(c.Receipt.Events, id) })
		}
	}
	return asked
}

// Asked are the recalled events that a country has to destroy, sorted.
func (r *Recall) Asked(country string) (events []string) {
	for _, c := range r.Claims {
		if c.Receipt == nil && slices.Contains(c.Expected, country) {
			events = union(events, c.Events)
		}
	}
	return events
}

func (r *Recall) receive(c RecallClaim, recalled bool) {
	switch {
	case !recalled:
		r.Oddities.add(c.Claim, "a receipt of a recall that is not known here")
	case !slices.Contains(r.Expected, c.Country):
		r.Oddities.add(c.Claim, "a receipt of %s, which was not asked", c.Country)
	}
	r.Receipts = slices.DeleteFunc(r.Receipts, func(earlier Receipt) bool { return earlier.Country == c.Country })
	r.Receipts = append(r.Receipts, *c.Receipt)
}

// union is a and what of b is not in it, sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// Confirmed are the expected countries that have answered, sorted: in time or late, and for
// all that was recalled or, as Receipt.Unnamed says, for less.
func (r *Recall) Confirmed() []string {
	return slices.DeleteFunc(slices.Clone(r.Expected), func(country string) bool { return !r.answered(country) })
}

// Waiting are the expected countries that have not answered, sorted.
func (r *Recall) Waiting() []string {
	return slices.DeleteFunc(slices.Clone(r.Expected), r.answered)
}

// Late are those that have not answered now that the deadline has passed; none
// where it is not readable.
func (r *Recall) Late(now time.Time) []string {
	deadline, err := time.Parse(time.RFC3339, r.Deadline)
	if err != nil || !now.After(deadline) {
		return nil
	}
	return r.Waiting()
}

func (r *Recall) answered(country string) bool {
	return slices.ContainsFunc(r.Receipts, func(receipt Receipt) bool { return receipt.Country == country })
}

// events says how many.
func events(n int) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}
