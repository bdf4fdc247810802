package verdict_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

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
	var fields [][]byte
	var long []byte
	for rest := data; len(rest) > 0; {
		number, kind, n := protowire.ConsumeField(rest)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		fields = append(fields, rest[:n])
		_, _, tag := protowire.ConsumeTag(rest)
		long = append(long, padded(protowire.EncodeTag(number, kind))...)
		if value := rest[tag:n]; kind == protowire.VarintType {
			v, _ := protowire.ConsumeVarint(value)
			long = append(long, padded(v)...)
		} else {
			v, _ := protowire.ConsumeBytes(value)
			long = append(append(long, padded(uint64(len(v)))...), v...)
		}
		rest = rest[n:]
	}
	unknown := protowire.AppendString(protowire.AppendTag(nil, 536870911, protowire.BytesType), "of a later version")
	slices.Reverse(fields)
	return map[string][]byte{
		"fields in reverse order":      slices.Concat(fields...),
		"an unknown field at the end":  slices.Concat(data, unknown),
		"an unknown field at the head": slices.Concat(unknown, data),
		"long varints":                 long,
	}
}

// group is a field of protobuf's old group type, which no message may have.
var group = append(protowire.AppendTag(nil, 99, protowire.StartGroupType), protowire.AppendTag(nil, 99, protowire.EndGroupType)...)

// E11: nobody signs an envelope's own spelling. Whichever comes first is the event,
// each other one is the same again, and the chain goes on from the one header.
func TestAdversary_E11_EnvelopesSpelledOtherwise(t *testing.T) {
	m := newAgency(t, "XA", "police", "region").says(t, 1)[0]
	spellings := respelled(t, m.data)
	spellings["as it was signed"] = m.data
	for first, data := range spellings {
		t.Run(first, func(t *testing.T) {
			police, r := newAgency(t, "XA", "police", "region"), newReader(t)
			police.says(t, 1)
			r.accepts(t, message{m.subject, data})
			if r.head(t, police.chain) != police.head {
				t.Errorf("the head is %+v, want %+v", r.head(t, police.chain), police.head)
			}
			for other, data := range spellings {
				if got := r.reads(t, message{m.subject, data}); got.Code != verdict.Duplicate {
					t.Errorf("then %s: %s (%s)", other, got.Code, got.Reason)
				}
			}
			r.accepts(t, police.says(t, 1)...)
		})
	}
	for name, data := range map[string][]byte{"group": slices.Concat(m.data, group), "two": slices.Concat(m.data, m.data[:len(m.data)-1])} {
		if got := newReader(t).reads(t, message{m.subject, data}); got.Code != verdict.Undecodable {
			t.Errorf("%s: %s (%s)", name, got.Code, got.Reason)
		}
	}
}

// E11: a header spelled otherwise is another header: signed by nobody, or by an
// agency that then has said two things under one counter.
func TestAdversary_E11_HeadersSpelledOtherwise(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	m := police.says(t, 1)[0]
	r.accepts(t, m)
	envelope, _ := open(t, m)
	for name, header := range respelled(t, envelope.GetHeader()) {
		t.Run(name, func(t *testing.T) {
			r.withstands(t, police, altered(t, m, func(e *eventv1.Envelope) { e.Header = header }), verdict.BadSignature)
			signed := forgedHeader(t, m, header)
			r.withstands(t, police, signed, verdict.Equivocation)
		})
	}
}

// forgedHeader has the agency sign the exact bytes of a header.
func forgedHeader(t *testing.T, m message, header []byte) message {
	t.Helper()
	good := forged(t, m, "publisher XA/police", func(*eventv1.Header) {})
	return altered(t, good, func(e *eventv1.Envelope) {
		e.Header = header
		e.Proof.Signature = batchSignature(registrytest.Key("publisher XA/police"), e.Proof.KeyId, header)
	})
}

// E11: what carries an update is signed by nobody: however it is spelled, it is
// that update, once. The update's own bytes are what was signed.
func TestAdversary_E11_UpdatesSpelledOtherwise(t *testing.T) {
	log := registrytest.NewLogOf(t, registrytest.Bare())
	subject, data := log.Message(t, registrytest.Retire("XA", "border"), "root XA")
	signed := &registryv1.SignedUpdate{}
	if err := proto.Unmarshal(data, signed); err != nil {
		t.Fatal(err)
	}
	want, err := log.State.Apply(1, subject, data)
	if err != nil {
		t.Fatal(err)
	}
	for name, spelling := range respelled(t, data) {
		t.Run("around it: "+name, func(t *testing.T) {
			r := newReader(t)
			r.accepts(t, message{subject, spelling})
			if diff := cmp.Diff(want.Overview(), r.state.Overview()); diff != "" {
				t.Errorf("another registry (-want +got):\n%s", diff)
			}
			if got := r.reads(t, message{subject, data}); got.Code != verdict.Duplicate {
				t.Errorf("then as it was signed: %s (%s)", got.Code, got.Reason)
			}
			r.follows(t, signed.GetUpdate())
		})
	}
	for name, spelling := range respelled(t, signed.GetUpdate()) {
		t.Run("the update: "+name, func(t *testing.T) {
			r := newReader(t)
			if got := r.reads(t, message{subject, marshal(t, &registryv1.SignedUpdate{Update: spelling, Signatures: signed.GetSignatures()})}); got.Code != verdict.NotUpdate {
				t.Errorf("respelled after it was signed: %s (%s)", got.Code, got.Reason)
			}
			r.index = 1
			resigned := registrytest.SignUpdate(t, spelling, "root XA")
			r.accepts(t, message{subject, marshal(t, resigned)})
			if diff := cmp.Diff(want.Overview(), r.state.Overview()); diff != "" {
				t.Errorf("signed so, it says something else (-want +got):\n%s", diff)
			}
			// Its place is taken by those bytes and no others.
			if got := r.reads(t, message{subject, data}); got.Code != verdict.NotUpdate {
				t.Errorf("the other spelling, in the same place: %s (%s)", got.Code, got.Reason)
			}
			r.follows(t, spelling)
		})
	}
	grouped := slices.Concat(signed.GetUpdate(), group)
	for name, data := range map[string][]byte{
		"around it":  slices.Concat(data, group),
		"the update": marshal(t, registrytest.SignUpdate(t, grouped, "root XA")),
	} {
		if got := newReader(t).reads(t, message{subject, data}); got.Code != verdict.NotUpdate {
			t.Errorf("a group in %s: %s", name, got.Code)
		}
	}
}

// follows applies the next update of XA's own affairs, which names the exact bytes of the last.
func (r *reader) follows(t *testing.T, last []byte) {
	t.Helper()
	change := registrytest.Retire("XA", "police")
	draft, err := r.state.Propose(change, r.index+10)
	if err != nil {
		t.Fatal(err)
	}
	update := &registryv1.Update{}
	if err := proto.Unmarshal(draft, update); err != nil {
		t.Fatal(err)
	}
	if digest := event.DigestOf(last); !bytes.Equal(update.GetPrevious(), digest[:]) {
		t.Errorf("the next update follows %x, want %s", update.GetPrevious(), digest)
	}
	r.accepts(t, message{registry.SubjectOf(change), marshal(t, registrytest.SignUpdate(t, draft, "root XA"))})
}
