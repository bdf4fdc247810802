package desk

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	errDisk = errors.New("the disk failed here")
	errLink = &away{errors.New("the hub failed here")}
)

// faults is a desk's fault hook: it fails one step, once, and remembers all.
type faults struct {
	mu    sync.Mutex
	step  string
	fault error // nil: none, any more
	seen  map[string]bool
	fired bool
}

func (f *faults) at(step string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[step] = true
	if step != f.step || f.fault == nil {
		return nil
	}
	err := f.fault
	f.fault, f.fired = nil, true
	return err
}

func (f *faults) hasFired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

// writes are all writes of a desk, each as the step before it, where it fails and
// nothing of it is there, and the step after it, where it fails and is there all the same.
// A fault of the disk ends the desk; one of the way to the hub is tried again. Both
// must come out the same.
var writes = []struct {
	before, after string
	fault         error
}{
	{"committing messages", "committed messages", errDisk},
	{"committing mirror", "committed mirror", errDisk},
	{"committing cosignature", "committed cosignature", errDisk},
	{"committing view", "committed view", errDisk},
	{"committing alarm", "committed alarm", errDisk},
	{"committing settlement", "committed settlement", errDisk},
	{"publishing", "published", errLink},
	{"publishing", "published", errDisk},
	{"acknowledging messages", "acknowledged messages", errLink},
	{"acknowledging messages", "acknowledged messages", errDisk},
	{"acknowledging log", "acknowledged log", errLink},
	{"acknowledging log", "acknowledged log", errDisk},
}

func TestEveryWriteOfTheMirrorFails(t *testing.T) {
	t.Parallel()
	for _, write := range writes {
		for _, step := range []string{write.before, write.after} {
			t.Run(step+", "+write.fault.Error(), func(t *testing.T) { failing(t, step, write.fault) })
		}
	}
}

// failing has one step fail at one of three desks, and checks that all comes out
// as if it had not.
func failing(t *testing.T, step string, fault error) {
	t.Parallel()
	h := newHouse(t)
	directory := t.TempDir()
	first := h.open("XA", directory)
	h.report(police)
	until(t, "the first desk has cosigned", func() bool { return first.recorded() == h.size() })
	must(t, first.stop())

	f := &faults{step: step, fault: fault}
	xa := h.open("XA", directory, soon, func(c *Config) { c.fault = f.at })
	h.report(border)
	h.report(pair)
	var xb, xc *running
	join := func() { xb, xc = h.open("XB", t.TempDir()), h.open("XC", t.TempDir()) }
	if strings.HasSuffix(step, "settlement") { // of the alarm that nobody witnesses
		until(t, "XA says that the log is frozen", func() bool { return xa.Status().Alarm != "" })
		join()
	}
	until(t, "the fault fires", f.hasFired)
	if errors.Is(fault, errDisk) {
		if err := xa.crashed(); !errors.Is(err, errDisk) {
			t.Fatalf("Run: %v, want the fault", err)
		}
		xa = h.open("XA", directory)
	}
	until(t, "what was there at the fault is cosigned, and nothing new need come for it", func() bool {
		return h.newest("XA") == h.size()
	})
	if xb == nil {
		join()
	}
	h.report(police)
	h.report(border)
	h.witnesses(xa, xb, xc)
	for _, d := range []*running{xa, xb, xc} {
		until(t, "no alarm stands", func() bool { return d.Status().Alarm == "" })
	}
	same(t, "the view beside that of a desk that was not disturbed", xb.digest(), xa.digest())
	same(t, "the entries beside it", xb.entries(), xa.entries())
	log := h.logRead()
	for _, country := range []string{"XA", "XB", "XC"} {
		h.oneChain(country, log)
	}
	h.audit(xa, xb, xc)
}

// soon is for tests in which nobody witnesses.
func soon(c *Config) { c.Freeze = 50 * time.Millisecond }

// recorded is the size of the newest cosignature in the desk's journal.
func (r *running) recorded() uint64 {
	r.w.t.Helper()
	cosigned, err := r.journal.Cosigned(r.w.t.Context())
	must(r.w.t, err)
	return cosigned.Size
}

// Every step that a desk goes through is one at which a test has it crash.
func TestEveryStepIsCrashedAt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	f := &faults{}
	others := []*running{h.open("XB", t.TempDir()), h.open("XC", t.TempDir())}
	xa := h.open("XA", t.TempDir(), func(c *Config) { c.fault = f.at })
	h.report(police)
	h.witnesses(append(others, xa)...)
	must(t, xa.stop())
	covered := map[string]bool{}
	for _, write := range writes {
		covered[write.before], covered[write.after] = true, true
	}
	for step := range takingIn {
		covered[step] = true
	}
	for step := range cosigning {
		covered[step] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for step := range f.seen {
		if !covered[step] {
			t.Errorf("no test has a desk crash at %q", step)
		}
	}
	if len(f.seen) < 16 {
		t.Errorf("only %d steps were seen: %v", len(f.seen), f.seen)
	}
}
