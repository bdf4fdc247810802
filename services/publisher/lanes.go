package publisher

import (
	"context"
	"errors"
	"sync"
)

// errSuperseded interrupts a publication: the registry has changed meanwhile.
var errSuperseded = errors.New("the registry has changed")

// lanes are the lanes of a publisher, by audience. They appear when they are first
// asked for, and stay.
type lanes struct {
	publisher *Publisher

	mu    sync.Mutex
	all   map[string]*lane
	fresh chan struct{} // there is a lane that does not run yet

	// relay ends where publications shall be given up. It is replaced by who
	// holds flight for writing, and read by lanes, who hold it for reading.
	relay     context.Context
	interrupt func()
}

func newLanes(p *Publisher) *lanes {
	ls := &lanes{publisher: p, all: map[string]*lane{}, fresh: make(chan struct{}, 1)}
	ls.release()
	return ls
}

// release lets publications begin again after interrupt.
func (ls *lanes) release() {
	if ls.relay != nil && ls.relay.Err() == nil {
		return
	}
	relay, cancel := context.WithCancelCause(context.Background())
	ls.relay, ls.interrupt = relay, func() { cancel(errSuperseded) }
}

// of is the lane of an audience.
func (ls *lanes) of(audience string) *lane {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l, ok := ls.all[audience]
	if !ok {
		l = &lane{publisher: ls.publisher, audience: audience, wake: make(chan struct{}, 1), limit: parcel.Events}
		ls.all[audience] = l
		select {
		case ls.fresh <- struct{}{}:
		default:
		}
	}
	return l
}

// signal wakes all lanes, and who tends the key records.
func (ls *lanes) signal() {
	ls.publisher.tender.signal()
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.all {
		l.signal()
	}
}

// idle takes the lanes that do not run yet.
func (ls *lanes) idle() []*lane {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var idle []*lane
	for _, l := range ls.all {
		if !l.running {
			l.running = true
			idle = append(idle, l)
		}
	}
	return idle
}

// run runs all lanes, also those to come, until ctx ends.
func (ls *lanes) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		for _, l := range ls.idle() {
			running.Go(func() { l.run(ctx) })
		}
		select {
		case <-ls.fresh:
		case <-ctx.Done():
			return
		}
	}
}
