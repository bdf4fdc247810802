package verdict_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/verdict"
)

var update = flag.Bool("update", false, "write the known answers anew")

// vectors is proto/testdata/verdict.json, and verdict-registry.json: a stream from its first message on, and
// the verdict of each. Bytes are hexadecimal. proto/README.md says how to use it.
type vectors struct {
	Charter  string          `json:"charter"` // what the reader brings along
	Messages []messageVector `json:"messages"`
}

type messageVector struct {
	Index   uint64       `json:"index"`
	What    string       `json:"what"`
	Subject string       `json:"subject"`
	Data    string       `json:"data"`
	Verdict verdict.Code `json:"verdict"`
}

func TestKnownAnswers(t *testing.T) {
	for file, messages := range map[string][]told{"verdict.json": story(t), "verdict-registry.json": changes(t)} {
		t.Run(file, func(t *testing.T) { checkAnswers(t, filepath.Join("..", "..", "proto", "testdata", file), messages) })
	}
}

func checkAnswers(t *testing.T, path string, messages []told) {
	charter := registrytest.Sign(t, registrytest.Bare())
	computed := vectors{Charter: charter.Digest.String(), Messages: []messageVector{{
		What: "the founding", Subject: registry.FoundingSubject, Data: hex.EncodeToString(charter.Message), Verdict: verdict.Accepted,
	}}}
	for i, m := range messages {
		computed.Messages = append(computed.Messages, messageVector{
			Index: uint64(i + 1), What: m.what, Subject: m.subject, Data: hex.EncodeToString(m.data), Verdict: m.code,
		})
	}
	if *update {
		data, err := json.MarshalIndent(computed, "", "  ")
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
	var want vectors
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, computed); diff != "" {
		t.Errorf("%s (-file +computed):\n%s", path, diff)
	}
	// The file by itself, as another implementation reads it.
	r := &reader{state: registry.New(charter.Digest)}
	for _, m := range want.Messages {
		raw, err := hex.DecodeString(m.Data)
		if err != nil || m.Index != r.index {
			t.Fatalf("message %d stands at %d: %v", m.Index, r.index, err)
		}
		if got := r.reads(t, message{m.Subject, raw}); got.Code != m.Verdict {
			t.Errorf("message %d, %s: %s (%s), want %s", m.Index, m.What, got.Code, got.Reason, m.Verdict)
		}
	}
}
