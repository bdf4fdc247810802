package hub

import (
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
)

// Who sends by turns what fits and what does not has the log told of it once a minute, and no more.
func TestAdversary_T08_LogThatIsFilledByRefusals(t *testing.T) {
	s := standings{refused: map[string]bool{}, told: map[string]time.Time{}}
	start, lines := time.Date(2025, 2, 12, 9, 0, 0, 0, time.UTC), 0
	for n := range 1200 { // two minutes
		if s.note(stream.Files, holder{"XA", "police"}, n%2 == 0, start.Add(time.Duration(n)*100*time.Millisecond)) {
			lines++
		}
	}
	if lines != 2 {
		t.Errorf("%d lines in two minutes, want 2", lines)
	}
	if !s.note(stream.Files, holder{"XB", "police"}, true, start) || !s.of(stream.Files, holder{"XB", "police"}) {
		t.Error("another holder's refusal is not told")
	}
}
