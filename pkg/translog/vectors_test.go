package translog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the known answers anew")

// vectors is proto/testdata/translog.json: what another implementation must
// compute too. Hashes, keys and seeds are hexadecimal; notes are UTF-8 text.
type vectors struct {
	Leaves []leafVector `json:"leaves"`
	// Roots are of trees whose leaf i is leaf i of the list above.
	Roots      []rootVector      `json:"roots"`
	Checkpoint checkpointVector  `json:"checkpoint"`
	Cosigned   cosignatureVector `json:"cosignature"`
}

type leafVector struct {
	Index   uint64 `json:"index"`
	Subject string `json:"subject"`
	Data    string `json:"data"` // hexadecimal
	Hash    string `json:"hash"`
}

type rootVector struct {
	Size uint64 `json:"size"`
	Root string `json:"root"`
}

type checkpointVector struct {
	Origin string `json:"origin"`
	Seed   string `json:"seed"` // Ed25519 private key seed
	Key    string `json:"key"`  // its public key
	Size   uint64 `json:"size"`
	Text   string `json:"text"`
	Note   string `json:"note"`
}

type cosignatureVector struct {
	Country string `json:"country"`
	KeyName string `json:"key_name"`
	Seed    string `json:"seed"`
	Key     string `json:"key"`
	Time    uint64 `json:"time"` // seconds since 1970
	Note    string `json:"note"` // over the checkpoint above
}

func computeVectors(t *testing.T) vectors {
	t.Helper()
	l := newLog(t)
	l.policy.Registry = sha256.Sum256([]byte("a registry"))
	l.policies = l.policy.Always()
	l.add(8)
	const at = 1_740_000_000
	v := vectors{
		Checkpoint: checkpointVector{
			Origin: origin, Seed: hex.EncodeToString(testKey(1).Seed()), Key: hex.EncodeToString(l.policy.Notary),
			Size: 7, Text: l.at(7).Text(), Note: string(l.sign(l.at(7))),
		},
		Cosigned: cosignatureVector{
			Country: "AA", KeyName: MirrorName(origin, "AA"),
			Seed: hex.EncodeToString(testKey(2).Seed()), Key: hex.EncodeToString(l.policy.Mirrors["AA"]),
			Time: at, Note: string(l.cosign("AA", l.at(7), at)),
		},
	}
	for i, leaf := range l.leaves {
		v.Leaves = append(v.Leaves, leafVector{
			Index: uint64(i), Subject: "evt.all.AA.police.note",
			Data: hex.EncodeToString([]byte("message " + string(rune('0'+i)))), Hash: hex.EncodeToString(leaf[:]),
		})
	}
	for _, size := range []uint64{0, 1, 2, 3, 7, 8} {
		root := l.at(size).Root
		v.Roots = append(v.Roots, rootVector{Size: size, Root: hex.EncodeToString(root[:])})
	}
	return v
}

func TestKnownAnswers(t *testing.T) {
	path := filepath.Join("..", "..", "proto", "testdata", "translog.json")
	got := computeVectors(t)
	if *update {
		data, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-file +computed):\n%s", path, diff)
	}
}

// The file's answers are also derived once more from its own inputs alone.
func TestKnownAnswersStandAlone(t *testing.T) {
	v := computeVectors(t)
	var f Frontier
	roots := map[uint64]string{}
	for _, root := range v.Roots {
		roots[root.Size] = root.Root
	}
	for i, leaf := range v.Leaves {
		root := f.Root()
		if want, ok := roots[uint64(i)]; ok && want != hex.EncodeToString(root[:]) {
			t.Errorf("root of %d leaves = %x, want %s", i, root, want)
		}
		data, err := hex.DecodeString(leaf.Data)
		if err != nil {
			t.Fatal(err)
		}
		hash := LeafHash(leaf.Index, leaf.Subject, data)
		if hex.EncodeToString(hash[:]) != leaf.Hash {
			t.Errorf("leaf %d = %x, want %s", i, hash, leaf.Hash)
		}
		if err := f.Append(hash); err != nil {
			t.Fatal(err)
		}
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of nothing
	if roots[0] != empty {
		t.Errorf("root of no leaves = %s, want %s", roots[0], empty)
	}
}
