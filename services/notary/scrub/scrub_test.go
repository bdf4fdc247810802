package scrub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
)

// world is a hub whose faults the test chooses; real ones are attacked in
// services/notary. It runs in a bubble with a clock of its own.
type world struct {
	t        testing.TB
	messages []stream.Message // by index; no data: lost
	hashes   memory
	size     uint64
	standing map[string]stream.Standing

	away   error                               // the hub answers nothing
	mute   func(sequence uint64) bool          // a place from which the hub shows nothing
	change func(stream.Message) stream.Message // what the hub shows instead
	short  int                                 // of the next answers say that the stream ends earlier
	missed int                                 // how many of the next fetches lose messages
	next   uint64                              // sequence at which the consumer stands
	until  time.Time                           // it is away up to then
	shown  int                                 // messages that were fetched
	mu     sync.Mutex
	lines  strings.Builder
}

type memory []tlog.Hash

func (m memory) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, p := range positions {
		if p >= int64(len(m)) {
			return nil, fmt.Errorf("hash %d is not there", p)
		}
		found = append(found, m[p])
	}
	return found, nil
}

func newWorld(t *testing.T, n int) *world {
	w := &world{t: t, standing: map[string]stream.Standing{stream.Events: {}, stream.Log: {}, stream.Keys: {}, stream.Files: {}}}
	w.say(n)
	return w
}

func (w *world) say(n int) {
	w.t.Helper()
	for range n {
		w.put("evt.x", fmt.Appendf(nil, "message %d", w.size))
	}
}

// put stores and signs one message.
func (w *world) put(subject string, data []byte) {
	w.t.Helper()
	m := stream.Message{Subject: subject, Sequence: w.size + 1, Data: data}
	hashes, err := translog.StoredHashes(w.size, translog.LeafHash(w.size, m.Subject, m.Data), w.hashes)
	if err != nil {
		w.t.Fatal(err)
	}
	w.messages, w.hashes, w.size = append(w.messages, m), append(w.hashes, hashes...), w.size+1
	w.standing[stream.Events] = stream.Standing{First: 1, Last: w.size, Messages: w.size}
}

// rehash makes the stored tree fit the messages as they are now.
func (w *world) rehash() {
	w.t.Helper()
	w.hashes = nil
	for i, m := range w.messages {
		hashes, err := translog.StoredHashes(uint64(i), translog.LeafHash(uint64(i), m.Subject, m.Data), w.hashes)
		if err != nil {
			w.t.Fatal(err)
		}
		w.hashes = append(w.hashes, hashes...)
	}
}

func (w *world) Published() (uint64, translog.Hash) {
	if w.size == 0 {
		return 0, translog.Hash{}
	}
	root, err := translog.TreeRoot(w.size, w.hashes)
	if err != nil {
		w.t.Error(err)
	}
	return w.size, root
}

func (w *world) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	return w.hashes.ReadHashes(positions)
}

// gone is the error of a hub that is away.
func (w *world) gone() error {
	if w.away == nil && time.Now().Before(w.until) {
		return errors.New("away for a while")
	}
	return w.away
}

func (w *world) Reader(context.Context) (reader, error) { return w, w.gone() }
func (w *world) Ack() error                             { return nil }
func (w *world) Standing(_ context.Context, name string) (stream.Standing, error) {
	standing := w.standing[name]
	if name == stream.Events && w.short > 0 {
		w.short--
		standing.Last -= 10
	}
	return standing, w.gone()
}

// Reset of a consumer whose stream is no more is not answered, and asked again until ctx ends.
func (w *world) Reset(ctx context.Context, sequence uint64) error {
	if w.standing[stream.Events].Missing {
		<-ctx.Done()
		return ctx.Err()
	}
	w.next = sequence
	return w.gone()
}

// Fetch passes over what is lost, as the server does, and stops for ever at a place
// that is mute.
func (w *world) Fetch(ctx context.Context, limit int, wait time.Duration) ([]stream.Message, error) {
	if w.missed > 0 {
		w.missed--
		return nil, stream.ErrMissed
	}
	var got []stream.Message
	for ; len(got) < limit && w.next <= uint64(len(w.messages)) && w.gone() == nil; w.next++ {
		if w.mute != nil && w.mute(w.next) {
			break
		}
		m := w.messages[w.next-1]
		if w.change != nil {
			m = w.change(m)
		}
		if m.Data != nil {
			got = append(got, m)
		}
	}
	w.shown += len(got)
	if len(got) == 0 {
		pause(ctx, wait)
	}
	return got, errors.Join(ctx.Err(), w.gone())
}

