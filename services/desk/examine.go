package desk

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/desk/journal"
)

const (
	examineFile  = 20 * time.Second // for reading all of the journal's file
	examineSizes = 3 * time.Second  // how long a running mirror may take for what the log has
	lookAgain    = 100 * time.Millisecond
)

// Examine looks at a desk's directory, which may be in use: its journal, its mirror
// key and its opening keys as the registry has them, the alarms that stand, and how far log, mirror and
// witnesses are apart. Of config it reads Country, Directory, Charter and the keys.
func Examine(ctx context.Context, config Config) []checkup.Check {
	checks, running := daemon.Examine(config.Directory)
	path, err := journalOf(config.Directory)
	if err != nil {
		return append(checks, checkup.Good("journal", "none: this desk has received nothing yet"))
	}
	j, err := journal.Read(ctx, path)
	if err != nil {
		return append(checks, checkup.Bad("journal", "stop this desk and keep a copy of its directory; a journal that is lost takes a new mirror key", "%v", err))
	}
	defer j.Close()
	d := &Desk{config: config, journal: j}
	checks = append(checks, d.examineFile(ctx))
	if err := d.openBook(ctx); err != nil {
		return append(checks, checkup.Bad("mirror key", "configure this country's mirror key, and this log's charter", "%v", err))
	}
	checks = append(checks, d.examineCharter(ctx), d.examineKey())
	checks = append(checks, d.examineOpenings()...)
	checks = append(checks, d.examineAlarms(ctx)...)
	return append(checks, d.examineSizes(ctx, running)...)
}

func (d *Desk) examineFile(ctx context.Context) checkup.Check {
	bounded, cancel := context.WithTimeout(ctx, examineFile)
	defer cancel()
	switch err := d.journal.Sound(bounded); {
	case bounded.Err() != nil && ctx.Err() == nil:
		return checkup.Good("journal", "too large to be read in %v: not examined to its end", examineFile)
	case err != nil:
		return checkup.Bad("journal", "stop this desk and keep a copy of its directory; check the disk", "%v", err)
	}
	return checkup.Good("journal", "its file is sound")
}

func (d *Desk) examineCharter(ctx context.Context) checkup.Check {
	state, _ := d.book.known()
	_, any, err := d.journal.Last(ctx)
	switch {
	case err != nil:
		return checkup.Bad("charter", "check the disk", "%v", err)
	case any && !state.Founded():
		return checkup.Bad("charter", "configure the charter with which this desk began", "the journal does not begin with this charter: it is another log's")
	}
	return checkup.Good("charter", "digest %s", d.config.Charter.Digest)
}

// examineKey says of Status.Standing what needs no connection.
func (d *Desk) examineKey() checkup.Check {
	state, next := d.book.known()
	if !state.Founded() {
		state = d.founded
	}
	why := membership(state, d.config.Country, next)
	if why == "" {
		why = d.mirrors(state)
	}
	if why != "" {
		return checkup.Bad("mirror key", "see the detail: it says who can mend it", "%s", why)
	}
	member, _ := state.Member(d.config.Country)
	return checkup.Good("mirror key", "%.8x… is this country's in the registry, as this desk has it up to index %d; keys do not expire", []byte(member.Mirror), max(next, 1)-1)
}

func (d *Desk) examineAlarms(ctx context.Context) []checkup.Check {
	all, err := d.journal.Alarms(ctx)
	if err != nil {
		return []checkup.Check{checkup.Bad("alarms", "check the disk", "%v", err)}
	}
	var standing []checkup.Check
	settled := 0
	for _, a := range all {
		switch {
		case a.Settled == nil:
			standing = append(standing, checkup.Bad(fmt.Sprintf("alarm %d", a.Number), advice(a), "%s%s since %s: %s",
				a.Code, placed(a.Index), a.Raised.Format(time.RFC3339), a.What))
		case a.Settled.Person != "":
			settled++
		}
	}
	if len(standing) == 0 {
		return []checkup.Check{checkup.Good("alarms", "none stands; %d were settled by people, %d ended by themselves", settled, len(all)-settled)}
	}
	return standing
}

