package holding

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// Record is one of a holding: of its fields one is set.
type Record struct {
	Leaves      *logv1.Leaves
	Cosignature []byte
	Message     *Message
}

// Reader reads one holding. Nothing in it is to be acted on before Next has
// returned io.EOF. It is not safe for concurrent use.
type Reader struct {
	party string

	from   *bufio.Reader
	digest hash.Hash
	count  uint64 // records read
	offset int64  // bytes read
	order  order
}

// NewReader reads the first line. It refuses a holding of another log than the
// one that charter founds.
func NewReader(from io.Reader, charter event.Digest) (*Reader, error) {
	r := &Reader{from: bufio.NewReaderSize(from, 64<<10), digest: sha256.New()}
	line, err := r.from.ReadSlice('\n')
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("reading a holding: %w", err)
	}
	if err != nil || len(line) > maxLine {
		return nil, errors.New("not a holding: it does not begin with a line of text")
	}
	r.digest.Write(line)
	r.offset = int64(len(line))
	of, party, err := parseLine(string(line[:len(line)-1]))
	if err != nil {
		return nil, err
	}
	if of != charter {
		return nil, fmt.Errorf("this holding of %s is of the log that the charter %s founds, not of %s", party, of, charter)
	}
	r.party = party
	return r, nil
}

// Party is whose holding it says it is.
func (r *Reader) Party() string { return r.party }

// Next is the next record; io.EOF after the last, once the end was seen to be
// whole. An error names record and byte; nothing can be read after it.
func (r *Reader) Next() (Record, error) {
	at := r.offset
	record, err := r.next()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("record %d, from byte %d: %w", r.count, at, err)
	}
	return record, err
}

func (r *Reader) next() (Record, error) {
	head, err := r.take(4)
	if err != nil {
		return Record{}, err
	}
	length := binary.BigEndian.Uint32(head)
	switch {
	case length == 0:
		return Record{}, r.end()
	case length > MaxRecord:
		return Record{}, fmt.Errorf("%d bytes, at most %d", length, MaxRecord)
	}
	data, err := r.take(int(length))
	if err != nil {
		return Record{}, err
	}
	record, err := parse(data)
	if err != nil {
		return Record{}, err
	}
	if record.Message != nil {
		if err := r.order.admit(*record.Message); err != nil {
			return Record{}, err
		}
	}
	r.count++
	return record, nil
}

// end compares count and digest, and sees that nothing follows.
func (r *Reader) end() error {
	count, err := r.take(8)
	if err != nil {
		return err
	}
	if n := binary.BigEndian.Uint64(count); n != r.count {
		return fmt.Errorf("the end says %d records, and there are %d", n, r.count)
	}
	want := r.digest.Sum(nil)
	got, err := r.take(sha256.Size)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("the digest at the end is another: the file was changed on the way")
	}
	switch _, err := r.from.ReadByte(); {
	case err == nil:
		return errors.New("something follows the end")
	case err != io.EOF:
		return err
	}
	return io.EOF
}

func (r *Reader) take(n int) ([]byte, error) {
	data := make([]byte, n)
	got, err := io.ReadFull(r.from, data)
	r.offset += int64(got)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("the file ends in the middle: it was cut on the way")
	}
	if err != nil {
		return nil, err
	}
	r.digest.Write(data)
	return data, nil
}

func parse(data []byte) (Record, error) {
	held := &logv1.Held{}
	if err := proto.Unmarshal(data, held); err != nil {
		return Record{}, errors.New("not a record")
	}
	if len(held.ProtoReflect().GetUnknown()) > 0 {
		return Record{}, errors.New("it has fields that this version does not know")
	}
	switch of := held.GetHeld().(type) {
	case *logv1.Held_Leaves:
		return Record{Leaves: of.Leaves}, nil
	case *logv1.Held_Cosignature:
		return Record{Cosignature: of.Cosignature}, nil
	case *logv1.Held_Message_:
		if len(of.Message.ProtoReflect().GetUnknown()) > 0 {
			return Record{}, errors.New("its message has fields that this version does not know")
		}
		return Record{Message: &Message{
			Index: of.Message.GetIndex(), Known: of.Message.Index != nil, Subject: string(of.Message.GetSubject()), Data: of.Message.GetData(),
		}}, nil
	}
	return Record{}, errors.New("it holds nothing")
}
