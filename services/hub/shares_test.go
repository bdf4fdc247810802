package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/hub"
)

// shared is a hub on which little may lie.
func shared(t *testing.T, directory string, shares hub.Shares) (*hub.Hub, func()) {
	t.Helper()
	config := configOf(t, directory)
	config.Listen, config.Shares = "127.0.0.1:0", shares
	h, err := hub.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		if cancel(); <-done != nil {
			t.Error("the hub has failed")
		}
	}
	t.Cleanup(stop)
	return h, stop
}

// fills stores chunks until one is refused, and says which they were, and why.
func fills(t *testing.T, conn *stream.Conn, prefix string, size int) (stored []string, why error) {
	t.Helper()
	for n := range 1000 {
		subject := fmt.Sprintf("%s.%d", prefix, n)
		var err error
		if strings.HasPrefix(prefix, "key.") {
			_, err = conn.PutRecord(t.Context(), subject, planted(size), 0, time.Hour)
		} else {
			err = conn.PutChunk(t.Context(), subject, planted(size), time.Hour)
		}
		if err != nil {
			return stored, err
		}
		stored = append(stored, subject)
	}
	t.Fatal("nothing was refused")
	return nil, nil
}

var small = hub.Shares{AgencyKeys: 1 << 20, AgencyFiles: 1 << 20, CountryKeys: 3 << 19, CountryFiles: 3 << 19}

// An agency that has used up its share is refused more, with the reason; all others go on. What it lets go makes
// room again: by erasing, and by expiry.
func TestAdversary_T08_AgencyThatFillsTheHub(t *testing.T) {
	t.Parallel()
	for name, prefix := range map[string]string{stream.Files: "file", stream.Keys: "key"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			h, stop := shared(t, directory, small)
			police, border := dial(t, h, stream.PublisherUser("XA", "police")), dial(t, h, stream.PublisherUser("XB", "border"))
			stored, why := fills(t, police, prefix+".region.XA.police", 100<<10)
			if len(stored) < 9 || len(stored) > 12 || !strings.Contains(why.Error(), "XA/police has used up its share of this hub, 1 MiB of") {
				t.Fatalf("%d messages, then: %v", len(stored), why)
			}
			put := func(conn *stream.Conn, subject string, size int, life time.Duration) error {
				if prefix == "file" {
					return conn.PutChunk(t.Context(), subject, planted(size), life)
				}
				_, err := conn.PutRecord(t.Context(), subject, planted(size), 0, life)
				if there := (*stream.Occupied)(nil); errors.As(err, &there) {
					return nil // an answer was late, under load
				}
				return err
			}
			if err := put(border, prefix+".region.XB.border.one", 100<<10, time.Hour); err != nil {
				t.Errorf("another agency is refused: %v", err)
			}
			if _, err := police.Publish(t.Context(), "evt.region.XA.police.site.reported", []byte("an event")); err != nil {
				t.Errorf("its events are refused: %v", err)
			}
			until(t, "the examination says it", func() bool { return refusedRows(t, directory) == 1 })
			stop()
			h, _ = shared(t, directory, small) // counts anew
			police = dial(t, h, stream.PublisherUser("XA", "police"))
			tries := 0
			refused := func() bool {
				tries++
				return put(police, fmt.Sprint(prefix, ".region.XA.police.more", tries), 100<<10, time.Second) != nil
			}
			until(t, "it is refused after a start", refused)
			// What is erased is taken, and makes room.
			for _, subject := range stored[:len(stored)-7] { // seven stay: under load one or two more were taken in
				if _, err := police.Publish(t.Context(), subject, nil); err != nil {
					t.Fatalf("what it erases is refused: %v", err)
				}
			}
			for n := range 2 {
				life := time.Hour
				if n == 1 {
					life = 2 * time.Second
				}
				until(t, "there is room again", func() bool {
					return put(police, fmt.Sprint(prefix, ".region.XA.police.again", n), 100<<10, life) == nil
				})
			}
			until(t, "it is refused again", refused)
			until(t, "what has expired makes room", func() bool { return put(police, prefix+".region.XA.police.beyond", 125<<10, time.Hour) == nil })
			until(t, "the examination says it is over", func() bool { return refusedRows(t, directory) == 0 })
		})
	}
}

func refusedRows(t *testing.T, directory string) (rows int) {
	t.Helper()
	checks, _ := hub.Examine(configOf(t, directory))
	for _, c := range checks {
		if c.Name == "shares" && !c.OK {
			rows++
		}
	}
	return rows
}

// A country has a share too: it enrols as many agencies as it likes.
func TestAdversary_T08_CountryOfManyAgencies(t *testing.T) {
	t.Parallel()
	h, _ := shared(t, t.TempDir(), small)
	stored, why := fills(t, dial(t, h, stream.PublisherUser("XB", "police")), "file.region.XB.police", 100<<10)
	if len(stored) < 9 || !strings.Contains(why.Error(), "XB/police") {
		t.Fatalf("%d chunks, then: %v", len(stored), why)
	}
	stored, why = fills(t, dial(t, h, stream.PublisherUser("XB", "border")), "file.region.XB.border", 100<<10)
	if len(stored) < 4 || len(stored) > 7 || !strings.Contains(why.Error(), "XB has used up its share") {
		t.Fatalf("%d chunks, then: %v", len(stored), why)
	}
	if err := dial(t, h, stream.PublisherUser("XA", "police")).PutChunk(t.Context(), "file.region.XA.police.aa", planted(1000), time.Hour); err != nil {
		t.Errorf("another country is refused: %v", err)
	}
}

// What is stored goes through the hub itself, which may publish anywhere: no header of a member makes use of that.
func TestAdversary_T02_HeadersOfWhatIsStored(t *testing.T) {
	t.Parallel()
	w := found(t)
	before := w.holds()
	for _, a := range []*attacker{w.attack(stream.PublisherUser("XA", "police")), w.attack("insider XA")} {
		for _, subject := range []string{"key.region.XA.police.one", "file.region.XA.police.aa"} {
			for _, to := range []string{"evt.region.XB.police.x", "reg.key.revoked", "log.leaves", "key.region.XB.police.one", a.inbox + ".trace"} {
				for _, headers := range [][]string{
					{"Nats-Trace-Dest", to}, {"Nats-Trace-Dest", to, "Nats-Trace-Only", "true"}, {"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
					{"Nats-Msg-Id", "one"}, {"Reply", to}, {"Nats-Rollup", "all"},
				} {
					m := request(subject, "data", headers...)
					a.ask(t, m) // the server itself answers some that trace, or nobody does
					if got := a.answers(m); !strings.HasPrefix(headers[0], "Nats-Trace") && (len(got) != 1 || !strings.Contains(string(got[0].Data), "and this one has \\\""+headers[0])) {
						t.Errorf("%s, %v: %v", a.name, headers, got)
					}
				}
			}
		}
	}
	w.still(t, before)
}
