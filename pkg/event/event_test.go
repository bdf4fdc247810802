package event_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

const (
	clear  = eventv1.SectionForm_SECTION_FORM_CLEAR
	sealed = eventv1.SectionForm_SECTION_FORM_SEALED
)

func entry(compartment eventv1.Compartment, form eventv1.SectionForm, commitment int) *eventv1.SectionEntry {
	return &eventv1.SectionEntry{Compartment: compartment, Form: form, Commitment: make([]byte, commitment)}
}

// Each refusal names its field. A change of the header is signed: Decode refuses by form alone.
func TestDecodeRefusesHeader(t *testing.T) {
	type header = eventv1.Header
	tests := []struct {
		name   string
		change func(h *header)
		want   string
	}{
		{"short id", func(h *header) { h.EventId = h.EventId[:15] }, "event_id: 15 bytes"},
		{"long id", func(h *header) { h.EventId = append(h.EventId, 0) }, "event_id: 17 bytes"},
		{"id of version 4", func(h *header) { h.EventId[6] = 0x40 }, "event id"},
		{"id of another variant", func(h *header) { h.EventId[8] = 0xc0 }, "event id"},
		{"no country", func(h *header) { h.Country = "" }, "country"},
		{"country in lower case", func(h *header) { h.Country = "xa" }, "country"},
		{"country with a line end", func(h *header) { h.Country = "XA\n" }, "country"},
		{"wildcard as agency", func(h *header) { h.Agency = "*" }, "agency"},
		{"agency of two tokens", func(h *header) { h.Agency = "police.border" }, "agency"},
		{"agency of 33 characters", func(h *header) { h.Agency = strings.Repeat("a", 33) }, "agency"},
		{"wildcard as audience", func(h *header) { h.Audience = ">" }, "audience"},
		{"no retention", func(h *header) { h.Retention = "" }, "retention"},
		{"kind of one word", func(h *header) { h.Kind = "transfer" }, "kind"},
		{"kind of three words", func(h *header) { h.Kind = "transfer.received.again" }, "kind"},
		{"counter 0", func(h *header) { h.Counter = 0 }, "counter"},
		{"previous in the first", func(h *header) { h.Previous = make([]byte, 32) }, "previous"},
		{"no previous in the second", func(h *header) { h.Counter = 2 }, "previous"},
		{"short previous", func(h *header) { h.Counter, h.Previous = 2, make([]byte, 31) }, "previous"},
		{"short body digest", func(h *header) { h.BodyDigest = h.BodyDigest[:31] }, "body_digest"},
		{"no recorded", func(h *header) { h.Recorded = nil }, "recorded"},
		{"recorded in the year 10000", func(h *header) { h.Recorded = timestamp(253402300800, 0) }, "recorded"},
		{"recorded with too many nanoseconds", func(h *header) { h.Recorded = timestamp(0, 1e9) }, "recorded"},
		{"seen without a root", func(h *header) { h.Seen = &eventv1.SeenCheckpoint{Size: 1} }, "seen"},
		{"seen above 2^48", func(h *header) { h.Seen = &eventv1.SeenCheckpoint{Size: 1<<48 + 1, Root: make([]byte, 32)} }, "seen"},
		{"no sections", func(h *header) { h.Sections = nil }, "sections"},
		{"17 sections", func(h *header) {
			h.Sections = nil
			for c := range eventv1.Compartment(17) {
				h.Sections = append(h.Sections, entry(c+1, clear, 0))
			}
		}, "sections: 17"},
		{"compartment 0", func(h *header) { h.Sections[0].Compartment = 0 }, "sections[0]"},
		{"compartment -1", func(h *header) { h.Sections[0].Compartment = -1 }, "sections[0]"},
		{"a compartment twice", func(h *header) { h.Sections = append(h.Sections, h.Sections[0]) }, "sections[1]"},
		{"compartments out of order", func(h *header) {
			h.Sections = []*eventv1.SectionEntry{entry(2, clear, 0), entry(1, clear, 0)}
		}, "sections[1]"},
		{"form 0", func(h *header) { h.Sections[0].Form = 0 }, "sections[0]: form"},
		{"form 3", func(h *header) { h.Sections[0].Form = 3 }, "sections[0]: form"},
		{"clear with a commitment", func(h *header) { h.Sections[0] = entry(1, clear, 32) }, "sections[0]"},
		{"parts, and nothing sealed", func(h *header) { h.Parts = make([]byte, 32) }, "parts: present"},
		{"sealed, without parts", func(h *header) { h.Sections[0] = entry(0, sealed, 32) }, "parts: 0 bytes"},
		{"sealed, with short parts", func(h *header) { h.Sections[0], h.Parts = entry(0, sealed, 32), make([]byte, 31) }, "parts: 31 bytes"},
		{"sealed without one", func(h *header) { h.Sections[0] = entry(0, sealed, 0) }, "sections[0]: commitment"},
		{"sealed with a short one", func(h *header) { h.Sections[0] = entry(0, sealed, 31) }, "sections[0]: commitment"},
		{"sealed, and of which compartment", func(h *header) { h.Sections[0] = entry(1, sealed, 32) }, "sections[0]: compartment 1: a sealed section does not say"},
		{"sealed before clear", func(h *header) {
			h.Sections = []*eventv1.SectionEntry{entry(0, sealed, 32), entry(1, clear, 0)}
		}, "sections[1]: a clear section after a sealed one"},
		{"a commitment twice", func(h *header) {
			h.Sections = []*eventv1.SectionEntry{entry(0, sealed, 32), entry(0, sealed, 32)}
		}, "sections[1]: commitment"},
		{"commitments out of order", func(h *header) {
			h.Sections = []*eventv1.SectionEntry{entry(0, sealed, 32), entry(0, sealed, 32)}
			h.Sections[0].Commitment[31] = 1
		}, "sections[1]: commitment"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, header, body := one(t)
			test.change(header)
			envelope := forge(t, "publisher XA/police", marshal(t, header), marshal(t, body))
			_, err := event.Decode(marshal(t, envelope))
			if err == nil || !strings.HasPrefix(err.Error(), "header: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one of the header about %q", err, test.want)
			}
		})
	}
}

