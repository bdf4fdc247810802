// Package holding is the file in which one party hands over what it holds of the
// log, for a hub that has lost it: leaves with the notary's checkpoints,
// cosignatures, and messages.
//
// Layout: one line of text, "tripoint holding 1 <digest of the charter> <party>";
// then records, each its length in 4 bytes and a serialised log/v1 Held; then a
// length of 0, the number of records in 8 bytes, and the SHA-256 digest of all that
// stands before it. Integers are big-endian. A file that was cut or changed on the
// way is so noticed; that its maker did not lie, only the tree shows.
//
// Messages whose index is known come first, by rising index; after them those
// whose index is not.
package holding

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

const (
	// MaxRecord is the longest record, in bytes: that of the longest message that a
	// notary publishes, and some more.
	MaxRecord = 5 << 20

	// Unknown is the label of a leaf whose audience the holder does not know. No
	// address is like that.
	Unknown = "?"

	magic    = "tripoint holding 1 "
	maxParty = 128 // bytes
	maxLine  = len(magic) + 2*sha256.Size + 1 + maxParty + 1
)

// Message is one message of the events stream.
type Message struct {
	Index   uint64 // log index; not looked at where Known is not set
	Known   bool   // the holder says where in the log it stands
	Subject string
	Data    []byte
}

// order holds messages to their order.
type order struct {
	next    uint64 // the smallest index that may come
	unknown bool   // one without an index has come
}

func (o *order) admit(m Message) error {
	switch {
	case !m.Known:
		o.unknown = true
		return nil
	case m.Index >= translog.MaxSize:
		return errors.New("a message's log index is not below 2^48")
	case o.unknown:
		return fmt.Errorf("message %d comes after one without an index", m.Index)
	case m.Index < o.next:
		return fmt.Errorf("message %d comes where %d or a later one should", m.Index, o.next)
	}
	o.next = m.Index + 1
	return nil
}

// checkParty refuses what could not stand in the first line.
func checkParty(party string) error {
	if party == "" || len(party) > maxParty {
		return fmt.Errorf("a party's name has 1 to %d bytes, not %d", maxParty, len(party))
	}
	if strings.ContainsFunc(party, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("a party's name is not of printable ASCII characters")
	}
	return nil
}

// Writer writes one holding. It is not safe for concurrent use.
type Writer struct {
	to     io.Writer
	digest hash.Hash
	count  uint64
	order  order
}

// NewWriter begins the holding of a party, such as "desk XA".
func NewWriter(to io.Writer, charter event.Digest, party string) (*Writer, error) {
	if err := checkParty(party); err != nil {
		return nil, fmt.Errorf("beginning a holding: %w", err)
	}
	w := &Writer{to: to, digest: sha256.New()}
	return w, w.put(fmt.Appendf(nil, "%s%x %s\n", magic, charter[:], party))
}

// Leaves writes leaves that go on where those before them ended.
func (w *Writer) Leaves(leaves *logv1.Leaves) error {
	return w.record(&logv1.Held{Held: &logv1.Held_Leaves{Leaves: leaves}})
}

// Cosignature writes a mirror's note.
func (w *Writer) Cosignature(note []byte) error {
	return w.record(&logv1.Held{Held: &logv1.Held_Cosignature{Cosignature: note}})
}

// Message writes a message, in the order that the package states.
func (w *Writer) Message(m Message) error {
	if err := w.order.admit(m); err != nil {
		return fmt.Errorf("writing a holding: %w", err)
	}
	held := &logv1.Held_Message{Subject: []byte(m.Subject), Data: m.Data}
	if m.Known {
		held.Index = &m.Index
	}
	return w.record(&logv1.Held{Held: &logv1.Held_Message_{Message: held}})
}

func (w *Writer) record(held *logv1.Held) error {
	data, err := proto.Marshal(held)
	if err != nil {
		return fmt.Errorf("writing record %d of a holding: %w", w.count, err)
	}
	if len(data) > MaxRecord {
		return fmt.Errorf("writing record %d of a holding: %d bytes, at most %d", w.count, len(data), MaxRecord)
	}
	w.count++
	return w.put(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
}

func (w *Writer) put(data []byte) error {
	w.digest.Write(data)
	if _, err := w.to.Write(data); err != nil {
		return fmt.Errorf("writing a holding: %w", err)
	}
	return nil
}

// Close writes the end, without which nobody takes the holding. It closes nothing else.
func (w *Writer) Close() error {
	if err := w.put(binary.BigEndian.AppendUint64(make([]byte, 4), w.count)); err != nil {
		return err
	}
	return w.put(w.digest.Sum(nil))
}

// parseLine reads the first line, without its end.
func parseLine(line string) (charter event.Digest, party string, err error) {
	rest, ok := strings.CutPrefix(line, magic)
	text, party, cut := strings.Cut(rest, " ")
	raw, bad := hex.DecodeString(text)
	if !ok || !cut || bad != nil || len(raw) != len(charter) || strings.ToLower(text) != text {
		return charter, "", errors.New("not a holding: its first line is not one of a holding of version 1")
	}
	return event.Digest(raw), party, checkParty(party)
}
