package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

func messages(n int) []stream.Message {
	all := make([]stream.Message, n)
	for i := range all {
		all[i] = stream.Message{Subject: "evt.x", Data: fmt.Appendf(nil, "%d", i)}
	}
	return all
}

// stored is how many messages the stream holds.
func stored(t *testing.T, nc *nats.Conn) uint64 {
	t.Helper()
	js, err := jetstream.New(nc)
	must(t, err)
	s, err := js.Stream(t.Context(), stream.Events)
	must(t, err)
	info, err := s.Info(t.Context())
	must(t, err)
	return info.State.Msgs
}

func TestBatchIsStoredInOrder(t *testing.T) {
	conn, nc := serve(t)
	want := uint64(0)
	for _, size := range []int{1, 2, 3, stream.MaxBatch} {
		want += uint64(size)
		if last, err := conn.PublishBatch(t.Context(), messages(size)); err != nil || last != want {
			t.Fatalf("a batch of %d: last %d, %v; want %d", size, last, err, want)
		}
	}
	got, err := open(t, conn, 4).Fetch(t.Context(), 3, time.Second)
	must(t, err)
	for i, m := range got {
		if string(m.Data) != fmt.Sprint(i) || m.Sequence != uint64(4+i) {
			t.Errorf("message %d is %q at %d", i, m.Data, m.Sequence)
		}
	}
	for _, size := range []int{0, stream.MaxBatch + 1} {
		if _, err := conn.PublishBatch(t.Context(), messages(size)); err == nil || !strings.Contains(err.Error(), "want 1 to 1000") {
			t.Errorf("a batch of %d: %v", size, err)
		}
	}
	if n := stored(t, nc); n != want {
		t.Errorf("%d messages are stored, want %d", n, want)
	}
}

func TestForeignSubjectStoresNothing(t *testing.T) {
	conn, nc := serve(t)
	for position := range 5 {
		mixed := messages(5)
		mixed[position].Subject = "elsewhere.x"
		if last, err := conn.PublishBatch(t.Context(), mixed); err == nil {
			t.Errorf("foreign subject at %d: stored up to %d", position, last)
		}
		if n := stored(t, nc); n != 0 {
			t.Fatalf("foreign subject at %d: %d messages are stored", position, n)
		}
	}
	if last, err := conn.PublishBatch(t.Context(), messages(5)); err != nil || last != 5 {
		t.Errorf("the batch after: %d, %v", last, err)
	}
}

func TestRefusalIsKnownAfterOneMessage(t *testing.T) {
	conn, nc := serve(t)
	js, err := jetstream.New(nc)
	must(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "PLAIN", Subjects: []string{"plain.>"}})
	must(t, err)
	sub, err := nc.SubscribeSync("plain.>")
	must(t, err)
	must(t, nc.Flush())
	all := messages(3)
	for i := range all {
		all[i].Subject = "plain.x"
	}
	if _, err := conn.PublishBatch(t.Context(), all); err == nil || !strings.Contains(err.Error(), "atomic publish is disabled") {
		t.Errorf("PublishBatch = %v", err)
	}
	// What the connection sent before is at the server when this is.
	_, err = conn.Publish(t.Context(), "plain.last", nil)
	must(t, err)
	var seen []string
	for len(seen) == 0 || seen[len(seen)-1] != "plain.last" {
		m, err := sub.NextMsg(10 * time.Second)
		must(t, err)
		seen = append(seen, m.Subject)
	}
	if len(seen) != 2 {
		t.Errorf("the server was sent %q, want one message of the batch", seen)
	}
}

func TestBatchIdentifierIsNeverReused(t *testing.T) {
	conn, nc := serve(t)
	sub, err := nc.SubscribeSync("evt.>")
	must(t, err)
	must(t, nc.Flush())
	batches := map[string]int{}
	for i := range 20 {
		all := messages(3)
		if i%2 == 1 { // the same bytes are published again after a refusal too
			all[1].Subject = "elsewhere.x"
		}
		_, err := conn.PublishBatch(t.Context(), all)
		if (err != nil) != (i%2 == 1) {
			t.Fatalf("batch %d: %v", i, err)
		}
		for range 3 - i%2 {
			m, err := sub.NextMsg(10 * time.Second)
			must(t, err)
			batches[m.Header.Get("Nats-Batch-Id")]++
		}
	}
	if len(batches) != 20 || batches[""] != 0 {
		t.Errorf("20 batches had %d identifiers", len(batches))
	}
}

// A hub that does not answer holds a batch up for as long as the context says.
func TestBatchEndsWithItsContext(t *testing.T) {
	conn, nc := serve(t)
	for name, silentAt := range map[string]string{"the first": "1", "the commit": "3"} {
		ctx, cancel := context.WithCancel(t.Context())
		subject := "silent." + silentAt
		_, err := nc.Subscribe(subject, func(m *nats.Msg) {
			if m.Header.Get("Nats-Batch-Sequence") == silentAt {
				cancel()
			} else if m.Reply != "" {
				m.Respond(nil)
			}
		})
		must(t, err)
		must(t, nc.Flush())
		all := messages(3)
		for i := range all {
			all[i].Subject = subject
		}
		start := time.Now()
		if _, err := conn.PublishBatch(ctx, all); !errors.Is(err, context.Canceled) || time.Since(start) > 5*time.Second {
			t.Errorf("no answer to %s: %v after %v", name, err, time.Since(start))
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := conn.PublishBatch(ended, messages(3)); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	if n := stored(t, nc); n != 0 {
		t.Errorf("%d messages are stored", n)
	}
}

// severed is a way to the server that breaks once when cut says so of what goes
// up and down it.
func severed(t *testing.T, address string, cut func(up bool, data []byte) bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	var broken atomic.Bool
	pipe := func(from, to net.Conn, up bool) {
		defer from.Close()
		defer to.Close()
		for buffer := make([]byte, 4096); ; {
			n, err := from.Read(buffer)
			if err != nil || cut(up, buffer[:n]) && broken.CompareAndSwap(false, true) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", address)
			if err != nil {
				client.Close()
				return
			}
			go pipe(client, upstream, true)
			go pipe(upstream, client, false)
		}
	}()
	return "nats://" + listener.Addr().String()
}

func TestConnectionLostInTheMiddle(t *testing.T) {
	var sent atomic.Int64
	for _, c := range []struct {
		name string
		cut  func(up bool, data []byte) bool
		left uint64
	}{
		{"before the commit: nothing is stored", func(up bool, data []byte) bool {
			return up && sent.Add(int64(len(data))) > 5000 // of about 10,000 bytes
		}, 0},
		{"before the answer: all is stored", func(up bool, data []byte) bool {
			return !up && bytes.Contains(data, []byte(`"count":100`))
		}, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, nc := serve(t)
			url := severed(t, strings.TrimPrefix(nc.ConnectedUrl(), "nats://"), c.cut)
			conn, err := stream.Dial(stream.Config{URL: url, User: "test"})
			must(t, err)
			t.Cleanup(conn.Close)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if last, err := conn.PublishBatch(ctx, messages(100)); err == nil {
				t.Fatalf("stored up to %d over a broken connection", last)
			}
			if n := stored(t, nc); n != c.left {
				t.Errorf("%d messages are stored, want %d", n, c.left)
			}
			for deadline := time.Now().Add(20 * time.Second); ; {
				last, err := conn.PublishBatch(t.Context(), messages(100))
				if err == nil && last == c.left+100 {
					return
				}
				if last != 0 || time.Now().After(deadline) {
					t.Fatalf("publishing again: %d, %v", last, err)
				}
			}
		})
	}
}
