package seal

import (
	"maps"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// trial is one event while its sections are opened.
type trial struct {
	opener   *Opener
	event    event.Verified
	now      time.Time
	portions []Portion

	sections []Section
	parts    parts                         // once one of the sealed has opened
	opened   int                           // how many of the sealed
	failed   map[eventv1.Compartment]error // of a compartment that could not be tried, or opens nothing
}

func (t *trial) run() []Section {
	first, all := firstSealed(t.event), t.event.Sections()
	t.sections = make([]Section, len(all))
	for i, section := range all[:first] {
		t.sections[i] = Section{Compartment: section.Compartment, Content: section.Content}
	}
	for _, c := range granted(t.portions) {
		if t.opened < len(all)-first {
			t.try(c)
		}
	}
	for i := range t.sections[first:] {
		if closed := &t.sections[first+i]; closed.Key == (ContentKey{}) {
			closed.Compartment = eventv1.Compartment(t.parts.of[i])
			closed.Err = t.why(closed.Compartment)
		}
	}
	return t.sections
}

// granted are the compartments of which portions have a batch key, rising.
func granted(portions []Portion) []eventv1.Compartment {
	var all []eventv1.Compartment
	for _, p := range portions {
		for _, g := range p.Grants {
			all = append(all, g.Compartment)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// try opens the section of one compartment, if there is one.
func (t *trial) try(c eventv1.Compartment) {
	var failed error
	for i := range t.portions {
		err := t.tryWith(c, &t.portions[i])
		if err == nil {
			return
		}
		failed = told(failed, err)
	}
	t.failed[c] = failed
}

// told is the reason that is told, of those of several portions.
func told(before, err error) error {
	if before == nil || ReasonOf(before) == NotGranted {
		return err
	}
	return before
}

// tryWith has NotGranted for an error where the portion says that there is nothing of the compartment.
func (t *trial) tryWith(c eventv1.Compartment, p *Portion) error {
	at := slotOf(t.event, c)
	key, err := t.opener.contentKey(&at, t.event.Retention, t.now, p)
	if err != nil {
		return err
	}
	i := at.find(t.event, &key)
	if i < 0 {
		return WrongKey
	}
	parts, text, err := at.open(t.event, i, &key)
	if err == nil {
		t.sections[i] = Section{Compartment: c, Key: key, Content: text}
		t.parts, t.opened = parts, t.opened+1
	}
	return err
}

// why is the reason for a compartment; for 0, the first of any.
func (t *trial) why(c eventv1.Compartment) error {
	if err := t.failed[c]; err != nil {
		return err
	}
	if len(t.portions) == 0 {
		return NoRecord
	}
	var failed error
	for i := range t.portions {
		failed = told(failed, t.usable(&t.portions[i]))
	}
	if c != 0 {
		return failed
	}
	for _, c := range slices.Sorted(maps.Keys(t.failed)) {
		failed = told(failed, t.failed[c])
	}
	return failed
}

// usable is why a portion opens nothing of the event at all, and else NotGranted.
func (t *trial) usable(p *Portion) error {
	at := slotOf(t.event, 0)
	if err := at.usable(t.event.Retention, t.now, p); err != nil {
		return err
	}
	return NotGranted
}
