package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripoint/tripoint/pkg/audit"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/publisher"
)

// built is where the command lies once a test has asked for it.
var built string

func TestMain(m *testing.M) {
	directory, err := os.MkdirTemp("", "tripoint-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = filepath.Join(directory, "tripoint")
	code := m.Run()
	os.RemoveAll(directory)
	os.Exit(code)
}

var build = sync.OnceValue(func() error {
	if out, err := exec.Command("go", "build", "-o", built, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w\n%s", err, out)
	}
	return nil
})

// tripoint is the command's path; the first test that asks builds it.
func tripoint(t *testing.T) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return built
}

// serve starts one role as a process of its own, waits until it says that it
// serves where it does, and returns that line. It is killed when the test ends.
func serve(t *testing.T, binary, role string, config any) string {
	t.Helper()
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), role+".yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, role, "serve", "--config", path)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	if role == "notary" {
		return ""
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("%s ended before it served", role)
	}
	_, where, _ := strings.Cut(lines.Text(), ": ")
	return where
}

// freeAddress is a loopback address that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// TestRolesRunAsProcessesOfTheirOwn takes what a pilot founded, runs each role
// by itself over the network, hands a report to one publisher, and audits.
func TestRolesRunAsProcessesOfTheirOwn(t *testing.T) {
	binary, data := tripoint(t), filepath.Join(t.TempDir(), "data")
	if out, err := exec.Command(binary, "pilot", "--data", data, "--once").CombinedOutput(); err != nil {
		t.Fatalf("founding: %v\n%s", err, out)
	}
	at := func(parts ...string) string { return filepath.Join(append([]string{data}, parts...)...) }
	role := func(directory, user, key string) file {
		f := file{Directory: at(directory), Charter: at("charter"), Key: at(directory, key), Unsealed: true, Listen: "127.0.0.1:0"}
		f.Hub.Credentials = at("hub", "credentials", user+".creds")
		return f
	}
	address := freeAddress(t)
	hub := serve(t, binary, "hub", file{Directory: at("hub"), Charter: at("charter"), Unsealed: true, Listen: address})
	connected := func(f file) file {
		f.Hub.URL = hub
		return f
	}
	notary := connected(role("notary", "notary", "notary.key"))
	notary.Listen = freeAddress(t)
	witness := outsideWitness(t, binary, at("charter"))
	notary.Witnesses = append(notary.Witnesses, witness)
	serve(t, binary, "notary", notary)
	for _, country := range []string{"CN", "MM", "TH"} {
		f := connected(role(filepath.Join("desks", country), "desk-"+country, "mirror.key"))
		f.Country = country
		if link := serve(t, binary, "desk", f); !strings.Contains(link, "/sign-in?token=") {
			t.Errorf("desk %s offers no sign-in link: %q", country, link)
		}
	}
	f := connected(role(filepath.Join("publishers", "TH-border"), "publisher-TH-border", "publisher.key"))
	f.Country, f.Agency, f.TokenFile = "TH", "border", at("publishers", "TH-border", "token")
	url := serve(t, binary, "publisher", f)

	report := `{"idempotencyKey":"roles/1","audience":"region","retention":"case","case":{"marking":{"tlp":"TLP_GREEN",` +
		`"pap":"PAP_GREEN","purpose":"disruption"},"occurred":"2025-03-01","siteStatus":{"siteId":"kk-park","state":"SITE_STATE_RAIDED"}}}`
	publish := exec.Command(binary, "publish", "--publisher", url, "--token-file", f.TokenFile, "-")
	publish.Stdin = strings.NewReader(report)
	if out, err := publish.CombinedOutput(); err != nil || !bytes.Contains(out, []byte(`"repeated":false`)) {
		t.Fatalf("publish: %v\n%s", err, out)
	}
	waitWitnessed(t, url, f.TokenFile)
	waitCosigned(t, "http://"+notary.Listen+"/checkpoint", witness.VKey)
	// The hub is in use by its own process: an audit of the directory says so.
	if out, err := exec.Command(binary, "audit", "replay", "--data", data).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("in use")) {
		t.Errorf("audit of a directory whose hub runs elsewhere: %v\n%s", err, out)
	}
}

// waitWitnessed asks the publisher's own API until all is witnessed.
func waitWitnessed(t *testing.T, url, tokenFile string) {
	t.Helper()
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		t.Fatal(err)
	}
	client := publisher.NewClient(url, string(token))
	for deadline := time.Now().Add(20 * time.Second); ; {
		status, err := client.GetStatus(t.Context(), &publisherv1.GetStatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if status.GetAccepted() > 0 && status.GetAccepted() == status.GetWitnessed() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not witnessed after 20 s: %v", status)
		}
	}
}

func TestExitCodes(t *testing.T) {
	binary := tripoint(t)
	data := filepath.Join(t.TempDir(), "data")
	for _, test := range []struct {
		arguments string
		code      int
		says      string
	}{
		{"version", 0, "tripoint "},
		{"pilot --bad", 2, "unknown flag: --bad"},
		{"pilot extra", 2, "unknown command"},
		{"publish", 2, "requires at least 1 arg"},
		{"publish x.json", 2, "say --as COUNTRY/agency"},
		{"publish --data " + data + " --as TH/border x.json", 1, "no pilot is running here"},
		{"audit replay --data " + data, 1, "no charter to judge by"},
		{"hub serve --config " + data, 1, "configuration:"},
		{"witness serve --config " + data, 1, "configuration:"},
		{"witness log", 2, "accepts 1 arg"},
		{"pilot --scenario " + data, 1, "reading the scenario"},
	} {
		out, err := exec.Command(binary, strings.Fields(test.arguments)...).CombinedOutput()
		code := 0
		if exited, ok := err.(*exec.ExitError); ok {
			code = exited.ExitCode()
		}
		if code != test.code || !strings.Contains(string(out), test.says) {
			t.Errorf("tripoint %s: exit %d, want %d and %q:\n%s", test.arguments, code, test.code, test.says, out)
		}
	}
}

func TestSummaryIsAContract(t *testing.T) {
	var out bytes.Buffer
	if err := output("json").print(&out, audit.Summary{
		CosignedBy: []string{}, Findings: []audit.Finding{}, Verdicts: map[string]uint64{}, Desks: map[string]audit.Desk{},
	}); err != nil {
		t.Fatal(err)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(out.Bytes(), &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields("events accepted refused duplicates log_size checkpoint witnessed_size cosigned_by desks findings verdicts") {
		if _, ok := fields[name]; !ok {
			t.Errorf("the summary has no field %s", name)
		}
	}
	if fmt.Sprint(judged(audit.Summary{Findings: []audit.Finding{{Code: "leaf"}}})) != "1 findings, listed above" {
		t.Error("a finding is not an error")
	}
}

func TestExampleConfigurationsAreRead(t *testing.T) {
	examples, err := filepath.Glob("../../deployments/roles/*.yaml")
	if err != nil || len(examples) < 7 {
		t.Fatalf("%d examples, error %v", len(examples), err)
	}
	for _, path := range examples {
		if filepath.Base(path) == "witness.yaml" { // it knows no charter
			if _, err := readWitness(path); err == nil || !strings.Contains(err.Error(), "/run/tripoint/passphrase") {
				t.Errorf("%s: %v; want only the passphrase to be missing", path, err)
			}
			continue
		}
		if _, err := readSettings(path); err == nil || !strings.Contains(err.Error(), "charter: open /etc/tripoint/charter") {
			t.Errorf("%s: %v; want only the charter to be missing", path, err)
		}
	}
}
