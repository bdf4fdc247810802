package desk

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tripoint/tripoint/services/desk/journal"
)

// Codes of alarms. They are stable: they stand in journals.
const (
	AlarmRollback      = "rollback"       // the notary signed a smaller tree
	AlarmFork          = "fork"           // one size, two signed roots
	AlarmMismatch      = "mismatch"       // a signed root that is not that of the leaves
	AlarmAltered       = "altered"        // a leaf that is not that of the bytes held here
	AlarmMislabelled   = "mislabelled"    // a leaf labelled with another audience than its message has
	AlarmMisplaced     = "misplaced"      // leaves at other places of the stream than their indices say
	AlarmStateLost     = "state-lost"     // a cosignature by this country's key that the journal does not know
	AlarmDamaged       = "damaged"        // the journal's own mirror does not add up
	AlarmStreamChanged = "stream-changed" // the stream holds something else than the journal; following stops
	AlarmWithheld      = "withheld"       // a message of this country's audiences has not come; the mirror waits
	AlarmLogCut        = "log-cut"        // the log stream ends before what was read of it; the mirror waits
	AlarmDissent       = "dissent"        // another country has cosigned another root; the mirror goes on
	AlarmUnreadable    = "unreadable"     // what came on the log stream cannot be taken in; it is passed over
)

// final are the alarms after which this desk never cosigns again by itself, not
// after a restart either: people have to look at the evidence first.
var final = []string{
	AlarmRollback, AlarmFork, AlarmMismatch, AlarmAltered, AlarmMislabelled,
	AlarmMisplaced, AlarmStateLost, AlarmDamaged,
}

// errStopped ends a loop that raised an alarm. The desk goes on serving.
var errStopped = errors.New("stopped by an alarm")

// alarms are those that stand, with the evidence in the journal.
type alarms struct {
	journal *journal.Journal

	mu       sync.Mutex
	standing []journal.Alarm
}

// openAlarms finds those of earlier runs that still stand.
func openAlarms(ctx context.Context, j *journal.Journal) (*alarms, error) {
	a := &alarms{journal: j}
	all, err := j.Alarms(ctx)
	if err != nil {
		return nil, err
	}
	for _, alarm := range all {
		if slices.Contains(final, alarm.Code) {
			a.standing = append(a.standing, alarm)
		}
	}
	return a, nil
}

// raise keeps an alarm on disk and lets it stand. One code stands once: what
// repeats itself does not fill the disk.
func (a *alarms) raise(ctx context.Context, alarm journal.Alarm) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, standing := range a.standing {
		if standing.Code == alarm.Code {
			return nil
		}
	}
	alarm.Raised = time.Now()
	if err := a.journal.Raise(ctx, alarm); err != nil {
		return err
	}
	a.standing = append(a.standing, alarm)
	return nil
}

// clear ends an alarm that was not final. Its row stays.
func (a *alarms) clear(code string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.standing = slices.DeleteFunc(a.standing, func(s journal.Alarm) bool { return s.Code == code })
}

// stopped reports whether a final alarm stands.
func (a *alarms) stopped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.standing, func(s journal.Alarm) bool { return slices.Contains(final, s.Code) })
}

// sentence is the first alarm that stands; empty where none does.
func (a *alarms) sentence() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.standing) == 0 {
		return ""
	}
	return a.standing[0].What
}
