package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/services/hub"
)

// isRestored loses the streams of a stopped pilot, restores them by one command, and
// sees that the log and every desk's part of it are as they were, with the loss told.
func isRestored(t *testing.T, data string, before audit.Summary) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(data, "hub", "streams")); err != nil {
		t.Fatal(err)
	}
	var done hub.Restored
	if err := json.Unmarshal(command(t, "pilot", "restore", "--data", data, "--output", "json"), &done); err != nil {
		t.Fatal(err)
	}
	if done.Size != before.LogSize || done.Recovered != done.Size || len(done.Lost) != 0 {
		t.Errorf("a log of %d was restored as %+v", before.LogSize, done)
	}
	var after audit.Summary
	if err := json.Unmarshal(command(t, "pilot", "--data", data, "--once", "--output", "json"), &after); err != nil {
		t.Fatal(err)
	}
	if len(after.Findings) != 0 || len(after.Restorations) != 1 || len(after.Desks) != len(before.Desks) {
		t.Errorf("%d desks, restorations %v, findings %v", len(after.Desks), after.Restorations, after.Findings)
	}
	for country, desk := range after.Desks {
		if want := before.Desks[country]; desk.ViewDigest != want.ViewDigest || desk.Sealed != want.Sealed {
			t.Errorf("desk %s: %d not for it and view %s, before %d and %s", country, desk.Sealed, desk.ViewDigest, want.Sealed, want.ViewDigest)
		}
	}
}

// On machines of their own, each party hands over a file, and the hub is restored
// from them.
func TestHubIsRestoredFromFilesOfItsParties(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	var before audit.Summary
	if err := json.Unmarshal(command(t, "pilot", "--data", data, "--once", "--output", "json"), &before); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	configure := func(f file) string {
		t.Helper()
		f.Charter, f.Unsealed, f.Listen = filepath.Join(data, "charter"), true, "127.0.0.1:0"
		text, err := yaml.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	export := func(role, name string, f file) string {
		t.Helper()
		path := filepath.Join(out, name)
		command(t, role, "export", "--config", configure(f), "--out", path)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, error %v; want a file that nobody else reads", path, info.Mode(), err)
		}
		return path
	}
	mm := export("desk", "mm", file{Country: "MM", Directory: filepath.Join(data, "desks", "MM")})
	notary := export("notary", "notary", file{Directory: filepath.Join(data, "notary")})
	border := export("publisher", "border", file{Country: "TH", Agency: "border", Directory: filepath.Join(data, "publishers", "TH-border")})
	if err := os.RemoveAll(filepath.Join(data, "hub", "streams")); err != nil {
		t.Fatal(err)
	}
	config := configure(file{Directory: filepath.Join(data, "hub")})
	restore := exec.Command(tripoint(t), "hub", "restore", "--config", config, mm, notary, border)
	said, err := restore.CombinedOutput()
	if code := restore.ProcessState.ExitCode(); err == nil || code != exitFindings || !strings.Contains(string(said), `(for "cn-th": desks of CN, TH)`) {
		t.Errorf("without the desks of CN and TH: exit %d\n%s", code, said)
	}
	cn := export("desk", "cn", file{Country: "CN", Directory: filepath.Join(data, "desks", "CN")})
	text := command(t, "hub", "restore", "--config", config, mm, notary, border, cn)
	if !strings.Contains(string(text), "of 29 messages, each at its place, 0 were left in the streams and 29 were brought") {
		t.Errorf("%s", text)
	}
	var after audit.Summary
	if err := json.Unmarshal(command(t, "audit", "replay", "--data", data, "--output", "json"), &after); err != nil {
		t.Fatal(err)
	}
	if len(after.Findings) != 0 || after.Checkpoint != before.Checkpoint || len(after.Restorations) != 1 || after.WitnessedSize != before.WitnessedSize {
		t.Errorf("%d of %d witnessed, restorations %v, findings %v", after.WitnessedSize, after.LogSize, after.Restorations, after.Findings)
	}
	if again := exec.Command(tripoint(t), "desk", "export", "--config", configure(file{Country: "CN", Directory: filepath.Join(data, "desks", "CN")}), "--out", cn); again.Run() == nil {
		t.Error("a file was written over")
	}
}
