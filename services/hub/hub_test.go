package hub_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/hub"
)

// start runs a hub in directory until the returned function stops it.
func start(t *testing.T, directory string) (*hub.Hub, func()) {
	t.Helper()
	h, err := hub.New(t.Context(), hub.Config{Directory: directory, Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: registrytest.Charter(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stop := func() {
		if cancel(); done != nil {
			if err := <-done; err != nil {
				t.Error(err)
			}
			done = nil
		}
	}
	t.Cleanup(stop)
	return h, stop
}

func dial(t *testing.T, h *hub.Hub, user string) *stream.Conn {
	t.Helper()
	conn, err := stream.Dial(stream.Config{
		URL: h.URL(), Credentials: h.Credentials(user), User: user, Account: stream.InMemberAccount(user),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func reader(t *testing.T, conn *stream.Conn, streamName, consumer string) *stream.Reader {
	t.Helper()
	r, err := conn.Reader(t.Context(), streamName, consumer)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sequences(t *testing.T, r *stream.Reader, want int) []uint64 {
	t.Helper()
	var got []uint64
	for deadline := time.Now().Add(10 * time.Second); len(got) < want && time.Now().Before(deadline); {
		messages, err := r.Fetch(t.Context(), 100, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			got = append(got, m.Sequence)
		}
	}
	return got
}

func batch(subject string, n int) []stream.Message {
	messages := make([]stream.Message, n)
	for i := range messages {
		messages[i] = stream.Message{Subject: subject, Data: fmt.Appendf(nil, "%s %d", subject, i)}
	}
	return messages
}

func TestCountryReadsItsAudiencesAndNoOther(t *testing.T) {
	t.Parallel()
	h, _ := start(t, t.TempDir())
	publisher := dial(t, h, stream.PublisherUser("XA", "police"))
	for _, subject := range []string{"evt.region.XA.police.site.reported", "evt.pair.XA.police.site.reported"} {
		if _, err := publisher.PublishBatch(t.Context(), batch(subject, 3)); err != nil {
			t.Fatal(err)
		}
	}
	for user, want := range map[string][]uint64{
		stream.DeskUser("XA"): {1, 2, 3, 4, 5, 6, 7},
		stream.DeskUser("XB"): {1, 2, 3, 4, 5, 6, 7},
		stream.DeskUser("XC"): {1, 2, 3, 4}, // the charter and region, nothing of pair
		stream.AuditUser:      {1, 2, 3, 4, 5, 6, 7},
	} {
		r := reader(t, dial(t, h, user), stream.Events, user)
		if diff := cmp.Diff(want, sequences(t, r, len(want))); diff != "" {
			t.Errorf("%s reads other sequences (-want +got):\n%s", user, diff)
		}
		if more, err := r.Fetch(t.Context(), 10, 50*time.Millisecond); err != nil || len(more) != 0 {
			t.Errorf("%s reads %d messages more, error %v", user, len(more), err)
		}
	}
}

func TestResetReadsAgain(t *testing.T) {
	t.Parallel()
	h, _ := start(t, t.TempDir())
	publisher := dial(t, h, stream.PublisherUser("XA", "police"))
	last, err := publisher.PublishBatch(t.Context(), batch("evt.region.XA.police.site.reported", 5))
	if err != nil || last != 6 {
		t.Fatalf("last sequence %d, error %v; want 6 after the charter", last, err)
	}
	desk := stream.DeskUser("XA")
	r := reader(t, dial(t, h, desk), stream.Events, desk)
	sequences(t, r, 6)
	if err := r.Ack(); err != nil {
		t.Fatal(err)
	}
	if err := r.Reset(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint64{4, 5, 6}, sequences(t, r, 3)); diff != "" {
		t.Errorf("after a reset to 4 (-want +got):\n%s", diff)
	}
}

func TestPublisherIsConfinedToItsAgency(t *testing.T) {
	t.Parallel()
	h, _ := start(t, t.TempDir())
	publisher := dial(t, h, stream.PublisherUser("XA", "police"))
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	mixed := append(batch("evt.region.XA.police.site.reported", 2), batch("evt.region.XA.border.site.reported", 1)...)
	if _, err := publisher.PublishBatch(ctx, mixed); err == nil {
		t.Error("a batch with another agency's subject was stored")
	}
	if _, err := publisher.PublishBatch(t.Context(), batch("evt.region.XA.police.site.reported", 2)); err != nil {
		t.Fatal(err)
	}
	audit := reader(t, dial(t, h, stream.AuditUser), stream.Events, stream.AuditUser)
	if diff := cmp.Diff([]uint64{1, 2, 3}, sequences(t, audit, 3)); diff != "" {
		t.Errorf("the stream holds (-want +got):\n%s", diff)
	}
}

func TestRestartKeepsStreamAndCredentials(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	h, stop := start(t, directory)
	publisher := dial(t, h, stream.PublisherUser("XB", "border"))
	if _, err := publisher.PublishBatch(t.Context(), batch("evt.region.XB.border.site.reported", 2)); err != nil {
		t.Fatal(err)
	}
	stop()
	again, _ := start(t, directory)
	desk := stream.DeskUser("XC")
	r := reader(t, dial(t, again, desk), stream.Events, desk)
	if diff := cmp.Diff([]uint64{1, 2, 3}, sequences(t, r, 3)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

func TestOnlyOneOfTwoWritersPublishesNext(t *testing.T) {
	t.Parallel()
	h, _ := start(t, t.TempDir())
	one, two := dial(t, h, stream.NotaryUser), dial(t, h, stream.StandbyUser)
	sequence, err := one.PublishAfter(t.Context(), 0, stream.LeavesSubject, []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.PublishAfter(t.Context(), 0, stream.LeavesSubject, []byte("other first")); err == nil {
		t.Error("a second first message was stored")
	}
	newest, ok, err := two.Newest(t.Context(), stream.Log, stream.LeavesSubject)
	if err != nil || !ok || newest.Sequence != sequence || string(newest.Data) != "first" {
		t.Errorf("Newest = %+v, %t, %v", newest, ok, err)
	}
}

// The notary reads EVENTS twice beside each other and sees how the streams are
// kept. It cannot change that, nor read what is no event.
func TestNotaryReadsAndChangesNothing(t *testing.T) {
	t.Parallel()
	h, _ := start(t, t.TempDir())
	notary := dial(t, h, stream.NotaryUser)
	publisher := dial(t, h, stream.PublisherUser("XA", "police"))
	if _, err := publisher.PublishBatch(t.Context(), batch("evt.region.XA.police.site.reported", 3)); err != nil {
		t.Fatal(err)
	}
	for _, consumer := range []string{stream.NotaryUser, stream.ScrubConsumer} {
		r := reader(t, notary, stream.Events, consumer)
		for from, want := range map[uint64][]uint64{1: {1, 2, 3, 4}, 3: {3, 4}} {
			if err := r.Reset(t.Context(), from); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, sequences(t, r, len(want))); diff != "" {
				t.Errorf("%s from %d (-want +got):\n%s", consumer, from, diff)
			}
		}
	}
	for name, last := range map[string]uint64{stream.Events: 4, stream.Log: 0, stream.Keys: 0, stream.Files: 0} {
		standing, err := notary.Standing(t.Context(), name, 1)
		if err != nil || standing.Missing || standing.Last != last || len(standing.Weak) != 0 {
			t.Errorf("%s stands at %+v, %v", name, standing, err)
		}
	}
	nc, _ := raw(t, &world{Hub: h, t: t}, stream.NotaryUser)
	for subject, body := range map[string]string{
		"$JS.API.STREAM.UPDATE.EVENTS": `{"name":"EVENTS"}`, "$JS.API.STREAM.DELETE.EVENTS": "", "$JS.API.STREAM.PURGE.EVENTS": "",
		"$JS.API.STREAM.MSG.DELETE.EVENTS": `{"seq":2}`, "$JS.API.STREAM.MSG.GET.KEYS": `{"seq":1}`, "$JS.API.STREAM.MSG.GET.EVENTS": `{"seq":1}`,
		"$JS.API.CONSUMER.DELETE.EVENTS." + stream.ScrubConsumer: "", "$JS.API.CONSUMER.CREATE.EVENTS": `{"stream_name":"EVENTS","config":{}}`,
	} {
		if answer, err := nc.Request(subject, []byte(body), 100*time.Millisecond); err == nil {
			t.Errorf("the notary is answered on %s: %s", subject, answer.Data)
		}
	}
}

// The notary and its standby read all, and neither takes the other's messages.
func TestStandbyReadsByItself(t *testing.T) {
	t.Parallel()
	h, _ := start(t, t.TempDir())
	if _, err := dial(t, h, stream.PublisherUser("XB", "border")).PublishBatch(t.Context(), batch("evt.region.XB.border.site.reported", 2)); err != nil {
		t.Fatal(err)
	}
	standby := dial(t, h, stream.StandbyUser)
	for consumer, conn := range map[string]*stream.Conn{stream.NotaryUser: dial(t, h, stream.NotaryUser), stream.StandbyUser: standby, stream.StandbyScrubConsumer: standby} {
		if diff := cmp.Diff([]uint64{1, 2, 3}, sequences(t, reader(t, conn, stream.Events, consumer), 3)); diff != "" {
			t.Errorf("%s reads (-want +got):\n%s", consumer, diff)
		}
	}
	for _, others := range []string{stream.NotaryUser, stream.ScrubConsumer} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // what is not allowed is not answered
		if _, err := standby.Reader(ctx, stream.Events, others); err == nil {
			t.Errorf("the standby opens the consumer %s", others)
		}
		cancel()
	}
}
