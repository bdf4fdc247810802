package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// doctor runs an examination, wants its exit code, and returns its rows by name.
func (o *office) doctor(code int, args ...string) map[string]checkup.Check {
	o.t.Helper()
	run := exec.Command(tripoint(o.t), append([]string{"doctor", "--output", "json"}, args...)...)
	out, err := run.Output()
	if run.ProcessState == nil || run.ProcessState.ExitCode() != code {
		o.t.Fatalf("doctor %s: exit %v, want %d\n%s", strings.Join(args, " "), err, code, out)
	}
	var all []checkup.Check
	if err := json.Unmarshal(out, &all); err != nil {
		o.t.Fatalf("doctor %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	rows := map[string]checkup.Check{}
	for _, c := range all {
		if _, twice := rows[c.Name]; twice {
			o.t.Errorf("the row %q is there twice", c.Name)
		}
		rows[c.Name] = c
	}
	return rows
}

// calls runs a command, and wants its exit code and words.
func (o *office) calls(code int, want string, args ...string) string {
	o.t.Helper()
	got, out := run(o.t, tripoint(o.t), "", "", args...)
	if got != code || !strings.Contains(out, want) {
		o.t.Errorf("%s: exit %d, want %d with %q:\n%s", strings.Join(args, " "), got, code, want, out)
	}
	return out
}

// alarmed keeps an alarm in a stopped desk's journal, as its mirror would.
func (o *office) alarmed(country string) {
	o.t.Helper()
	j, err := journal.Open(o.t.Context(), filepath.Join(o.data, "desks", country, "journal.db"))
	if err != nil {
		o.t.Fatal(err)
	}
	_, err = j.Raise(o.t.Context(), journal.Alarm{
		Raised: time.Now(), Code: "fork", Index: new(uint64(28)), What: "There are two signed roots for the log's first 29 events.",
		Have: []byte("a note\n"), Got: []byte("another note\x00"),
	})
	if err := j.Close(); err != nil {
		o.t.Fatal(err)
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

func TestDoctorOfAStoppedPilot(t *testing.T) {
	o := newOffice(t)
	if err := os.Chmod(o.data, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, row := range o.doctor(0, "--data", o.data) {
		if !row.OK || row.Detail == "" || row.Hint != "" {
			t.Errorf("row %q is %+v", name, row)
		}
	}

	token := filepath.Join(o.data, "publishers", "MM-border", "token")
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	o.alarmed("TH")
	rows := o.doctor(3, "--data", o.data)
	if row := rows["publisher MM/border: token"]; row.OK || row.Hint != "chmod 600 "+token {
		t.Errorf("a token for all: %+v", row)
	}
	if row := rows["desk TH: alarm 1"]; row.OK || !strings.Contains(row.Detail, "fork at index 28 since 20") || !strings.Contains(row.Hint, "acknowledge 1") {
		t.Errorf("an alarm: %+v", row)
	}
	if row := rows["desk MM: alarms"]; !row.OK {
		t.Errorf("another desk: %+v", row)
	}
	o.calls(3, "WRONG  desk TH: alarm 1", "doctor", "--data", o.data)
	if lines := strings.Split(o.calls(3, `"check":"desk TH: alarm 1","ok":false`, "doctor", "--data", o.data, "--output", "ndjson"), "\n"); len(lines) < len(rows) {
		t.Errorf("%d lines for %d rows", len(lines), len(rows))
	}

	desk := []string{"--data", o.data, "--country", "TH"}
	out := filepath.Join(t.TempDir(), "evidence")
	o.calls(3, "1  STANDS", append([]string{"desk", "alarms", "--out", out}, desk...)...)
	o.calls(3, `"have_bytes": 7`, append([]string{"desk", "alarms", "--output", "json"}, desk...)...)
	for side, want := range map[string]string{"have": "a note\n", "got": "another note\x00"} {
		data, err := os.ReadFile(filepath.Join(out, "alarm-1-"+side))
		if err != nil || string(data) != want {
			t.Errorf("evidence %s is %q (%v), want %q", side, data, err, want)
		}
	}
	settle := func(code int, want string, args ...string) {
		t.Helper()
		o.calls(code, want, append(append([]string{"desk", "acknowledge"}, args...), desk...)...)
	}
	settle(2, "no number of an alarm", "first", "--by", "a person", "--reason", "made up")
	settle(1, "there is no alarm 2", "2", "--by", "a person", "--reason", "made up")
	settle(1, "the reason: want one line", "1", "--by", "a person", "--reason", "")
	settle(0, "Alarm 1 (fork) is settled by a person, made up", "1", "--by", "a person, made up", "--reason", "a drill")
	settle(1, "has ended already", "1", "--by", "a person", "--reason", "made up")
	o.calls(0, "by a person, made up: a drill", append([]string{"desk", "alarms"}, desk...)...)
	if err := os.Chmod(token, 0o600); err != nil {
		t.Fatal(err)
	}
	if row := o.doctor(0, "--data", o.data)["desk TH: alarms"]; !strings.Contains(row.Detail, "1 were settled by people") {
		t.Errorf("after the settlement: %+v", row)
	}
}

func TestDoctorBesideARunningPilot(t *testing.T) {
	o := &office{t: t, data: filepath.Join(t.TempDir(), "pilot-data")}
	runPilot(t, o.data)
	rows := o.doctor(0, "--data", o.data)
	for _, name := range []string{"desk TH: hub", "publisher CN/police: hub", "notary: hub"} {
		if row := rows[name]; !row.OK || !strings.Contains(row.Detail, "admits") {
			t.Errorf("row %q is %+v", name, row)
		}
	}
	for name, want := range map[string]string{"desk TH: process": "running", "desk TH: witnesses": "29 of 29 events are witnessed, by CN, MM, TH", "hub: process": "running"} {
		if row := rows[name]; !row.OK || row.Detail != want {
			t.Errorf("row %q is %+v, want %q", name, row, want)
		}
	}
	o.calls(1, "stop this desk first", "desk", "acknowledge", "1", "--by", "a person", "--reason", "made up", "--data", o.data, "--country", "TH")
	o.calls(0, "no alarm was ever raised", "desk", "alarms", "--data", o.data, "--country", "TH")
}

func TestDoctorOfOneRole(t *testing.T) {
	o := newOffice(t)
	at := func(parts ...string) string { return filepath.Join(append([]string{o.data}, parts...)...) }
	configured := func(role string, f file) []string {
		t.Helper()
		f.Charter, f.Unsealed = at("charter"), true
		text, err := yaml.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), role+".yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{role, "--config", path}
	}
	role := func(directory, user, key string) file {
		f := file{Directory: at(directory), Key: at(directory, key)}
		f.Hub.Credentials = at("hub", "credentials", user+".creds")
		return f
	}
	address := freeAddress(t)
	hub := file{Directory: at("hub"), Listen: address}
	o.doctor(0, configured("hub", hub)...)
	desk := role(filepath.Join("desks", "TH"), "desk-TH", "mirror.key")
	desk.Country, desk.Hub.URL = "TH", "nats://"+address
	if row := o.doctor(3, configured("desk", desk)...)["hub"]; row.OK || !strings.Contains(row.Detail, "does not answer") {
		t.Errorf("a hub that is not there: %+v", row)
	}
	hub.Charter, hub.Unsealed = at("charter"), true
	desk.Hub.URL = serve(t, tripoint(t), "hub", hub)
	rows := o.doctor(0, configured("desk", desk)...)
	if row := rows["hub"]; !row.OK || !strings.Contains(row.Detail, "admits desk-TH") {
		t.Errorf("a hub that is there: %+v", row)
	}
	if row := o.doctor(0, configured("hub", hub)...)["address"]; !row.OK {
		t.Errorf("the hub's address: %+v", row)
	}
	publisher := role(filepath.Join("publishers", "TH-border"), "publisher-TH-border", "publisher.key")
	publisher.Country, publisher.Agency, publisher.TokenFile, publisher.Hub.URL = "TH", "border", at("publishers", "TH-border", "token"), desk.Hub.URL
	o.doctor(0, configured("publisher", publisher)...)
	publisher.Key = at("publishers", "MM-border", "publisher.key")
	if row := o.doctor(3, configured("publisher", publisher)...)["key"]; row.OK || !strings.Contains(row.Detail, "MM/border") {
		t.Errorf("another agency's key: %+v", row)
	}
	notary := role("notary", "notary", "notary.key")
	notary.Hub.URL = desk.Hub.URL
	o.doctor(0, configured("notary", notary)...)
	notary.Hub.Credentials = at("hub", "credentials", "desk-TH.creds")
	if row := o.doctor(3, configured("notary", notary)...)["hub"]; row.OK {
		t.Errorf("another user's credentials: %+v", row)
	}

	o.calls(1, "configuration", "doctor", "desk", "--config", at("none.yaml"))
	o.calls(2, "unknown flag", "doctor", "--bad")
	o.calls(2, "unknown command", "doctor", "nobody")
	o.calls(1, "no such file", "doctor", "--data", at("nothing"))
	o.calls(2, "say --config FILE", "desk", "alarms")
	o.calls(2, "want table, json or ndjson", "doctor", "--output", "xml")
}

// What a party had is gone, with or without its key: the doctor says whose.
func TestDoctorSaysWhatIsGone(t *testing.T) {
	o := newOffice(t)
	if err := os.Chmod(o.data, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ gone, row, hint string }{
		{"desks/TH", "desk TH: directory", "mirror key"},
		{"desks/MM/journal.db", "desk MM: journal", "mirror key"},
		{"publishers/TH-border", "publisher TH/border: directory", "accepted"},
		{"publishers/MM-border/outbox.db", "publisher MM/border: outbox", "accepted"},
		{"notary/hashes", "notary: leaves", "reads the stream again"},
	} {
		path := filepath.Join(o.data, filepath.FromSlash(c.gone))
		if err := os.Rename(path, path+".aside"); err != nil {
			t.Fatal(err)
		}
		row, there := o.doctor(3, "--data", o.data)[c.row]
		if !there || row.OK || !strings.Contains(row.Detail, path) || !strings.Contains(row.Hint, c.hint) {
			t.Errorf("%s is gone: %+v", c.gone, row)
		}
		if err := os.Rename(path+".aside", path); err != nil {
			t.Fatal(err)
		}
	}
	o.doctor(0, "--data", o.data)

	// A role of its own whose directory is gone, its key with it or not.
	for _, key := range []string{"keys/mirror.key", "desks/TH/mirror.key"} {
		for _, role := range []string{"desk", "publisher", "notary", "hub"} {
			f := file{Country: "TH", Agency: "border", Directory: filepath.Join(o.data, "gone"), Charter: filepath.Join(o.data, "charter"),
				Key: filepath.Join(o.data, filepath.FromSlash(key)), Unsealed: true, Listen: "127.0.0.1:0"}
			text, err := yaml.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), role+".yaml")
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if row, there := o.doctor(3, role, "--config", path)["directory"]; !there || row.OK || row.Hint == "" {
				t.Errorf("%s with key %s: %+v", role, key, row)
			}
		}
	}
}
