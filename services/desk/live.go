package desk

import "sync"

// Live tells that something was added, never what: a subscriber reads on from
// where it is. So nobody is waited for, and a slow subscriber costs no memory.
// The zero Live is ready.
type Live struct {
	mu          sync.Mutex
	subscribers map[chan struct{}]struct{}
}

// Subscribe returns a channel that is sent to after each change. It holds one
// notification, which may stand for many changes. cancel ends the subscription
// and may be called again; the channel is never closed.
func (l *Live) Subscribe() (changed <-chan struct{}, cancel func()) {
	channel := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.subscribers == nil {
		l.subscribers = map[chan struct{}]struct{}{}
	}
	l.subscribers[channel] = struct{}{}
	return channel, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.subscribers, channel)
	}
}

// notify tells all subscribers.
func (l *Live) notify() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for channel := range l.subscribers {
		select {
		case channel <- struct{}{}:
		default: // it has one waiting
		}
	}
}
