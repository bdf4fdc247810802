package verdict_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/second"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// secondVectors is proto/testdata/second.json. Bytes are hexadecimal, notes are text.
type secondVectors struct {
	Signatures []secondSignature `json:"signatures"` // deterministic, FIPS 204
	Commitment struct {
		Public string `json:"public"` // Ed25519
		Second string `json:"second"` // the second key beside it
		Both   string `json:"both"`   // the commitment to both
	} `json:"commitment"`
	Charter  string          `json:"charter"` // digest of the founding in messages[0]
	Messages []secondMessage `json:"messages"`
	Notes    []secondNote    `json:"notes"` // of size 1, under the charter's policy
}

type secondSignature struct {
	Seed      string `json:"seed"`
	Public    string `json:"public"`
	Context   string `json:"context"`
	Message   string `json:"message"`
	Signature string `json:"signature"`
}

type secondMessage struct {
	What    string       `json:"what"`
	Subject string       `json:"subject"`
	Message string       `json:"message"`
	Verdict verdict.Code `json:"verdict"`
}

type secondNote struct {
	What string `json:"what"`
	Note string `json:"note"`
	Good bool   `json:"good"`
}

func computeSecond(t *testing.T) secondVectors {
	t.Helper()
	v := secondVectors{}
	seed := make([]byte, second.SeedSize)
	key, err := second.NewKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	for _, use := range []second.Use{second.Batch, second.Possession, second.Checkpoint} {
		signature, err := key.Sign(use, []byte("abc"))
		if err != nil {
			t.Fatal(err)
		}
		v.Signatures = append(v.Signatures, secondSignature{
			hex.EncodeToString(seed), hex.EncodeToString(key.Public()), string(use), hex.EncodeToString([]byte("abc")), hex.EncodeToString(signature)})
	}
	public := registrytest.Public("next publisher XA/police")
	both := registry.CommitmentOfBoth(public, key.Public())
	v.Commitment.Public, v.Commitment.Second, v.Commitment.Both = hex.EncodeToString(public), hex.EncodeToString(key.Public()), both.String()
	founding := registrytest.SecondFounding()
	founding.OpeningKeys = nil
	charter := registrytest.Sign(t, founding)
	v.Charter = charter.Digest.String()
	add := func(what string, m message, code verdict.Code) {
		v.Messages = append(v.Messages, secondMessage{what, m.subject, hex.EncodeToString(m.data), code})
	}
	add("the founding", message{registry.FoundingSubject, charter.Message}, verdict.Accepted)
	police, border := newAgency(t, "XA", "police", "region"), newAgency(t, "XA", "border", "region")
	police.key.Second = registrytest.Second("publisher XA/police")
	first, next := police.says(t, 1)[0], police.says(t, 1)[0]
	add("both signatures", first, verdict.Accepted)
	add("the second stripped", withSecond(t, next, nil), verdict.BadSignature)
	add("the second of another batch", withSecond(t, next, secondOf(t, first)), verdict.BadSignature)
	add("the second cut", withSecond(t, next, secondOf(t, next)[1:]), verdict.Undecodable)
	plain := border.says(t, 1)[0]
	add("one that the registry does not ask for", withSecond(t, plain, secondOf(t, first)), verdict.BadSignature)
	add("none, where the registry asks for none", plain, verdict.Accepted)
	v.Notes = secondNotes(t, charter)
	return v
}

func secondNotes(t *testing.T, charter registry.Charter) []secondNote {
	t.Helper()
	state, err := charter.State()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := state.Policy()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := translog.NewNotary(registrytest.Origin, registrytest.Key("notary"))
	if err != nil {
		t.Fatal(err)
	}
	leaf := translog.LeafHash(0, registry.FoundingSubject, charter.Message)
	checkpoint := translog.Checkpoint{Origin: registrytest.Origin, Size: 1, Root: leaf, Registry: policy.Registry}
	var notes []secondNote
	for _, c := range []struct {
		what   string
		signer *translog.Notary
		good   bool
	}{
		{"both", plain.WithSecond(registrytest.Second("notary")), true},
		{"the second stripped", plain, false},
		{"the second by another key", plain.WithSecond(registrytest.Second("thief")), false},
	} {
		note, err := c.signer.Sign(checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		notes = append(notes, secondNote{c.what, string(note), c.good})
	}
	return notes
}

func TestKnownAnswersOfSecondKeys(t *testing.T) {
	path := filepath.Join("..", "..", "proto", "testdata", "second.json")
	got := computeSecond(t)
	if *update {
		data, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want secondVectors
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-file +computed):\n%s", path, diff)
	}
	want.judge(t)
}

// judge reads the file as another implementation does: from its own bytes alone.
func (v secondVectors) judge(t *testing.T) {
	t.Helper()
	r := &reader{state: registry.New([32]byte(unhex(t, v.Charter)))}
	for _, m := range v.Messages {
		if judged := r.reads(t, message{m.Subject, unhex(t, m.Message)}); judged.Code != m.Verdict {
			t.Errorf("%s: %s (%s), want %s", m.What, judged.Code, judged.Reason, m.Verdict)
		}
	}
	policies, err := r.state.Policies()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range v.Notes {
		if _, err := policies.OpenCheckpoint([]byte(n.Note)); (err == nil) != n.Good {
			t.Errorf("note with %s: %v", n.What, err)
		}
	}
	for _, s := range v.Signatures {
		if !second.Verify(unhex(t, s.Public), second.Use(s.Context), unhex(t, s.Message), unhex(t, s.Signature)) {
			t.Errorf("the signature for %s does not verify", s.Context)
		}
	}
	envelope := &eventv1.Envelope{}
	if err := proto.Unmarshal(unhex(t, v.Messages[1].Message), envelope); err != nil {
		t.Fatal(err)
	}
	if len(envelope.GetProof().GetSecondSignature()) != second.SignatureSize {
		t.Error("the first event has no second signature")
	}
	want := pae.Encode("tripoint/v1/next", unhex(t, v.Commitment.Public), unhex(t, v.Commitment.Second))
	if sum := sha256Hex(want); sum != v.Commitment.Both {
		t.Errorf("commitment %s, want %s", v.Commitment.Both, sum)
	}
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
