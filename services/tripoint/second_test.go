package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/pae"
)

func announcedBoth(t *testing.T, path string) (fields announcement) {
	t.Helper()
	text, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// bothAt are the public keys of a path and of its second key.
func bothAt(t *testing.T, path string) (first, other []byte) {
	t.Helper()
	key, err := both.load(path, keyfile.Unsealed)
	if err != nil {
		t.Fatal(err)
	}
	return key.public, key.second
}

func TestSecondKeyHasItsSuccessor(t *testing.T) {
	binary, path := tripoint(t), filepath.Join(t.TempDir(), "a.key")
	if code, out := run(t, binary, "", "", "key", "new", path, "--unsealed", "--second"); code != 0 || !strings.Contains(out, "a.key.next.second (unsealed)") {
		t.Fatalf("exit %d: %s", code, out)
	}
	first, other := bothAt(t, path)
	said := announcedBoth(t, path)
	if said.PublicKey != hex.EncodeToString(first) || said.SecondKey != hex.EncodeToString(other) {
		t.Error("what is announced is not the two keys in the files")
	}
	next, nextOther := bothAt(t, path+".next")
	if sum := sha256.Sum256(pae.Encode("tripoint/v1/next", next, nextOther)); said.Next != hex.EncodeToString(sum[:]) {
		t.Error("the commitment is not to both keys of the successor")
	}
	// The successor takes over; key next finds the second key by itself.
	for _, suffix := range []string{"", secondSuffix} {
		if err := os.Rename(path+".next"+suffix, path+suffix); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if code, out := run(t, binary, "", "", "key", "next", path, "--unsealed"); code != 0 {
			t.Fatalf("exit %d: %s", code, out)
		}
	}
	if now, nowOther := bothAt(t, path); !bytes.Equal(now, next) || !bytes.Equal(nowOther, nextOther) || announcedBoth(t, path).SecondKey != hex.EncodeToString(nextOther) {
		t.Error("key next changed a key, or announces others")
	}
	if err := os.Remove(path + ".next" + secondSuffix); err != nil {
		t.Fatal(err)
	}
	if code, out := run(t, binary, "", "", "key", "next", path, "--unsealed"); code != 1 || !strings.Contains(out, "a successor that is not here") {
		t.Errorf("a successor without its second key: exit %d: %s", code, out)
	}
	if code, out := run(t, binary, "", "", "key", "new", path+"2", "--unsealed", "--second", "--opening"); code != 2 {
		t.Errorf("a second key beside one that opens: exit %d: %s", code, out)
	}
}

// An agency is enrolled with two keys: proposed, signed with the root and with both, submitted.
func TestAgencyIsEnrolledWithASecondKey(t *testing.T) {
	o := newOffice(t)
	path := filepath.Join(t.TempDir(), "a.key")
	if code, out := run(t, tripoint(t), "", "", "key", "new", path, "--unsealed", "--second"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	paper := o.paper("navy")
	o.registry(0, "needs a second signature, by the ML-DSA-44 key", "propose", "enrol-agency", "TH/navy", "--name", "an invented navy", "--key", path+".pub", "--out", paper)
	o.sign("navy", "TH")
	o.registry(0, "Signed with the new key", "sign", paper, "--key", path, "--unsealed", "--yes")
	o.registry(1, "not signed with the new key", "submit", paper)
	o.registry(1, "holds no second key", "sign", paper, "--key", path, "--second", "--unsealed", "--yes")
	o.registry(0, "Signed with the new key", "sign", paper, "--key", path+secondSuffix, "--second", "--unsealed", "--yes")
	o.registry(0, "In force from log index", "submit", paper)
	o.registry(0, "second_key", "show", "--output", "json")
	o.registry(1, "only publishers and the notary have a second key", "propose", "rotate-root", "TH", "--key", path+".pub", "--out", o.paper("x"))
}
