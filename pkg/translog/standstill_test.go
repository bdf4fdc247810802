package translog

import (
	"testing"
	"time"
)

func TestStandstill(t *testing.T) {
	type look struct {
		at         time.Duration
		have, want uint64
		since      time.Duration // of what is stuck
		stuck      bool
	}
	for name, looks := range map[string][]look{
		"nothing is wanted":      {{at: 0}, {at: 100}, {at: 9, have: 5, want: 5}, {at: 200, have: 5, want: 5}},
		"what is wanted comes":   {{at: 0, want: 3}, {at: 10, have: 2, want: 3}, {at: 11, have: 3, want: 3}, {at: 99, have: 3, want: 3}},
		"it does not":            {{at: 1, want: 3}, {at: 11, want: 3}, {at: 12, have: 2, want: 3, since: 1, stuck: true}},
		"it never stops":         {{at: 0, want: 3}, {at: 9, have: 3, want: 6}, {at: 18, have: 6, want: 9}, {at: 27, have: 9, want: 12}},
		"more is wanted behind":  {{at: 0, want: 3}, {at: 10, have: 2, want: 30}, {at: 11, have: 2, want: 40, stuck: true}},
		"it comes in the end":    {{at: 0, want: 3}, {at: 20, want: 3, stuck: true}, {at: 21, have: 2, want: 3, stuck: true}, {at: 22, have: 3, want: 9}, {at: 32, have: 3, want: 9}, {at: 33, have: 3, want: 9, since: 22, stuck: true}},
		"less is wanted than is": {{at: 0, have: 5, want: 3}, {at: 99, have: 5, want: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Unix(1_700_000_000, 0)
			s := Standstill{Patience: 10}
			for _, l := range looks {
				since, stuck := s.Look(began.Add(l.at), l.have, l.want)
				if stuck != l.stuck || stuck && since != began.Add(l.since) {
					t.Errorf("at %d: stuck %t since %d, want %t since %d", l.at, stuck, since.Sub(began), l.stuck, l.since)
				}
			}
		})
	}
}

func TestStandstillExcused(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	s := Standstill{Patience: 10}
	s.Look(began, 0, 1)
	s.Excuse(began.Add(20))
	if _, stuck := s.Look(began.Add(30), 0, 1); stuck {
		t.Error("the time in which nothing could come counts")
	}
	if _, stuck := s.Look(began.Add(31), 0, 1); !stuck {
		t.Error("the time after it does not count")
	}
	s.Excuse(began.Add(40))
	if since, stuck := s.Look(began.Add(41), 0, 1); !stuck || since != began.Add(20) {
		t.Errorf("an excuse made it forget: stuck %t since %v", stuck, since)
	}
}

// The time of what is witnessed is the latest by which a quorum had signed: one
// mirror's clock, or one mirror alone, does not move it.
func TestWitnessedTime(t *testing.T) {
	l := newLog(t)
	first := l.add(3)
	f := l.follow(first)
	for _, step := range []struct {
		country string
		at      uint64
		want    uint64 // afterwards; the quorum is two
	}{{"AA", 100, 0}, {"BB", 90, 90}, {"CC", 95, 95}, {"AA", 1 << 40, 95}, {"BB", 120, 120}} {
		if _, err := f.Cosignature(l.cosign(step.country, l.at(3), step.at)); err != nil {
			t.Fatal(err)
		}
		if got := f.WitnessedTime(); got != step.want {
			t.Errorf("after %s at %d: %d, want %d", step.country, step.at, got, step.want)
		}
	}
	l.must(f, l.add(2))
	if got := f.WitnessedTime(); got != 120 {
		t.Errorf("a checkpoint that nobody has cosigned moved it to %d", got)
	}
}
