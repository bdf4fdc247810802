package translog

import (
	"bytes"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// RestoredSubject is where the stream says that it was restored. Every reader
// reads it, and its leaf has the empty label.
const RestoredSubject = "hub.restored"

// Restoration says what a stream that had lost messages has again. It begins an
// epoch: what was read from its index on, of the stream as it was before, is not in
// the log unless it comes again.
//
// It is the hub's word and trusted for nothing: what is lost shows in the tree.
type Restoration struct {
	Lost      []Range   // of messages that nobody had
	Recovered uint64    // messages that the damaged stream had not, and that are back
	At        time.Time // by the hub's clock, to the second
}

// String is the restoration in plain words.
func (r Restoration) String() string {
	lost := uint64(0)
	for _, l := range r.Lost {
		lost += l.To - l.From
	}
	if lost == 0 {
		return fmt.Sprintf("The hub's stream was restored: %d messages that it had lost are back, and none is missing.", r.Recovered)
	}
	return fmt.Sprintf("The hub's stream was restored: %d messages that it had lost are back, and %d are missing, the first at index %d.", r.Recovered, lost, r.Lost[0].From)
}

// Range is the log indices from From up to To, which is not included.
type Range struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// Has reports whether an index is in the range.
func (r Range) Has(index uint64) bool { return r.From <= index && index < r.To }

// maxLost bounds the ranges of one message: it has to fit one.
const maxLost = 1 << 14

// Marshal is the restoration as it lies on RestoredSubject. Its errors are *Malformed.
func (r Restoration) Marshal() ([]byte, error) {
	m := &logv1.Restored{Recovered: r.Recovered, Time: timestamppb.New(r.At.Truncate(time.Second))}
	for _, lost := range r.Lost {
		m.Lost = append(m.Lost, &logv1.Range{From: lost.From, To: lost.To})
	}
	if err := checkRestored(m); err != nil {
		return nil, err
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, malformed("restoration: %v", err)
	}
	return data, nil
}

// ParseRestoration reads what Marshal writes and nothing else, as it lies at a log
// index. What comes there or later cannot have been lost by then: who could say so would
// have an excuse beforehand for whatever is withheld. Its errors are *Malformed.
func ParseRestoration(index uint64, data []byte) (Restoration, error) {
	m := &logv1.Restored{}
	if err := proto.Unmarshal(data, m); err != nil {
		return Restoration{}, malformed("not a restoration")
	}
	if err := checkRestored(m); err != nil {
		return Restoration{}, err
	}
	r := Restoration{Recovered: m.GetRecovered(), At: m.GetTime().AsTime()}
	for i, lost := range m.GetLost() {
		if lost.GetTo() > index {
			return Restoration{}, malformed("range %d of what is lost goes up to %d, and the restoration lies at index %d", i, lost.GetTo(), index)
		}
		r.Lost = append(r.Lost, Range{From: lost.GetFrom(), To: lost.GetTo()})
	}
	if again, err := r.Marshal(); err != nil || !bytes.Equal(again, data) {
		return Restoration{}, malformed("restoration has another spelling than its own")
	}
	return r, nil
}

func checkRestored(m *logv1.Restored) error {
	if err := m.GetTime().CheckValid(); err != nil {
		return malformed("restoration: %v", err)
	}
	if len(m.GetLost()) > maxLost {
		return malformed("restoration names %d ranges, at most %d fit", len(m.GetLost()), maxLost)
	}
	free := uint64(0) // the lowest index with which the next range may begin
	for i, lost := range m.GetLost() {
		switch {
		case lost.GetFrom() >= lost.GetTo() || lost.GetTo() > MaxSize:
			return malformed("range %d of what is lost is from %d to %d", i, lost.GetFrom(), lost.GetTo())
		case lost.GetFrom() < free:
			return malformed("range %d of what is lost begins at %d, in or at the end of the one before", i, lost.GetFrom())
		}
		free = lost.GetTo() + 1
	}
	return nil
}
