package main

import (
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripoint/tripoint/pkg/translog"
)

// outsideWitness starts a witness of the charter's log, as a body would that has
// nothing of it but the charter.
func outsideWitness(t *testing.T, binary, charter string) outsideBody {
	t.Helper()
	directory := t.TempDir()
	config := witnessFile{
		Name: "witness.example/office", Key: filepath.Join(directory, "witness.key"), Directory: filepath.Join(directory, "seen"),
		Listen: "127.0.0.1:0", Unsealed: true,
	}
	if out, err := exec.Command(binary, "key", "new", config.Key, "--unsealed").CombinedOutput(); err != nil {
		t.Fatalf("key new: %v\n%s", err, out)
	}
	out, err := exec.Command(binary, "witness", "log", charter).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(out, &config); err != nil || len(config.Logs) != 1 {
		t.Fatalf("witness log: %v\n%s", err, out)
	}
	url, vkey, _ := strings.Cut(serve(t, binary, "witness", config), " ")
	return outsideBody{URL: url, VKey: vkey}
}

// waitCosigned waits for a checkpoint that a witness cosigned.
func waitCosigned(t *testing.T, url, vkey string) {
	t.Helper()
	key, err := translog.ParseVKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	const deadline = time.Minute // far above what it takes on a machine under load
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(deadline); ; {
		response, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		note, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if head, err := translog.OpenTreeHead(note, []translog.VKey{key}); err == nil && head.Size > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not cosigned after %v:\n%s", deadline, note)
		}
	}
}
