package event_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

var update = flag.Bool("update", false, "write the known answers anew")

// vectors is proto/testdata/event.json: what another implementation must
// compute too. All bytes are hexadecimal. proto/README.md says how to use it.
type vectors struct {
	PAE  []paeVector `json:"pae"`
	Keys []keyVector `json:"keys"` // the first one signs the batches
	// Batches are consecutive on one chain.
	Batches []batchVector `json:"batches"`
	Bad     []badVector   `json:"bad"`
}

type paeVector struct {
	Label    string   `json:"label"`
	Parts    []string `json:"parts"`
	Encoding string   `json:"encoding"`
}

type keyVector struct {
	Seed   string `json:"seed"` // Ed25519 private key seed
	Public string `json:"public"`
	Role   string `json:"role"`
	ID     string `json:"key_id"`
}

type batchVector struct {
	Events    []eventVector `json:"events"`
	Root      string        `json:"root"`
	Statement string        `json:"statement"` // what the signature covers
	Signature string        `json:"signature"`
}

type eventVector struct {
	Subject      string   `json:"subject"`
	ID           string   `json:"event_id"` // text form
	Counter      uint64   `json:"counter"`
	Header       string   `json:"header"`
	HeaderDigest string   `json:"header_digest"`
	Body         string   `json:"body"`
	BodyDigest   string   `json:"body_digest"`
	Leaf         string   `json:"leaf"`
	Path         []string `json:"path"`
	Envelope     string   `json:"envelope"`
}

type badVector struct {
	What     string `json:"what"`
	Envelope string `json:"envelope"`
	Failure  string `json:"failure"` // undecodable, bad-signature, bad-body: the code of the verdict
	Field    string `json:"field"`   // where undecodable: what is wrong, as the error names it
}

func computeVectors(t *testing.T) vectors {
	t.Helper()
	key, public := signingKey(t, "publisher XA/police")
	v := vectors{}
	for _, parts := range [][]string{{}, {""}, {"ab", "c"}, {"a", "bc"}} {
		var raw [][]byte
		vector := paeVector{Label: string(pae.Event), Parts: []string{}}
		for _, part := range parts {
			raw = append(raw, []byte(part))
			vector.Parts = append(vector.Parts, hex.EncodeToString([]byte(part)))
		}
		vector.Encoding = hex.EncodeToString(pae.Encode(pae.Event, raw...))
		v.PAE = append(v.PAE, vector)
	}
	for _, role := range []event.Role{event.RolePublisher, event.RoleNotary, event.RoleMirror, event.RoleRoot} {
		v.Keys = append(v.Keys, keyVector{
			Seed: hex.EncodeToString(private("publisher XA/police").Seed()), Public: hex.EncodeToString(public),
			Role: string(role), ID: event.KeyIDOf(role, public).String(),
		})
	}
	list := drafts(9, event.ID{})
	list[2].Sections = append(list[2].Sections, event.Section{
		Form: sealed, Commitment: []byte(strings.Repeat("c", 32)), Content: []byte("ciphertext"),
	})
	list[2].Parts = []byte(strings.Repeat("p", 32))
	var head event.Head
	var seen event.Seen
	for _, size := range []int{1, 3, 5} {
		signed, next, err := event.SignBatch(key, chain, head, seen, list[:size])
		if err != nil {
			t.Fatal(err)
		}
		v.Batches = append(v.Batches, describe(t, signed))
		list, head = list[size:], next
		seen = event.Seen{Size: 1_000_000, Root: event.DigestOf([]byte("root"))}
	}
	v.Bad = badVectors(t)
	return v
}

