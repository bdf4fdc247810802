package attachment_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/attachment"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// FuzzRead: whatever a section says and whatever comes for a chunk, what opens is the piece
// that was closed there, and all else has a reason.
func FuzzRead(f *testing.F) {
	content := text(2*piece + 3)
	a, chunks := closed(f, key(1), content)
	entry, err := proto.Marshal(a)
	if err != nil {
		f.Fatal(err)
	}
	small, pieces := closed(f, key(1), content[:5])
	short, err := proto.Marshal(small)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(entry, 2, chunks[2])
	f.Add(entry, 1, chunks[2])
	f.Add(short, 0, pieces[0])
	f.Add(short, 0, []byte{})
	f.Add([]byte{}, -1, []byte{1})
	f.Fuzz(func(t *testing.T, entry []byte, number int, chunk []byte) {
		a := &caseworkv1.Attachment{}
		if proto.Unmarshal(entry, a) != nil {
			return
		}
		file, err := attachment.Read(a)
		if err != nil {
			if attachment.ReasonOf(err) != attachment.Malformed {
				t.Fatal(err)
			}
			return
		}
		if attachment.CheckName(file.Name) != nil || file.Size == 0 || file.Size > attachment.MaxSize {
			t.Fatalf("taken: %+v", file)
		}
		piece, err := file.Open(number, chunk)
		if (err == nil) == (attachment.ReasonOf(err) != "") || err == nil && len(piece) != attachment.Piece(file.Size, number) {
			t.Fatalf("%d bytes, %v", len(piece), err)
		}
		if err == nil && bytes.Equal(a.GetKey(), bytes.Repeat([]byte{1}, 32)) && file.Size <= uint64(len(content)) && file.Size != 5 && file.Size != uint64(len(content)) {
			t.Fatalf("a file of %d bytes that nobody has closed", file.Size)
		}
	})
}
