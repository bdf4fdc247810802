package desk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// beyond says why people cannot end some alarms by a word: what contradicts the
// log stays in the journal, so the mirror could only sign what it knows to be untrue.
var beyond = map[string]string{
	AlarmForeign: "this journal holds another log than that of this desk's charter. " +
		"Keep its directory as evidence, and begin with an empty one at the hub of this charter; nothing was cosigned here",
}

// maxWords bounds who and why, in bytes.
const maxWords = 500

// Settle ends an alarm on behalf of people who have looked at its evidence. The
// alarm stays in the journal, with who has settled it, when and why. The desk
// must be stopped: it goes by this from its next start on.
//
// What the mirror then does depends on the alarm, and its invariants hold in any
// case: never a smaller size, never a second root for one, nothing that disagrees with
// what the desk holds.
//
//   - fork, mislabelled, dissent: it passes over the message that was accused, and goes
//     on along its own tree. Where the notary goes on along another, that is another alarm.
//   - state-lost: the key that signed what the journal does not know is never used
//     with this journal again; the mirror cosigns once another is enrolled.
//   - damaged: it examines its journal again before it cosigns, and raises the
//     alarm again where that still does not add up.
//   - foreign: cannot be settled.
//
// All others end by themselves once what they are about has come right, and are raised
// again where it has not.
func Settle(ctx context.Context, directory string, number int64, person, reason string) (journal.Alarm, error) {
	for what, words := range map[string]string{"who settles it": person, "the reason": reason} {
		if strings.TrimSpace(words) == "" || len(words) > maxWords || strings.ContainsFunc(words, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return journal.Alarm{}, fmt.Errorf("%s: want one line of 1 to %d bytes of text", what, maxWords)
		}
	}
	path, err := journalOf(directory)
	if err != nil {
		return journal.Alarm{}, err
	}
	lock, err := daemon.Lock(directory)
	if errors.Is(err, daemon.ErrInUse) {
		return journal.Alarm{}, fmt.Errorf("%w: stop this desk first, and start it afterwards", err)
	}
	if err != nil {
		return journal.Alarm{}, err
	}
	defer lock.Close()
	j, err := journal.Open(ctx, path)
	if err != nil {
		return journal.Alarm{}, err
	}
	alarm, err := settle(ctx, j, number, journal.Settled{When: time.Now(), Person: person, Reason: reason})
	return alarm, errors.Join(err, j.Close())
}

func settle(ctx context.Context, j *journal.Journal, number int64, s journal.Settled) (journal.Alarm, error) {
	all, err := j.Alarms(ctx)
	if err != nil {
		return journal.Alarm{}, err
	}
	for _, alarm := range all {
		switch {
		case alarm.Number != number:
		case alarm.Settled != nil:
			return journal.Alarm{}, fmt.Errorf("alarm %d has ended already: %s", number, alarm.Settled.Reason)
		case beyond[alarm.Code] != "":
			return journal.Alarm{}, fmt.Errorf("alarm %d (%s) cannot be settled: %s", number, alarm.Code, beyond[alarm.Code])
		default:
			return alarm, j.Settle(ctx, number, s)
		}
	}
	return journal.Alarm{}, fmt.Errorf("there is no alarm %d in this journal", number)
}

// Alarms are all alarms in the journal of a desk, which may be running.
func Alarms(ctx context.Context, directory string) ([]journal.Alarm, error) {
	path, err := journalOf(directory)
	if err != nil {
		return nil, err
	}
	j, err := journal.Read(ctx, path)
	if err != nil {
		return nil, err
	}
	all, err := j.Alarms(ctx)
	return all, errors.Join(err, j.Close())
}

// journalOf is the path of a journal that is there: nobody makes one by looking for it.
func journalOf(directory string) (string, error) {
	path := filepath.Join(directory, "journal.db")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no desk has been here: %w", err)
	}
	return path, nil
}
