package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Until is the header with which a message of Keys says when the hub overwrites it: a moment in
// RFC 3339, in UTC and whole seconds. One without is kept until it is replaced.
const Until = "Tripoint-Until"

// FormatUntil spells a moment as a value of Until, rounded up.
func FormatUntil(at time.Time) string {
	return at.Add(time.Second - time.Nanosecond).UTC().Truncate(time.Second).Format(time.RFC3339)
}

// ParseUntil reads a value of Until.
func ParseUntil(value string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, errors.New("a message has a time that cannot be read")
	}
	return at, nil
}

// Codes with which the hub itself refuses what is stored on Keys and Files, beside those of the streams.
const (
	CodeFull    = 20001 // the agency, or its country, has used up its share
	CodeRefused = 20002 // the message has what no message there has
)

// refusal is the hub's own word, where it is why something was not stored.
func refusal(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == CodeFull || api.ErrorCode == CodeRefused) {
		return fmt.Errorf("the hub refuses it: %.300s", api.Description)
	}
	return err
}

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
// another message lies there. After life the hub overwrites it by itself.
func (c *Conn) PutRecord(ctx context.Context, subject string, data []byte, after uint64, life time.Duration) (uint64, error) {
	record := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{Until: {FormatUntil(time.Now().Add(min(life, longestLife)))}}}
	ack, err := c.js.PublishMsg(ctx, record, jetstream.WithExpectLastSequencePerSubject(after), jetstream.WithRetryAttempts(0))
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		occupied := &Occupied{}
		if _, scan := fmt.Sscanf(api.Description, "wrong last sequence: %d", &occupied.Sequence); scan == nil {
			return 0, fmt.Errorf("publishing on %s after %d: %w", subject, after, occupied)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("publishing on %s: %w", subject, refusal(err))
	}
	return ack.Sequence, nil
}
