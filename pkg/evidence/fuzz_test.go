package evidence_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/evidence"
	evidencev1 "github.com/tripoint/tripoint/proto/tripoint/evidence/v1"
)

// FuzzVerify: whatever a court is handed, the answer comes soon, and a file that
// holds is about the event that it was made of.
func FuzzVerify(f *testing.F) {
	w := storied(f)
	index := uint64(3)
	f.Add(w.writes(w.parts(index, 9)))
	good, bad := alterations(f)
	f.Add(good)
	for _, attacks := range [][]attack{bad, lies(f), spellings(f)} {
		for _, a := range attacks {
			f.Add(a.file)
		}
	}
	known := w.messages
	f.Fuzz(func(t *testing.T, file []byte) {
		report, err := evidence.Verify(file, w.charter())
		if err != nil {
			return
		}
		at := report.Event.Index
		e := &evidencev1.Evidence{}
		must(t, proto.Unmarshal(file, e))
		if at >= uint64(len(known)) || !bytes.Equal(e.GetEvent().GetData(), known[at].Data) || len(report.Witnesses) < report.Quorum {
			t.Errorf("a file that nobody has signed holds: %s", report)
		}
		same(t, "another form of the same", true, bytes.Equal(file, altered(t, file, func(*evidencev1.Evidence) {})))
	})
}
