package keyring

import (
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
)

func TestMadeListsTheNewestFiles(t *testing.T) {
	r := newWorld(t).ring(t.TempDir())
	var want []Export
	for i := range 5 {
		made := Export{Made: start.Add(time.Duration(i) * time.Hour), Person: "officer-7", Form: "evidence", Events: []event.ID{{1}, {2, byte(i)}}}
		must(t, r.Exported(t.Context(), made))
		want = append(want, made)
	}
	got, err := r.Made(t.Context(), 3)
	must(t, err)
	same(t, "the newest three", want[2:], got)
	files, err := r.Exports(t.Context(), want[0].Events[:1])
	must(t, err)
	same(t, "files with the event", uint64(5), files)
}
