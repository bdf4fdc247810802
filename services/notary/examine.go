package notary

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary/tiles"
)

// Examine looks at a notary's directory, which may be in use: the leaf store against
// what was published, the tiles' checkpoint against the tree, and the keys as the
// charter has them. Of config it reads Directory, Charter and the keys.
func Examine(_ context.Context, config Config) []checkup.Check {
	checks, _ := daemon.Examine(config.Directory)
	checks = append(checks, examineFindings(config.Directory)...)
	known, err := newTrust(config.Directory, config.Charter)
	if err != nil {
		return append(checks, checkup.Bad("charter", "configure this log's charter", "%v", err))
	}
	checks = append(checks, checkup.Good("charter", "digest %s", config.Charter.Digest))
	// Before the store: what was published by then is stored.
	published, err := (&store{directory: config.Directory}).publishedSize()
	if err != nil {
		return append(checks, checkup.Bad("leaves", "keep a copy of the directory; check the disk", "%v", err))
	}
	note, err := tiles.Checkpoint(filepath.Join(config.Directory, "tiles"))
	if err != nil {
		return append(checks, checkup.Bad("tiles", "check the disk", "%v", err))
	}
	leaves, err := readStore(config.Directory)
	switch {
	case errors.Is(err, fs.ErrNotExist) && published == 0:
		return append(checks, checkup.Good("leaves", "none: this notary has stored nothing yet"))
	case err != nil:
		return append(checks, checkup.Bad("leaves", "keep a copy of the directory; start the notary with an empty one: it reads the stream again and signs on only where it comes to the published root", "%v", err))
	}
	defer leaves.file.Close()
	checks = append(checks, examineLeaves(leaves, published))
	if err := known.open(leaves); err != nil {
		return append(checks, checkup.Bad("registry", "the notary reads the whole stream again at its next start", "%v", err))
	}
	return append(checks, examineTiles(known, leaves, note), examineKeys(config, known, leaves.size))
}

// readStore opens the leaf store for reading, beside a notary that may have it.
func readStore(directory string) (*store, error) {
	file, err := os.Open(filepath.Join(directory, "hashes"))
	if err != nil {
		return nil, fmt.Errorf("leaf store: %w", err)
	}
	s := &store{directory: directory, file: file}
	if err := s.measure(); err != nil {
		return nil, errors.Join(fmt.Errorf("leaf store: %w", err), file.Close())
	}
	return s, nil
}

// examineLeaves reads the whole store, 64 bytes and a hash a leaf.
func examineLeaves(leaves *store, published uint64) checkup.Check {
	if leaves.size < published {
		return checkup.Bad("leaves", "the store was set back or has lost its end: keep a copy of it; the notary reads the stream again and signs on only where it comes to the published root",
			"%d are stored, and %d were published", leaves.size, published)
	}
	if err := leaves.verify(); err != nil {
		return checkup.Bad("leaves", "keep a copy of the store and check the disk; the notary reads the stream again at its next start, and signs on only where it comes to the published root", "the store is damaged: %v", err)
	}
	return checkup.Good("leaves", "%d stored, %d published", leaves.size, published)
}

func examineTiles(known *trust, leaves *store, note []byte) checkup.Check {
	const hint = "start the notary again: it writes the tiles anew. If this stays, the leaf store is damaged: keep a copy, and have it read the stream again into an empty directory"
	if note == nil {
		return checkup.Good("tiles", "none published yet")
	}
	checkpoint, err := known.policies().OpenCheckpoint(note)
	if err != nil {
		return checkup.Bad("tiles", hint, "their checkpoint: %v", err)
	}
	if checkpoint.Size > leaves.size {
		return checkup.Bad("tiles", hint, "their checkpoint is of %d leaves, and %d are stored", checkpoint.Size, leaves.size)
	}
	root, err := translog.TreeRoot(checkpoint.Size, leaves)
	if err != nil {
		return checkup.Bad("tiles", hint, "%v", err)
	}
	if root != checkpoint.Root {
		return checkup.Bad("tiles", hint, "their checkpoint of %d leaves has another root than the stored tree", checkpoint.Size)
	}
	return checkup.Good("tiles", "%d leaves, with the root of the stored tree", checkpoint.Size)
}

func examineKeys(config Config, known *trust, size uint64) checkup.Check {
	keys, err := newSigners(config, known.founded.At(0).Origin)
	if err != nil {
		return checkup.Bad("key", "configure the notary's key", "%v", err)
	}
	policies := known.policies()
	policy := policies.At(size + 1)
	named := policy.Notary
	if keys.keys[string(named)] != nil && keys.under(policy) == nil {
		return checkup.Bad("key", "configure it as second_key: it was made beside the key", "the charter names the second key %.8x… beside %.8x…, and it is not here", policy.NotarySecond, []byte(named))
	}
	if _, signer := keys.largest(policies, size, size+1); signer == nil {
		return checkup.Bad("key", "configure the key that the charter names; the one that is here may be its predecessor",
			"the charter names the key %.8x… from size %d on, and it is not here", []byte(named), size+1)
	}
	return checkup.Good("key", "%.8x… is the charter's for the next size, %d; keys do not expire", []byte(named), size+1)
}
