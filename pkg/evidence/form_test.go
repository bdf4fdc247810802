package evidence_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/evidence"
	evidencev1 "github.com/tripoint/tripoint/proto/tripoint/evidence/v1"
)

// A library that writes fields in rising order and leaves out empty ones writes the
// one form.
func TestFormIsProtobufs(t *testing.T) {
	good, _ := alterations(t)
	same(t, "file", true, bytes.Equal(good, altered(t, good, func(*evidencev1.Evidence) {})))
}

// spellings are files that say what a file that holds says, in another form.
func spellings(t testing.TB) (all []attack) {
	w := newWorld(t)
	w.say(border)
	good := w.writes(w.parts(1, 2))
	add := func(what string, file []byte, because string) {
		all = append(all, attack{what, w.charter(), file, because})
	}
	field := func(number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	message, err := proto.Marshal(&evidencev1.Message{Index: 1})
	must(t, err)
	tail := func(extra ...byte) []byte { return append(bytes.Clone(good), extra...) }
	add("no file", nil, "the file is empty")
	add("no protobuf", []byte("\x00"), "byte 0: the file is not evidence")
	add("a byte less", good[:len(good)-1], "the file is not evidence: no whole field begins here")
	add("a byte more", tail(0), "the file is not evidence: no whole field begins here")
	add("a field that is unknown", tail(field(9, []byte("x"))...), "a field 9 here is one too many")
	add("an opened section without a key", tail(field(6, nil)...), "opened[0]: section 0 is not sealed")
	add("the version twice", append([]byte{8, 1}, good...), "the file is not in its one form")
	add("the version in two bytes", append([]byte{8, 0x81, 0}, good[2:]...), "byte 1: the file is not in its one form")
	add("the version as another type", append(field(1, []byte{1}), good[2:]...), "the file is not in its one form")
	add("a part of the event apart", tail(field(3, message)...), "the file is not in its one form")
	add("an empty cosignature", tail(field(5, nil)...), "want a note with one signature")
	add("an empty note in a cosignature", tail(field(5, field(1, nil))...), "the file is not in its one form")
	add("an unknown field in a cosignature", tail(field(5, field(3, []byte("x")))...), "the file is not in its one form")
	add("a group", tail(0x33, 0x34), "the file is not in its one form")
	add("a field after the last", tail(field(7, nil)...), "a field 7 here is one too many")
	add("a field cut off inside another", tail(field(5, []byte{0x0a, 0x7f})...), "a field inside another is broken")
	add("fields in another order", append(bytes.Clone(good[2:]), good[:2]...), "the file is not in its one form")
	return all
}

func TestOneForm(t *testing.T) { judgeAttacks(t, spellings(t)) }

// A small file makes no reader do much, and a large one is not read.
func TestBounds(t *testing.T) {
	charter := newWorld(t).charter()
	refused(t, "too large", make([]byte, evidence.MaxFile+1), charter, "evidence at most")
	updates := bytes.Repeat([]byte{0x22, 0}, evidence.MaxFile/2)
	refused(t, "updates without end", updates, charter, "a field 4 here is one too many")
	refused(t, "cosignatures without end", bytes.Repeat([]byte{0x2a, 0}, evidence.MaxFile/2), charter, "a field 5 here is one too many")
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = evidence.Verify(updates, charter)
		}
	}).AllocedBytesPerOp()
	if allocated > 1<<20 {
		t.Errorf("a file of empty updates takes %d bytes of memory", allocated)
	}
}
