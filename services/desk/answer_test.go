package desk

import (
	"context"
	"errors"
	"testing"

	"connectrpc.com/connect"

	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// refusing is a publisher that answers each recall's receipt with a code; 0 accepts it.
type refusing map[string]connect.Code

func (p refusing) Publish(_ context.Context, r *publisherv1.PublishRequest) (*publisherv1.PublishResponse, error) {
	if code := p[r.GetReports()[0].GetCase().GetControlReceipt().GetRecallId()]; code != 0 {
		return nil, connect.NewError(code, errors.New("refused"))
	}
	return &publisherv1.PublishResponse{}, nil
}

// A desk that has lost its keys.db destroys again what it has confirmed, at another time: the publisher has
// that receipt under its key. That one is done, and one that is refused holds up no other.
func TestReceiptsHoldUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XB", opening(), func(config *Config) {
		config.Publisher = refusing{"R-1": connect.CodeAlreadyExists, "R-2": connect.CodeInvalidArgument}
	})
	b := w.tells(police, w.site("S-1", "one"), w.site("S-2", "two"), w.site("S-3", "three"))
	for i, recall := range []string{"R-1", "R-2", "R-3"} {
		w.tells(police, w.recalls(recall, b.events[i]))
	}
	until(t, "only what was refused is owed", func() bool {
		owed, err := d.ring.Owed(context.Background())
		must(t, err)
		return len(owed) == 1 && owed[0].Recall == "R-2" && !owed[0].Destroyed.IsZero()
	})
}
