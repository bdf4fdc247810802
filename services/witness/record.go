package witness

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tripoint/tripoint/pkg/translog"
)

// record is what the witness has seen of one log: the largest checkpoint, with the
// log's own signature. The file holds the digest of what follows, and the note; so
// a bit that flips on the disk is noticed and not believed.
type record struct {
	path string // <first 32 digits of the origin's digest>.head
	keys []translog.VKey
	head translog.TreeHead
}

// openRecords reads the state of each log; where there is none, the log has not been seen.
func openRecords(directory string, logs []Log, own translog.VKey) (map[string]*record, error) {
	if len(logs) == 0 {
		return nil, errors.New("no logs to cosign")
	}
	records := map[string]*record{}
	for _, l := range logs {
		key, err := translog.ParseVKey(l.VKey)
		if err != nil {
			return nil, fmt.Errorf("log %q: vkey: %w", l.Origin, err)
		}
		if key.Cosigns || bytes.Equal(key.Key, own.Key) {
			return nil, fmt.Errorf("log %q: vkey is not a log's: it is a cosigner's, or this witness's own", l.Origin)
		}
		r := records[l.Origin]
		if r == nil {
			if r, err = openRecord(directory, l.Origin); err != nil {
				return nil, fmt.Errorf("log %q: %w", l.Origin, err)
			}
			records[l.Origin] = r
		}
		r.keys = append(r.keys, key)
	}
	return records, nil
}

func openRecord(directory, origin string) (*record, error) {
	if _, err := translog.ParseTreeHead(origin + "\n0\n" + translog.EmptyTree(origin).Root.String() + "\n"); err != nil {
		return nil, err // no checkpoint can have this origin
	}
	digest := sha256.Sum256([]byte(origin))
	r := &record{path: filepath.Join(directory, hex.EncodeToString(digest[:16])+".head"), head: translog.EmptyTree(origin)}
	data, err := os.ReadFile(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if r.head, err = decode(data); err != nil || r.head.Origin != origin {
		return nil, fmt.Errorf("%s is damaged (%v): this witness cannot know what it has signed; it needs a new key and an empty directory", r.path, err)
	}
	return r, nil
}

func encode(head translog.TreeHead) []byte {
	digest := sha256.Sum256(head.Note)
	return fmt.Appendf(nil, "%x\n%s", digest, head.Note)
}

// decode does not verify signatures: the log's key may have been rotated since.
func decode(data []byte) (translog.TreeHead, error) {
	digest, signed, _ := bytes.Cut(data, []byte("\n"))
	if sum := sha256.Sum256(signed); hex.EncodeToString(sum[:]) != string(digest) {
		return translog.TreeHead{}, errors.New("its digest is another")
	}
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	head, err := translog.ParseTreeHead(string(text) + "\n")
	head.Note = signed
	return head, err
}

// fork is where the proof is kept that the log signed two trees of one size: both
// notes, in the order in which they came.
func (r *record) fork() string { return r.path + ".fork" }
