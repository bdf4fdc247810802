package desk

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
)

// Status is how the desk stands to the log.
type Status struct {
	LogSize       uint64    // events in the newest checkpoint that the desk has verified
	WitnessedSize uint64    // events in the newest one that a quorum of countries has cosigned
	CosignedBy    []string  // countries that cosigned that one, sorted
	WitnessedAt   time.Time // when a quorum had last cosigned it or a larger one, by the mirrors' clocks; zero: never
	Connected     bool      // the link to the hub is up
	LastSync      time.Time // when the hub last answered; zero: never
	Alarm         string    // what is wrong with the log, in one sentence; empty: no alarm stands
	AlarmCode     string    // of that alarm
	Standing      string    // why this country or its desk cannot take part fully, and who can mend it; empty: it does
}

// Status is safe to call at any time.
func (d *Desk) Status() Status {
	s := d.standing.get()
	s.Connected = d.conn.Connected()
	gravest, _ := d.alarms.gravest()
	s.Alarm, s.AlarmCode = gravest.What, gravest.Code
	s.Standing = d.stands()
	return s
}

// stands says what keeps this country or its desk from taking part, by the
// registry as it is journaled; empty where nothing does.
func (d *Desk) stands() string {
	state, next := d.book.known()
	if !state.Founded() {
		state = d.founded
	}
	sentence := membership(state, d.config.Country, next)
	if sentence == "" {
		sentence = d.mirrors(state)
	}
	if refused := d.conn.Refused(); refused != nil {
		if sentence == "" {
			sentence = fmt.Sprintf("Nothing in the registry as this desk has it, up to index %d, explains that: ask who runs the hub whether this desk's credentials are still good.", max(next, 1)-1)
		}
		sentence = "The hub refuses this desk's connection (" + refused.Error() + "). " + sentence
	}
	return sentence
}

// membership says why a country is not a member in good standing.
func membership(state registry.State, country string, next uint64) string {
	member, ok := state.Member(country)
	switch {
	case !ok:
		return fmt.Sprintf("%s is not a member of this log yet, as far as this desk has read the registry (up to index %d). "+
			"Once the members have admitted it, this desk follows by itself; nothing has to be done here.", country, max(next, 1)-1)
	case member.Status == registry.Left:
		return fmt.Sprintf("%s has left this log, at index %d. What was received before stays here to be read, and nothing new comes. "+
			"The members can admit it again.", country, member.Since)
	case member.Status == registry.Suspended:
		return fmt.Sprintf("%s is suspended since index %d, for this reason: %s. What was received before stays here to be read, and the registry is still followed; "+
			"no events come, and this desk cosigns nothing. %s can reinstate it.", country, member.Since, strings.TrimRight(member.Reason, "."), deciders(state))
	}
	return ""
}

// deciders are those who can change the charter now.
func deciders(state registry.State) string {
	var active []string
	for _, member := range state.Members() {
		if member.Status == registry.Active {
			active = append(active, member.Country)
		}
	}
	threshold, _ := state.Terms()
	return fmt.Sprintf("The roots of %d of the members %s", min(int(threshold), len(active)), strings.Join(active, ", "))
}

// mirrors says why an active member's desk does not cosign.
func (d *Desk) mirrors(state registry.State) string {
	country := d.config.Country
	member, _ := state.Member(country)
	switch {
	case member.Mirror == nil:
		return fmt.Sprintf("The mirror key of %[1]s was revoked: this desk shows everything, and cosigns nothing. "+
			"The root of %[1]s can enrol another, which is then configured here.", country)
	case d.lost[string(member.Mirror)]:
		return fmt.Sprintf("The log has a cosignature by the mirror key %[2]x of %[1]s that this desk's journal does not know, so this desk never signs with it again. "+
			"The root of %[1]s can revoke it and enrol another, which is then configured here.", country, []byte(member.Mirror))
	case d.keys[string(member.Mirror)] == nil:
		return fmt.Sprintf("The registry names the mirror key %x for %s, and this desk is configured with another: it shows everything, and cosigns nothing. "+
			"Configure that key here; if nobody of %[2]s has it, revoke it with the root.", []byte(member.Mirror), country)
	}
	return ""
}

// tell writes a new standing to the desk's log, once.
func (d *Desk) tell() {
	now := d.stands()
	d.telling.Lock()
	defer d.telling.Unlock()
	switch {
	case now == d.told:
		return
	case now == "":
		d.log.Info("this country takes part in the log again")
	default:
		d.log.Warn("this country or its desk does not take part fully", "standing", now)
	}
	d.told = now
}

// standing is the part of Status that the loops write.
type standing struct {
	mu     sync.Mutex
	status Status
}

func (s *standing) get() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.CosignedBy = slices.Clone(status.CosignedBy)
	return status
}

// synced notes that the hub has answered.
func (s *standing) synced() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastSync = time.Now()
}

// log notes what is known of the log.
func (s *standing) log(f *translog.Follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest, _ := f.Checkpoint()
	witnessed, by, _ := f.Witnessed()
	s.status.LogSize, s.status.WitnessedSize, s.status.CosignedBy = newest.Size, witnessed.Size, by
	s.status.WitnessedAt = time.Time{}
	if at := f.WitnessedTime(); at > 0 {
		s.status.WitnessedAt = time.Unix(int64(at), 0)
	}
}
