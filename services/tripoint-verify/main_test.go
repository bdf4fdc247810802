package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
)

// lines is what a page of a program may have, which somebody has to read.
const lines = 80

func TestItIsAPage(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte("\n")); n >= lines {
		t.Errorf("main.go has %d lines, want less than %d", n, lines)
	}
}

// known are the first file that holds and the first that does not of the known answers.
func known(t *testing.T) (charter, good, bad string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "proto", "testdata", "evidence.json"))
	if err != nil {
		t.Fatal(err)
	}
	var answers struct {
		Good, Bad []struct{ Charter, File string }
	}
	if err := json.Unmarshal(data, &answers); err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	write := func(name, text string) string {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return answers.Good[0].Charter, write("good", answers.Good[0].File), write("bad", answers.Bad[0].File)
}

func TestRun(t *testing.T) {
	charter, good, bad := known(t)
	founding := filepath.Join(t.TempDir(), "charter")
	for _, test := range []struct {
		name string
		args []string
		code int
		says string // on standard output, or as the error
	}{
		{"it holds", []string{"--charter-digest", charter, good}, 0, "This evidence holds."},
		{"as JSON", []string{"--json", "--charter-digest", charter, good}, 0, `"proven":[`},
		{"it does not", []string{"--charter-digest", charter, bad}, 3, "does not hold: event: "},
		{"another charter", []string{"--charter-digest", strings.Repeat("0", 64), good}, 3, "is not the charter"},
		{"no file", []string{"--charter-digest", charter, founding}, 1, "no such file"},
		{"no charter", []string{good}, 2, ""},
		{"two charters", []string{"--charter", founding, "--charter-digest", charter, good}, 2, ""},
		{"a charter that is not there", []string{"--charter", founding, good}, 1, "charter: "},
		{"a charter that is none", []string{"--charter", bad, good}, 1, "charter: "},
		{"half a digest", []string{"--charter-digest", charter[:8], good}, 1, "64 hexadecimal digits"},
		{"no such flag", []string{"--hub", good}, 2, ""},
		{"help", []string{"--help"}, 0, ""},
	} {
		out := &strings.Builder{}
		code, err := run(test.args, out)
		said := out.String()
		if err != nil {
			said += err.Error()
		}
		if code != test.code || !strings.Contains(said, test.says) {
			t.Errorf("%s: exit code %d, %q; want %d, %q", test.name, code, said, test.code, test.says)
		}
	}
}

// Who verifies may bring the charter as the file that every member holds.
func TestCharterFile(t *testing.T) {
	_, good, _ := known(t)
	founding := filepath.Join(t.TempDir(), "charter")
	if err := os.WriteFile(founding, registrytest.Sign(t, registrytest.Bare()).Message, 0o600); err != nil {
		t.Fatal(err)
	}
	out := &strings.Builder{}
	if code, err := run([]string{"--charter", founding, good}, out); code != 0 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
}
