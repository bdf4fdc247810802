// Package pae encodes what is signed or hashed so that no two uses can be
// mistaken for each other: a label for the use, then the parts, each with its
// length before it. It is the pre-authentication encoding of DSSE with binary
// lengths: the number of pieces (label included), then each piece as length
// and bytes, all integers unsigned 64-bit big-endian.
package pae

import "encoding/binary"

// Label names one use. Two uses never share a label.
type Label string

// The labels of version 1 of the wire format.
const (
	Event      Label = "tripoint/v1/event"      // one event in a batch: key id, header
	Batch      Label = "tripoint/v1/batch"      // the statement that a batch signature covers: key id, size, root
	Key        Label = "tripoint/v1/key"        // a key's identifier: role, public key
	Leaf       Label = "tripoint/v1/leaf"       // one leaf of the log: index, subject, digest of the message
	Registry   Label = "tripoint/v1/registry"   // a registry update, signed by roots
	Applied    Label = "tripoint/v1/applied"    // the chain over the updates that applied: head, leaf of the next
	Possession Label = "tripoint/v1/possession" // a registry update, signed by a key that it enrols
	Next       Label = "tripoint/v1/next"       // the commitment to a key's successor: its public key
	Section    Label = "tripoint/v1/section"    // what a sealed section is bound to: event id, origin, compartment, commitment
	Commitment Label = "tripoint/v1/commitment" // the commitment to a content key: event id, compartment, key
	ContentKey Label = "tripoint/v1/contentkey" // what a wrapped content key is bound to: batch, place, event id, compartment
	Parts      Label = "tripoint/v1/parts"      // the commitment to which compartments sealed sections are of: event id, blind, compartments
	Grant      Label = "tripoint/v1/grant"      // what a batch key's wrap is bound to: origin, batch, recipient, its key, grantor
	Release    Label = "tripoint/v1/release"    // likewise, where one country is granted single events later
	KeyRecord  Label = "tripoint/v1/keyrecord"  // a key record, signed by its originator: key id, content
	Attachment Label = "tripoint/v1/attachment" // what a chunk of a file beside the log is bound to: the file's size
	Broker     Label = "tripoint/v1/broker"     // a key of the broker, derived from the hub's secret: kind, name
	View       Label = "tripoint/v1/view"       // the digest of a read model
)

// Encode returns the encoding of label and parts. Distinct arguments have distinct encodings.
func Encode(label Label, parts ...[]byte) []byte {
	size := 8 + 8 + len(label)
	for _, part := range parts {
		size += 8 + len(part)
	}
	return Append(make([]byte, 0, size), label, parts...)
}

// Append appends the encoding of label and parts to out.
func Append(out []byte, label Label, parts ...[]byte) []byte {
	out = binary.BigEndian.AppendUint64(out, uint64(1+len(parts)))
	out = binary.BigEndian.AppendUint64(out, uint64(len(label)))
	out = append(out, label...)
	for _, part := range parts {
		out = binary.BigEndian.AppendUint64(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}

// Uint64 is n as a part: 8 bytes, big-endian.
func Uint64(n uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, n)
}
