package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary/tiles"
)

const origin = "bench.tripoint.example/log"

// forest is a log in memory with its notary.
type forest struct {
	hashes []tlog.Hash
	key    ed25519.PrivateKey
	policy translog.Policy
}

func newForest() *forest {
	seed := sha256.Sum256([]byte("a key that everybody knows"))
	mirror := sha256.Sum256([]byte("another one"))
	key := ed25519.NewKeyFromSeed(seed[:])
	return &forest{key: key, policy: translog.Policy{
		Origin: origin, Notary: key.Public().(ed25519.PublicKey), Quorum: 1,
		Mirrors: map[string]ed25519.PublicKey{"XA": ed25519.NewKeyFromSeed(mirror[:]).Public().(ed25519.PublicKey)},
	}}
}

func (f *forest) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(positions))
	for i, position := range positions {
		if position >= int64(len(f.hashes)) {
			return nil, fmt.Errorf("no hash %d", position)
		}
		found[i] = f.hashes[position]
	}
	return found, nil
}

// publish grows the log from one size to another and writes its tiles.
func (f *forest) publish(t testing.TB, directory string, from, to uint64) {
	t.Helper()
	for i := from; i < to; i++ {
		more, err := translog.StoredHashes(i, sha256.Sum256(binary.BigEndian.AppendUint64(nil, i)), f)
		must(t, err)
		f.hashes = append(f.hashes, more...)
	}
	root, err := translog.TreeRoot(to, f)
	must(t, err)
	notary, err := translog.NewNotary(origin, f.key)
	must(t, err)
	signed, err := notary.Sign(translog.Checkpoint{Origin: origin, Size: to, Root: root})
	must(t, err)
	d, err := tiles.Open(directory, f.policy.Always())
	must(t, err)
	must(t, d.Publish(to, signed, f))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files are the tiles as Tessera asks for them. This log has no entry bundles: the
// tiles of level 0 stand for them, which are the hashes that it would make of them.
type files string

func (f files) ReadCheckpoint(context.Context) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), "checkpoint"))
}

func (f files) ReadTile(_ context.Context, level, index uint64, partial uint8) ([]byte, error) {
	tile := translog.Tile{Level: level, Index: index, Width: 256}
	if partial > 0 {
		tile.Width = int(partial)
	}
	return os.ReadFile(filepath.Join(string(f), filepath.FromSlash(tile.Path())))
}

func (f files) ReadEntryBundle(ctx context.Context, index uint64, partial uint8) ([]byte, error) {
	return f.ReadTile(ctx, 0, index, partial)
}

func split(bundle []byte) ([][]byte, error) {
	if len(bundle)%sha256.Size != 0 {
		return nil, errors.New("not whole hashes")
	}
	var hashes [][]byte
	for ; len(bundle) > 0; bundle = bundle[sha256.Size:] {
		hashes = append(hashes, bundle[:sha256.Size])
	}
	return hashes, nil
}

func (f *forest) check(t testing.TB, directory string) error {
	t.Helper()
	public := append([]byte{1}, f.policy.Notary...)
	digest := sha256.Sum256(append([]byte(origin+"\n"), public...))
	verifier, err := note.NewVerifier(fmt.Sprintf("%s+%08x+%s", origin, binary.BigEndian.Uint32(digest[:]), base64.StdEncoding.EncodeToString(public)))
	must(t, err)
	return fsck.New(origin, verifier, files(directory), split, fsck.Opts{N: 1}).Check(t.Context())
}

// Tessera's checker, which knows nothing of us, accepts our tiles and computes the
// signed root from them, and refuses them after any flipped byte.
func TestTesseraAcceptsOurTiles(t *testing.T) {
	f := newForest()
	directory := t.TempDir()
	from := uint64(0)
	for _, size := range []uint64{0, 1, 255, 256, 257, 70_000} {
		f.publish(t, directory, from, size)
		if err := f.check(t, directory); err != nil {
			t.Errorf("%d leaves: %v", size, err)
		}
		from = size
	}
}

func TestTesseraRefusesEveryFlippedByte(t *testing.T) {
	f := newForest()
	directory := t.TempDir()
	f.publish(t, directory, 0, 257)
	must(t, f.check(t, directory))
	must(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for at := range whole {
			bad := append([]byte{}, whole...)
			bad[at] ^= 1
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				return err
			}
			// Loose base64 in the note's last letter is read by others and refused by us.
			_, strict := translog.OpenCheckpoint(bad, origin, f.policy.Notary)
			if f.check(t, directory) == nil && (filepath.Base(path) != "checkpoint" || strict == nil) {
				t.Errorf("%s with byte %d flipped was accepted", path, at)
			}
		}
		return os.WriteFile(path, whole, 0o644)
	}))
	must(t, f.check(t, directory))
}
