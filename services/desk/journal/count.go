package journal

import (
	"context"
	"fmt"
)

// Held counts the messages below a log index.
func (j *Journal) Held(ctx context.Context, index uint64) (uint64, error) {
	var held uint64
	err := j.readers.QueryRowContext(ctx, "SELECT count(*) FROM messages WHERE idx < $1", int64(index)).Scan(&held)
	if err != nil {
		return 0, fmt.Errorf("counting the journal's messages: %w", err)
	}
	return held, nil
}
