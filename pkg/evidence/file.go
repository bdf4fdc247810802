// Package evidence is one event in one file, with all that proves it: where it
// stands in the log, who signed it, what registry made the key valid, and which
// countries vouch for all that. Whoever has the file and the charter's digest needs
// no network, and trusts neither the hub nor who made the file.
//
// The format is specified in proto/README.md. It has one accepted form: a file that
// holds cannot be changed by a byte and still hold, unless by whoever can sign.
package evidence

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/translog"
	evidencev1 "github.com/tripoint/tripoint/proto/tripoint/evidence/v1"
)

// Bounds of a file. They are far above what a log of years needs.
const (
	MaxFile         = 64 << 20 // bytes
	maxUpdates      = 1 << 16
	maxCosignatures = 1 << 8

	version = 1
)

// decode reads a file in its one form. Its errors name the byte or the field.
func decode(file []byte) (*evidencev1.Evidence, error) {
	if len(file) > MaxFile {
		return nil, fmt.Errorf("the file has %d bytes, evidence at most %d", len(file), MaxFile)
	}
	if err := survey(file); err != nil {
		return nil, err
	}
	e := &evidencev1.Evidence{}
	if err := proto.Unmarshal(file, e); err != nil {
		return nil, errors.New("the file is not evidence: a field inside another is broken")
	}
	if own := encode(e); !bytes.Equal(own, file) {
		return nil, fmt.Errorf("byte %d: the file is not in its one form: a field that is unknown, empty, out of order or longer than needed", differs(own, file))
	}
	if e.GetVersion() != version {
		return nil, fmt.Errorf("version: %d, this program knows %d", e.GetVersion(), version)
	}
	return e, nil
}

// survey walks over the outer fields and counts them, so that no small file makes a
// reader allocate much.
func survey(file []byte) error {
	counts := map[protowire.Number]int{}
	for at := 0; at < len(file); {
		number, _, n := protowire.ConsumeField(file[at:])
		if n < 0 {
			return fmt.Errorf("byte %d: the file is not evidence: no whole field begins here", at)
		}
		counts[number]++
		if number == 4 && counts[number] > maxUpdates || number == 5 && counts[number] > maxCosignatures ||
			number == 6 && counts[number] > event.MaxSections || number > 6 {
			return fmt.Errorf("byte %d: a field %d here is one too many", at, number)
		}
		at += n
	}
	if len(file) == 0 {
		return errors.New("the file is empty")
	}
	return nil
}

// differs is the first byte at which two texts are not the same.
func differs(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// encode writes the one form. Libraries promise none, so it is written out here.
func encode(e *evidencev1.Evidence) []byte {
	out := appendUint(nil, 1, uint64(e.GetVersion()))
	out = appendBytes(out, 2, e.GetCheckpoint())
	if e.Event != nil {
		out = appendWhole(out, 3, encodeMessage(e.GetEvent()))
	}
	for _, m := range e.GetUpdates() {
		out = appendWhole(out, 4, encodeMessage(m))
	}
	for _, c := range e.GetCosignatures() {
		inner := appendBytes(nil, 1, c.GetNote())
		out = appendWhole(out, 5, appendBytes(inner, 2, c.GetConsistency()))
	}
	for _, o := range e.GetOpened() {
		inner := appendUint(nil, 1, uint64(o.GetSection()))
		inner = appendUint(inner, 2, uint64(o.GetCompartment()))
		out = appendWhole(out, 6, appendBytes(inner, 3, o.GetKey()))
	}
	return out
}

func encodeMessage(m *evidencev1.Message) []byte {
	out := appendUint(nil, 1, m.GetIndex())
	out = appendBytes(out, 2, m.GetSubject())
	out = appendBytes(out, 3, m.GetData())
	return appendBytes(out, 4, m.GetInclusion())
}

func appendUint(out []byte, field protowire.Number, value uint64) []byte {
	if value == 0 {
		return out
	}
	return protowire.AppendVarint(protowire.AppendTag(out, field, protowire.VarintType), value)
}

func appendBytes(out []byte, field protowire.Number, value []byte) []byte {
	if len(value) == 0 {
		return out
	}
	return appendWhole(out, field, value)
}

func appendWhole(out []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(out, field, protowire.BytesType), value)
}

// hashes splits a proof.
func hashes(data []byte) ([]translog.Hash, error) {
	const size, most = len(translog.Hash{}), 64
	if len(data)%size != 0 || len(data) > most*size {
		return nil, fmt.Errorf("%d bytes are no proof: want up to %d hashes of %d", len(data), most, size)
	}
	var all []translog.Hash
	for ; len(data) > 0; data = data[size:] {
		all = append(all, translog.Hash(data[:size]))
	}
	return all, nil
}

func joined(proof []translog.Hash) []byte {
	var out []byte
	for _, hash := range proof {
		out = append(out, hash[:]...)
	}
	return out
}
