// Package link is a line to a server that breaks again and again, for tests of what goes on over it.
package link

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// Link is a line from a client to a server. It lasts as long as its test.
type Link struct {
	address      string
	passed       atomic.Int64
	each, breaks int64
}

// Up breaks each time that so many bytes more have gone from clients to the server, so often in all.
func Up(t testing.TB, server string, each, breaks int) *Link {
	return open(t, server, each, breaks, func(l *Link, client, server net.Conn) { go l.frail(server, client); sound(client, server) })
}

// Down breaks each time that so many bytes more have come from the server, so often in all.
func Down(t testing.TB, server string, each, breaks int) *Link {
	return open(t, server, each, breaks, func(l *Link, client, server net.Conn) { go l.frail(client, server); sound(server, client) })
}

// Address is where clients dial, as host:port.
func (l *Link) Address() string { return l.address }

// Passed is how many bytes have gone in the direction that breaks, those included that were lost with a break.
func (l *Link) Passed() int { return int(l.passed.Load()) }

func open(t testing.TB, target string, each, breaks int, join func(l *Link, client, server net.Conn)) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	l := &Link{address: listener.Addr().String(), each: int64(each), breaks: int64(breaks)}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			go join(l, client, server)
		}
	}()
	return l
}

// frail carries bytes until it breaks. What is read at a break is lost.
func (l *Link) frail(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		now := l.passed.Add(int64(n))
		if parts := now / l.each; parts != (now-int64(n))/l.each && parts <= l.breaks {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func sound(to, from net.Conn) {
	_, _ = io.Copy(to, from) // it ends when either side closes
	to.Close()
	from.Close()
}