func placed(index *uint64) string {
	if index == nil {
		return ""
	}
	return fmt.Sprintf(" at index %d", *index)
}

// advice says what to do, and where both sides of the evidence lie.
func advice(a journal.Alarm) string {
	return fmt.Sprintf("%s Both sides of the evidence (here %d bytes, against it %d) are on the console's page /alarms, and tripoint desk alarms --out DIR writes them to files. "+
		"Once people have decided: tripoint desk acknowledge %d", console.Advice(a.Code), len(a.Have), len(a.Got), a.Number)
}

// sizes are how far each of them is.
type sizes struct {
	log, cosigned, witnessed uint64
	by                       []string  // countries that have cosigned the witnessed one
	missing                  []string  // active members' mirrors that have not cosigned the newest one
	since                    time.Time // of this country's newest cosignature; zero: there is none
}

// examineSizes gives a running mirror a moment for what has just come.
func (d *Desk) examineSizes(ctx context.Context, running bool) []checkup.Check {
	first, err := d.sizes(ctx)
	now := first
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for end := time.Now().Add(examineSizes); err == nil && running && min(now.cosigned, now.witnessed) < first.log && time.Now().Before(end) && ctx.Err() == nil; {
		<-ticker.C
		now, err = d.sizes(ctx)
	}
	if err != nil {
		return []checkup.Check{checkup.Bad("mirror", "see the alarms; the mirror in the journal cannot be read", "%v", err)}
	}
	since := "never"
	if !now.since.IsZero() {
		since = "last at " + now.since.Format(time.RFC3339)
	}
	mirror := fmt.Sprintf("this country has cosigned %d of %d events, %s", now.cosigned, now.log, since)
	witnessed := fmt.Sprintf("%d of %d events are witnessed, by %s", now.witnessed, now.log, orNobody(now.by))
	if len(now.missing) > 0 {
		witnessed += "; the newest lacks " + strings.Join(now.missing, ", ")
	}
	if !running {
		return []checkup.Check{checkup.Good("mirror", "%s; stopped", mirror), checkup.Good("witnesses", "%s; stopped", witnessed)}
	}
	checks := []checkup.Check{checkup.Good("mirror", "%s", mirror), checkup.Good("witnesses", "%s", witnessed)}
	if now.cosigned < first.log {
		checks[0] = checkup.Bad("mirror", "see this desk's alarms and its mirror key above; events above are shown, and this country does not vouch for them", "%s", mirror)
	}
	if now.witnessed < first.log {
		checks[1] = checkup.Bad("witnesses", "ask the countries named whether their desks run, and what their alarms say", "%s", witnessed)
	}
	return checks
}

func orNobody(countries []string) string {
	if len(countries) == 0 {
		return "nobody"
	}
	return strings.Join(countries, ", ")
}

func (d *Desk) sizes(ctx context.Context) (sizes, error) {
	state, err := d.book.read(ctx)
	if err != nil {
		return sizes{}, err
	}
	if !state.Founded() {
		state = d.founded
	}
	terms, err := state.Policies()
	if err != nil {
		return sizes{}, err
	}
	place, err := d.journal.Place(ctx)
	if err != nil || len(place.Snapshot) == 0 {
		return sizes{}, err
	}
	follower, err := translog.NewFollowerAt(terms, place.Snapshot)
	if err != nil {
		return sizes{}, err
	}
	cosigned, err := d.journal.Cosigned(ctx)
	if err != nil {
		return sizes{}, err
	}
	witnessed, by, _ := follower.Witnessed()
	now := sizes{log: follower.Size(), cosigned: cosigned.Size, witnessed: witnessed.Size, by: by}
	if _, _, seconds, err := terms.OpenCosignature(cosigned.Note); err == nil {
		now.since = time.Unix(int64(seconds), 0).UTC()
	}
	have := follower.CosignedBy(now.log)
	for _, member := range state.Members() {
		if member.Status == registry.Active && len(member.Mirror) == ed25519.PublicKeySize && !slices.Contains(have, member.Country) {
			now.missing = append(now.missing, member.Country)
		}
	}
	return now, nil
}
