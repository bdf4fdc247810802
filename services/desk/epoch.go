package desk

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// turns reports whether the epoch of the leaves is the one that their messages make: a
// new one begins with the hub's word that it has restored the stream, and with nothing
// else. Else the hub could excuse any other content with a restoration that nobody
// hears of. The epoch is not signed, so another one is passed over.
func (m *mirror) turns(ctx context.Context, leaves *logv1.Leaves) (bool, error) {
	start, n := leaves.GetStart(), uint64(len(leaves.GetLabels()))
	if n == 0 || start != m.follower.Size() {
		return true, nil // for the follower to judge
	}
	common, err := m.journal.Registry(ctx, start, start+n-1)
	if err != nil {
		return false, err
	}
	var restored []uint64
	for _, message := range common {
		if _, err := translog.ParseRestoration(message.Index, message.Data); err == nil && message.Subject == translog.RestoredSubject {
			restored = append(restored, message.Index)
		}
	}
	if m.follower.Turns(leaves, restored...) {
		if len(restored) > 0 {
			m.log.Warn("the hub has restored the stream", "index", start)
		}
		return true, nil
	}
	return false, m.doubt(ctx, errors.New("the epoch is not that of the messages"), journal.Alarm{
		Code: AlarmMisplaced, Index: &start, Got: leaves.GetCheckpoint(),
		What: fmt.Sprintf("Where the stream was restored, at index %d of the log or after it, is not what the messages there say.", start),
	})
}
