package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// attempt is how long one request to the hub may take before it is made again.
const attempt = 2 * time.Second

// insist repeats a request whose answer was lost, until ctx ends. The request
// must be one that may be made twice.
func insist(ctx context.Context, request func(context.Context) error) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, attempt)
		err := request(bounded)
		cancel()
		lost := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)
		if !lost || ctx.Err() != nil {
			return err
		}
	}
}
