package attachment_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/attachment"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

const piece = attachment.PieceSize

// What is closed is what the specification says, and opens to what it was.
func TestClosedAsSpecifiedAndOpened(t *testing.T) {
	for _, size := range []int{1, 15, piece - 1, piece, piece + 1, 3*piece - 5, 3 * piece} {
		content := text(size)
		a, chunks := closed(t, key(7), content)
		for n, chunk := range chunks {
			last := byte(0)
			if n == len(chunks)-1 {
				last = 1
			}
			want := specified(key(7), uint64(n), last, uint64(size), content[n*piece:min(size, (n+1)*piece)])
			if !bytes.Equal(chunk, want) {
				t.Errorf("size %d: chunk %d is not as specified", size, n)
			}
		}
		fetched := 0
		r := attachment.NewReader(read(t, a), func(n int) ([]byte, error) { fetched++; return chunks[n], nil })
		if err := iotest.TestReader(r, content); size < 64 && err != nil { // it reads byte by byte
			t.Errorf("size %d: %v", size, err)
		}
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		fetched = 0
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("size %d: read %d bytes, %v", size, len(got), err)
		}
		if size >= 64 && fetched > len(chunks) {
			t.Errorf("size %d: %d chunks fetched of %d", size, fetched, len(chunks))
		}
	}
}

// Ranges fetch what they need and nothing else.
func TestPartsOfAFile(t *testing.T) {
	content := text(3*piece + 100)
	a, chunks := closed(t, key(1), content)
	var fetched []int
	r := attachment.NewReader(read(t, a), func(n int) ([]byte, error) { fetched = append(fetched, n); return chunks[n], nil })
	for _, test := range []struct {
		offset, length int
		want           string
	}{
		{2*piece + 5, 10, "[2]"}, {2*piece + 100, 3, "[]"}, {piece - 1, 2, "[0 1]"}, {3*piece + 90, 10, "[3]"}, {0, 3*piece + 100, "[0 1 2 3]"},
	} {
		fetched = nil
		got := make([]byte, test.length)
		n, err := r.ReadAt(got, int64(test.offset))
		if n != test.length || err != nil || !bytes.Equal(got, content[test.offset:][:n]) || fmt.Sprint(fetched) != test.want {
			t.Errorf("%d from %d on: %d bytes, %v, chunks %v, want %s", test.length, test.offset, n, err, fetched, test.want)
		}
	}
	if n, err := r.ReadAt(make([]byte, 11), 3*piece+90); n != 10 || !errors.Is(err, io.EOF) {
		t.Errorf("over the end: %d bytes, %v", n, err)
	}
	for _, bad := range []func() error{
		func() error { _, err := r.ReadAt(make([]byte, 1), -1); return err },
		func() error { _, err := r.Seek(-1, io.SeekStart); return err },
		func() error { _, err := r.Seek(0, 9); return err },
	} {
		if bad() == nil {
			t.Error("a place that there is not")
		}
	}
}

// Each thing that a hub can do to a chunk has its reason, and no byte comes out of it.
func TestAdversary_K02_ChunksThatWereTamperedWith(t *testing.T) {
	content := text(2*piece + 40)
	a, chunks := closed(t, key(1), content)
	_, others := closed(t, key(2), content)
	flipped := bytes.Clone(chunks[1])
	flipped[999] ^= 1
	for _, test := range []struct {
		name   string
		number int
		chunk  []byte
		want   attachment.Reason
	}{
		{"as it is", 1, chunks[1], ""},
		{"two exchanged", 1, chunks[0], attachment.Moved},
		{"the last one in the middle", 1, chunks[2], attachment.Moved},
		{"one repeated at the end", 2, chunks[1], attachment.Moved},
		{"a bit flipped", 1, flipped, attachment.Altered},
		{"another file's", 1, others[1], attachment.Altered},
		{"cut", 1, chunks[1][:piece], attachment.Cut},
		{"cut to nothing but the tag", 2, chunks[2][:16], attachment.Cut},
		{"longer", 2, append(bytes.Clone(chunks[2]), 0), attachment.Cut},
		{"emptied", 1, nil, attachment.Erased},
		{"beyond the end", 3, chunks[2], attachment.Missing},
		{"before the beginning", -1, chunks[0], attachment.Missing},
	} {
		got, err := read(t, a).Open(test.number, test.chunk)
		if attachment.ReasonOf(err) != test.want || (err == nil) != (len(got) > 0) {
			t.Errorf("%s: %q (%v), want %q", test.name, attachment.ReasonOf(err), err, test.want)
		}
	}
}

