package outbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What an outbox shows to who restores the log: by index where the hub has answered,
// the others behind, and a place that was given out twice only once.
func TestInspectShowsPlacesInOrder(t *testing.T) {
	directory := t.TempDir()
	o := open(t, directory)
	accept(t, o, report("a", "1"), report("b", "2"), report("c", "3"), report("d", "4"))
	envelopes := sign(t, o, 4)
	putStored(t, o, envelopes[:2], 8) // indices 7 and 8
	putLog(t, o, News{
		Followed: Followed{Cursor: 1, Snapshot: []byte("snapshot")},
		Registry: []Update{{Index: 3, Subject: "reg.x", Data: []byte("update")}, {Index: 8, Subject: "reg.y", Data: []byte("update")}},
	})
	inspect := func() (snapshot []byte, all []Stored) {
		t.Helper()
		snapshot, err := Inspect(t.Context(), directory, owner, func(s Stored) error { all = append(all, s); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return snapshot, all
	}
	at := func(index uint64, known bool, e Envelope) Stored {
		return Stored{Index: index, Known: known, Subject: e.Subject, Data: e.Data}
	}
	want := []Stored{
		{Index: 3, Known: true, Subject: "reg.x", Data: []byte("update")}, at(7, true, envelopes[0]),
		{Index: 8, Known: true, Subject: "reg.y", Data: []byte("update")},
		at(0, false, envelopes[2]), at(0, false, envelopes[3]), at(0, false, envelopes[1]),
	}
	for _, opened := range []bool{true, false} {
		if !opened {
			shut(t, o)
		}
		snapshot, got := inspect()
		if diff := cmp.Diff(want, got); diff != "" || string(snapshot) != "snapshot" {
			t.Errorf("open %t: snapshot %q, and (-want +got):\n%s", opened, snapshot, diff)
		}
	}
	other := owner
	other.Agency = "other"
	if _, err := Inspect(t.Context(), directory, other, func(Stored) error { return nil }); err == nil {
		t.Error("another agency's outbox was shown")
	}
	if _, err := Inspect(t.Context(), t.TempDir(), owner, func(Stored) error { return nil }); err == nil {
		t.Error("an outbox that is not there was shown")
	}
}
