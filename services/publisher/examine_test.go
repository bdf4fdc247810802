package publisher

import (
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
)

// says wants a row of an examination to be as given, and to hold a word.
func says(t *testing.T, config Config, name string, ok bool, word string) {
	t.Helper()
	for _, c := range Examine(t.Context(), config) {
		if c.Name == name {
			if c.OK != ok || !strings.Contains(c.Detail, word) || !ok && c.Hint == "" {
				t.Errorf("row %q is %+v, want %t with %q", name, c, ok, word)
			}
			return
		}
	}
	t.Errorf("no row %q", name)
}

func TestExamineWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.notary().checkpoint(1)
	config := w.config(t.TempDir())
	says(t, config, "outbox", true, "accepted nothing yet")
	w.stopHub() // so that reports stay here
	now := time.Now()
	p := run(t, config, func(p *Publisher) { p.outbox.Clock = func() time.Time { return now } })
	p.publish(report("a"))
	says(t, config, "process", true, "running")
	says(t, config, "reports", true, "1 reports accepted, 0 witnessed, 1 wait here")
	p.stop()
	says(t, config, "outbox", true, "sound")
	says(t, config, "key", true, "is the agency's in the registry")

	// An hour and more is worth a look.
	old := w.config(t.TempDir())
	p = run(t, old, func(p *Publisher) { p.outbox.Clock = func() time.Time { return now.Add(-2 * longWait) } })
	p.publish(report("b"))
	p.stop()
	says(t, old, "reports", false, "the oldest since "+now.Add(-2*longWait).UTC().Format("2006-01-02T15:04"))

	config.Key = registrytest.Key("publisher XB/border")
	says(t, config, "key", false, "XB/border")
	config.Key = registrytest.Key("nobody's")
	says(t, config, "key", false, "not enrolled")
	config.Agency = "border"
	says(t, config, "outbox", false, "belongs to XA/police")
}

// Somebody has the agency's key.
func TestExamineSeesStrangeEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	config := w.config(t.TempDir())
	p := run(t, config)
	promised := p.publish(report("a"))
	p.untilStored(1)
	n.checkpoint(2)
	w.judge().mine(t, promised)
	says(t, config, "chains", true, "nobody else")
	_, index := (&thief{w: w}).after(w.judge().head(), 1)
	n.checkpoint(index + 1)
	p.until("it is noticed", halted("key"))
	says(t, config, "chains", false, "the first at index 2")
}
