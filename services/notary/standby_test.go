package notary_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/notary"
)

// standby are the settings of a second notary on another machine.
func (h *house) standby(directory string, patience time.Duration) notary.Config {
	config := h.settings()
	config.Directory, config.Standby, config.Patience = directory, true, patience
	config.Stream = h.config(stream.StandbyUser)
	return config
}

func (h *house) opened(config notary.Config) *notary.Notary {
	h.t.Helper()
	n, err := notary.New(config)
	must(h.t, err)
	return n
}

// L05: two notaries, one key, both publishing as fast as they can, each killed again
// and again. There is one root a size, and everybody follows.
func TestAdversary_L05_TwoNotariesRace(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	moments := rand.New(rand.NewPCG(seed, 0))
	eager := h.standby(t.TempDir(), time.Microsecond)
	size, published := uint64(1), map[string]int{}
	var counts sync.Mutex
	counting := func(who string, config notary.Config) notary.Config {
		config.Inject(nil, func(do func() error) error {
			err := do()
			counts.Lock()
			defer counts.Unlock()
			if err == nil {
				published[who]++
			} else if errors.Is(err, stream.ErrConflict) {
				published[who+" lost"]++
			}
			return err
		}, nil)
		return config
	}
	for range 12 {
		h.stop = h.run(h.opened(counting("notary", h.settings())))
		other := h.run(h.opened(counting("standby", eager)))
		for range 5 + moments.IntN(20) {
			n := 1 + moments.IntN(5)
			h.publish(n)
			size += uint64(n)
		}
		first, second := h.stop, other
		if moments.IntN(2) == 0 {
			first, second = second, first
		}
		must(t, first())
		h.publish(1)
		size++
		h.followTo(size) // the one that is left goes on
		must(t, second())
	}
	t.Logf("%d leaves, %v", size, published)
	if published["notary"] == 0 || published["standby"] == 0 || published["notary lost"]+published["standby lost"] == 0 {
		t.Error("there was no race")
	}
	h.audits(size)
	for _, directory := range []string{h.directory, eager.Directory} {
		h.shelved(directory)
	}
}

// Two that were both configured as the notary take each other's messages away. That
// is a nuisance, and neither a fork nor a false alarm.
func TestAdversary_L05_TwoNotariesOneConsumer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	twin := h.settings()
	twin.Directory = t.TempDir()
	stop := h.run(h.opened(twin))
	size := uint64(1)
	for range 40 {
		h.publish(3)
		size += 3
	}
	must(t, stop())
	h.followTo(size)
	h.stopped()
	h.audits(size)
}

// The standby is silent while the notary lives, publishes once it is gone, and is
// silent again when it is back.
func TestStandbyTakesOverAndHandsBack(t *testing.T) {
	t.Parallel()
	const patience = 400 * time.Millisecond
	h := newHouse(t)
	h.start()
	config := h.standby(t.TempDir(), patience)
	config.Interval = 100 * time.Millisecond
	spoke := make(chan time.Time, 1000)
	config.Inject(nil, func(do func() error) error {
		err := do()
		if err == nil {
			spoke <- time.Now()
		}
		return err
	}, nil)
	standby := h.opened(config)
	stop := h.run(standby)
	size := uint64(1)
	says := func() {
		h.publish(1)
		size++
		h.followTo(size)
	}
	for range 10 {
		says()
	}
	if len(spoke) != 0 {
		t.Fatal("the standby publishes beside the notary")
	}
	h.stopped()
	gone := time.Now()
	says()
	if took := (<-spoke).Sub(gone); took < patience/2 {
		t.Errorf("the standby took over after %v, its patience is %v", took, patience)
	}
	says() // it goes on without waiting as long again
	h.start()
	// From its first publication on the notary is the one that speaks.
	for back := 0; back < 3; {
		for len(spoke) > 0 {
			<-spoke
		}
		if says(); len(spoke) == 0 {
			back++
		} else {
			back = 0
		}
		if size > 200 {
			t.Fatal("the standby does not hand back")
		}
	}
	h.stopped()
	says() // and again
	must(t, stop())
	h.shelved(config.Directory)
	h.audits(size)
}

// A standby that comes to nothing that was ever published, with all of it to read.
func TestStandbyCatchesUpFirst(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(1000)
	h.publish(300)
	h.followTo(1301)
	h.stopped()
	h.publish(1)
	config := h.standby(t.TempDir(), time.Millisecond)
	stop := h.run(h.opened(config))
	h.followTo(1302)
	must(t, stop())
	h.shelved(config.Directory)
	h.audits(1302)
}
