package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/registry"
)

// command runs tripoint to its end and returns what it printed.
func command(t *testing.T, args ...string) []byte {
	t.Helper()
	run := exec.Command(tripoint(t), args...)
	run.Stderr = t.Output()
	out, err := run.Output()
	if err != nil {
		t.Fatalf("tripoint %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func overview(t *testing.T, args ...string) registry.Overview {
	t.Helper()
	var o registry.Overview
	if err := json.Unmarshal(command(t, append([]string{"registry", "show", "--output", "json"}, args...)...), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// runPilot starts a pilot as a process of its own and waits until it has played.
func runPilot(t *testing.T, data string) *exec.Cmd {
	t.Helper()
	running := exec.Command(tripoint(t), "pilot", "--data", data)
	out, err := running.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	running.Stderr = t.Output()
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		running.Process.Kill()
		running.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "audit replay") {
			go io.Copy(io.Discard, out)
			return running
		}
	}
	t.Fatal("the pilot ended before it had played")
	return nil
}

// The README's tour: a fourth country joins the running pilot, by the commands of
// the script, and reads nothing from before.
func TestFourthCountryJoinsTheRunningPilot(t *testing.T) {
	data := filepath.Join(t.TempDir(), "pilot-data")
	running := runPilot(t, data)
	script := exec.Command("../../deployments/pilot/laos.sh", data)
	script.Env = append(os.Environ(), "TRIPOINT="+tripoint(t))
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var summary audit.Summary
	for end := time.Now().Add(time.Minute); ; {
		if err := json.Unmarshal(command(t, "audit", "replay", "--data", data, "--output", "json"), &summary); err != nil {
			t.Fatal(err)
		}
		if summary.Desks["LA"].Events == 9 && summary.WitnessedSize == summary.Events && len(summary.CosignedBy) == 4 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("LA's desk has %d messages, %d of %d are witnessed", summary.Desks["LA"].Events, summary.WitnessedSize, summary.Events)
		}
	}
	// The registry's eight and its own; of the scenario's 28 nothing.
	if la := summary.Desks["LA"]; la.Sealed != summary.Events-9 || len(la.Transfers) != 0 {
		t.Errorf("LA: %d sealed, %d transfers", la.Sealed, len(la.Transfers))
	}
	if len(summary.Findings) != 0 {
		t.Errorf("findings: %v", summary.Findings)
	}
	writes := func(o registry.Overview) bool {
		return slices.ContainsFunc(o.Audiences, func(a registry.AudienceView) bool {
			return a.Audience == "region" && slices.Contains(a.Writers, "LA/police") && slices.Contains(a.Readers, "LA")
		})
	}
	if !writes(overview(t, "--data", data)) {
		t.Error("registry show does not say that LA/police may publish to region")
	}
	if writes(overview(t, "--data", data, "--at", "35")) || !writes(overview(t, "--data", data, "--at", "36")) {
		t.Error("at index 35, where it joined, or right after, registry show says otherwise")
	}
	opens := func(o registry.Overview) (found []uint32) {
		for _, k := range o.OpeningKey {
			if k.Country == "LA" {
				found = append(found, k.Compartment)
			}
		}
		return found
	}
	if now := opens(overview(t, "--data", data)); !slices.Equal(now, []uint32{1, 2, 3, 4}) {
		t.Errorf("registry show says that LA's desk opens %v", now)
	}
	// Without a network, from a book.
	book := filepath.Join(t.TempDir(), "book.json")
	if err := os.WriteFile(book, command(t, "registry", "export", "--data", data), 0o600); err != nil {
		t.Fatal(err)
	}
	if !writes(overview(t, "--book", book, "--charter", filepath.Join(data, "charter"))) {
		t.Error("the exported book says otherwise")
	}
	// And after the pilot was killed, all four go on.
	running.Process.Kill()
	running.Wait()
	if err := json.Unmarshal(command(t, "pilot", "--data", data, "--once", "--output", "json"), &summary); err != nil {
		t.Fatal(err)
	}
	if len(summary.Findings) != 0 || summary.Desks["LA"].Events != 9 || len(summary.Desks) != 4 {
		t.Errorf("after a restart: %d desks, LA has %d messages, findings %v", len(summary.Desks), summary.Desks["LA"].Events, summary.Findings)
	}
	isRestored(t, data, summary)
}
