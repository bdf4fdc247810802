package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/keyfile"
)

// deskOf writes the configuration of TH's desk of an office, with a directory of opening keys.
func (o *office) deskOf(openings string) (path string) {
	o.t.Helper()
	at := func(name string) string { return filepath.Join(o.data, "desks", "TH", name) }
	f := file{Country: "TH", Directory: at(""), Key: at("mirror.key"), Charter: filepath.Join(o.data, "charter"), Unsealed: true, OpeningKeys: openings}
	f.Hub.Credentials = filepath.Join(o.data, "hub", "credentials", "desk-TH.creds")
	text, err := yaml.Marshal(f)
	if err != nil {
		o.t.Fatal(err)
	}
	path = filepath.Join(o.t.TempDir(), "desk.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return path
}

// A desk whose officers work in two compartments has two keys; the doctor finds what is
// wrong with them, and that the others are elsewhere is no fault.
func TestDoctorOfOpeningKeys(t *testing.T) {
	o := newOffice(t)
	openings, all := filepath.Join(t.TempDir(), "opening"), filepath.Join(o.data, "desks", "TH", "opening")
	config := o.deskOf(openings)
	rows := func() map[string]checkup.Check { return o.doctor(3, "desk", "--config", config) } // no hub runs
	if row := rows()["opening keys"]; row.OK || !strings.Contains(row.Detail, "no such file") {
		t.Errorf("no directory: %+v", row)
	}
	o.calls(1, "opening_keys", "desk", "serve", "--config", config)
	if err := os.Mkdir(openings, 0o700); err != nil {
		t.Fatal(err)
	}
	if row := rows()["opening keys"]; row.OK || !strings.Contains(row.Detail, "no file ends in .key") {
		t.Errorf("an empty directory: %+v", row)
	}
	for _, name := range []string{"case.key", "protection.key", "protection.key.next"} {
		content, err := os.ReadFile(filepath.Join(all, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(openings, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := rows()
	for name, says := range map[string]string{
		"opening keys": "2 in ", "opening keys case.key": "opens (unsealed)",
		"compartments": "what is sealed for case (epoch 1), protection (epoch 1) opens here; closed stays identity (epoch 1), intelligence (epoch 1)",
	} {
		if row := found[name]; !row.OK || !strings.Contains(row.Detail, says) {
			t.Errorf("row %q is %+v, want %q", name, row, says)
		}
	}
	stray, err := keyfile.CreateOpening(filepath.Join(openings, "stray.key"), keyfile.Unsealed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(openings, "other.key"), []byte("an invented secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(openings, 0o755); err != nil {
		t.Fatal(err)
	}
	found = rows()
	for name, says := range map[string]string{
		"opening keys": "(mode 0755)", "opening keys other.key": "holds no opening key",
		"opening key " + event.DigestOf(stray.PublicKey().Bytes()).String()[:16]: "for no compartment of TH",
	} {
		if row := found[name]; row.OK || row.Hint == "" || !strings.Contains(row.Detail, says) || strings.Contains(row.Detail, "invented") {
			t.Errorf("row %q is %+v, want %q", name, row, says)
		}
	}
	o.calls(1, "holds no opening key", "desk", "serve", "--config", config)
}

// Opening keys are rotated, revoked and enrolled by their country's root, on paper.
func TestOpeningKeysChangeOnPaper(t *testing.T) {
	o := newOffice(t)
	opening := filepath.Join(o.data, "desks", "TH", "opening")
	old, successor := filepath.Join(opening, "identity.key"), filepath.Join(opening, "identity-2.key")
	o.registry(0, "TH opens identity with key ", "show")
	content, err := os.ReadFile(old + ".next")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(successor, content, 0o600); err != nil {
		t.Fatal(err)
	}
	o.calls(0, "identity-2.key.pub", "key", "next", successor, "--opening", "--unsealed")
	o.registry(1, "has a key: rotate or revoke it first", "propose", "enrol-key", "TH:identity", "--key", successor+".pub", "--out", o.paper("enrol"))
	o.registry(1, "not the successor", "propose", "rotate-key", "TH:case", "--key", successor+".pub", "--out", o.paper("wrong"))
	o.registry(0, "is exchanged for the one that it was committed to", "propose", "rotate-key", "TH:identity", "--key", successor+".pub", "--out", o.paper("rotate"))
	o.registry(1, "not signed by TH", "submit", o.paper("rotate"))
	o.sign("rotate", "TH")
	o.registry(0, "In force from log index", "submit", o.paper("rotate"))
	key, err := keyfile.LoadOpening(successor, keyfile.Unsealed)
	if err != nil {
		t.Fatal(err)
	}
	o.registry(0, "TH opens identity with key "+event.DigestOf(key.PublicKey().Bytes()).String()[:16]+"…, epoch 2", "show")
	o.registry(0, "", "propose", "revoke-key", "TH:identity", "--out", o.paper("revoke"))
	o.sign("revoke", "TH")
	o.registry(0, "In force from log index", "submit", o.paper("revoke"))
	another := filepath.Join(t.TempDir(), "another.key")
	o.calls(0, "another.key.pub", "key", "new", another, "--opening", "--unsealed")
	o.registry(0, "gets the key", "propose", "enrol-key", "TH:identity", "--key", another+".pub", "--out", o.paper("again"))
	o.sign("again", "TH")
	o.registry(0, "In force from log index", "submit", o.paper("again"))
	o.registry(0, "…, epoch 3", "show")
}