// An originator, or whoever has the key, names chunks that are no such file: moved, dropped, repeated,
// cut off, of another size. The digests fit; nothing opens.
func TestAdversary_K02_ChunksThatWereNamedWrongly(t *testing.T) {
	const size = 2*piece + 40
	content, k := text(size), key(1)
	whole, chunks := closed(t, k, content)
	short, shorter := closed(t, k, content[:2*piece])
	for _, test := range []struct {
		name   string
		size   uint64
		chunks [][]byte
		at     int
	}{
		{"two exchanged", size, [][]byte{chunks[1], chunks[0], chunks[2]}, 0},
		{"one repeated", size, [][]byte{chunks[0], chunks[0], chunks[2]}, 1},
		{"the last dropped, with its size", 2 * piece, chunks[:2], 0},
		{"the first dropped, with its size", piece + 40, chunks[1:], 0},
		{"the end of another size", size, [][]byte{shorter[0], shorter[1], chunks[2]}, 0},
		{"no last one", size, [][]byte{chunks[0], chunks[1], specified(k, 2, 0, size, content[2*piece:])}, 2},
		{"a last one in the middle", size, [][]byte{chunks[0], specified(k, 1, 1, size, content[piece:2*piece]), chunks[2]}, 1},
		{"a number beyond 2^56", size, [][]byte{chunks[0], specified(k, 1<<60, 0, size, content[piece:2*piece]), chunks[2]}, 1},
		{"pieces cut elsewhere", size, [][]byte{specified(k, 0, 0, size, content[:piece-1]), chunks[1], chunks[2]}, 0},
	} {
		a := proto.CloneOf(whole)
		a.Size = test.size
		names(a, test.chunks...)
		if _, err := read(t, a).Open(test.at, test.chunks[test.at]); attachment.ReasonOf(err) != attachment.Broken {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := read(t, short).Open(1, shorter[1]); err != nil {
		t.Errorf("before the attack: %v", err)
	}
}

func TestEntryInItsForm(t *testing.T) {
	good, _ := closed(t, key(1), text(piece+1))
	for _, test := range []struct {
		name  string
		spoil func(a *caseworkv1.Attachment)
		want  string
	}{
		{"as it is", func(*caseworkv1.Attachment) {}, ""},
		{"a name in another script", func(a *caseworkv1.Attachment) { a.Name = "ภาพ – ຮູບ (1).jpg" }, ""},
		{"200 characters", func(a *caseworkv1.Attachment) { a.Name = strings.Repeat("ຮ", 200) }, ""},
		{"no name", func(a *caseworkv1.Attachment) { a.Name = "" }, "name"},
		{"201 characters", func(a *caseworkv1.Attachment) { a.Name = strings.Repeat("a", 201) }, "name"},
		{"a path", func(a *caseworkv1.Attachment) { a.Name = "../../etc/passwd" }, "path"},
		{"a path of another system", func(a *caseworkv1.Attachment) { a.Name = `C:\a` }, "path"},
		{"the directory above", func(a *caseworkv1.Attachment) { a.Name = ".." }, "path"},
		{"two lines", func(a *caseworkv1.Attachment) { a.Name = "a\r\nX-Header: b" }, "one line"},
		{"text turned around", func(a *caseworkv1.Attachment) { a.Name = "photo\u202egpj.exe" }, "invisible"},
		{"no UTF-8", func(a *caseworkv1.Attachment) { a.Name = "\xff" }, "UTF-8"},
		{"no bytes", func(a *caseworkv1.Attachment) { a.Size, a.Chunks = 0, nil }, "size"},
		{"too large", func(a *caseworkv1.Attachment) { a.Size = attachment.MaxSize + 1 }, "size"},
		{"larger than can be counted", func(a *caseworkv1.Attachment) { a.Size = 1<<64 - 1 }, "size"},
		{"a chunk too few", func(a *caseworkv1.Attachment) { a.Chunks = a.Chunks[:1] }, "chunks: 1"},
		{"a chunk too many", func(a *caseworkv1.Attachment) { a.Size = piece }, "chunks: 2"},
		{"a short name of a chunk", func(a *caseworkv1.Attachment) { a.Chunks[1] = a.Chunks[1][:31] }, "chunks[1]"},
		{"a short key", func(a *caseworkv1.Attachment) { a.Key = a.Key[:16] }, "key"},
	} {
		a := proto.CloneOf(good)
		test.spoil(a)
		_, err := attachment.Read(a)
		switch {
		case test.want == "" && err != nil, test.want != "" && attachment.ReasonOf(err) != attachment.Malformed:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: the error does not say %q: %v", test.name, test.want, err)
		}
	}
}

func TestSealTakesWhatLiesThere(t *testing.T) {
	for _, test := range []struct{ size, number, length int }{
		{100, 0, 99}, {100, 1, 0}, {100, -1, 100}, {piece + 1, 0, 1}, {piece + 1, 1, piece}, {0, 0, 0}, {attachment.MaxSize + 1, 0, piece},
	} {
		if _, err := attachment.Seal(key(1), uint64(test.size), test.number, make([]byte, test.length)); err == nil {
			t.Errorf("%+v is sealed", test)
		}
	}
}

// A reader says what fetching failed with, and goes on afterwards where it was.
func TestReaderGoesOnAfterAFault(t *testing.T) {
	content := text(2*piece + 1)
	a, chunks := closed(t, key(1), content)
	away := errors.New("away")
	failed := false
	r := attachment.NewReader(read(t, a), func(n int) ([]byte, error) {
		if n == 1 && !failed {
			failed = true
			return nil, away
		}
		return chunks[n], nil
	})
	first, err := io.ReadAll(r)
	if !errors.Is(err, away) || len(first) != piece {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(first, rest...), content) {
		t.Errorf("%d bytes more, %v", len(rest), err)
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	a, _ := closed(t, key(0x5a), text(1))
	for _, shown := range []string{fmt.Sprint(key(0x5a)), fmt.Sprintf("%x %v %+v", key(0x5a), read(t, a), read(t, a))} {
		if strings.Contains(shown, "5a5a") || strings.Contains(shown, "ZZ") || strings.Contains(shown, "90 90") {
			t.Errorf("a key in %q", shown)
		}
	}
	if one, other := attachment.NewKey(), attachment.NewKey(); one == other {
		t.Error("one key twice")
	}
}