// describe writes a batch out, its leaves and root computed by the tests' own code.
func describe(t *testing.T, signed []event.Signed) batchVector {
	t.Helper()
	b := batchVector{}
	for _, s := range signed {
		u, err := event.Decode(s.Data)
		if err != nil {
			t.Fatal(err)
		}
		envelope := &eventv1.Envelope{}
		if err := proto.Unmarshal(s.Data, envelope); err != nil {
			t.Fatal(err)
		}
		proof := envelope.GetProof()
		leaf := sha256.Sum256(append([]byte{0}, encoded("tripoint/v1/event", proof.GetKeyId(), envelope.GetHeader())...))
		e := eventVector{
			Subject: s.Subject, ID: s.ID.String(), Counter: u.Claims().Counter,
			Header: hex.EncodeToString(envelope.GetHeader()), HeaderDigest: event.DigestOf(envelope.GetHeader()).String(),
			Body: hex.EncodeToString(envelope.GetBody()), BodyDigest: event.DigestOf(envelope.GetBody()).String(),
			Leaf: hex.EncodeToString(leaf[:]), Path: []string{}, Envelope: hex.EncodeToString(s.Data),
		}
		for _, hash := range proof.GetPath() {
			e.Path = append(e.Path, hex.EncodeToString(hash))
		}
		b.Events = append(b.Events, e)
		b.Signature = hex.EncodeToString(proof.GetSignature())
		root := rootOf(t, b.Events)
		b.Root = hex.EncodeToString(root)
		b.Statement = hex.EncodeToString(encoded("tripoint/v1/batch", proof.GetKeyId(), binary.BigEndian.AppendUint64(nil, uint64(len(b.Events))), root))
	}
	return b
}

// rootOf is the tree hash by the recursive definition of RFC 6962, section 2.1.
func rootOf(t *testing.T, events []eventVector) []byte {
	t.Helper()
	if len(events) == 1 {
		return unhex(t, events[0].Leaf)
	}
	k := 1
	for 2*k < len(events) {
		k *= 2
	}
	node := sha256.Sum256(append(append([]byte{1}, rootOf(t, events[:k])...), rootOf(t, events[k:])...))
	return node[:]
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func badVectors(t *testing.T) []badVector {
	t.Helper()
	var list []badVector
	add := func(what, failure, field string, change func(e *eventv1.Envelope, h *eventv1.Header)) {
		envelope, header, _ := one(t)
		before := marshal(t, header)
		change(envelope, header)
		if after := marshal(t, header); string(after) != string(before) {
			envelope.Header = after
			if failure == "undecodable" { // properly signed: its form alone is wrong
				envelope = forge(t, "publisher XA/police", after, envelope.Body)
			}
		}
		list = append(list, badVector{What: what, Envelope: hex.EncodeToString(marshal(t, envelope)), Failure: failure, Field: field})
	}
	const undecodable, signature = "undecodable", "bad-signature"
	add("event id of version 4", undecodable, "event id", func(_ *eventv1.Envelope, h *eventv1.Header) { h.EventId[6] = 0x40 })
	add("country in lower case", undecodable, "country", func(_ *eventv1.Envelope, h *eventv1.Header) { h.Country = "xa" })
	add("counter 0", undecodable, "counter", func(_ *eventv1.Envelope, h *eventv1.Header) { h.Counter = 0 })
	add("second event without previous", undecodable, "previous", func(_ *eventv1.Envelope, h *eventv1.Header) { h.Counter = 2 })
	add("no sections", undecodable, "sections", func(_ *eventv1.Envelope, h *eventv1.Header) { h.Sections = nil })
	add("clear section with a commitment", undecodable, "sections[0]", func(_ *eventv1.Envelope, h *eventv1.Header) { h.Sections[0].Commitment = make([]byte, 32) })
	add("parts without a sealed section", undecodable, "parts", func(_ *eventv1.Envelope, h *eventv1.Header) { h.Parts = make([]byte, 32) })
	add("a sealed section that says its compartment", undecodable, "sections[0]", func(_ *eventv1.Envelope, h *eventv1.Header) {
		h.Sections[0].Form, h.Sections[0].Commitment, h.Parts = sealed, make([]byte, 32), make([]byte, 32)
	})
	add("no recorded time", undecodable, "recorded", func(_ *eventv1.Envelope, h *eventv1.Header) { h.Recorded = nil })
	add("no proof", undecodable, "proof", func(e *eventv1.Envelope, _ *eventv1.Header) { e.Proof = nil })
	add("batch of no events", undecodable, "size", func(e *eventv1.Envelope, _ *eventv1.Header) { e.Proof.Size = 0 })
	add("index outside the batch", undecodable, "index", func(e *eventv1.Envelope, _ *eventv1.Header) { e.Proof.Index = 1 })
	add("signature of 63 bytes", undecodable, "signature", func(e *eventv1.Envelope, _ *eventv1.Header) { e.Proof.Signature = e.Proof.Signature[:63] })
	add("an unknown field of group type", undecodable, "group", func(e *eventv1.Envelope, _ *eventv1.Header) { e.ProtoReflect().SetUnknown([]byte{0x7b, 0x7c}) })
	add("an unknown varint above 2^64-1", undecodable, "envelope", func(e *eventv1.Envelope, _ *eventv1.Header) {
		e.ProtoReflect().SetUnknown([]byte{0x78, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02})
	})
	add("kind altered after it was signed", signature, "", func(_ *eventv1.Envelope, h *eventv1.Header) { h.Kind = "transfer.released" })
	add("empty path with a size of 2", signature, "", func(e *eventv1.Envelope, _ *eventv1.Header) { e.Proof.Size = 2 })
	add("path with a size of 1", signature, "", func(e *eventv1.Envelope, _ *eventv1.Header) { e.Proof.Path = [][]byte{make([]byte, 32)} })
	add("key of another role", signature, "", func(e *eventv1.Envelope, _ *eventv1.Header) {
		_, public := signingKey(t, "publisher XA/police")
		id := event.KeyIDOf(event.RoleMirror, public)
		e.Proof.KeyId = id[:]
	})
	add("S of the signature plus the group's order", signature, "", func(e *eventv1.Envelope, _ *eventv1.Header) { addOrder(e.Proof.Signature) })
	add("body altered", "bad-body", "", func(e *eventv1.Envelope, _ *eventv1.Header) { e.Body = append(e.Body[:len(e.Body)-1], 7) })
	return list
}

// addOrder adds the order of the base point, 2^252 + 27742317777372353535851937790883648493,
// to the S of a signature, in place: the same equation holds, the encoding is not canonical.
func addOrder(signature []byte) {
	order := [32]byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	carry := 0
	for i, b := range order {
		carry += int(signature[32+i]) + int(b)
		signature[32+i] = byte(carry)
		carry >>= 8
	}
}

func TestKnownAnswers(t *testing.T) {
	path := filepath.Join("..", "..", "proto", "testdata", "event.json")
	got := computeVectors(t)
	if *update {
		data, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := readVectors(t, path)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-file +computed):\n%s", path, diff)
	}
}

