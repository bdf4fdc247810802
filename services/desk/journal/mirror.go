package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/translog"
)

// Leaf is one leaf of the log's tree as the notary published it.
type Leaf struct {
	Index    uint64
	Hash     translog.Hash
	Audience string // as the notary states it; this is not signed
}

// Place is where the mirror stands.
type Place struct {
	Sequence uint64       // of the last message of the log stream taken in; 0: none yet
	Digest   event.Digest // of that message
	Compared uint64       // messages below this log index were compared with their leaves
	Snapshot []byte       // of the follower; empty before the first
}

// Checkpoint is one of the notary's, as it came.
type Checkpoint struct {
	Size uint64
	Note []byte
}

// Cosigned is what this country has cosigned.
type Cosigned struct {
	Size uint64
	Root translog.Hash
	Note []byte // the cosignature as it is published
}

// Mirror stores what was taken in from the log stream, with the place that it
// leads to: all or nothing, on disk when it returns. Checkpoints that are there
// already are left out. Errors: *Contrary.
func (j *Journal) Mirror(ctx context.Context, leaves []Leaf, checkpoints []Checkpoint, place Place) error {
	err := j.write(ctx, "mirror", func(tx *sql.Tx) error {
		if err := fitMessages(ctx, tx, leaves); err != nil {
			return err
		}
		if err := addLeaves(ctx, tx, leaves); err != nil {
			return err
		}
		for _, c := range checkpoints {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO checkpoints (size, note) SELECT $1, $2
				WHERE NOT EXISTS (SELECT 1 FROM checkpoints WHERE size = $1)`, int64(c.Size), c.Note); err != nil {
				return fmt.Errorf("checkpoint of size %d: %w", c.Size, err)
			}
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO place (only, sequence, digest, compared, snapshot) VALUES (1, $1, $2, $3, $4)
			ON CONFLICT (only) DO UPDATE
			SET sequence = excluded.sequence, digest = excluded.digest, compared = excluded.compared, snapshot = excluded.snapshot`,
			int64(place.Sequence), place.Digest[:], int64(place.Compared), bytesOf(place.Snapshot))
		return err
	})
	if err != nil {
		return fmt.Errorf("storing the mirror at %d of the log stream: %w", place.Sequence, err)
	}
	return nil
}

func addLeaves(ctx context.Context, tx *sql.Tx, leaves []Leaf) error {
	insert, err := tx.PrepareContext(ctx, "INSERT INTO leaves (idx, hash, audience) VALUES ($1, $2, $3)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, leaf := range leaves {
		if _, err := insert.ExecContext(ctx, int64(leaf.Index), leaf.Hash[:], leaf.Audience); err != nil {
			return fmt.Errorf("leaf %d: %w", leaf.Index, err)
		}
	}
	return nil
}

// Place is where the mirror stands; the zero Place before the first Mirror.
func (j *Journal) Place(ctx context.Context) (Place, error) {
	var p Place
	var digest []byte
	err := j.readers.QueryRowContext(ctx, "SELECT sequence, digest, compared, snapshot FROM place").Scan(&p.Sequence, &digest, &p.Compared, &p.Snapshot)
	if err == nil && copy(p.Digest[:], digest) != len(digest) {
		err = errors.New("its digest is damaged")
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Place{}, fmt.Errorf("reading the mirror's place: %w", err)
	}
	return p, nil
}

// Leaf is the one at a log index; ok is false where the mirror is not that far.
func (j *Journal) Leaf(ctx context.Context, index uint64) (leaf Leaf, ok bool, err error) {
	for leaf, err := range j.leaves(ctx, "WHERE idx = $1", int64(index)) {
		return leaf, err == nil, err
	}
	return Leaf{}, false, nil
}

// Tree computes the tree of the leaves that are stored, at most as many as given.
func (j *Journal) Tree(ctx context.Context, most uint64) (translog.Frontier, error) {
	var tree translog.Frontier
	for leaf, err := range j.leaves(ctx, "ORDER BY idx LIMIT $1", int64(most)) {
		if err == nil && leaf.Index != tree.Size() {
			err = fmt.Errorf("leaf %d is missing", tree.Size())
		}
		if err == nil {
			err = tree.Append(leaf.Hash)
		}
		if err != nil {
			return translog.Frontier{}, fmt.Errorf("computing the mirror's tree: %w", err)
		}
	}
	return tree, nil
}

func (j *Journal) leaves(ctx context.Context, which string, args ...any) func(func(Leaf, error) bool) {
	return func(yield func(Leaf, error) bool) {
		for rows, err := range j.query(ctx, "SELECT idx, hash, audience FROM leaves "+which, args...) {
			var leaf Leaf
			var hash []byte
			if err == nil {
				err = rows.Scan(&leaf.Index, &hash, &leaf.Audience)
			}
			if err == nil && copy(leaf.Hash[:], hash) != len(hash) {
				err = fmt.Errorf("leaf %d has %d bytes", leaf.Index, len(hash))
			}
			if !yield(leaf, err) || err != nil {
				return
			}
		}
	}
}

// Newest is the newest checkpoint that is stored; ok is false before the first.
func (j *Journal) Newest(ctx context.Context) (c Checkpoint, ok bool, err error) {
	err = j.readers.QueryRowContext(ctx, "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1").Scan(&c.Size, &c.Note)
	if errors.Is(err, sql.ErrNoRows) {
		return Checkpoint{}, false, nil
	}
	if err != nil {
		return Checkpoint{}, false, fmt.Errorf("reading the newest checkpoint: %w", err)
	}
	return c, true, nil
}

// Checkpoint is the notary's of a size as it came; ok is false where none of that
// size has.
func (j *Journal) Checkpoint(ctx context.Context, size uint64) (note []byte, ok bool, err error) {
	err = j.readers.QueryRowContext(ctx, "SELECT note FROM checkpoints WHERE size = $1", int64(size)).Scan(&note)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, false, fmt.Errorf("reading the checkpoint of size %d: %w", size, err)
	}
	return note, err == nil, nil
}

// Cosign records what is about to be cosigned and published. It fails unless the
// size is above all that were cosigned before: there is so never a smaller tree,
// nor a second root for a size.
func (j *Journal) Cosign(ctx context.Context, c Cosigned) error {
	err := j.write(ctx, "cosignature", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE cosigned SET size = $1, root = $2, note = $3", int64(c.Size), c.Root[:], c.Note)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n > 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO cosigned (only, size, root, note) VALUES (1, $1, $2, $3)", int64(c.Size), c.Root[:], c.Note)
		return err
	})
	if err != nil {
		return fmt.Errorf("recording the cosignature of size %d: %w", c.Size, err)
	}
	return nil
}

// Cosigned is the newest that this country has cosigned; its Note is empty
// before the first.
func (j *Journal) Cosigned(ctx context.Context) (Cosigned, error) {
	var c Cosigned
	var root []byte
	err := j.readers.QueryRowContext(ctx, "SELECT size, root, note FROM cosigned").Scan(&c.Size, &root, &c.Note)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Cosigned{}, nil
	case err == nil && len(root) != len(c.Root):
		err = fmt.Errorf("root of %d bytes", len(root))
	}
	if err != nil {
		return Cosigned{}, fmt.Errorf("reading what was cosigned: %w", err)
	}
	c.Root = translog.Hash(root)
	return c, nil
}
