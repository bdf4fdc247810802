package notary_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/notary/scrub"
)

// older replaces a directory of the stopped hub with the copy in old.
func older(t *testing.T, directory, old string) {
	t.Helper()
	must(t, os.RemoveAll(directory))
	must(t, os.CopyFS(directory, os.DirFS(old)))
}

// setBack notarises 101 leaves, and then puts an older copy of the hub's disk in
// place, from when it had 51: of the event stream alone, or of all streams.
func setBack(t *testing.T, everything bool) *keptHouse {
	h := keepHouse(t)
	h.pace.Patience = 5 * time.Second // nothing is unreadable here: what does not come is only late
	h.say(50, 100, "sound")
	h.stopHub()
	of := h.events()
	if everything {
		of = filepath.Join(h.disk, "streams")
	}
	old := filepath.Join(t.TempDir(), "old")
	must(t, os.CopyFS(old, os.DirFS(of)))
	h.startHub()
	h.say(50, 100, "sound")
	h.notarise()
	h.signed(101)
	h.finds()
	h.stopHub()
	older(t, of, old)
	return h
}

func TestAdversary_S03_StreamSetBackAndRegrown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		grow int // messages after it was set back
		want []scrub.Finding
	}{
		{"set back", 0, []scrub.Finding{regressed(51, 101)}},
		{"not past the end", 20, []scrub.Finding{regrown(51, 71), regressed(71, 101)}},
		{"to the end", 50, []scrub.Finding{regrown(51, 101)}},
		{"past the end", 80, []scrub.Finding{regrown(51, 101)}},
	} {
		t.Run("found by a notary that starts, "+c.name, func(t *testing.T) {
			t.Parallel()
			h := setBack(t, false)
			must(t, h.stop())
			h.startHub()
			h.say(c.grow, 100, "other")
			h.notarise()
			h.keepsFinding(c.want...)
			h.signedNoMore(101)
		})
		t.Run("under a running notary, "+c.name, func(t *testing.T) {
			t.Parallel()
			h := setBack(t, false)
			h.startHub()
			h.endsWith(notary.ErrAltered)
			h.finds(regressed(51, 101))
			h.say(c.grow, 100, "other")
			h.notarise()
			h.keepsFinding(c.want...)
			h.signedNoMore(101)
		})
		// The log stream went back as well: the notary knows what it has published,
		// and ends; what became of the events is found out before.
		t.Run("with the log, "+c.name, func(t *testing.T) {
			t.Parallel()
			h := setBack(t, true)
			must(t, h.stop())
			h.startHub()
			h.say(c.grow, 100, "other")
			h.notarise()
			h.endsWith(notary.ErrAltered)
			h.finds(c.want...)
		})
	}
}

// signedNoMore checks that nothing was signed beyond a size, and up to it nothing
// but what was published.
func (h *keptHouse) signedNoMore(size uint64) {
	h.t.Helper()
	h.signed(size)
	if got := h.followTo(size).Size(); got != size {
		h.t.Errorf("the notary signed %d leaves over a stream that is not what it signed before, want %d", got, size)
	}
}

// endsWith waits for the notary that runs.
func (h *keptHouse) endsWith(want error) {
	h.t.Helper()
	select {
	case err := <-h.ended:
		if !errors.Is(err, want) {
			h.t.Fatalf("the notary ended with %v, want %v", err, want)
		}
		h.stop = func() error { return nil }
	case <-time.After(deadline):
		h.t.Fatalf("the notary goes on, and should end with %v", want)
	}
}

// The administrator deletes the stream, and the hub founds another when it starts again.
func TestAdversary_S02_StreamDeletedByItsAdministrator(t *testing.T) {
	t.Parallel()
	h := keepHouse(t)
	h.say(10, 100, "sound")
	h.notarise()
	h.signed(11)
	must(t, h.administrator().DeleteStream(t.Context(), stream.Events))
	h.finds(scrub.Finding{Code: scrub.Weakened}, regressed(0, 11))
	must(t, h.stop())
	h.stopHub()
	h.startHub()
	h.notarise()
	h.keepsFinding(regressed(1, 11)) // the charter is the first message again
	h.signedNoMore(11)
}