func TestDecodeRefusesProof(t *testing.T) {
	type proof = eventv1.BatchProof
	tests := []struct {
		name   string
		change func(e *eventv1.Envelope, p *proof)
		want   string
	}{
		{"none", func(e *eventv1.Envelope, _ *proof) { e.Proof = nil }, "missing"},
		{"short key id", func(_ *eventv1.Envelope, p *proof) { p.KeyId = p.KeyId[:31] }, "key_id: 31"},
		{"short signature", func(_ *eventv1.Envelope, p *proof) { p.Signature = p.Signature[:63] }, "signature: 63"},
		{"long signature", func(_ *eventv1.Envelope, p *proof) { p.Signature = append(p.Signature, 0) }, "signature: 65"},
		{"size 0", func(_ *eventv1.Envelope, p *proof) { p.Size = 0 }, "size: 0"},
		{"size above the largest", func(_ *eventv1.Envelope, p *proof) { p.Size = event.MaxBatch + 1 }, "size: 65537"},
		{"size 2^64-1", func(_ *eventv1.Envelope, p *proof) { p.Size = 1<<64 - 1 }, "size: 18446744073709551615"},
		{"index of the size", func(_ *eventv1.Envelope, p *proof) { p.Index = 1 }, "index: 1"},
		{"path longer than any", func(_ *eventv1.Envelope, p *proof) {
			for range 17 {
				p.Path = append(p.Path, make([]byte, 32))
			}
		}, "path: 17"},
		{"short hash in the path", func(_ *eventv1.Envelope, p *proof) { p.Path = [][]byte{make([]byte, 31)} }, "path[0]: 31"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			envelope, _, _ := one(t)
			test.change(envelope, envelope.Proof)
			_, err := event.Decode(marshal(t, envelope))
			if err == nil || !strings.HasPrefix(err.Error(), "proof: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one of the proof about %q", err, test.want)
			}
		})
	}
}

func TestDecodeRefusesBytes(t *testing.T) {
	good, _, _ := one(t)
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "header: event_id"},
		{"not protobuf", []byte{0xff}, "envelope"},
		{"cut short", marshal(t, good)[:100], "envelope"},
		{"a header that is not protobuf", marshal(t, &eventv1.Envelope{Header: []byte{0x0a}, Proof: good.Proof}), "header: not"},
		{"a header that is not UTF-8", marshal(t, &eventv1.Envelope{Header: []byte{0x12, 1, 0xff}, Proof: good.Proof}), "header: not"},
		{"above the limit", make([]byte, event.MaxMessage+1), "1048577 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := event.Decode(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one about %q", err, test.want)
			}
		})
	}
}

