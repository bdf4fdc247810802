package stream

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Standing is what the hub says of a stream. It is the hub's word and proves nothing.
type Standing struct {
	Missing  bool   // there is no such stream
	First    uint64 // sequence of the first message; above Last where there is none
	Last     uint64 // of the newest, also where it is lost by now; 0: there never was one
	Messages uint64
	Weak     []Weakness // settings that are not as they must be
}

// Standing asks how a stream is kept and how far it goes. replicas as for
// Weaknesses. It takes a connection in the hub's own account.
func (c *Conn) Standing(ctx context.Context, stream string, replicas int) (Standing, error) {
	var reply *nats.Msg
	err := insist(ctx, func(ctx context.Context) (err error) {
		reply, err = c.nc.RequestWithContext(ctx, c.api+".STREAM.INFO."+stream, nil)
		return err
	})
	if err != nil {
		return Standing{}, fmt.Errorf("asking how %s is kept: %w", stream, err)
	}
	var answer struct {
		Error *struct {
			Code        jetstream.ErrorCode `json:"err_code"`
			Description string              `json:"description"`
		} `json:"error"`
		Config json.RawMessage `json:"config"`
		State  *struct {
			Messages uint64 `json:"messages"`
			First    uint64 `json:"first_seq"`
			Last     uint64 `json:"last_seq"`
		} `json:"state"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return Standing{}, fmt.Errorf("asking how %s is kept: unreadable answer", stream)
	}
	switch {
	case answer.Error != nil && answer.Error.Code == jetstream.JSErrCodeStreamNotFound:
		return Standing{Missing: true}, nil
	case answer.Error != nil:
		return Standing{}, fmt.Errorf("asking how %s is kept: %.200q", stream, answer.Error.Description)
	case answer.State == nil:
		return Standing{}, fmt.Errorf("asking how %s is kept: the answer has no state", stream)
	}
	weak, err := Weaknesses(stream, answer.Config, replicas)
	if err != nil {
		return Standing{}, err
	}
	return Standing{First: answer.State.First, Last: answer.State.Last, Messages: answer.State.Messages, Weak: weak}, nil
}
