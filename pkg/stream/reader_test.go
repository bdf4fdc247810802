package stream_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

// consumer is the durable consumer of the tests, on a stream of one server.
const consumer = "reader"

// serve starts a server with an empty events stream.
func serve(t *testing.T) (*stream.Conn, *nats.Conn) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	must(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not accept connections")
	}
	nc, err := nats.Connect(s.ClientURL())
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream.Events, Subjects: []string{"evt.>"}, AllowAtomicPublish: true})
	must(t, err)
	_, err = js.CreateConsumer(t.Context(), stream.Events, jetstream.ConsumerConfig{Durable: consumer, AckPolicy: jetstream.AckAllPolicy})
	must(t, err)
	conn, err := stream.Dial(stream.Config{URL: s.ClientURL(), User: "test"})
	must(t, err)
	t.Cleanup(conn.Close)
	return conn, nc
}

func open(t *testing.T, conn *stream.Conn, from uint64) *stream.Reader {
	t.Helper()
	r, err := conn.Reader(t.Context(), stream.Events, consumer)
	must(t, err)
	must(t, r.Reset(t.Context(), from))
	return r
}

func publish(t *testing.T, conn *stream.Conn, n int) {
	t.Helper()
	messages := make([]stream.Message, n)
	for i := range messages {
		messages[i] = stream.Message{Subject: "evt.x", Data: fmt.Appendf(nil, "%d", i)}
	}
	_, err := conn.PublishBatch(t.Context(), messages)
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pending is what Fetch says of each message, after what Pending says.
func pending(t *testing.T, r *stream.Reader, limit int) []uint64 {
	t.Helper()
	before, err := r.Pending(t.Context())
	must(t, err)
	got := []uint64{before}
	messages, err := r.Fetch(t.Context(), limit, 10*time.Millisecond)
	must(t, err)
	for _, m := range messages {
		got = append(got, m.Pending)
	}
	return got
}

func same(t *testing.T, what string, want, got []uint64) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestPendingCountsToTheEnd(t *testing.T) {
	conn, _ := serve(t)
	r := open(t, conn, 1)
	same(t, "an empty stream", []uint64{0}, pending(t, r, 10))
	publish(t, conn, 5)
	same(t, "the first two", []uint64{5, 4, 3}, pending(t, r, 2))
	same(t, "the rest", []uint64{3, 2, 1, 0}, pending(t, r, 10))
	same(t, "at the end", []uint64{0}, pending(t, r, 10))
	publish(t, conn, 2)
	same(t, "after growth", []uint64{2, 1, 0}, pending(t, r, 10))
	for from, want := range map[uint64][]uint64{1: {7, 6}, 7: {1, 0}, 8: {0}, 0: {7, 6}, 99: {0}} {
		same(t, fmt.Sprintf("after a reset to %d", from), want, pending(t, open(t, conn, from), 1))
	}
}

// A message that went to a request which nobody hears any more is not passed over.
func TestMissedFirstMessage(t *testing.T) {
	conn, nc := serve(t)
	publish(t, conn, 3)
	r := open(t, conn, 1)
	sub, err := nc.SubscribeSync("elsewhere")
	must(t, err)
	must(t, nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+stream.Events+"."+consumer, "elsewhere", []byte("1")))
	_, err = sub.NextMsg(10 * time.Second)
	must(t, err)
	if messages, err := r.Fetch(t.Context(), 10, 10*time.Millisecond); !errors.Is(err, stream.ErrMissed) {
		t.Errorf("Fetch = %v, %v; want ErrMissed", messages, err)
	}
	must(t, r.Reset(t.Context(), 1))
	same(t, "after a reset", []uint64{3, 2, 1, 0}, pending(t, r, 10))
}