func readVectors(t *testing.T, path string) vectors {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// What the file holds is judged from the file alone, as another implementation would.
func TestKnownAnswersStandAlone(t *testing.T) {
	v := readVectors(t, filepath.Join("..", "..", "proto", "testdata", "event.json"))
	public := ed25519.PublicKey(unhex(t, v.Keys[0].Public))
	for _, b := range v.Batches {
		if !ed25519.Verify(public, unhex(t, b.Statement), unhex(t, b.Signature)) {
			t.Error("a batch's signature does not verify over its statement")
		}
		if root := hex.EncodeToString(rootOf(t, b.Events)); root != b.Root {
			t.Errorf("root = %s, want %s", root, b.Root)
		}
		for _, e := range b.Events {
			got, err := verify(t, unhex(t, e.Envelope))
			if err != nil {
				t.Errorf("event %s: %v", e.ID, err)
				continue
			}
			if got.ID.String() != e.ID || got.Counter != e.Counter || got.Subject() != e.Subject || got.HeaderDigest.String() != e.HeaderDigest {
				t.Errorf("event %s is read as %+v", e.ID, got.Claims)
			}
		}
	}
	for _, bad := range v.Bad {
		_, err := verify(t, unhex(t, bad.Envelope))
		failure := "undecodable"
		switch {
		case errors.Is(err, event.ErrSignature):
			failure = "bad-signature"
		case errors.Is(err, event.ErrBody):
			failure = "bad-body"
		}
		if err == nil || failure != bad.Failure || !strings.Contains(err.Error(), bad.Field) {
			t.Errorf("%s: %v, want %s %s", bad.What, err, bad.Failure, bad.Field)
		}
	}
}