func (w *world) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.Write(line)
}

func (w *world) said(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.lines.String(), what)
}

func (w *world) scrubber(directory string) *Scrubber {
	s := New(Config{Directory: directory, Tree: w, Logger: slog.New(slog.NewTextHandler(w, nil))})
	s.hub = w
	return s
}

// rounds runs a scrubber for so long that several rounds pass.
func rounds(t *testing.T, s *Scrubber, for_ time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), for_)
	defer cancel()
	s.Run(ctx)
}

func found(t *testing.T, directory string, want ...Finding) {
	t.Helper()
	got, err := Read(directory)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Finding{}, "What", "Seen"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// What stands, by what is wrong with the stream.
func TestFindings(t *testing.T) {
	lose := func(from, to int) func(*world) {
		return func(w *world) {
			for i := from; i < to; i++ {
				w.messages[i].Data = nil
			}
		}
	}
	alter := func(from, to int) func(*world) {
		return func(w *world) {
			for i := from; i < to; i++ {
				w.messages[i].Data = []byte("other")
			}
		}
	}
	for _, c := range []struct {
		name  string
		harm  []func(*world)
		stand []Finding
	}{
		{"nothing", nil, nil},
		{"the first is lost", []func(*world){lose(0, 1)}, []Finding{{Code: Lost, To: 1}}},
		{"two ranges are lost", []func(*world){lose(3, 7), lose(600, 601)}, []Finding{{Code: Lost, From: 3, To: 7}, {Code: Lost, From: 600, To: 601}}},
		{"the last are lost, and the hub knows of them", []func(*world){lose(990, 1000)}, []Finding{{Code: Lost, From: 990, To: 1000}}},
		{"all are lost", []func(*world){lose(0, 1000)}, []Finding{{Code: Lost, From: 0, To: 1000}}},
		{"one is altered", []func(*world){alter(5, 6)}, []Finding{{Code: Altered, From: 5, To: 6}}},
		{"one has another subject", []func(*world){func(w *world) { w.messages[5].Subject = "evt.y" }}, []Finding{{Code: Altered, From: 5, To: 6}}},
		{"altered over two portions", []func(*world){alter(200, 700)}, []Finding{{Code: Altered, From: 200, To: 700}}},
		{"altered to the end", []func(*world){alter(700, 1000)}, []Finding{{Code: Regrown, From: 700, To: 1000}}},
		{"altered and lost", []func(*world){alter(5, 9), lose(7, 8)}, []Finding{{Code: Altered, From: 5, To: 7}, {Code: Lost, From: 7, To: 8}, {Code: Altered, From: 8, To: 9}}},
		{"a place is mute", []func(*world){func(w *world) { w.mute = func(s uint64) bool { return s > 300 && s <= 380 } }}, []Finding{{Code: Lost, From: 300, To: 380}}},
		{"one message is mute", []func(*world){func(w *world) { w.mute = func(s uint64) bool { return s == 1 } }}, []Finding{{Code: Lost, From: 0, To: 1}}},
		{"the end is mute", []func(*world){func(w *world) { w.mute = func(s uint64) bool { return s > 900 } }}, []Finding{{Code: Lost, From: 900, To: 1000}}},
		{"it ends early", []func(*world){func(w *world) {
			w.messages, w.standing[stream.Events] = w.messages[:40], stream.Standing{First: 1, Last: 40}
		}}, []Finding{{Code: Regressed, From: 40, To: 1000}}},
		{"it is missing", []func(*world){func(w *world) {
			w.messages, w.standing[stream.Events] = nil, stream.Standing{Missing: true}
		}}, []Finding{{Code: Weakened}, {Code: Regressed, From: 0, To: 1000}}},
		{"another is missing", []func(*world){func(w *world) { w.standing[stream.Log] = stream.Standing{Missing: true} }}, []Finding{{Code: Weakened}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, directory := newWorld(t, 1000), t.TempDir()
				for _, harm := range c.harm {
					harm(w)
				}
				rounds(t, w.scrubber(directory), 10*time.Minute)
				found(t, directory, c.stand...)
				if errors := w.said("level=ERROR"); errors != len(c.stand) {
					t.Errorf("%d faults were logged, want each once: %d\n%s", errors, len(c.stand), w.lines.String())
				}
			})
		})
	}
}
