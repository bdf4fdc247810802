package hub_test

import (
	"bytes"
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
)

// files are those in a directory, and below, that hold a byte string.
func files(t *testing.T, directory string, needle []byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) { // a block that was let go meanwhile
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, needle) {
			found = append(found, path)
		}
		if os.IsNotExist(err) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// planted are bytes that lie nowhere else.
func planted(size int) []byte {
	data := make([]byte, size)
	rand.Read(data)
	return data
}

// past waits until a moment is over, by the clock that everybody has here.
func past(t *testing.T, moment time.Time) {
	t.Helper()
	until(t, "the time is over", func() bool { return time.Now().After(moment) })
}

// A record whose time ends while the hub is off is overwritten all the same: the server has to
// leave that to the hub also when it opens its files.
func TestAdversary_K07_RecordWhoseTimeEndsWhileTheHubIsOff(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	h, stop := start(t, directory)
	wrap, stays := planted(1000), planted(1000)
	conn := dial(t, h, stream.PublisherUser("XA", "police"))
	for subject, record := range map[string][]byte{"key.region.XA.police.short": wrap, "key.region.XA.police.long": stays} {
		life := time.Hour
		if bytes.Equal(record, wrap) {
			life = 2 * time.Second
		}
		if _, err := conn.PutRecord(t.Context(), subject, record, 0, life); err != nil {
			t.Fatal(err)
		}
	}
	over := time.Now().Add(2 * time.Second)
	stop()
	if len(files(t, directory, wrap)) == 0 {
		t.Fatal("the record was not on the disk when the hub was stopped: the test would prove nothing")
	}
	past(t, over.Add(time.Second))
	start(t, directory)
	until(t, "the record is in no file", func() bool { return len(files(t, directory, wrap)) == 0 })
	if len(files(t, directory, stays)) == 0 {
		t.Error("the other record has gone too")
	}
}
