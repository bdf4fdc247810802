package holding_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/holding"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

var charter = event.DigestOf([]byte("a charter"))

// records are one of each kind.
func records() []holding.Record {
	return []holding.Record{
		{Leaves: &logv1.Leaves{Start: 3, Hashes: bytes.Repeat([]byte{7}, 64), Audiences: []string{holding.Unknown}, Labels: []uint32{0, 0}, Checkpoint: []byte("note")}},
		{Cosignature: []byte("another note")},
		{Message: &holding.Message{Index: 0, Known: true, Subject: "reg.charter.founded", Data: []byte("founding")}},
		{Message: &holding.Message{Index: 9, Known: true, Subject: "evt.x\xff"}},
		{Message: &holding.Message{Subject: "evt.y", Data: []byte("not placed")}},
	}
}

func write(t testing.TB, all []holding.Record) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := holding.NewWriter(&file, charter, "desk XA")
	for _, r := range all {
		switch {
		case err != nil:
		case r.Leaves != nil:
			err = w.Leaves(r.Leaves)
		case r.Message != nil:
			err = w.Message(*r.Message)
		default:
			err = w.Cosignature(r.Cosignature)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// read reads a whole file, and fails where one of its parts does.
func read(file []byte) ([]holding.Record, error) {
	r, err := holding.NewReader(bytes.NewReader(file), charter)
	if err != nil {
		return nil, err
	}
	var all []holding.Record
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, record)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	file := write(t, records())
	got, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(records(), got, protocmp.Transform()); diff != "" {
		t.Errorf("other records (-want +got):\n%s", diff)
	}
	r, err := holding.NewReader(bytes.NewReader(file), charter)
	if err != nil || r.Party() != "desk XA" {
		t.Errorf("it is of %q, error %v", r.Party(), err)
	}
	if got, err := read(write(t, nil)); err != nil || len(got) != 0 {
		t.Errorf("an empty one: %d records, error %v", len(got), err)
	}
}

// Whatever single byte is cut off or changed, the file is not taken.
func TestEveryCutAndChangeIsNoticed(t *testing.T) {
	file := write(t, records())
	for n := range file {
		if _, err := read(file[:n]); err == nil {
			t.Errorf("cut to %d bytes of %d: taken", n, len(file))
		}
		changed := bytes.Clone(file)
		changed[n] ^= 0x20
		if _, err := read(changed); err == nil {
			t.Errorf("byte %d changed: taken", n)
		}
	}
}

func TestRefusals(t *testing.T) {
	head := fmt.Sprintf("tripoint holding 1 %s desk XA\n", charter)
	record := func(held proto.Message) string {
		data, err := proto.Marshal(held)
		if err != nil {
			t.Fatal(err)
		}
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(data)))) + string(data)
	}
	message := func(index uint64) string {
		return record(&logv1.Held{Held: &logv1.Held_Message_{Message: &logv1.Held_Message{Index: &index}}})
	}
	for name, c := range map[string]struct{ file, says string }{
		"nothing":                  {"", "does not begin with a line"},
		"something else":           {"PK\x03\x04\n", "its first line"},
		"another version":          {strings.Replace(head, "holding 1", "holding 2", 1), "its first line"},
		"a digest in capitals":     {strings.ToUpper(head[19:83]) + "\n", "its first line"},
		"a short digest":           {strings.Replace(head, charter.String(), charter.String()[2:], 1), "its first line"},
		"another log":              {strings.Replace(head, charter.String(), event.DigestOf(nil).String(), 1), "of the log that the charter"},
		"no party":                 {strings.TrimSuffix(head, "desk XA\n") + "\n", "1 to 128 bytes, not 0"},
		"a party with a bell":      {strings.Replace(head, "XA", "X\a", 1), "printable"},
		"a long line":              {strings.Replace(head, "XA", strings.Repeat("X", 300), 1), "does not begin with a line"},
		"an endless line":          {strings.Repeat("x", 1<<17), "does not begin with a line"},
		"a huge record":            {head + "\xff\xff\xff\xff", "record 0, from byte 92: 4294967295 bytes"},
		"no record":                {head + "\x00\x00\x00\x01\xff", "not a record"},
		"an empty record":          {head + "\x00\x00\x00\x02\x78\x01", "does not know"},
		"unknown field of message": {head + "\x00\x00\x00\x04\x1a\x02\x78\x01", "its message has fields"},
		"an index too large":       {head + message(1<<48), "below 2^48"},
		"an index twice":           {head + message(4) + message(4), "record 1, from byte"},
		"going back":               {head + message(4) + message(3), "message 3 comes where 5"},
		"known after unknown": {head + record(&logv1.Held{Held: &logv1.Held_Message_{Message: &logv1.Held_Message{}}}) + message(0),
			"after one without an index"},
		"nothing held":        {head + "\x00\x00\x00\x03\x78\x01\x01", "not a record"},
		"other count":         {head + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", "the end says 1 records"},
		"something after it":  {string(write(t, records())) + "x", "something follows"},
		"two in one file":     {string(write(t, nil)) + string(write(t, nil)), "something follows"},
		"without its end":     {head, "cut on the way"},
		"in the middle of it": {head + "\x00\x00", "cut on the way"},
	} {
		if _, err := read([]byte(c.file)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", name, err, c.says)
		}
	}
}

func TestWriterKeepsTheOrder(t *testing.T) {
	w, err := holding.NewWriter(io.Discard, charter, "desk XA")
	if err != nil {
		t.Fatal(err)
	}
	known := func(index uint64) holding.Message { return holding.Message{Index: index, Known: true} }
	if err := errors.Join(w.Message(known(1)), w.Message(known(2)), w.Message(holding.Message{})); err != nil {
		t.Fatal(err)
	}
	if w.Message(known(3)) == nil {
		t.Error("a known index after an unknown one was written")
	}
	if err := w.Cosignature(make([]byte, holding.MaxRecord+1)); err == nil {
		t.Error("a record was written that nobody reads")
	}
	if _, err := holding.NewWriter(io.Discard, charter, "desk\nXA"); err == nil {
		t.Error("a party's name of two lines was written")
	}
}

// FuzzReader: what is read whole is written again to the same records, whatever was sent.
func FuzzReader(f *testing.F) {
	whole := write(f, records())
	f.Add(whole)
	f.Add(write(f, nil))
	for _, r := range records() {
		f.Add(write(f, []holding.Record{r}))
	}
	f.Add(whole[:len(whole)-1])
	f.Fuzz(func(t *testing.T, file []byte) {
		all, err := read(file)
		if err != nil {
			return
		}
		again, err := read(write(t, all))
		if err != nil {
			t.Fatalf("what was read is refused when it is written: %v", err)
		}
		if diff := cmp.Diff(all, again, protocmp.Transform()); diff != "" {
			t.Errorf("other records (-read +written and read):\n%s", diff)
		}
	})
}
