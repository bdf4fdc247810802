package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// attempt is how long one request to the hub may take before it is made again.
const attempt = 2 * time.Second

// errAway stands for the client's word on a request without a connection, which
// speaks of a buffer that this package does not use.
var errAway = errors.New("the hub is away")

// insist repeats a request whose answer was lost, until ctx ends. The request
// must be one that may be made twice.
func insist(ctx context.Context, request func(context.Context) error) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, attempt)
		err := request(bounded)
		cancel()
		lost := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)
		if errors.Is(err, nats.ErrReconnectBufExceeded) {
			return errAway
		}
		if !lost || ctx.Err() != nil {
			return err
		}
	}
}
