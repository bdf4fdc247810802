package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// longestTTL is as long as the server can count: its clock ends in the year 2262.
const longestTTL = 200 * 365 * 24 * time.Hour

// Occupied says that another message is the newest on the subject than the one that was to be replaced.
type Occupied struct{ Sequence uint64 } // its sequence; 0: there is none

func (e *Occupied) Error() string {
	if e.Sequence == 0 {
		return "the subject is empty"
	}
	return fmt.Sprintf("message %d is the newest on the subject", e.Sequence)
}

// PutRecord stores a key record in place of the message with sequence after (0: of
// none), for life, and returns its sequence once it is on disk. It is *Occupied where
// another message lies there. After life, at least a second, the hub deletes it by itself (NATS ADR-43).
func (c *Conn) PutRecord(ctx context.Context, subject string, data []byte, after uint64, life time.Duration) (uint64, error) {
	ack, err := c.js.Publish(ctx, subject, data, jetstream.WithExpectLastSequencePerSubject(after),
		jetstream.WithMsgTTL(min(life, longestTTL).Truncate(time.Second)), jetstream.WithRetryAttempts(0))
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		occupied := &Occupied{}
		if _, scan := fmt.Sscanf(api.Description, "wrong last sequence: %d", &occupied.Sequence); scan == nil {
			return 0, fmt.Errorf("publishing on %s after %d: %w", subject, after, occupied)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("publishing on %s: %w", subject, err)
	}
	return ack.Sequence, nil
}
