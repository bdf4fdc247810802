package verdict_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/verdict"
)

// FuzzJudge: Judge is total. Every message at every index has one of the verdicts,
// the same one twice; what is refused changes nothing, and only what an agency said is accepted.
func FuzzJudge(f *testing.F) {
	genuine := map[event.Digest]bool{} // headers that agencies signed, updates that those signed who must
	charter := registrytest.Charter(f)
	signed := func(data []byte) (event.Digest, bool) {
		update, _, err := registry.Read(data)
		return event.DigestOf(update.GetUpdate()), err == nil
	}
	founding, _ := signed(charter.Message)
	genuine[founding] = true
	f.Add(uint64(0), registry.FoundingSubject, charter.Message)
	// A reader stands in the middle of the story, so that every verdict is near, and the
	// registry at every place of the other story where it has just changed.
	middle, changing := newReader(f), newReader(f)
	states := []registry.State{middle.state, registry.New(charter.Digest)}
	for i, m := range story(f) {
		f.Add(uint64(i+1), m.subject, m.data)
		if u, err := event.Decode(m.data); err == nil {
			genuine[u.HeaderDigest()] = true
		}
		if i < 4 {
			middle.reads(f, m.message)
		}
	}
	for i, m := range changes(f) {
		f.Add(uint64(i+1), m.subject, m.data)
		if u, err := event.Decode(m.data); err == nil {
			genuine[u.HeaderDigest()] = true
		}
		got := changing.reads(f, m.message)
		late := m.what == expired || m.what == another // signed by those who must, and it would apply elsewhere
		if digest, ok := signed(m.data); ok && (got.Update || late) {
			genuine[digest] = true
		}
		if got.Update {
			states = append(states, got.State)
		}
	}
	known := func(data []byte) bool {
		digest, ok := signed(data)
		return ok && genuine[digest]
	}
	chains := []event.Chain{{Country: "XA", Agency: "police", Audience: "region"}, {Country: "XB", Agency: "border", Audience: "pair"}}
	f.Fuzz(func(t *testing.T, index uint64, subject string, data []byte) {
		for _, state := range states {
			var before []event.Head
			for _, chain := range chains {
				before = append(before, middle.head(t, chain))
			}
			got, err := verdict.Judge(state, &middle.chains, &middle.roots, index, subject, data)
			if err != nil {
				t.Fatalf("an error about a message: %v", err)
			}
			again, err := verdict.Judge(state, &middle.chains, &event.Roots{}, index, subject, data)
			if err != nil || again.Code != got.Code || again.Reason != got.Reason {
				t.Errorf("%s (%s), then %s (%s), %v", got.Code, got.Reason, again.Code, again.Reason, err)
			}
			switch {
			case !slices.Contains(codes, got.Code):
				t.Errorf("verdict %q", got.Code)
			case got.Code.Refused() != (got.Reason != ""):
				t.Errorf("verdict %s with the reason %q", got.Code, got.Reason)
			case len(got.Reason) > 4096:
				t.Errorf("a reason of %d bytes", len(got.Reason))
			case got.Update && !known(data):
				t.Error("the registry changed, and those who must have not signed")
			case got.Update && (got.Code != verdict.Accepted || !got.State.Founded()):
				t.Errorf("an update that is %s", got.Code)
			case !got.Update && got.State != state:
				t.Error("the registry changed without an update")
			case got.Code == verdict.Accepted && !got.Update && !genuine[got.Event.HeaderDigest]:
				t.Errorf("event %s was accepted, and nobody said it", got.Event.ID)
			}
			for i, chain := range chains {
				if diff := cmp.Diff(before[i], middle.head(t, chain)); diff != "" {
					t.Errorf("judging moved chain %s", chain)
				}
			}
		}
	})
}
