package pilot_test

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestBudget runs the whole scenario as a user would and looks at what it took.
func TestBudget(t *testing.T) {
	command := exec.Command(build(t), "pilot", "--data", filepath.Join(t.TempDir(), "data"), "--once")
	began := time.Now()
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("pilot --once: %v\n%s", err, out)
	}
	took := time.Since(began)
	usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("this system does not say what a process has used")
	}
	peak := usage.Maxrss / 1024 // kilobytes on Linux
	t.Logf("the scenario took %v and %d MB at its peak", took.Round(time.Millisecond), peak)
	if took > 20*time.Second || peak > 300 {
		t.Errorf("took %v and %d MB, want at most 20 s and 300 MB", took, peak)
	}
}
