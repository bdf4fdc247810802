package desk

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/view"
	"github.com/tripoint/tripoint/pkg/view/sqlite"
)

// busy is a world with a desk of XA that has seen events of all verdicts.
func busy(t *testing.T) (*world, *running, string) {
	t.Helper()
	w := newWorld(t)
	directory := t.TempDir()
	d := w.start("XA", directory)
	for range 10 {
		w.say(police)
		w.say(pair)
		w.say(border)
	}
	w.publish(w.messages[3])
	w.publish(stream.Message{Subject: "evt.region.XB.border.site.reported", Data: []byte("no envelope")})
	d.has(w.say(border))
	return w, d, directory
}

func TestRebuildEqualsWhatGrew(t *testing.T) {
	t.Parallel()
	w, d, directory := busy(t)
	digest, entries := d.digest(), d.entries()
	must(t, d.Rebuild(t.Context()))
	same(t, "digest", digest, d.digest())
	same(t, "entries", entries, d.entries())
	same(t, "files", []string{"view-000002.db"}, files(t, directory))
	// The view that was swapped in grows on, and is the one that is found again.
	d.has(w.say(police))
	digest = d.digest()
	must(t, d.stop())
	d = w.start("XA", directory)
	same(t, "digest after a restart", digest, d.digest())
}

func TestAdversary_D03_RebuildWhileLive(t *testing.T) {
	t.Parallel()
	w, d, _ := busy(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var reading sync.WaitGroup
	for range 3 {
		reading.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := d.Reader().Digest(context.Background()); err != nil {
					t.Errorf("reading while the view is built again: %v", err)
					return
				}
			}
		})
	}
	rebuilt := make(chan error, 1)
	go func() { rebuilt <- d.Rebuild(t.Context()) }()
	var last uint64
	for range 50 {
		last = w.say(police)
	}
	must(t, <-rebuilt)
	d.has(last)
	cancel()
	reading.Wait()
	live, entries := d.digest(), d.entries()
	must(t, d.Rebuild(t.Context()))
	same(t, "digest", live, d.digest())
	same(t, "entries", entries, d.entries())
	same(t, "number of entries", len(w.messages), len(entries))
}

func TestAViewThatIsNotOfThisJournalIsBuiltAgain(t *testing.T) {
	t.Parallel()
	foreign := casework.Ref{Type: casework.TypeSite, ID: "of-another-journal"}
	for name, spoil := range map[string]func(t *testing.T, path string){
		"its cursor has another digest": func(t *testing.T, path string) {
			v, err := sqlite.Open(t.Context(), path)
			must(t, err)
			at, err := v.Cursor(t.Context())
			must(t, err)
			tx, err := v.Begin(t.Context())
			must(t, err)
			at.Digest = event.DigestOf([]byte("another history"))
			must(t, tx.Put(foreign, []byte(`{}`)))
			must(t, tx.Commit(at))
			must(t, v.Close())
		},
		"it is ahead of the journal": func(t *testing.T, path string) {
			v, err := sqlite.Open(t.Context(), path)
			must(t, err)
			tx, err := v.Begin(t.Context())
			must(t, err)
			must(t, tx.Put(foreign, []byte(`{}`)))
			must(t, tx.Commit(view.Cursor{Sequence: 999, Index: 998}))
			must(t, v.Close())
		},
		"it is no database": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte("this was a database once, before the disk failed"), 0o600))
		},
		"it is gone": func(t *testing.T, path string) { must(t, os.Remove(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			w, d, directory := busy(t)
			digest, entries := d.digest(), d.entries()
			must(t, d.stop())
			spoil(t, filepath.Join(directory, "view-000001.db"))
			// The hub is away: the journal is enough.
			d = w.start("XA", directory, func(c *Config) { c.Stream.URL = "nats://127.0.0.1:1" })
			until(t, "the view is built again", func() bool { return len(d.entries()) == len(entries) && d.digest() == digest })
			same(t, "entries", entries, d.entries())
			until(t, "one file is left", func() bool { return len(files(t, directory)) == 1 })
		})
	}
}

// A rebuild that was interrupted leaves the old view and nothing else.
func TestAnInterruptedRebuildIsForgotten(t *testing.T) {
	t.Parallel()
	w, d, directory := busy(t)
	digest := d.digest()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Rebuild(ctx); err == nil {
		t.Error("a rebuild that was cancelled reported success")
	}
	same(t, "digest", digest, d.digest())
	must(t, d.stop())
	must(t, os.WriteFile(filepath.Join(directory, building), []byte("half"), 0o600))
	d = w.start("XA", directory)
	same(t, "digest after a restart", digest, d.digest())
	same(t, "files", []string{"view-000001.db"}, files(t, directory))
}
