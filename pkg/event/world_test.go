package event_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Everything here is fixed: keys, clock and random bits.
var (
	chain = event.Chain{Country: "XA", Agency: "police", Audience: "region"}
	start = time.Date(2025, 2, 12, 9, 30, 0, 0, time.UTC)
)

func private(owner string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("a test key, known to everybody: " + owner))
	return ed25519.NewKeyFromSeed(seed[:])
}

func signingKey(t testing.TB, owner string) (event.SigningKey, ed25519.PublicKey) {
	t.Helper()
	key, err := event.NewSigningKey(private(owner))
	if err != nil {
		t.Fatal(err)
	}
	return key, private(owner).Public().(ed25519.PublicKey)
}

// drafts are n events that follow last.
func drafts(n int, last event.ID) []event.Draft {
	list := make([]event.Draft, n)
	for i := range list {
		var random [10]byte
		binary.BigEndian.PutUint32(random[6:], uint32(i))
		last = event.NextID(start.Add(time.Duration(i)*time.Millisecond), random, last)
		list[i] = event.Draft{
			ID: last, Kind: "transfer.received", Retention: "case", Recorded: start,
			Sections: []event.Section{{
				Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR,
				Content: binary.BigEndian.AppendUint32(nil, uint32(i)),
			}},
		}
	}
	return list
}

func sign(t testing.TB, head event.Head, list []event.Draft) ([]event.Signed, event.Head) {
	t.Helper()
	key, _ := signingKey(t, "publisher XA/police")
	signed, next, err := event.SignBatch(key, chain, head, event.Seen{}, list)
	if err != nil {
		t.Fatal(err)
	}
	return signed, next
}

// one is a good event's envelope, taken apart.
func one(t testing.TB) (*eventv1.Envelope, *eventv1.Header, *eventv1.Body) {
	t.Helper()
	signed, _ := sign(t, event.Head{}, drafts(1, event.ID{}))
	envelope, header, body := &eventv1.Envelope{}, &eventv1.Header{}, &eventv1.Body{}
	for _, err := range []error{
		proto.Unmarshal(signed[0].Data, envelope), proto.Unmarshal(envelope.GetHeader(), header), proto.Unmarshal(envelope.GetBody(), body),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return envelope, header, body
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// encoded is the pre-authentication encoding, written a second time so that the
// tests do not rest on the code that they test.
func encoded(label string, parts ...[]byte) []byte {
	out := binary.BigEndian.AppendUint64(nil, uint64(len(parts)+1))
	for _, part := range append([][]byte{[]byte(label)}, parts...) {
		out = binary.BigEndian.AppendUint64(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}

// forge signs any header bytes as a batch of one.
func forge(t testing.TB, owner string, header, body []byte) *eventv1.Envelope {
	t.Helper()
	key, _ := signingKey(t, owner)
	leaf := sha256.Sum256(append([]byte{0}, encoded("tripoint/v1/event", key.ID[:], header)...))
	statement := encoded("tripoint/v1/batch", key.ID[:], []byte{0, 0, 0, 0, 0, 0, 0, 1}, leaf[:])
	return &eventv1.Envelope{Header: header, Body: body, Proof: &eventv1.BatchProof{
		KeyId: key.ID[:], Size: 1, Signature: ed25519.Sign(private(owner), statement),
	}}
}

// verify decodes and verifies data under the key of XA's police.
func verify(t testing.TB, data []byte) (event.Verified, error) {
	t.Helper()
	_, public := signingKey(t, "publisher XA/police")
	unverified, err := event.Decode(data)
	if err != nil {
		return event.Verified{}, err
	}
	return unverified.Verify(public, nil, &event.Roots{})
}

func timestamp(seconds int64, nanos int32) *timestamppb.Timestamp {
	return &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos}
}