// The error's words are part of a verdict: the same bytes give the same words in
// every build. protobuf's own differ on purpose.
func TestDecodeErrorIsStable(t *testing.T) {
	_, header, body := one(t)
	header.Recorded = timestamp(-1<<62, -1)
	_, err := event.Decode(marshal(t, forge(t, "publisher XA/police", marshal(t, header), marshal(t, body))))
	if want := "header: recorded: missing, or not a time in the years 1 to 9999"; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestLargestMessage(t *testing.T) {
	list := drafts(1, event.ID{})
	list[0].Sections[0].Content = make([]byte, event.MaxMessage-400)
	signed, _ := sign(t, event.Head{}, list)
	list[0].Sections[0].Content = make([]byte, 2*event.MaxMessage-400-len(signed[0].Data))
	signed, _ = sign(t, event.Head{}, list)
	if len(signed[0].Data) != event.MaxMessage {
		t.Fatalf("the message has %d bytes", len(signed[0].Data))
	}
	if _, err := verify(t, signed[0].Data); err != nil {
		t.Error(err)
	}
	list[0].Sections[0].Content = append(list[0].Sections[0].Content, 0)
	key, _ := signingKey(t, "publisher XA/police")
	if _, _, err := event.SignBatch(key, chain, event.Head{}, event.Seen{}, list); err == nil {
		t.Error("one byte more was signed")
	}
}

func TestSections(t *testing.T) {
	list := drafts(1, event.ID{})
	unknown := eventv1.Compartment(77) // of a later version
	list[0].Sections = append(list[0].Sections,
		event.Section{Compartment: unknown, Form: clear, Content: []byte("later")},
		event.Section{Form: sealed, Commitment: make([]byte, 32), Content: []byte("ciphertext")})
	list[0].Parts = []byte(strings.Repeat("p", 32))
	signed, _ := sign(t, event.Head{}, list)
	v, err := verify(t, signed[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list[0].Sections, v.Sections()); diff != "" {
		t.Errorf("sections (-signed +verified):\n%s", diff)
	}
	if string(v.Parts[:]) != string(list[0].Parts) {
		t.Errorf("parts are %s", v.Parts)
	}
}

// What is signed and well-formed, and whose body is another, is ErrBody and not ErrSignature.
func TestVerifyRefusesBody(t *testing.T) {
	section := func(c eventv1.Compartment) *eventv1.Section { return &eventv1.Section{Compartment: c} }
	tests := []struct {
		name   string
		body   []byte
		digest bool // the header has this body's digest
	}{
		{"altered", marshal(t, &eventv1.Body{Sections: []*eventv1.Section{section(1)}}), false},
		{"missing", nil, false},
		{"empty", nil, true},
		{"not protobuf", []byte{0xff}, true},
		{"two sections", marshal(t, &eventv1.Body{Sections: []*eventv1.Section{section(1), section(2)}}), true},
		{"another compartment", marshal(t, &eventv1.Body{Sections: []*eventv1.Section{section(2)}}), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, header, _ := one(t)
			if test.digest {
				digest := event.DigestOf(test.body)
				header.BodyDigest = digest[:]
			}
			_, err := verify(t, marshal(t, forge(t, "publisher XA/police", marshal(t, header), test.body)))
			if !errors.Is(err, event.ErrBody) || errors.Is(err, event.ErrSignature) {
				t.Errorf("error = %v, want ErrBody", err)
			}
		})
	}
}

func TestVerifyRefusesKey(t *testing.T) {
	envelope, _, _ := one(t)
	u, err := event.Decode(marshal(t, envelope))
	if err != nil {
		t.Fatal(err)
	}
	_, right := signingKey(t, "publisher XA/police")
	_, other := signingKey(t, "publisher XB/police")
	roots := &event.Roots{}
	for range 2 { // also once the batch's root is remembered
		for name, key := range map[string][]byte{"another": other, "short": right[:31], "none": nil, "long": append(right[:32:32], 0)} {
			if _, err := u.Verify(key, nil, roots); !errors.Is(err, event.ErrSignature) {
				t.Errorf("%s key: error = %v, want ErrSignature", name, err)
			}
		}
		if _, err := u.Verify(right, nil, roots); err != nil {
			t.Fatal(err)
		}
	}
}

// A remembered root vouches for its own signature alone.
func TestRootsRememberSignatures(t *testing.T) {
	_, public := signingKey(t, "publisher XA/police")
	envelope, _, _ := one(t)
	roots := &event.Roots{}
	good := envelope.Proof.Signature[0]
	for i, want := range []error{nil, event.ErrSignature, nil} {
		envelope.Proof.Signature[0] = good + byte(i%2)
		u, err := event.Decode(marshal(t, envelope))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Verify(public, nil, roots); !errors.Is(err, want) {
			t.Errorf("time %d: %v, want %v", i, err, want)
		}
	}
}
