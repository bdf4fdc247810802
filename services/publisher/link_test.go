package publisher

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/tripoint/tripoint/pkg/stream"
)

// link is a way to the hub that breaks.
type link struct {
	t        testing.TB
	listener net.Listener
	target   string

	mu    sync.Mutex
	up    int // bytes from the client to the hub
	cuts  []int
	conns map[net.Conn]bool
	over  bool
}

// weakLink leads to target, and breaks whenever as many bytes as said have gone up in all.
func weakLink(t testing.TB, target string, cuts ...int) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{t: t, listener: listener, target: target, cuts: cuts, conns: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { l.carry(client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		l.mu.Lock()
		l.over = true
		l.mu.Unlock()
		l.cut()
		serving.Wait()
	})
	return l
}

func (l *link) carry(client net.Conn) {
	hub, err := net.Dial("tcp", l.target)
	if err != nil {
		client.Close()
		return
	}
	l.mu.Lock()
	l.conns[client], l.conns[hub] = true, true
	over := l.over
	l.mu.Unlock()
	if over {
		client.Close()
		hub.Close()
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(counted{l, hub}, client); hub.Close(); client.Close() })
	both.Go(func() { _, _ = io.Copy(client, hub); hub.Close(); client.Close() })
	both.Wait()
}

// cut ends all connections.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		conn.Close()
	}
	clear(l.conns)
}

// down cuts the link, and keeps it so until it goesUp.
func (l *link) down() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.cut()
}

func (l *link) goesUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = false
}

func (l *link) sent() (bytes, cutsLeft int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up, len(l.cuts)
}

// through is a configuration that takes this way.
func (l *link) through(config stream.Config) stream.Config {
	at, err := url.Parse(config.URL)
	if err != nil {
		l.t.Fatal(err)
	}
	at.Host = l.listener.Addr().String()
	config.URL = at.String()
	return config
}

// counted counts what goes up, and cuts in the middle of it.
type counted struct {
	link *link
	hub  net.Conn
}

func (c counted) Write(p []byte) (int, error) {
	l := c.link
	l.mu.Lock()
	cut := len(l.cuts) > 0 && l.up+len(p) >= l.cuts[0]
	if cut {
		p = p[:max(l.cuts[0]-l.up, 0)]
		l.cuts = l.cuts[1:]
	}
	l.up += len(p)
	l.mu.Unlock()
	n, err := c.hub.Write(p)
	if cut {
		l.cut()
		return n, io.ErrClosedPipe
	}
	return n, err
}
