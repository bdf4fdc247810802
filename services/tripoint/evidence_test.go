package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// eventAt is the identifier of the event at an index, in the journal of a pilot's desk.
func eventAt(t *testing.T, data, country string, index uint64) event.ID {
	t.Helper()
	j, err := journal.Read(t.Context(), filepath.Join(data, "desks", country, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	messages, err := j.Messages(t.Context(), index, 1)
	if err != nil || len(messages) == 0 {
		t.Fatalf("no message from index %d on: %v", index, err)
	}
	envelope, err := event.Decode(messages[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	return envelope.Claims().ID
}

// From a pilot to a court: a desk makes the file, and two programs that have nothing
// but it and the charter say what it proves.
func TestEvidenceFromAPilot(t *testing.T) {
	directory := t.TempDir()
	data, file, expert := filepath.Join(directory, "pilot-data"), filepath.Join(directory, "file"), filepath.Join(directory, "tripoint-verify")
	command(t, "pilot", "--once", "--data", data)
	id := eventAt(t, data, "TH", 5).String()
	command(t, "evidence", "export", id, "--data", data, "--country", "TH", "--open", "case", "--out", file)
	config := filepath.Join(directory, "desk.yaml")
	text := "country: TH\ndirectory: " + filepath.Join(data, "desks", "TH") + "\ncharter: " + filepath.Join(data, "charter") +
		"\nunsealed: true\nopening_keys: " + filepath.Join(data, "desks", "TH", "opening") + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := os.ReadFile(file)
	if err != nil || string(held) != string(command(t, "evidence", "export", id, "--config", config, "--open", "case", "--out", "-")) {
		t.Errorf("a desk by its configuration makes another file, error %v", err)
	}
	charter := filepath.Join(directory, "charter") // the court's own copy
	if err := os.Link(filepath.Join(data, "charter"), charter); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(data, data+" is far away"); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", expert, "../tripoint-verify").CombinedOutput(); err != nil {
		t.Fatalf("building tripoint-verify: %v\n%s", err, out)
	}
	var report evidence.Report
	if err := json.Unmarshal(command(t, "evidence", "verify", file, "--charter", charter, "--output", "json"), &report); err != nil {
		t.Fatal(err)
	}
	if report.Event.ID != id || report.Event.Index != 5 || len(report.Witnesses) < report.Quorum || len(report.Proven) == 0 || len(report.NotProven) == 0 {
		t.Errorf("the report is %+v", report)
	}
	sections := report.Event.Sections
	if at := slices.IndexFunc(sections, func(s evidence.Section) bool { return s.Opened }); at < 0 || sections[at].Compartment != "case" || len(sections[at].Content) == 0 {
		t.Errorf("the case section is not opened: %+v", sections)
	}
	words := string(command(t, "evidence", "verify", file, "--charter-digest", report.Log.Charter))
	out, err := exec.Command(expert, "--charter", charter, file).Output()
	if err != nil || string(out) != words || !strings.Contains(words, id) {
		t.Errorf("tripoint-verify: %v\n%s\ntripoint:\n%s", err, out, words)
	}
	broken, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken[len(broken)/2] ^= 1
	if err := os.WriteFile(file, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := run(t, tripoint(t), "", "", "evidence", "verify", file, "--charter", charter); code != exitFindings || !strings.Contains(out, "does not hold: ") {
		t.Errorf("a broken file: exit code %d\n%s", code, out)
	}
	var exited *exec.ExitError
	if err := exec.Command(expert, "--charter", charter, file).Run(); !errors.As(err, &exited) || exited.ExitCode() != exitFindings {
		t.Errorf("a broken file: tripoint-verify %v", err)
	}
}

func TestEvidenceUsage(t *testing.T) {
	directory := t.TempDir()
	none := filepath.Join(directory, "none")
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"export", "an event"}, exitUsage, "want the 36 characters of a UUID"},
		{[]string{"export"}, exitUsage, "accepts 1 arg"},
		{[]string{"export", "0194f97e-7590-7000-8000-000000000002", "--config", none, "--country", "TH"}, exitUsage, "say one desk"},
		{[]string{"export", "0194f97e-7590-7000-8000-000000000002", "--data", none}, exitFailed, "no such file"},
		{[]string{"export", "0194f97e-7590-7000-8000-000000000002", "--data", none, "--open", "everything"}, exitUsage, `no compartment "everything"`},
		{[]string{"verify", none}, exitUsage, "say --charter FILE or --charter-digest HEX"},
		{[]string{"verify", none, "--charter-digest", "00"}, exitUsage, "64 hexadecimal digits"},
		{[]string{"verify", none, "--charter-digest", strings.Repeat("0", 64)}, exitFailed, "no such file"},
		{[]string{"verify", none, "--charter", none}, exitFailed, "no such file"},
	} {
		if code, out := run(t, tripoint(t), "", "", append([]string{"evidence"}, test.args...)...); code != test.code || !strings.Contains(out, test.says) {
			t.Errorf("%v: exit code %d, want %d with %q:\n%s", test.args, code, test.code, test.says, out)
		}
	}
}
