package event_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// fields splits a serialised message into its fields, tag and value together.
func fields(t *testing.T, data []byte) [][]byte {
	t.Helper()
	var list [][]byte
	for len(data) > 0 {
		_, _, n := protowire.ConsumeField(data)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		list = append(list, data[:n])
		data = data[n:]
	}
	return list
}

// padded is n as a varint of ten bytes where fewer would do.
func padded(n uint64) []byte {
	out := binary.AppendUvarint(nil, n)
	for len(out) < 10 {
		out[len(out)-1] |= 0x80
		out = append(out, 0)
	}
	return out
}

// respelled are other encodings of the same message.
func respelled(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	list := fields(t, data)
	reversed := slices.Clone(list)
	slices.Reverse(reversed)
	unknown := protowire.AppendString(protowire.AppendTag(nil, 536870911, protowire.BytesType), "of a later version")
	var long []byte
	for _, field := range list {
		number, kind, n := protowire.ConsumeTag(field)
		long = append(long, padded(protowire.EncodeTag(number, kind))...)
		value := field[n:]
		switch kind {
		case protowire.VarintType:
			v, _ := protowire.ConsumeVarint(value)
			long = append(long, padded(v)...)
		case protowire.BytesType:
			v, _ := protowire.ConsumeBytes(value)
			long = append(append(long, padded(uint64(len(v)))...), v...)
		default:
			t.Fatalf("field %d is of wire type %d", number, kind)
		}
	}
	return map[string][]byte{
		"fields in reverse order":      slices.Concat(reversed...),
		"an unknown field at the end":  slices.Concat(data, unknown),
		"an unknown field at the head": slices.Concat(unknown, data),
		"long varints":                 long,
		"a field twice, the last wins": slices.Concat([]byte{0x12, 2, 'X', 'Z'}, data), // field 2: body, country
	}
}

// E11, the envelope: nobody signs its own encoding, so any will do, and all mean
// the same event.
func TestAdversary_E11_EnvelopeSpelledOtherwise(t *testing.T) {
	signed, _ := sign(t, event.Head{}, drafts(3, event.ID{}))
	data := signed[1].Data
	want, err := verify(t, data)
	if err != nil {
		t.Fatal(err)
	}
	spellings := respelled(t, data)
	envelope := &eventv1.Envelope{}
	if err := proto.Unmarshal(data, envelope); err != nil {
		t.Fatal(err)
	}
	// A message field given twice is merged: one proof in two halves.
	path := envelope.GetProof().GetPath()
	halves := []*eventv1.Envelope{
		{Header: envelope.Header, Body: envelope.Body, Proof: &eventv1.BatchProof{KeyId: envelope.Proof.KeyId, Index: envelope.Proof.Index, Path: path[:1]}},
		{Proof: &eventv1.BatchProof{Size: envelope.Proof.Size, Path: path[1:], Signature: envelope.Proof.Signature}},
	}
	spellings["the proof in two halves"] = slices.Concat(marshal(t, halves[0]), marshal(t, halves[1]))
	for name, spelling := range spellings {
		t.Run(name, func(t *testing.T) {
			got, err := verify(t, spelling)
			if err != nil {
				t.Fatal(err)
			}
			if got.HeaderDigest != want.HeaderDigest || got.Claims != want.Claims {
				t.Errorf("another event was read: %+v, want %+v", got, want)
			}
		})
	}
}

// E11, the header: its bytes are what was signed. Spelled otherwise by somebody
// else it does not verify; signed so by its agency it does, with the digest of
// those very bytes and the same meaning.
func TestAdversary_E11_HeaderSpelledOtherwise(t *testing.T) {
	envelope, _, _ := one(t)
	good, err := verify(t, marshal(t, envelope))
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range respelled(t, envelope.Header) {
		t.Run(name, func(t *testing.T) {
			altered := &eventv1.Envelope{Header: header, Body: envelope.Body, Proof: envelope.Proof}
			if _, err := verify(t, marshal(t, altered)); !errors.Is(err, event.ErrSignature) {
				t.Errorf("spelled otherwise after it was signed: %v, want ErrSignature", err)
			}
			got, err := verify(t, marshal(t, forge(t, "publisher XA/police", header, envelope.Body)))
			if err != nil {
				t.Fatal(err)
			}
			if got.HeaderDigest != event.DigestOf(header) || got.HeaderDigest == good.HeaderDigest {
				t.Errorf("header digest %s is not that of the exact bytes", got.HeaderDigest)
			}
			if got.Claims != good.Claims {
				t.Errorf("claims = %+v, want %+v", got.Claims, good.Claims)
			}
		})
	}
}

// E11, the body: another spelling of the same sections is another body.
func TestAdversary_E11_BodySpelledOtherwise(t *testing.T) {
	envelope, _, _ := one(t)
	body := slices.Concat(envelope.Body, protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
	_, err := verify(t, marshal(t, &eventv1.Envelope{Header: envelope.Header, Body: body, Proof: envelope.Proof}))
	if !errors.Is(err, event.ErrBody) {
		t.Errorf("error = %v, want ErrBody", err)
	}
}

// E11: how deep groups may be nested differs between protobuf libraries, so none is
// read at all, at whatever depth and in whichever message.
func TestAdversary_E11_Groups(t *testing.T) {
	const number = 99
	for _, depth := range []int{1, 100, 101, 10000} {
		group := append(bytes.Repeat(protowire.AppendTag(nil, number, protowire.StartGroupType), depth),
			bytes.Repeat(protowire.AppendTag(nil, number, protowire.EndGroupType), depth)...)
		within := func(field protowire.Number, data []byte) []byte { // data with the group in a message field
			return protowire.AppendBytes(protowire.AppendTag(data, field, protowire.BytesType), group)
		}
		good, _, _ := one(t)
		header, body, envelope := good.Header, good.Body, marshal(t, good)
		police := "publisher XA/police"
		for name, data := range map[string][]byte{
			"envelope":            slices.Concat(envelope, group),
			"proof":               within(3, slices.Clone(envelope)),
			"header":              marshal(t, forge(t, police, slices.Concat(header, group), body)),
			"header's recorded":   marshal(t, forge(t, police, within(10, slices.Clone(header)), body)),
			"header's new entry":  marshal(t, forge(t, police, within(9, slices.Clone(header)), body)),
			"a known field's tag": slices.Concat(envelope, protowire.AppendTag(nil, 1, protowire.StartGroupType), protowire.AppendTag(nil, 1, protowire.EndGroupType)),
		} {
			if _, err := event.Decode(data); err == nil || !strings.Contains(err.Error(), "group") {
				t.Errorf("group of depth %d in the %s: %v", depth, name, err)
			}
		}
		grouped := slices.Concat(body, group)
		_, h, _ := one(t)
		digest := event.DigestOf(grouped)
		h.BodyDigest = digest[:]
		if _, err := verify(t, marshal(t, forge(t, police, marshal(t, h), grouped))); !errors.Is(err, event.ErrBody) {
			t.Errorf("group of depth %d in the body: %v", depth, err)
		}
	}
}
