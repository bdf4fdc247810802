package desk

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tripoint/tripoint/services/desk/journal"
)

// Codes of alarms. They are stable: they stand in journals.
const (
	AlarmFork          = "fork"           // two checkpoints that the notary signed and that are not of one log
	AlarmForeign       = "foreign"        // the log begins with another charter than this desk's
	AlarmStateLost     = "state-lost"     // a cosignature by this country's key that the journal does not know
	AlarmDamaged       = "damaged"        // the journal's own mirror does not add up
	AlarmRollback      = "rollback"       // a smaller tree was shown as the newest; it is passed over
	AlarmMismatch      = "mismatch"       // a signed root that is not that of the leaves; they are read again
	AlarmRegistry      = "registry"       // a signed checkpoint that names another registry than this desk was sent; it is read again
	AlarmMisplaced     = "misplaced"      // an epoch that is not that of the messages; the leaves are read again
	AlarmUnreadable    = "unreadable"     // what came on the log stream cannot be taken in; it is read again
	AlarmAltered       = "altered"        // a leaf that is not that of the bytes sent here; the mirror waits
	AlarmWithheld      = "withheld"       // a message of this country's audiences has not come; the mirror waits
	AlarmMislabelled   = "mislabelled"    // a leaf labelled with another audience than its message has; the mirror goes on
	AlarmStreamChanged = "stream-changed" // the stream holds something else than the journal; following waits
	AlarmLost          = "lost"           // a message of this country's audiences that nobody has any more; the mirror goes on
	AlarmLogCut        = "log-cut"        // the log stream ends before what was read of it; the mirror waits
	AlarmDissent       = "dissent"        // another country has cosigned another checkpoint; the mirror goes on
	AlarmFrozen        = "frozen"         // what was said is not in the log, or the log not witnessed, for too long
)

// final are the alarms after which this desk never cosigns again by itself, not
// after a restart either: people have to look at the evidence first, and settle them.
// Each is a contradiction of what was signed, or of this desk with itself. What the
// hub can bring about alone, by what it sends and nobody has signed, is not among them:
// else it could silence a country with one flipped bit.
var final = []string{AlarmFork, AlarmForeign, AlarmStateLost, AlarmDamaged}

// enduring are those that stand over a restart. All others are raised again
// where they still hold.
var enduring = append(slices.Clone(final), AlarmMislabelled, AlarmDissent, AlarmLost)

// passed are the alarms whose evidence, once people have settled it, the mirror
// passes over where it meets the same again: what caused them adds nothing to its
// tree. The others are judged anew at every start: see Settle.
var passed = []string{AlarmFork, AlarmMislabelled, AlarmDissent}

// errStopped ends a loop that raised an alarm. The desk goes on serving.
var errStopped = errors.New("stopped by an alarm")

// alarms are those that stand, with the evidence in the journal.
type alarms struct {
	journal *journal.Journal

	mu       sync.Mutex
	standing []journal.Alarm
	settled  []journal.Alarm // by people
}

// openAlarms finds those of earlier runs that still stand.
func openAlarms(ctx context.Context, j *journal.Journal) (*alarms, error) {
	a := &alarms{journal: j}
	all, err := j.Alarms(ctx)
	if err != nil {
		return nil, err
	}
	for _, alarm := range all {
		switch {
		case alarm.Settled == nil:
			a.standing = append(a.standing, alarm)
		case alarm.Settled.Person != "":
			a.settled = append(a.settled, alarm)
		}
	}
	for _, alarm := range slices.Clone(a.standing) {
		if slices.Contains(enduring, alarm.Code) {
			continue
		}
		if err := a.end(ctx, alarm.Code, "The desk was started again. Where it still holds it is raised again."); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// raise keeps an alarm on disk and lets it stand. One code stands once: what
// repeats itself does not fill the disk. It reports whether an alarm of this code
// stands now: not where people have settled this very one.
func (a *alarms) raise(ctx context.Context, alarm journal.Alarm) (stands bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, standing := range a.standing {
		if standing.Code == alarm.Code {
			return true, nil
		}
	}
	if slices.Contains(passed, alarm.Code) && slices.ContainsFunc(a.settled, func(s journal.Alarm) bool { return sameMatter(s, alarm) }) {
		return false, nil
	}
	alarm.Raised = time.Now()
	if alarm.Number, err = a.journal.Raise(ctx, alarm); err != nil {
		return false, err
	}
	a.standing = append(a.standing, alarm)
	return true, nil
}

// sameMatter reports whether two alarms accuse somebody of the same. What a
// message is mislabelled as stands beside the newest checkpoint, which differs.
func sameMatter(a, b journal.Alarm) bool {
	if a.Code != b.Code || (a.Index == nil) != (b.Index == nil) || a.Index != nil && *a.Index != *b.Index {
		return false
	}
	return a.Code == AlarmMislabelled || bytes.Equal(a.Got, b.Got)
}

// end ends an alarm that was not final. Its row stays, and says how it ended.
func (a *alarms) end(ctx context.Context, code, why string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.standing {
		if s.Code != code {
			continue
		}
		if err := a.journal.Settle(ctx, s.Number, journal.Settled{When: time.Now(), Reason: why}); err != nil {
			return err
		}
	}
	a.standing = slices.DeleteFunc(a.standing, func(s journal.Alarm) bool { return s.Code == code })
	return nil
}

// stopped reports whether a final alarm stands.
func (a *alarms) stopped() bool {
	gravest, _ := a.gravest()
	return slices.Contains(final, gravest.Code)
}

// gravest is the first final alarm that stands, else the first one; ok is false
// where none does.
func (a *alarms) gravest() (alarm journal.Alarm, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.standing {
		if slices.Contains(final, s.Code) {
			return s, true
		}
	}
	if len(a.standing) == 0 {
		return journal.Alarm{}, false
	}
	return a.standing[0], true
}

// lastOf is the log index of the last leaf of a size; nil for a log of none.
func lastOf(size uint64) *uint64 {
	if size == 0 {
		return nil
	}
	return new(size - 1)
}
