package desk

import (
	"slices"
	"sync"
	"time"

	"github.com/tripoint/tripoint/pkg/translog"
)

// Status is how the desk stands to the log.
type Status struct {
	LogSize       uint64    // events in the newest checkpoint that the desk has verified
	WitnessedSize uint64    // events in the newest one that a quorum of countries has cosigned
	CosignedBy    []string  // countries that cosigned that one, sorted
	Connected     bool      // the link to the hub is up
	LastSync      time.Time // when the hub last answered; zero: never
	Alarm         string    // why the desk no longer trusts the log, in one sentence; empty: no alarm
}

// Status is safe to call at any time.
func (d *Desk) Status() Status {
	s := d.standing.get()
	s.Connected = d.conn.Connected()
	s.Alarm = d.alarms.sentence()
	return s
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
}
