package outbox

import (
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// signAgain makes drafts of all envelopes of an audience that are not found, and
// sets the heads of their chains back to where the log has them. What a draft says is in
// bodies still, so that nothing is said anew. Their keys are to be withdrawn: the
// refused envelopes stay where they are, and an erasure must reach what they say too.
func signAgain(tx *sql.Tx, audience string) error {
	refused, err := readRefused(tx, audience)
	if err != nil {
		return err
	}
	type chain struct {
		address string
		renewal int
	}
	back := map[chain]bool{}
	for _, r := range refused {
		if at := (chain{r.address, r.renewal}); !back[at] {
			if err := setBack(tx, r.address, r.renewal); err != nil {
				return err
			}
			back[at] = true
		}
		_, err := tx.Exec(`INSERT INTO drafts VALUES ($1, $2, $3, $4, $5)`, r.sequence, audience,
			r.header.GetKind(), r.header.GetRetention(), r.header.GetRecorded().AsTime().UnixNano())
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT OR IGNORE INTO withdrawals SELECT subject, $2 FROM records WHERE subject = $1`, r.record, r.header.GetEventId())
		if err != nil {
			return err
		}
	}
	_, err = tx.Exec(`DELETE FROM envelopes WHERE audience = $1 AND log_index IS NULL`, audience)
	return err
}

// refusal is an envelope that no reader accepts.
type refusal struct {
	sequence int64
	address  string
	renewal  int
	header   *eventv1.Header
	record   string
}

func readRefused(tx *sql.Tx, audience string) ([]refusal, error) {
	rows, err := tx.Query(`SELECT sequence, address, renewal, data, record, event_id FROM envelopes JOIN accepted USING (sequence)
		WHERE envelopes.audience = $1 AND log_index IS NULL ORDER BY sequence`, audience)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []refusal
	for rows.Next() {
		var r refusal
		var data, id []byte
		if err := rows.Scan(&r.sequence, &r.address, &r.renewal, &data, &r.record, &id); err != nil {
			return nil, err
		}
		envelope := &eventv1.Envelope{}
		r.header = &eventv1.Header{}
		if err := errors.Join(proto.Unmarshal(data, envelope), proto.Unmarshal(envelope.GetHeader(), r.header)); err != nil {
			return nil, fmt.Errorf("envelope %d is damaged", r.sequence)
		}
		if string(r.header.GetEventId()) != string(id) || r.header.GetAudience() != r.address || r.header.GetCounter() == 0 {
			return nil, fmt.Errorf("envelope %d is not the one that was signed for it", r.sequence)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
