package notary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/registry"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
	"github.com/tripoint/tripoint/services/notary/tiles"
)

// exportAtOnce is how many leaves stand in one record.
const exportAtOnce = 1 << 16

// Export writes what a notary holds of the log, for a hub that has lost it: all
// leaves below the newest checkpoint that it has published, and the registry. Which audience
// a leaf is for it has not kept. Of config it reads Directory and Charter. The
// notary may run meanwhile: what is below a published size never changes.
func Export(ctx context.Context, config Config, to io.Writer) error {
	if err := export(ctx, config, to); err != nil {
		return fmt.Errorf("notary: exporting the tree: %w", err)
	}
	return nil
}

func export(ctx context.Context, config Config, to io.Writer) error {
	note, err := newestNote(config.Directory)
	if err != nil {
		return err
	}
	// After the checkpoint: it is replaced before a larger one is signed.
	data, err := os.ReadFile(filepath.Join(config.Directory, "registry"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	book := &registryv1.Book{}
	if err := proto.Unmarshal(data, book); err != nil {
		return errors.New("what it keeps of the registry is damaged")
	}
	w, err := holding.NewWriter(to, config.Charter.Digest, "notary")
	if err != nil {
		return err
	}
	if note != nil {
		size, err := exportSize(config.Charter, book, note)
		if err != nil {
			return err
		}
		if err := exportLeaves(ctx, config.Directory, size, note, w); err != nil {
			return err
		}
	}
	for _, e := range book.GetEntries() {
		if err := w.Message(holding.Message{Index: e.GetIndex(), Known: true, Subject: e.GetSubject(), Data: e.GetMessage()}); err != nil {
			return err
		}
	}
	return w.Close()
}

// newestNote is the checkpoint that was published last, nil before the first. The
// tiles have it too, after a crash an older one, and none where they were lost.
func newestNote(directory string) ([]byte, error) {
	kept, err := (&store{directory: directory}).published()
	if err != nil {
		return nil, err
	}
	shown, err := tiles.Checkpoint(filepath.Join(directory, "tiles"))
	if err != nil {
		return nil, err
	}
	newest, damaged := claimed(kept)
	older, err := claimed(shown)
	if damaged != nil || err == nil && older.Size > newest.Size {
		return shown, nil
	}
	return kept, nil
}

// exportSize verifies the newest checkpoint.
func exportSize(charter registry.Charter, book *registryv1.Book, note []byte) (uint64, error) {
	known, err := newTrust("", charter)
	if err != nil {
		return 0, err
	}
	known.entries = book.GetEntries()
	if err := known.fold(math.MaxUint64); err != nil {
		return 0, err
	}
	checkpoint, err := known.policies().OpenCheckpoint(note)
	return checkpoint.Size, err
}

func exportLeaves(ctx context.Context, directory string, size uint64, note []byte, w *holding.Writer) error {
	file, err := os.Open(filepath.Join(directory, "hashes"))
	if err != nil {
		return err
	}
	defer file.Close()
	for start := uint64(0); start < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(size-start, exportAtOnce)
		leaves := &logv1.Leaves{Start: start, Hashes: make([]byte, n*hashSize), Audiences: []string{holding.Unknown}, Labels: make([]uint32, n)}
		for i := range n {
			at := tlog.StoredHashIndex(0, int64(start+i)) * hashSize
			if _, err := file.ReadAt(leaves.Hashes[i*hashSize:(i+1)*hashSize], at); err != nil {
				return fmt.Errorf("reading leaf %d: %w", start+i, err)
			}
		}
		if start += n; start == size {
			leaves.Checkpoint = note
		}
		if err := w.Leaves(leaves); err != nil {
			return err
		}
	}
	return nil
}
