package casework

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Fold takes one event into the documents of c and says what it changed. Events
// come in the order of the log, each once.
//
// It fails only where the cabinet fails, or holds what Fold did not write; what
// was put before the failure is then the caller's to roll back. Content that
// makes no sense is kept and said so: in the entity where there is one, else in
// an unplaced document.
func Fold(c Cabinet, s Said) (Change, error) {
	f := &folding{cabinet: c, said: s}
	if kind, err := KindOf(s.Case); err == nil {
		f.change.Kind = kind
	}
	f.claim = newClaim(s, f.change.Kind)
	f.change.Marking = f.claim.Marking
	f.change.Closed = slices.Clone(s.Closed)
	for _, step := range []func() error{f.judge, f.fileCase, f.fileIdentity, f.fileScreening, f.fileIntelligence, f.fileEvent} {
		if err := step(); err != nil {
			return Change{}, fmt.Errorf("folding event %d: %w", s.Index, err)
		}
	}
	f.change.Summary = oneLine(f.change.Summary)
	return f.change, nil
}

// folding is the state of one Fold.
type folding struct {
	cabinet Cabinet
	said    Said
	claim   Claim
	change  Change

	// Of an event of control, found by its gate.
	subjects    []subject    // events that it rightly speaks of
	unknown     int          // how many it speaks of that are not known here
	released    event.Claims // the event that it releases
	notReleased string       // why that has no effect; empty where it has
}

// document is what edit needs of a pointer to a document type.
type document[D any] interface {
	*D
	// derive computes all that follows from the claims, from nothing.
	derive()
}

// edit reads a document or begins one, changes it, derives what follows and
// puts it back. An identifier that cannot be one sends the event to unplaced.
func edit[D any, P document[D]](f *folding, kind, id string, change func(P)) error {
	if !identifier.MatchString(id) {
		f.say("reported a %s that has no readable identifier", kind)
		return f.unplaced("the identifier of the " + kind + " is not one")
	}
	return write(f, Ref{kind, id}, change)
}

// write is edit for references that the fold itself makes.
func write[D any, P document[D]](f *folding, ref Ref, change func(P)) error {
	stored, found, err := Load[D](f.cabinet, ref)
	if err != nil {
		return err
	}
	if !found {
		stored = new(D)
	}
	doc := P(stored)
	change(doc)
	doc.derive()
	raw, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encoding document %s %q: %w", ref.Type, ref.ID, err)
	}
	if err := f.cabinet.Put(ref, raw); err != nil {
		return fmt.Errorf("putting document %s %q: %w", ref.Type, ref.ID, err)
	}
	if !slices.Contains(f.change.Touched, ref) {
		f.change.Touched = append(f.change.Touched, ref)
	}
	return nil
}

// identifier is the form that the wire format gives to every entity's
// identifier. A hostile publisher need not have checked it.
var identifier = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// byIndex is the identifier of a document that belongs to one event.
func byIndex(index uint64) string { return fmt.Sprintf("%020d", index) }

// say sets the summary: who, then what they said. No argument may be about a
// person or in the originator's free words, but for the names of places.
func (f *folding) say(format string, args ...any) {
	f.change.Summary = f.said.Country + " " + f.said.Agency + " " + fmt.Sprintf(format, args...)
}

// oneLine makes a line of text that cannot break out of one: no control or
// format characters, at most 300 characters.
func oneLine(text string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, text)
	runes := []rune(clean)
	if len(runes) > 300 {
		runes = append(runes[:299], '…')
	}
	return string(runes)
}

// fileCase folds the case section by its content.
func (f *folding) fileCase() error {
	switch content := f.said.Case.GetContent().(type) {
	case *caseworkv1.CaseSection_MeetingHeld:
		return f.meetingHeld(content.MeetingHeld)
	case *caseworkv1.CaseSection_CommitmentMade:
		return f.commitmentMade(content.CommitmentMade)
	case *caseworkv1.CaseSection_CommitmentProgress:
		return f.commitmentProgress(content.CommitmentProgress)
	case *caseworkv1.CaseSection_SiteReported:
		return f.siteReported(content.SiteReported)
	case *caseworkv1.CaseSection_SiteStatus:
		return f.siteStatus(content.SiteStatus)
	case *caseworkv1.CaseSection_MeasureInForce:
		return f.measureInForce(content.MeasureInForce)
	case *caseworkv1.CaseSection_MeasureObserved:
		return f.measureObserved(content.MeasureObserved)
	case *caseworkv1.CaseSection_MeasureLifted:
		return f.measureLifted(content.MeasureLifted)
	case *caseworkv1.CaseSection_TransferAnnounced:
		return f.transferAnnounced(content.TransferAnnounced)
	case *caseworkv1.CaseSection_TransferDeparted:
		return f.transferDeparted(content.TransferDeparted)
	case *caseworkv1.CaseSection_TransferReceived:
		return f.transferReceived(content.TransferReceived)
	case *caseworkv1.CaseSection_TransferExplained:
		return f.transferExplained(content.TransferExplained)
	case *caseworkv1.CaseSection_TransferScreening:
		return f.transferScreening(content.TransferScreening)
	case *caseworkv1.CaseSection_TransferReleased:
		return f.transferReleased(content.TransferReleased)
	case *caseworkv1.CaseSection_GroupListed:
		return f.groupListed(content.GroupListed)
	case *caseworkv1.CaseSection_PersonReported:
		return f.personReported(content.PersonReported)
	case *caseworkv1.CaseSection_PersonScreened:
		return f.personScreened(content.PersonScreened)
	case *caseworkv1.CaseSection_RepatriationPlanned:
		return f.repatriationPlanned(content.RepatriationPlanned)
	case *caseworkv1.CaseSection_RepatriationDeparted:
		return f.repatriationDeparted(content.RepatriationDeparted)
	case *caseworkv1.CaseSection_RepatriationArrived:
		return f.repatriationArrived(content.RepatriationArrived)
	}
	return f.fileControl()
}
