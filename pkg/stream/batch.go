package stream

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers of JetStream's atomic batches (NATS ADR-50). The server keeps them
// with each message; nobody reads them again.
const (
	batchID       = "Nats-Batch-Id"       // at most 64 characters
	batchSequence = "Nats-Batch-Sequence" // from 1, without gaps
	batchCommit   = "Nats-Batch-Commit"   // "1" on the last message
)

// patience bounds one request of a caller whose context has no deadline. The
// server gives up a batch that it heard nothing of for as long.
const patience = 10 * time.Second

// PublishBatch stores all messages or none, in order and without others between
// them, and returns the sequence of the last once all are on disk. At most
// MaxBatch messages. An error may mean that they were stored and the answer was
// lost: publish the same bytes again, duplicates are judged by content.
func (c *Conn) PublishBatch(ctx context.Context, messages []Message) (last uint64, err error) {
	switch {
	case len(messages) == 0 || len(messages) > MaxBatch:
		return 0, fmt.Errorf("publishing a batch of %d: want 1 to %d messages", len(messages), MaxBatch)
	case len(messages) == 1:
		return c.Publish(ctx, messages[0].Subject, messages[0].Data)
	}
	last, err = c.batch(ctx, messages)
	if err != nil {
		return 0, fmt.Errorf("publishing a batch of %d: %w", len(messages), err)
	}
	return last, nil
}

// batch sends two messages or more. What was sent before an error is staged at
// the server and given up there: it is never stored without a commit. The
// identifier is new each time, so what is left of one attempt, or still on its
// way, can never become part of another.
func (c *Conn) batch(ctx context.Context, messages []Message) (last uint64, err error) {
	id := rand.Text()
	staged := make([]*nats.Msg, len(messages))
	for i, m := range messages {
		staged[i] = &nats.Msg{Subject: m.Subject, Data: m.Data, Header: nats.Header{
			batchID: {id}, batchSequence: {strconv.Itoa(i + 1)},
		}}
	}
	// The first is answered, so that a refusal costs one message and not all.
	answer, err := c.request(ctx, staged[0])
	if err != nil {
		return 0, fmt.Errorf("opening it: %w", err)
	}
	if err := opened(answer); err != nil {
		return 0, err
	}
	end := len(staged) - 1
	for i, m := range staged[1:end] {
		if err := errors.Join(ctx.Err(), c.nc.PublishMsg(m)); err != nil {
			return 0, fmt.Errorf("message %d: %w", i+2, err)
		}
	}
	// One that did not arrive is a gap in the sequence, and the commit is refused.
	staged[end].Header.Set(batchCommit, "1")
	if answer, err = c.request(ctx, staged[end]); err != nil {
		return 0, fmt.Errorf("committing it: %w", err)
	}
	return committed(answer, id, uint64(len(messages)))
}

func (c *Conn) request(ctx context.Context, m *nats.Msg) ([]byte, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	answer, err := c.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return nil, err
	}
	return answer.Data, nil
}

// ack is the server's answer to a commit, or its refusal of any message.
type ack struct {
	Stream   string `json:"stream"`
	Sequence uint64 `json:"seq"` // of the last message
	Batch    string `json:"batch"`
	Count    uint64 `json:"count"`
	Error    *struct {
		Code        int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

func readAck(answer []byte) (ack, error) {
	var a ack
	if err := json.Unmarshal(answer, &a); err != nil {
		return ack{}, errors.New("the hub's answer cannot be read")
	}
	if a.Error != nil {
		return ack{}, fmt.Errorf("the hub refuses it: %.200q (%d)", a.Error.Description, a.Error.Code)
	}
	return a, nil
}

// opened judges the answer to a batch's first message: staged is an empty one.
func opened(answer []byte) error {
	if len(answer) == 0 {
		return nil
	}
	if _, err := readAck(answer); err != nil {
		return err
	}
	return errors.New("the hub stored its first message by itself: it does not know atomic batches")
}

// committed judges the answer to a commit, and returns the last sequence. A
// sequence that is less than the count cannot be true.
func committed(answer []byte, id string, count uint64) (last uint64, err error) {
	a, err := readAck(answer)
	switch {
	case err != nil:
		return 0, err
	case a.Batch != id:
		return 0, errors.New("the hub answers for another batch")
	case a.Count != count:
		return 0, fmt.Errorf("the hub stored %d messages of it", a.Count)
	case a.Stream == "" || a.Sequence < count:
		return 0, fmt.Errorf("the hub names no place for it: stream %.200q, sequence %d", a.Stream, a.Sequence)
	}
	return a.Sequence, nil
}
