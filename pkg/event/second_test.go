package event_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/second"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

func secondOf(t testing.TB, owner string) *second.Key {
	t.Helper()
	seed := sha256.Sum256([]byte(owner))
	key, err := second.NewKey(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signBoth signs one batch with the key of XA's police and a second key; nil: none.
func signBoth(t testing.TB, secondKey *second.Key, list []event.Draft) []*eventv1.Envelope {
	t.Helper()
	key, _ := signingKey(t, "publisher XA/police")
	key.Second = secondKey
	signed, _, err := event.SignBatch(key, chain, event.Head{}, event.Seen{}, list)
	if err != nil {
		t.Fatal(err)
	}
	envelopes := make([]*eventv1.Envelope, len(signed))
	for i, s := range signed {
		envelopes[i] = &eventv1.Envelope{}
		if err := proto.Unmarshal(s.Data, envelopes[i]); err != nil {
			t.Fatal(err)
		}
	}
	return envelopes
}

func TestSecondSignature(t *testing.T) {
	mine := secondOf(t, "mine")
	_, public := signingKey(t, "publisher XA/police")
	good := signBoth(t, mine, drafts(3, event.ID{}))
	elsewhere := signBoth(t, mine, drafts(2, event.ID{}))[0].GetProof().GetSecondSignature()
	stranger := signBoth(t, secondOf(t, "stranger"), drafts(3, event.ID{}))[0].GetProof().GetSecondSignature()
	key, _ := signingKey(t, "publisher XA/police")
	root, err := root(good[0])
	if err != nil {
		t.Fatal(err)
	}
	statement := encoded("tripoint/v1/batch", key.ID[:], []byte{0, 0, 0, 0, 0, 0, 0, 3}, root)
	if !second.Verify(mine.Public(), second.Batch, statement, good[0].GetProof().GetSecondSignature()) {
		t.Error("the second signature is not over the bytes that the first signs")
	}
	otherUse, err := mine.Sign(second.Possession, statement)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good[0].GetProof().GetSecondSignature())
	flipped[0] ^= 1
	for name, c := range map[string]struct {
		signature []byte // in place of the good one
		key       []byte
		accepted  bool
	}{
		"both":                             {good[0].GetProof().GetSecondSignature(), mine.Public(), true},
		"neither":                          {nil, nil, true},
		"stripped":                         {nil, mine.Public(), false},
		"of another batch":                 {elsewhere, mine.Public(), false},
		"by another key":                   {stranger, mine.Public(), false},
		"given for another use":            {otherUse, mine.Public(), false},
		"one bit flipped":                  {flipped, mine.Public(), false},
		"one where the registry has none":  {good[0].GetProof().GetSecondSignature(), nil, false},
		"a key of another length":          {good[0].GetProof().GetSecondSignature(), mine.Public()[:32], false},
		"a stranger's where none is named": {stranger, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			envelope := proto.CloneOf(good[0])
			envelope.Proof.SecondSignature = c.signature
			data := marshal(t, envelope)
			unverified, err := event.Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			// Fresh, and with a memory that has verified the good one both ways.
			seen := &event.Roots{}
			for _, known := range []struct {
				signature, key []byte
			}{{good[0].GetProof().GetSecondSignature(), mine.Public()}, {nil, nil}} {
				envelope.Proof.SecondSignature = known.signature
				first, err := event.Decode(marshal(t, envelope))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := first.Verify(public, known.key, seen); err != nil {
					t.Fatal(err)
				}
			}
			for _, roots := range []*event.Roots{{}, seen} {
				_, err = unverified.Verify(public, c.key, roots)
				if c.accepted && err != nil || !c.accepted && !errors.Is(err, event.ErrSignature) {
					t.Errorf("accepted should be %v: %v", c.accepted, err)
				}
			}
		})
	}
	for _, e := range good {
		if unverified, err := event.Decode(marshal(t, e)); err != nil {
			t.Error(err)
		} else if _, err := unverified.Verify(public, mine.Public(), &event.Roots{}); err != nil {
			t.Error(err)
		}
	}
}

// root climbs the path of the first of three.
func root(e *eventv1.Envelope) ([]byte, error) {
	node := sha256.Sum256(append([]byte{0}, encoded("tripoint/v1/event", e.GetProof().GetKeyId(), e.GetHeader())...))
	for _, sibling := range e.GetProof().GetPath() {
		node = sha256.Sum256(append(append([]byte{1}, node[:]...), sibling...))
	}
	return node[:], nil
}

func TestSecondSignatureOfAnotherLengthIsUndecodable(t *testing.T) {
	good := signBoth(t, secondOf(t, "mine"), drafts(1, event.ID{}))[0]
	for _, n := range []int{1, ed25519.SignatureSize, second.SignatureSize - 1, second.SignatureSize + 1, 3309, 4627} {
		good.Proof.SecondSignature = make([]byte, n)
		if _, err := event.Decode(marshal(t, good)); err == nil {
			t.Errorf("a second signature of %d bytes was decoded", n)
		}
	}
}

// Without a second key, an envelope has the bytes that it always had.
func TestNoSecondKeyLeavesTheBytesAsTheyWere(t *testing.T) {
	plain, _ := sign(t, event.Head{}, drafts(2, event.ID{}))
	for i, envelope := range signBoth(t, nil, drafts(2, event.ID{})) {
		if envelope.GetProof().GetSecondSignature() != nil || !bytes.Equal(marshal(t, envelope), plain[i].Data) {
			t.Errorf("event %d differs", i)
		}
	}
}

func BenchmarkVerifyBoth(b *testing.B) {
	mine := secondOf(b, "mine")
	_, public := signingKey(b, "publisher XA/police")
	unverified, err := event.Decode(marshal(b, signBoth(b, mine, drafts(1, event.ID{}))[0]))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := unverified.Verify(public, mine.Public(), &event.Roots{}); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzSecondSignature: of all proofs that can be decoded, under a key with a second key,
// the one that was signed with both verifies, and no other second signature does.
func FuzzSecondSignature(f *testing.F) {
	mine := secondOf(f, "mine")
	_, public := signingKey(f, "publisher XA/police")
	good := signBoth(f, mine, drafts(1, event.ID{}))[0]
	signature := good.GetProof().GetSecondSignature()
	f.Add(signature)
	f.Add([]byte{})
	f.Add(signature[:64])
	f.Add(signBoth(f, secondOf(f, "stranger"), drafts(1, event.ID{}))[0].GetProof().GetSecondSignature())
	f.Fuzz(func(t *testing.T, candidate []byte) {
		envelope := proto.CloneOf(good)
		envelope.Proof.SecondSignature = candidate
		unverified, err := event.Decode(marshal(t, envelope))
		if (err == nil) != (len(candidate) == 0 || len(candidate) == second.SignatureSize) {
			t.Fatalf("a second signature of %d bytes: %v", len(candidate), err)
		}
		if err != nil {
			return
		}
		if _, err := unverified.Verify(public, mine.Public(), &event.Roots{}); (err == nil) != bytes.Equal(candidate, signature) {
			t.Errorf("under the second key: %v", err)
		}
		if _, err := unverified.Verify(public, nil, &event.Roots{}); (err == nil) != (len(candidate) == 0) {
			t.Errorf("under no second key: %v", err)
		}
	})
}
