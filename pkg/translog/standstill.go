package translog

import "time"

// Standstill notices where one size should follow another and does not: what is
// witnessed the log, or the log what was said. So a hub that shows an old log for
// ever, with every signature in it good, is noticed by who has something to wait for.
//
// It has no clock: its owner looks from time to time, and says what time it is. A
// size that comes late by more than Patience is noticed, and one that comes while an
// earlier one is waited for by up to twice as much. Only Patience is set by its owner.
type Standstill struct {
	Patience time.Duration

	size  uint64    // the one that is waited for
	since time.Time // when it was first seen to be wanted
	stuck bool
}

// Look takes in how far something is, and how far it should come. It reports
// whether an earlier wish has not come true in all of Patience, and since when it
// waits; once so, until it has.
func (s *Standstill) Look(now time.Time, have, want uint64) (since time.Time, stuck bool) {
	if have >= s.size {
		s.size, s.since, s.stuck = want, now, false
	}
	if have < s.size && now.Sub(s.since) > s.Patience {
		s.stuck = true
	}
	return s.since, s.stuck
}

// Excuse begins the patience anew: until now nothing could come.
func (s *Standstill) Excuse(now time.Time) {
	if !s.stuck {
		s.since = now
	}
}
