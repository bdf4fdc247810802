package pilot_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestBudget runs the whole scenario as a user would and looks at what it took.
func TestBudget(t *testing.T) {
	var out bytes.Buffer
	command := exec.Command(build(t), "pilot", "--data", filepath.Join(t.TempDir(), "data"), "--once")
	command.Stdout, command.Stderr = &out, &out
	began := time.Now()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	// Not by getrusage: its peak counts what this process had when it forked.
	peak, moment := 0, time.NewTicker(10*time.Millisecond)
	defer moment.Stop()
	for running := true; running; {
		select {
		case <-moment.C:
			peak = max(peak, peakMemory(command.Process.Pid))
		case err := <-ended:
			if err != nil {
				t.Fatalf("pilot --once: %v\n%s", err, out.Bytes())
			}
			running = false
		}
	}
	took := time.Since(began)
	t.Logf("the scenario took %v and %d MB at its peak", took.Round(time.Millisecond), peak)
	if took > 20*time.Second || peak > 300 || peak == 0 {
		t.Errorf("took %v and %d MB, want at most 20 s and 300 MB", took, peak)
	}
}

// peakMemory is how much of a process was resident at most so far, in MB; 0 once it has ended.
func peakMemory(process int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
	if err != nil {
		return 0
	}
	_, line, _ := bytes.Cut(status, []byte("VmHWM:"))
	kilobytes := 0
	_, _ = fmt.Sscan(string(line), &kilobytes) // a zombie has no such line
	return kilobytes >> 10
}
