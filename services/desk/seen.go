package desk

import (
	"context"
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// heard holds the checkpoint that an event's publisher had verified, as its signed
// header says, against those that the notary has shown to this mirror. So two
// countries that are shown two logs learn of it from each other's events, also where
// the hub keeps their cosignatures apart. A publisher has seen only what was there
// before its event: a size that the notary did not sign here by then is another log's.
//
// It is one publisher's word, without the notary's signature: an alarm, and the
// mirror goes on, as with another country's cosignature.
func (m *mirror) heard(ctx context.Context, message journal.Message) error {
	envelope, err := event.Decode(message.Data)
	if err != nil {
		return nil // refused by everybody
	}
	seen := envelope.Claims().Seen
	if seen.Size == 0 {
		return nil
	}
	signed, known, err := m.checkpoint(ctx, seen.Size)
	if err != nil {
		return err
	}
	have, bad := m.terms.OpenCheckpoint(signed)
	if known && bad == nil && have.Root == translog.Hash(seen.Root) {
		return nil
	}
	state, _ := m.book.known()
	judged, err := verdict.Judge(state, &verdict.Memory{}, &event.Roots{}, message.Index, message.Subject, message.Data)
	if err != nil || judged.Event.ID == (event.ID{}) {
		return err // nobody known has signed it
	}
	chain := judged.Event.Chain
	_, err = m.alarms.raise(ctx, journal.Alarm{
		Code: AlarmDissent, Index: &message.Index,
		What: fmt.Sprintf("With event %d, %s/%s says that it has verified another log of %d events than this desk was shown: one of the two was shown a false one, or its key is misused.",
			message.Index, chain.Country, chain.Agency, seen.Size),
		Have: signed, Got: message.Data,
	})
	return err
}

// checkpoint is the notary's of a size as it came, stored or not yet; ok is false
// where none of that size has.
func (m *mirror) checkpoint(ctx context.Context, size uint64) (note []byte, ok bool, err error) {
	for _, c := range m.checkpoints {
		if c.Size == size {
			return c.Note, true, nil
		}
	}
	return m.journal.Checkpoint(ctx, size)
}
