package verdict_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/second"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// newSecondReader reads a log whose founding gives XA's police a second key.
func newSecondReader(t *testing.T) *reader {
	t.Helper()
	charter := registrytest.Sign(t, registrytest.SecondFounding())
	r := &reader{state: registry.New(charter.Digest)}
	if got := r.reads(t, message{registry.FoundingSubject, charter.Message}); got.Code != verdict.Accepted {
		t.Fatalf("the founding is %s: %s", got.Code, got.Reason)
	}
	return r
}

// withSecond replaces the second signature of a message.
func withSecond(t *testing.T, m message, signature []byte) message {
	t.Helper()
	envelope := &eventv1.Envelope{}
	if err := proto.Unmarshal(m.data, envelope); err != nil {
		t.Fatal(err)
	}
	envelope.Proof.SecondSignature = signature
	data, err := proto.Marshal(envelope)
	if err != nil {
		t.Fatal(err)
	}
	return message{m.subject, data}
}

func secondOf(t *testing.T, m message) []byte {
	t.Helper()
	envelope := &eventv1.Envelope{}
	if err := proto.Unmarshal(m.data, envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.GetProof().GetSecondSignature()
}

// E13: whoever has broken Ed25519, or has stolen that key alone, has all that the
// first signature takes. Nothing of what he says in the agency's name is accepted, and
// the agency's own events are, before and after.
func TestAdversary_E13_BrokenFirstKey(t *testing.T) {
	honest := newAgency(t, "XA", "police", "region")
	honest.key.Second = registrytest.Second("publisher XA/police")
	first, next := honest.says(t, 1)[0], honest.says(t, 1)[0]
	forger := newAgency(t, "XA", "police", "region") // with the Ed25519 key, on the honest chain
	forger.said = 100
	draft := forger.draft()
	r := newSecondReader(t)
	if got := r.reads(t, first); got.Code != verdict.Accepted {
		t.Fatalf("the agency's own event is %s: %s", got.Code, got.Reason)
	}
	head := r.head(t, honest.chain)
	says := func(secondKey *second.Key) message {
		forger.key.Second = secondKey
		messages, _ := forger.signs(t, head, draft)
		return messages[0]
	}
	own := says(registrytest.Second("thief"))
	for name, c := range map[string]struct {
		message message
		want    verdict.Code
	}{
		"without a second signature":      {says(nil), verdict.BadSignature},
		"with a second key of his own":    {own, verdict.BadSignature},
		"with an old second signature":    {withSecond(t, own, secondOf(t, first)), verdict.BadSignature},
		"with one given for another use":  {withSecond(t, own, possession(t, first)), verdict.BadSignature},
		"with a second signature of 0":    {withSecond(t, own, make([]byte, second.SignatureSize)), verdict.BadSignature},
		"with one of 64 bytes":            {withSecond(t, own, make([]byte, 64)), verdict.Undecodable},
		"with one byte less":              {withSecond(t, own, secondOf(t, first)[1:]), verdict.Undecodable},
		"the agency's own, but stripped":  {withSecond(t, next, nil), verdict.BadSignature},
		"the agency's own, the old one's": {withSecond(t, next, secondOf(t, first)), verdict.BadSignature},
	} {
		if got := r.reads(t, c.message); got.Code != c.want {
			t.Errorf("%s: %s (%s), want %s", name, got.Code, got.Reason, c.want)
		}
	}
	if got := r.reads(t, next); got.Code != verdict.Accepted {
		t.Errorf("after all that the agency's own next event is %s: %s", got.Code, got.Reason)
	}
}

// possession is what the second key may have signed to be enrolled, over the first event's bytes.
func possession(t *testing.T, m message) []byte {
	t.Helper()
	signature, err := registrytest.Second("publisher XA/police").Sign(second.Possession, m.data)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// Where the registry names no second key there is one accepted form: without.
func TestAdversary_E13_SecondSignatureThatNobodyAskedFor(t *testing.T) {
	r, honest := newReader(t), newAgency(t, "XA", "police", "region")
	draft := honest.draft()
	plain, _ := honest.signs(t, event.Head{}, draft)
	honest.key.Second = registrytest.Second("publisher XA/police")
	both, _ := honest.signs(t, event.Head{}, draft)
	if got := r.reads(t, both[0]); got.Code != verdict.BadSignature {
		t.Errorf("with a second signature: %s", got.Code)
	}
	if got := r.reads(t, plain[0]); got.Code != verdict.Accepted {
		t.Errorf("without: %s (%s)", got.Code, got.Reason)
	}
}

// A rotation to a successor with a second key, and a revocation and enrolment
// without one: judged at the index, like the key itself.
func TestAdversary_E13_SecondKeyComesAndGoes(t *testing.T) {
	l := registrytest.NewLogOf(t, registrytest.Bare())
	r := newReader(t)
	update := func(change func() (string, []byte)) {
		t.Helper()
		l.Next = r.index
		subject, data := change()
		if got := r.reads(t, message{subject, data}); !got.Update {
			t.Fatalf("an update is %s: %s", got.Code, got.Reason)
		}
		l.Take(t, subject, data)
	}
	a := newAgency(t, "XA", "navy", "region")
	update(func() (string, []byte) {
		return l.Message(t, registrytest.EnrolBoth("XA", "navy"), "root XA", "publisher XA/navy", "ml-dsa publisher XA/navy")
	})
	head := a.head
	if got := r.reads(t, a.says(t, 1)[0]); got.Code != verdict.BadSignature {
		t.Errorf("one signature under two keys: %s", got.Code)
	}
	a.head, a.key.Second = head, registrytest.Second("publisher XA/navy")
	if got := r.reads(t, a.says(t, 1)[0]); got.Code != verdict.Accepted {
		t.Errorf("both: %s (%s)", got.Code, got.Reason)
	}
	key, err := event.NewSigningKey(registrytest.Key("next publisher XA/navy"))
	if err != nil {
		t.Fatal(err)
	}
	update(func() (string, []byte) {
		return l.Message(t, registrytest.RotateKeyBoth(registrytest.AgencyOwner("XA", "navy"), "next publisher XA/navy"),
			"next publisher XA/navy", "ml-dsa next publisher XA/navy")
	})
	// The old second key beside the new first one is nobody's pair.
	head, a.key = a.head, event.SigningKey{ID: key.ID, Signer: key.Signer, Second: a.key.Second}
	if got := r.reads(t, a.says(t, 1)[0]); got.Code != verdict.BadSignature {
		t.Errorf("the new key and the old second key: %s", got.Code)
	}
	a.head, a.key.Second = head, registrytest.Second("next publisher XA/navy")
	if got := r.reads(t, a.says(t, 1)[0]); got.Code != verdict.Accepted {
		t.Errorf("the new pair: %s (%s)", got.Code, got.Reason)
	}
}
