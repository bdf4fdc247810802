package casework

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// EventRef names an event together with who said it: an identifier alone is
// whatever a publisher wrote into its header.
type EventRef struct {
	Country string
	Agency  string
	ID      string // UUID text
}

// In returns the document of a type that belongs to the event: TypeReview,
// TypeErasure or TypeRelease.
func (e EventRef) In(kind string) Ref {
	return Ref{kind, e.Country + "." + e.Agency + "." + e.ID}
}

// Event is the document of one event identifier: who said it, and what became of
// it. It holds nothing of any section, so that an event whose sections are closed has it too.
type Event struct {
	ID      string   `json:"id"`      // UUID text
	Origins []Origin `json:"origins"` // in log order; more than one where an agency took another's identifier
}

// Origin is one agency's event of an identifier.
type Origin struct {
	Index    uint64   `json:"index"` // log index
	Country  string   `json:"country"`
	Agency   string   `json:"agency"`
	Audience string   `json:"audience"`
	Kind     string   `json:"kind"`              // of its content; as the header states it where that is closed
	Recalls  []string `json:"recalls,omitempty"` // identifiers of its agency's recalls, in log order
	Erased   bool     `json:"erased,omitempty"`
}

func (e *Event) derive() {}

// by finds an agency's event of this identifier; nil where it has none.
func (e *Event) by(country, agency string) *Origin {
	if e == nil {
		return nil
	}
	for i := range e.Origins {
		if o := &e.Origins[i]; o.Country == country && o.Agency == agency {
			return o
		}
	}
	return nil
}

// gone says why nobody has to look at the event again; empty where somebody has.
func (o *Origin) gone() string {
	switch {
	case o.Erased:
		return "erased"
	case len(o.Recalls) > 0:
		return "recalled"
	}
	return ""
}

// fileEvent keeps who said the event, and puts it in the calendar of reviews. Of an agency
// that uses an identifier twice, the first event has it.
func (f *folding) fileEvent() error {
	if _, err := event.ParseID(f.said.EventID); err != nil {
		return nil // not of a verified header: nobody can speak of it
	}
	first, origin := true, Origin{
		Index: f.said.Index, Country: f.said.Country, Agency: f.said.Agency, Audience: f.said.Audience, Kind: cmp.Or(f.change.Kind, f.said.Kind),
	}
	if err := write(f, Ref{TypeEvent, f.said.EventID}, func(e *Event) {
		e.ID = f.said.EventID
		if first = e.by(f.said.Country, f.said.Agency) == nil; first {
			e.Origins = append(e.Origins, origin)
		}
	}); err != nil {
		return err
	}
	if date := f.claim.Marking.ReviewDate; first && isDate(date) {
		return f.review(subject{f.said.Event(), origin}, func(r *Review) { r.Marked = date })
	}
	return nil
}

// maxSubjects is how many events one event of control speaks of: the wire format's bound,
// which a hostile publisher need not have kept to.
const maxSubjects = 1000

// subject is an event that this event of control rightly speaks of.
type subject struct {
	EventRef
	Origin
}

// eventIDs are the identifiers that an event of control speaks of, each once, as it
// names them. Receipts and releases speak of events otherwise.
func eventIDs(section *caseworkv1.CaseSection) []string {
	var named []string
	switch content := section.GetContent().(type) {
	case *caseworkv1.CaseSection_ControlErased:
		for _, erasure := range content.ControlErased.GetErasures() {
			named = append(named, erasure.GetEventId())
		}
	case *caseworkv1.CaseSection_ControlRecalled:
		named = content.ControlRecalled.GetEventIds()
	case *caseworkv1.CaseSection_ControlReviewed:
		named = content.ControlReviewed.GetEventIds()
	}
	return readableIDs(named)
}

// readableIDs drops what is no identifier, what is there twice, and what is over the bound.
func readableIDs(named []string) []string {
	var ids []string
	seen := map[string]bool{}
	for _, id := range named {
		if _, err := event.ParseID(id); err == nil && !seen[id] && len(ids) < maxSubjects {
			ids, seen[id] = append(ids, id), true
		}
	}
	return ids
}

// judgeControl finds the events that are spoken of, and is the gate in front of them:
// only who said an event may erase, recall, release it or set its review. What the gate
// stops, and what is not known here, has no effect.
func (f *folding) judgeControl(breach func(code, what string)) error {
	others, example := 0, ""
	for _, id := range eventIDs(f.said.Case) {
		stored, found, err := Load[Event](f.cabinet, Ref{TypeEvent, id})
		if err != nil {
			return err
		}
		origin := stored.by(f.said.Country, f.said.Agency)
		switch {
		case !found:
			f.unknown++
		case origin == nil:
			others++
			if example == "" {
				example = fmt.Sprintf("%s, which %s %s said", id, stored.Origins[0].Country, stored.Origins[0].Agency)
			}
		default:
			f.subjects = append(f.subjects, subject{f.said.about(id), *origin})
		}
	}
	if others > 0 {
		breach(BreachAuthority, fmt.Sprintf("decides on %s of another agency, without effect: %s", events(others), example))
	}
	if f.unknown > 0 {
		f.remark("%s spoken of are not known here", events(f.unknown))
	}
	return f.judgeRelease(breach)
}

// Recallable says whether an event of a kind can be recalled
// or erased with effect. What was said in control of others stands.
func Recallable(kind string) bool { return !strings.HasPrefix(kind, "control.") }

// recallable are the subjects that can be, with a remark where others are spoken of.
func (f *folding) recallable() []subject {
	list := slices.DeleteFunc(slices.Clone(f.subjects), func(s subject) bool { return !Recallable(s.Kind) })
	if fewer := len(f.subjects) - len(list); fewer > 0 {
		f.remark("%s spoken of are control, which stands", events(fewer))
	}
	return list
}

// remark adds to the claim what of the content has no effect or could not be read.
func (f *folding) remark(format string, args ...any) {
	f.claim.Remarks = append(f.claim.Remarks, fmt.Sprintf(format, args...))
}

// mark changes what the event document says became of a subject, and the calendar after it.
func (f *folding) mark(s subject, change func(*Origin)) error {
	if err := write(f, Ref{TypeEvent, s.ID}, func(e *Event) {
		if origin := e.by(s.Country(), s.Agency()); origin != nil {
			change(origin)
			s.Origin = *origin
		}
	}); err != nil {
		return err
	}
	_, found, err := f.cabinet.Get(s.In(TypeReview))
	if err != nil || !found {
		return err
	}
	return f.review(s, func(*Review) {})
}

func (s subject) Country() string { return s.EventRef.Country }
func (s subject) Agency() string  { return s.EventRef.Agency }

// fileControl folds the kinds of control.
func (f *folding) fileControl() error {
	switch content := f.said.Case.GetContent().(type) {
	case *caseworkv1.CaseSection_ControlErased:
		return f.controlErased(content.ControlErased)
	case *caseworkv1.CaseSection_ControlRecalled:
		return f.controlRecalled(content.ControlRecalled)
	case *caseworkv1.CaseSection_ControlReceipt:
		return f.controlReceipt(content.ControlReceipt)
	case *caseworkv1.CaseSection_ControlReleased:
		return f.controlReleased(content.ControlReleased)
	case *caseworkv1.CaseSection_ControlReviewed:
		return f.controlReviewed(content.ControlReviewed)
	}
	return f.noContent()
}
