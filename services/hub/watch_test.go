package hub

import (
	"container/heap"
	"slices"
	"testing"
	"time"
)

// Whoever replaces one message without end takes the room of one.
func TestDuesOfWhatWasReplacedGo(t *testing.T) {
	var all dues
	now := time.Unix(1_700_000_000, 0)
	for sequence := range uint64(100_000) {
		all.add(due{at: now.Add(time.Duration(sequence%977) * time.Second), sequence: sequence}, func(d due) bool { return d.sequence == sequence-1 })
	}
	if cap(all) > 1000 {
		t.Errorf("%d messages on one subject take room for %d", 100_000, cap(all))
	}
}

// What is current stays, in its order, however often others went.
func TestDuesComeInTheirOrder(t *testing.T) {
	var all dues
	now, kept := time.Unix(1_700_000_000, 0), uint64(0)
	for sequence := range uint64(10_000) {
		all.add(due{at: now.Add(time.Duration(sequence*7919%10_007) * time.Second), sequence: sequence}, func(d due) bool { return d.sequence%3 == 0 })
	}
	var got []time.Time
	for len(all) > 0 {
		next, _ := all.next()
		one := heap.Pop(&all).(due)
		if one.at != next {
			t.Fatalf("the next is at %s, and %s comes", next, one.at)
		}
		if got = append(got, one.at); one.sequence%3 == 0 {
			kept++
		}
	}
	if kept != 3334 || !slices.IsSortedFunc(got, time.Time.Compare) {
		t.Errorf("%d of 3334 have stayed, in order: %t", kept, slices.IsSortedFunc(got, time.Time.Compare))
	}
}
