package evidence_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/second"
	"github.com/tripoint/tripoint/pkg/translog"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	evidencev1 "github.com/tripoint/tripoint/proto/tripoint/evidence/v1"
)

// noted is a checkpoint, signed by the notary and by a second key; nil: none.
func (w *world) noted(c translog.Checkpoint, beside *second.Key) []byte {
	w.t.Helper()
	notary, err := translog.NewNotary(registrytest.Origin, registrytest.Key("notary"))
	must(w.t, err)
	if beside != nil {
		notary = notary.WithSecond(beside)
	}
	note, err := notary.Sign(c)
	must(w.t, err)
	return note
}

// Where the registry names second keys, a file holds with all second signatures, in one form, and
// with nothing less: whoever has broken Ed25519 makes no evidence.
func TestAdversary_E13_EvidenceWithoutSecondSignatures(t *testing.T) {
	w := newWorld(t)
	w.amend(registrytest.AmendNotary("", "notary"), append(slices.Clone(founders), "ml-dsa notary")...)
	w.amend(registrytest.EnrolBoth("XA", "navy"), "root XA", "publisher XA/navy", "ml-dsa publisher XA/navy")
	navy := event.Chain{Country: "XA", Agency: "navy", Audience: "region"}
	key, err := event.NewSigningKey(registrytest.Key("publisher XA/navy"))
	must(t, err)
	key.Second = registrytest.Second("publisher XA/navy")
	signed, _, err := event.SignBatch(key, navy, event.Head{}, event.Seen{}, []event.Draft{w.draft()})
	must(t, err)
	index := w.store(signed[0].Subject, signed[0].Data)
	size := uint64(len(w.messages))
	honest := w.noted(w.at(size), registrytest.Second("notary"))
	good := w.writes(w.parts(index, size, func(p *evidence.Parts) { p.Checkpoint = honest }))
	text, lines, _ := strings.Cut(string(honest), "\n\n")
	signatures := slices.Collect(strings.Lines(lines))
	for name, note := range map[string][]byte{
		"stripped":           w.noted(w.at(size), nil),
		"by another key":     w.noted(w.at(size), registrytest.Second("thief")),
		"of another size":    []byte(text + "\n\n" + signatures[0] + lastLine(w.noted(w.at(size-1), registrytest.Second("notary")))),
		"the first stripped": []byte(text + "\n\n" + signatures[1]),
		"in another order":   []byte(text + "\n\n" + signatures[1] + signatures[0]),
		"and a stranger's":   append(bytes.Clone(honest), lastLine(w.noted(w.at(size), registrytest.Second("thief")))...),
	} {
		file := &evidencev1.Evidence{}
		must(t, proto.Unmarshal(good, file))
		file.Checkpoint = note
		forged, err := proto.Marshal(file)
		must(t, err)
		if _, err := evidence.Verify(forged, w.charter()); err == nil || !strings.Contains(err.Error(), "checkpoint") {
			t.Errorf("checkpoint %s: %v", name, err)
		}
	}
	// The event's own second signature: what the tree holds is what the thief published.
	envelope := &eventv1.Envelope{}
	must(t, proto.Unmarshal(signed[0].Data, envelope))
	envelope.Proof.SecondSignature = nil
	stripped, err := proto.Marshal(envelope)
	must(t, err)
	w.messages[index].Data = stripped
	parts := w.parts(index, size, func(p *evidence.Parts) { p.Checkpoint = w.noted(w.at(size), registrytest.Second("notary")) })
	if _, err := evidence.Write(w.charter(), parts, w.leaves()); err == nil || !strings.Contains(err.Error(), "bad-signature") {
		t.Errorf("an event without its second signature: %v", err)
	}
}

func lastLine(note []byte) string {
	lines := slices.Collect(strings.Lines(string(note)))
	return lines[len(lines)-1]
}
