package publisher

import (
	"strings"
	"testing"
	"time"

	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// The hub stores what is published, and then nothing comes any more: first no
// checkpoint, then no cosignature. The agency is told, and since when; it loses nothing.
func TestAdversary_L08_FrozenLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	w.cosign(n.checkpoint(1), "XA", "XB")
	p := w.start(t.TempDir(), func(p *Publisher) { p.freeze = 200 * time.Millisecond })
	p.until("the log is witnessed", func(s *publisherv1.GetStatusResponse) bool { return s.GetWitnessedSize() == 1 })
	if at := p.status().GetWitnessedAt(); at != 1 {
		t.Errorf("witnessed at %d, want 1", at)
	}
	began := time.Now().Truncate(time.Second)
	promised := p.publish(report("a"))
	const words = "frozen: what the hub has stored for this agency is in no witnessed checkpoint since "
	p.until("it is told that no checkpoint comes", halted(words))
	_, rest, _ := strings.Cut(p.status().GetHalted(), words)
	since, err := time.Parse("2006-01-02 15:04:05", rest[:19])
	if err != nil || since.Before(began) || since.After(time.Now()) {
		t.Errorf("since %v (%v), but it began after %v", since, err, began)
	}
	c := n.checkpoint(2)
	p.until("it is told that no cosignature comes", halted("frozen: of the log's 2 messages 1 are witnessed, and no more since "))
	w.cosign(c, "XA", "XA")
	p.until("one country twice is no quorum", halted("frozen: "))
	w.cosign(c, "XB")
	p.untilWitnessed(1)
	w.judge().check(t, promised...)
}

// Each standstill has its own words, and no words where nothing stands still.
func TestWordsOfAFrozenLog(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		own, all   bool
		want, also string
	}{
		"nothing waits":         {},
		"what is the agency's":  {own: true, want: "stored for this agency", also: "2023-11-14 22:13:20 UTC"},
		"all of the log":        {all: true, want: "of the log's 9 messages 7 are witnessed", also: "2023-11-14 22:14:20 UTC"},
		"both: the wider cause": {own: true, all: true, want: "of the log's 9 messages", also: "2023-11-14 22:14:20 UTC"},
	} {
		at := time.Unix(1_700_000_000, 0)
		got := frozen(&logView{size: 9, witnessed: 7}, test.own, test.all, at, at.Add(time.Minute))
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) || !strings.Contains(got, test.also) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
