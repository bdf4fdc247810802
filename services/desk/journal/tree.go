package journal

import (
	"context"
	"fmt"
)

// Checkpoints shows the notary's checkpoints by rising size.
func (j *Journal) Checkpoints(ctx context.Context, show func(Checkpoint) error) error {
	for rows, err := range j.query(ctx, "SELECT size, note FROM checkpoints ORDER BY size") {
		var c Checkpoint
		if err == nil {
			err = rows.Scan(&c.Size, &c.Note)
		}
		if err != nil {
			return fmt.Errorf("reading checkpoints: %w", err)
		}
		if err := show(c); err != nil {
			return err
		}
	}
	return nil
}

// Leaves lists the leaves from a log index to another, itself excluded. One that is
// missing is an error.
func (j *Journal) Leaves(ctx context.Context, from, to uint64) ([]Leaf, error) {
	var all []Leaf
	for leaf, err := range j.leaves(ctx, "WHERE idx >= $1 AND idx < $2 ORDER BY idx", int64(from), int64(to)) {
		if err == nil && leaf.Index != from+uint64(len(all)) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading leaves %d to %d: %w", from, to, err)
		}
		all = append(all, leaf)
	}
	if n := uint64(len(all)); n != to-from {
		return nil, fmt.Errorf("reading leaves %d to %d: leaf %d is missing", from, to, from+n)
	}
	return all, nil
}