// administrator holds the hub's own credentials.
func (h *keptHouse) administrator() jetstream.JetStream {
	h.t.Helper()
	nc, err := nats.Connect(h.hub.URL(), nats.UserCredentials(h.hub.Credentials("hub")), nats.CustomInboxPrefix("_INBOX.hub"))
	must(h.t, err)
	h.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(h.t, err)
	return js
}

// S04: the administrator weakens what a running server lets him; the scrubber says
// which setting, and no more once the hub has set it right. All settings are rows of
// pkg/stream's test.
func TestAdversary_S04_WeakenedSettingsAreFound(t *testing.T) {
	t.Parallel()
	h := keepHouse(t)
	h.say(10, 100, "sound")
	h.notarise()
	h.signed(11)
	js := h.administrator()
	weaken := func(name string, change func(*jetstream.StreamConfig)) {
		t.Helper()
		s, err := js.Stream(t.Context(), name)
		must(t, err)
		info, err := s.Info(t.Context())
		must(t, err)
		change(&info.Config)
		_, err = js.UpdateStream(t.Context(), info.Config)
		must(t, err)
	}
	weaken(stream.Events, func(c *jetstream.StreamConfig) { c.MaxAge = 24 * time.Hour })
	h.finds(scrub.Finding{Code: scrub.Weakened})
	weaken(stream.Log, func(c *jetstream.StreamConfig) {
		c.RePublish = &jetstream.RePublish{Source: "log.>", Destination: "tap.>"}
	})
	weaken(stream.Keys, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 })
	weakened := scrub.Finding{Code: scrub.Weakened}
	h.finds(weakened, weakened, weakened)
	h.says("max_age of stream EVENTS is 86400000000000 and must be unset", "republish of stream LOG", "max_msgs_per_subject of stream KEYS is 5 and must be -1")
	must(t, h.stop())
	h.notarise()
	h.keepsFinding(weakened, weakened, weakened)
	h.stopHub()
	h.startHub()
	h.finds()
	h.say(1, 100, "afterwards")
	h.signed(12)
}

// The notary's own disk changes a hash under it: the stream is not blamed for it,
// whether it is a leaf's own or one that proofs are made of. Where the notary sees it
// first, it ends. When it starts again it mends its store out of the stream.
func TestAdversary_L10_FlippedBitInTheLeafStore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		level int
		index uint64 // of the hash in its level
		want  scrub.Finding
	}{
		"a leaf":                  {0, 5, scrub.Finding{Code: scrub.Store, From: 5, To: 6}},
		"the last leaf":           {0, 100, scrub.Finding{Code: scrub.Store, From: 100, To: 101}},
		"a subtree of two":        {1, 7, scrub.Finding{Code: scrub.Store, From: 15, To: 16}},
		"a subtree of sixty-four": {6, 0, scrub.Finding{Code: scrub.Store, From: 63, To: 64}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := keepHouse(t)
			h.say(100, 100, "sound")
			h.notarise()
			h.signed(101)
			file := block{path: filepath.Join(h.directory, "hashes")}
			file.flip(t, tlog.StoredHashIndex(c.level, int64(c.index))*32+9)
			h.findsOrEnds(c.want)
			_ = h.stop() // it may have ended by itself
			h.notarise()
			h.say(10, 100, "afterwards")
			h.signed(111)
			h.finds()
		})
	}
}

// findsOrEnds waits until a finding stands and no other, or the notary ends over a
// fault of its own disk.
func (h *keptHouse) findsOrEnds(want scrub.Finding) {
	h.t.Helper()
	wait(h.t, "found", func() bool {
		found, err := scrub.Read(h.directory)
		must(h.t, err)
		if len(found) == 1 && found[0].Code == want.Code && found[0].From == want.From && found[0].To == want.To {
			return true
		}
		if len(found) != 0 {
			h.t.Fatalf("found %+v, want %+v", found, want)
		}
		select {
		case err := <-h.ended:
			if err == nil || errors.Is(err, notary.ErrAltered) {
				h.t.Fatalf("the notary ended with %v, want a fault of its disk", err)
			}
			h.stop = func() error { return nil }
			return true
		default:
			return false
		}
	})
}
