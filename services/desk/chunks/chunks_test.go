package chunks

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func always() (bool, error) { return true, nil }

func fill(n byte, size int) (event.Digest, []byte) {
	data := bytes.Repeat([]byte{n}, size)
	return event.DigestOf(data), data
}

func TestChunksAreKeptByEvent(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "attachments")
	s, err := Open(directory, 1<<20)
	must(t, err)
	name, data := fill(1, 100)
	if got := s.Get(7, name); got != nil {
		t.Errorf("%d bytes of nothing", len(got))
	}
	if kept, err := s.Put(7, name, data, func() (bool, error) { return false, nil }); kept || err != nil || s.Get(7, name) != nil {
		t.Errorf("what nobody wants is kept: %t, %v", kept, err)
	}
	_, err = s.Put(7, name, data, always)
	must(t, err)
	if !bytes.Equal(s.Get(7, name), data) || s.Get(8, name) != nil {
		t.Error("it is not where it was put, or elsewhere too")
	}
	must(t, os.WriteFile(s.path(7, name), []byte("damaged"), 0o600))
	if s.Get(7, name) != nil {
		t.Error("damage is handed out")
	}
}

// What is not named goes, with leftovers of a crash and whatever else lies there.
func TestSweep(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "attachments")
	s, err := Open(directory, 1<<20)
	must(t, err)
	one, first := fill(1, 100)
	two, second := fill(2, 100)
	for _, index := range []uint64{3, 4} {
		for name, data := range map[event.Digest][]byte{one: first, two: second} {
			_, err := s.Put(index, name, data, always)
			must(t, err)
		}
	}
	must(t, os.WriteFile(s.path(4, one)+".new", first, 0o600))
	must(t, os.WriteFile(filepath.Join(directory, "stray"), first, 0o600))
	var asked []uint64
	must(t, s.Sweep(func(index uint64) (map[event.Digest]bool, error) {
		asked = append(asked, index)
		if index == 4 {
			return map[event.Digest]bool{one: true}, nil
		}
		return nil, nil
	}))
	left, err := s.list()
	must(t, err)
	if len(left) != 1 || left[0].index != 4 || left[0].name != one || s.size != 100 {
		t.Errorf("left are %+v, %d bytes", left, s.size)
	}
	if len(asked) != 3 { // the stray file's is 0
		t.Errorf("asked for %v", asked)
	}
	if found, err := os.ReadDir(directory); err != nil || len(found) != 1 {
		t.Errorf("directories: %v, %v", found, err)
	}
}

// The oldest go where there is too much, and what is counted is what is there, also after a start.
func TestCacheHasALimit(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "attachments")
	s, err := Open(directory, 1000)
	must(t, err)
	for n := byte(1); n <= 10; n++ {
		name, data := fill(n, 100)
		_, err := s.Put(uint64(n), name, data, always)
		must(t, err)
		must(t, os.Chtimes(s.path(uint64(n), name), time.Time{}, time.Unix(int64(n), 0)))
	}
	if s, err = Open(directory, 1000); err != nil || s.size != 1000 {
		t.Fatalf("%d bytes, %v", s.size, err)
	}
	name, data := fill(11, 100)
	_, err = s.Put(11, name, data, always)
	must(t, err)
	left, err := s.list()
	must(t, err)
	if len(left) != 7 || s.size != 700 || s.Get(11, name) == nil {
		t.Errorf("%d are left, %d bytes", len(left), s.size)
	}
	if gone, _ := fill(1, 100); s.Get(1, gone) != nil {
		t.Error("the oldest is still there")
	}
}
