package verdict_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

var start = time.Date(2025, 2, 12, 9, 30, 0, 0, time.UTC)

// message is what lies on the stream.
type message struct {
	subject string
	data    []byte
}

// agency publishes on one chain.
type agency struct {
	chain event.Chain
	key   event.SigningKey
	head  event.Head
	said  int
}

func newAgency(t testing.TB, country, name, audience string) *agency {
	t.Helper()
	key, err := event.NewSigningKey(registrytest.Key("publisher " + country + "/" + name))
	if err != nil {
		t.Fatal(err)
	}
	return &agency{chain: event.Chain{Country: country, Agency: name, Audience: audience}, key: key}
}

// draft is the next thing that the agency says; no two are alike.
func (a *agency) draft() event.Draft {
	a.said++
	var random [10]byte
	binary.BigEndian.PutUint32(random[6:], uint32(a.said))
	return event.Draft{
		ID: event.NextID(start.Add(time.Duration(a.said)*time.Millisecond), random, event.ID{}), Kind: "site.status", Retention: "case", Recorded: start,
		Sections: []event.Section{{
			Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR,
			Content: binary.BigEndian.AppendUint32([]byte(a.chain.String()), uint32(a.said)),
		}},
	}
}

// says signs n events as one batch and moves the agency's head on.
func (a *agency) says(t testing.TB, n int) []message {
	t.Helper()
	drafts := make([]event.Draft, n)
	for i := range drafts {
		drafts[i] = a.draft()
	}
	messages, head := a.signs(t, a.head, drafts...)
	a.head = head
	return messages
}

// signs makes a batch of drafts after any head, as a faulty or lying publisher could.
func (a *agency) signs(t testing.TB, head event.Head, drafts ...event.Draft) ([]message, event.Head) {
	t.Helper()
	signed, next, err := event.SignBatch(a.key, a.chain, head, event.Seen{}, drafts)
	if err != nil {
		t.Fatal(err)
	}
	messages := make([]message, len(signed))
	for i, s := range signed {
		messages[i] = message{s.Subject, s.Data}
	}
	return messages, next
}

// reader is a consumer of the stream.
type reader struct {
	state  registry.State
	chains verdict.Memory
	roots  event.Roots
	index  uint64
}

// newReader has read the founding at index 0.
func newReader(t testing.TB) *reader {
	t.Helper()
	charter := registrytest.Sign(t, registrytest.Bare()) // that of the known answers
	r := &reader{state: registry.New(charter.Digest)}
	if got := r.reads(t, message{registry.FoundingSubject, charter.Message}); got.Code != verdict.Accepted || !got.Update {
		t.Fatalf("the founding is %s: %s", got.Code, got.Reason)
	}
	return r
}

// reads judges the next message and takes it in, as every consumer does.
func (r *reader) reads(t testing.TB, m message) verdict.Judged {
	t.Helper()
	judged, err := verdict.Judge(r.state, &r.chains, &r.roots, r.index, m.subject, m.data)
	if err != nil {
		t.Fatal(err)
	}
	r.index++
	r.state = judged.State
	if judged.Code == verdict.Accepted && !judged.Update {
		r.chains.Take(judged.Event)
	}
	return judged
}

func (r *reader) head(t testing.TB, chain event.Chain) event.Head {
	t.Helper()
	head, err := r.chains.Head(chain)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// accepts reads messages that all must be accepted.
func (r *reader) accepts(t testing.TB, messages ...message) {
	t.Helper()
	for i, m := range messages {
		if got := r.reads(t, m); got.Code != verdict.Accepted || got.Reason != "" {
			t.Fatalf("good event %d is %s: %s", i, got.Code, got.Reason)
		}
	}
}

// withstands reads an attack, which must have that verdict and leave every chain
// where it was; and then the victim's next event, which must be accepted.
func (r *reader) withstands(t *testing.T, victim *agency, attack message, want verdict.Code) verdict.Judged {
	t.Helper()
	chains := []event.Chain{victim.chain}
	if u, err := event.Decode(attack.data); err == nil {
		chains = append(chains, u.Claims().Chain)
	}
	var before []event.Head
	for _, chain := range chains {
		before = append(before, r.head(t, chain))
	}
	got := r.reads(t, attack)
	if got.Code != want {
		t.Errorf("verdict = %s (%s), want %s", got.Code, got.Reason, want)
	}
	if want.Refused() == (got.Reason == "") {
		t.Errorf("verdict %s with the reason %q", got.Code, got.Reason)
	}
	for i, chain := range chains {
		if after := r.head(t, chain); after != before[i] {
			t.Errorf("the head of %s went from %d to %d", chain, before[i].Counter, after.Counter)
		}
	}
	r.accepts(t, victim.says(t, 1)...)
	return got
}

// open takes an envelope apart.
func open(t testing.TB, m message) (*eventv1.Envelope, *eventv1.Header) {
	t.Helper()
	envelope, header := &eventv1.Envelope{}, &eventv1.Header{}
	if err := proto.Unmarshal(m.data, envelope); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(envelope.GetHeader(), header); err != nil {
		t.Fatal(err)
	}
	return envelope, header
}

// altered is a message whose envelope was changed on the way.
func altered(t testing.TB, m message, change func(e *eventv1.Envelope)) message {
	t.Helper()
	envelope, _ := open(t, m)
	change(envelope)
	return message{m.subject, marshal(t, envelope)}
}

// forged is a message whose header was changed, and signed again by owner as a batch of one.
func forged(t testing.TB, m message, owner string, change func(h *eventv1.Header)) message {
	t.Helper()
	envelope, header := open(t, m)
	change(header)
	envelope.Header = marshal(t, header)
	private := registrytest.Key(owner)
	key := event.KeyIDOf(event.RolePublisher, private.Public().(ed25519.PublicKey))
	envelope.Proof = &eventv1.BatchProof{KeyId: key[:], Size: 1, Signature: batchSignature(private, key[:], envelope.Header)}
	u, err := event.Decode(marshal(t, envelope))
	if err != nil {
		t.Fatal(err)
	}
	return message{u.Claims().Subject(), marshal(t, envelope)}
}

// batchSignature is over a batch of one header.
func batchSignature(private ed25519.PrivateKey, key, header []byte) []byte {
	leaf := sha256.Sum256(append([]byte{0}, pae.Encode(pae.Event, key, header)...))
	return ed25519.Sign(private, pae.Encode(pae.Batch, key, pae.Uint64(1), leaf[:]))
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// reversed is a copy in the opposite order.
func reversed(messages []message) []message {
	copied := slices.Clone(messages)
	slices.Reverse(copied)
	return copied
}
