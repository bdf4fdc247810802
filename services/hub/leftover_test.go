package hub_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/hub"
)

// stored is a hub with a log, one key record that was replaced and erased before it was stopped, one that
// stands, and a chunk.
type stored struct {
	logged
	erased, stands, chunk []byte
}

func newStored(t *testing.T) stored {
	t.Helper()
	s := stored{newLogged(t), planted(1000), planted(1000), planted(1000)}
	h, stop := start(t, s.directory)
	conn := dial(t, h, stream.PublisherUser("XA", "police"))
	before, err := conn.PutRecord(t.Context(), "key.region.XA.police.one", s.erased, 0, time.Hour)
	if err == nil {
		_, err = conn.PutRecord(t.Context(), "key.region.XA.police.one", planted(1000), before, time.Hour)
	}
	if err == nil {
		_, err = conn.PutRecord(t.Context(), "key.region.XA.police.two", s.stands, 0, time.Hour)
	}
	if err == nil {
		err = conn.PutChunk(t.Context(), "file.region.XA.police.aa", s.chunk, time.Hour)
	}
	if err != nil {
		t.Fatal(err)
	}
	until(t, "what was replaced is overwritten", func() bool { return len(files(t, s.directory, s.erased)) == 0 })
	stop()
	return s
}

// leftovers are what the examination says of streams of before.
func leftovers(t *testing.T, directory string) (found []checkup.Check) {
	t.Helper()
	checks, _ := hub.Examine(configOf(t, directory))
	return slices.DeleteFunc(checks, func(c checkup.Check) bool { return c.Name != "streams of before" })
}

// After a restoration nothing is in the hub's directory that was erased before it, and nothing stays there of
// what is erased after it: the streams of before are kept without their key records and chunks.
func TestAdversary_K07_RestoredHubKeepsNothingThatIsErased(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	for _, step := range []string{"", "before build", "before exchange"} {
		t.Run("broken off "+step, func(t *testing.T) {
			t.Parallel()
			s := newStored(t)
			events, err := filepath.Glob(filepath.Join(s.directory, "streams", "jetstream", "*", "streams", "EVENTS", "msgs", "*.blk"))
			if err != nil || len(events) != 1 || os.Truncate(events[0], 100) != nil {
				t.Fatalf("%v, error %v", events, err)
			}
			how := hub.Restoration{Time: restoredAt}
			if step == "" {
				_, err = hub.Restore(t.Context(), configOf(t, s.directory), how, s.desk)
			} else if _, err = hub.RestoreUntil(t.Context(), configOf(t, s.directory), how, func(at string) error {
				if at == step {
					return crash
				}
				return nil
			}, s.desk); errors.Is(err, crash) && step == "before exchange" {
				err = nil // the hub's next start completes it
			} else if errors.Is(err, crash) {
				_, stop := start(t, s.directory) // with what is left of the old streams: it drops what was begun
				stop()
				_, err = hub.Restore(t.Context(), configOf(t, s.directory), how, s.desk)
			}
			if err != nil {
				t.Fatal(err)
			}
			h, _ := start(t, s.directory)
			if found := files(t, s.directory, s.erased); len(found) != 0 {
				t.Errorf("what was erased before is in %v", found)
			}
			if len(files(t, s.directory, s.stands)) == 0 || len(files(t, s.directory, s.chunk)) == 0 {
				t.Error("what stood is gone")
			}
			conn := dial(t, h, stream.PublisherUser("XA", "police"))
			if err := conn.PutChunk(t.Context(), "file.region.XA.police.aa", nil, time.Hour); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Publish(t.Context(), "key.region.XA.police.two", planted(1000)); err != nil {
				t.Fatal(err)
			}
			until(t, "what is erased afterwards is overwritten", func() bool {
				return len(files(t, filepath.Join(s.directory, "streams"), s.stands)) == 0
			})
			for what, needle := range map[string][]byte{"record": s.stands, "chunk": s.chunk} {
				found := slices.DeleteFunc(files(t, s.directory, needle), func(path string) bool {
					return what == "chunk" && strings.HasPrefix(path, filepath.Join(s.directory, "streams")+"/") // until the broker compacts its block
				})
				if len(found) != 0 {
					t.Errorf("the %s that was erased afterwards is in %v", what, found)
				}
			}
			if found := leftovers(t, s.directory); len(found) != 1 || !found[0].OK {
				t.Errorf("the examination says of the streams of before: %+v", found)
			}
		})
	}
}

// A restoration that was broken off leaves copies of key records; the hub's next start drops them.
func TestAdversary_K07_CopiesOfABrokenOffRestorationGo(t *testing.T) {
	t.Parallel()
	s, crash := newStored(t), errors.New("crash")
	for _, step := range []string{"before build", "before check", "before seal"} {
		_, err := hub.RestoreUntil(t.Context(), configOf(t, s.directory), hub.Restoration{Time: restoredAt}, func(at string) error {
			if at == step {
				return crash
			}
			return nil
		}, s.desk)
		if !errors.Is(err, crash) || len(files(t, s.directory, s.stands)) < 2 {
			t.Fatalf("%s: %v, error %v", step, files(t, s.directory, s.stands), err)
		}
		_, stop := start(t, s.directory)
		stop()
		if found := files(t, s.directory, s.stands); len(found) != 1 || !strings.HasPrefix(found[0], filepath.Join(s.directory, "streams")+"/") {
			t.Errorf("%s: after the start it is in %v", step, found)
		}
	}
}

// Where the streams of before could not be read, their key records and chunks are the only ones there are: they
// stay, and the examination says so until somebody has deleted them.
func TestExamineNamesKeyRecordsOfBefore(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	remove(t, filepath.Join(s.directory, "keys"))
	done, err := hub.Restore(t.Context(), configOf(t, s.directory), hub.Restoration{Time: restoredAt}, s.desk)
	if err != nil || done.Unread == "" {
		t.Fatalf("%+v, error %v", done, err)
	}
	if len(files(t, done.Damaged, s.stands)) == 0 || len(files(t, done.Damaged, s.chunk)) == 0 {
		t.Error("what nobody could read was deleted")
	}
	found := leftovers(t, s.directory)
	if len(found) != 1 || found[0].OK || !strings.Contains(found[0].Hint, done.Damaged) {
		t.Errorf("the examination says of the streams of before: %+v", found)
	}
	remove(t, done.Damaged)
	if found := leftovers(t, s.directory); len(found) != 0 {
		t.Errorf("they are gone, and the examination says: %+v", found)
	}
}
