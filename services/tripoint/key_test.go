package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
)

// run is one call of the command; what is empty is left out of its environment.
func run(t *testing.T, binary, stdin, passphraseFile string, arguments ...string) (code int, out string) {
	t.Helper()
	command := exec.Command(binary, arguments...)
	command.Stdin = strings.NewReader(stdin)
	command.Env = append(os.Environ(), passphraseVariable+"="+passphraseFile)
	text, err := command.CombinedOutput()
	if exited, ok := err.(*exec.ExitError); ok {
		return exited.ExitCode(), string(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(text)
}

func announced(t *testing.T, path string) (public, next []byte) {
	t.Helper()
	text, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	if err := json.Unmarshal(text, &fields); err != nil || len(fields) != 2 {
		t.Fatalf("%s: %v, %d fields", text, err, len(fields))
	}
	public, err = hex.DecodeString(fields["public_key"])
	if err != nil {
		t.Fatal(err)
	}
	if next, err = hex.DecodeString(fields["next"]); err != nil {
		t.Fatal(err)
	}
	return public, next
}

func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeyHasItsSuccessor(t *testing.T) {
	binary, path := tripoint(t), filepath.Join(t.TempDir(), "root.key")
	if code, out := run(t, binary, "", "", "key", "new", path, "--unsealed"); code != 0 || !strings.Contains(out, "unsealed") {
		t.Fatalf("exit %d: %s", code, out)
	}
	public, next := announced(t, path)
	for file, check := range map[string]func(ed25519.PublicKey) bool{
		path: func(key ed25519.PublicKey) bool { return string(key) == string(public) },
		path + ".next": func(key ed25519.PublicKey) bool {
			digest := sha256.Sum256(pae.Encode("tripoint/v1/next", key))
			return string(digest[:]) == string(next)
		},
	} {
		key, err := keyfile.Load(file, keyfile.Unsealed)
		if err != nil || !check(key.Public().(ed25519.PublicKey)) {
			t.Errorf("%s is not what is announced: %v", file, err)
		}
	}
	// The successor takes over, and gets one of its own.
	successor, err := os.ReadFile(path + ".next")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds the successor there, and keeps it
		if code, out := run(t, binary, "", "", "key", "next", path, "--unsealed"); code != 0 {
			t.Fatalf("exit %d: %s", code, out)
		}
	}
	rotated, after := announced(t, path)
	if digest := sha256.Sum256(pae.Encode(pae.Next, rotated)); string(digest[:]) != string(next) || string(after) == string(next) {
		t.Error("the key after a rotation is not the one that was committed to, or has no successor of its own")
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(successor) {
		t.Errorf("key next changed the key: %v", err)
	}
	// One that was moved to another machine is not replaced.
	if err := os.Remove(path + ".next"); err != nil {
		t.Fatal(err)
	}
	if code, out := run(t, binary, "", "", "key", "next", path, "--unsealed"); code != 1 || !strings.Contains(out, "a successor that is not here") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestOpeningKey(t *testing.T) {
	binary, path := tripoint(t), filepath.Join(t.TempDir(), "desk.key")
	for _, command := range []string{"new", "next"} {
		if code, out := run(t, binary, "", "", "key", command, path, "--unsealed", "--opening"); code != 0 {
			t.Fatalf("exit %d: %s", code, out)
		}
	}
	public, next := announced(t, path)
	private, err := keyfile.LoadOpening(path, keyfile.Unsealed)
	if err != nil || len(public) != 1216 || len(next) != 32 || string(private.PublicKey().Bytes()) != string(public) {
		t.Errorf("the announced key of %d bytes is not the one in the file: %v", len(public), err)
	}
	successor, err := keyfile.LoadOpening(path+".next", keyfile.Unsealed)
	if err != nil || registry.CommitmentOf(successor.PublicKey().Bytes()).String() != hex.EncodeToString(next) {
		t.Errorf("the successor is not the one that is announced: %v", err)
	}
	if code, out := run(t, binary, "", "", "key", "next", path, "--unsealed"); code != 1 || !strings.Contains(out, "no signing key") {
		t.Errorf("an opening key taken for one that signs: exit %d: %s", code, out)
	}
}

func TestPassphraseComesFromAFileTheEnvironmentOrTheInput(t *testing.T) {
	binary, directory := tripoint(t), t.TempDir()
	secret, other := written(t, "passphrase", "one two three\n"), written(t, "other", "four\n")
	for i, c := range []struct {
		stdin, environment string
		flags              []string
		code               int
		says               string
	}{
		{"", "", []string{"--passphrase-file", secret}, 0, "(passphrase)"},
		{"four\n", other, []string{"--passphrase-file", secret}, 0, "(passphrase)"},
		{"four\n", secret, nil, 0, "(passphrase)"},
		{"one two three\n", "", nil, 0, "(passphrase)"},
		{"", "", nil, 1, "holds no passphrase"},
		{"", "", []string{"--unsealed", "--passphrase-file", secret}, 2, "an unsealed key has no passphrase"},
		{"", "", []string{"--passphrase-file", filepath.Join(directory, "none")}, 1, "no such file"},
	} {
		path := filepath.Join(directory, string(rune('a'+i))+".key")
		code, out := run(t, binary, c.stdin, c.environment, append([]string{"key", "new", path}, c.flags...)...)
		if code != c.code || !strings.Contains(out, c.says) || strings.Contains(out, "one two three") {
			t.Errorf("%+v: exit %d: %s", c, code, out)
		}
		_, err := os.Stat(path)
		if (err == nil) != (c.code == 0) {
			t.Errorf("%+v: file: %v", c, err)
		}
	}
	lock, err := keyfile.PassphraseFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.key", "b.key.next", "c.key", "d.key"} {
		if _, err := keyfile.Load(filepath.Join(directory, name), lock); err != nil {
			t.Error(err)
		}
	}
}

// A character device stands for a terminal: nothing is asked there.
func TestTerminalIsNotAsked(t *testing.T) {
	terminal, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	t.Setenv(passphraseVariable, "")
	if _, err := chosenLock(false, "", terminal); err == nil || !strings.Contains(err.Error(), "give --passphrase-file FILE") {
		t.Errorf("chosenLock = %v", err)
	}
}

func TestKeyIsNotMadeTwice(t *testing.T) {
	binary := tripoint(t)
	for _, there := range []string{"a.key", "a.key.next"} {
		path := written(t, there, "precious")
		code, out := run(t, binary, "", "", "key", "new", filepath.Join(filepath.Dir(path), "a.key"), "--unsealed")
		if content, err := os.ReadFile(path); code != 1 || !strings.Contains(out, "never written over") || err != nil || string(content) != "precious" {
			t.Errorf("%s: exit %d, now %q, %v: %s", there, code, content, err, out)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("%s: %d files, %v", there, len(entries), err)
		}
	}
}

// TestSealedRoleWantsItsPassphrase starts a hub whose secret is sealed, and then
// again with each mistake that an operator can make.
func TestSealedRoleWantsItsPassphrase(t *testing.T) {
	binary := tripoint(t)
	charter := written(t, "charter", string(registrytest.Charter(t).Message))
	passphrase := written(t, "passphrase", "one two three\n")
	sealed := file{Directory: t.TempDir(), Charter: charter, Listen: "127.0.0.1:0", PassphraseFile: passphrase}
	t.Run("right", func(t *testing.T) { serve(t, binary, "hub", sealed) })
	for _, c := range []struct {
		name, text, says string
	}{
		{"wrong", "passphrase_file: " + written(t, "wrong", "four\n"), "the passphrase does not open it"},
		{"unsealed", "unsealed: true", "is sealed with a passphrase"},
		{"both", "unsealed: true\npassphrase_file: " + passphrase, "are both given"},
		{"neither", "", "nothing says how the key files are sealed"},
		{"no such file", "passphrase_file: /nonexistent", "passphrase file: stat /nonexistent"},
	} {
		config := written(t, "hub.yaml", "directory: "+sealed.Directory+"\ncharter: "+charter+"\nlisten: 127.0.0.1:0\n"+c.text+"\n")
		if code, out := run(t, binary, "", "", "hub", "serve", "--config", config); code != 1 || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit %d: %s", c.name, code, out)
		}
	}
}
