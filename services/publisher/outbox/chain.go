package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Own is an event on the agency's own chain that every reader accepts, whoever
// has signed it.
type Own struct {
	Chain event.Chain
	Head  event.Head // of the chain, after the event
}

// Strange is an accepted event of the agency's that is not of this outbox: somebody
// else has the key, or another copy of this outbox was in use.
type Strange struct {
	Index uint64
	Chain event.Chain
	ID    event.ID
}

// Head is where a chain stands in the log; the zero Head for one without events.
func (o *Outbox) Head(ctx context.Context, chain event.Chain) (event.Head, error) {
	head, err := scanHead(o.read.QueryRowContext(ctx,
		`SELECT counter, digest, last_id FROM chains WHERE address = $1 AND renewal = $2`, chain.Audience, chain.Renewal))
	if err != nil {
		return head, fmt.Errorf("reading the head of chain %s: %w", chain, err)
	}
	return head, nil
}

// HeaderAt is the digest of an accepted header.
func (o *Outbox) HeaderAt(ctx context.Context, chain event.Chain, counter uint64) (event.Digest, error) {
	var digest []byte
	err := o.read.QueryRowContext(ctx, `SELECT digest FROM headers WHERE address = $1 AND renewal = $2 AND counter = $3`,
		chain.Audience, chain.Renewal, int64(counter)).Scan(&digest)
	if err == nil && len(digest) != len(event.Digest{}) {
		err = errors.New("it is damaged")
	}
	if err != nil {
		return event.Digest{}, fmt.Errorf("reading header %d of chain %s: %w", counter, chain, err)
	}
	return event.Digest(digest), nil
}

// scanHead reads a row of heads or chains.
func scanHead(row *sql.Row) (event.Head, error) {
	var head event.Head
	var counter int64
	var digest, last []byte
	err := row.Scan(&counter, &digest, &last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return head, nil
	case err != nil:
		return head, err
	case len(digest) != len(head.Digest) || len(last) != len(head.LastID):
		return head, errors.New("it is damaged")
	}
	return event.Head{Counter: uint64(counter), Digest: event.Digest(digest), LastID: event.ID(last)}, nil
}

// EachStrange shows what PutLog kept, by rising index.
func (o *Outbox) EachStrange(ctx context.Context, show func(Strange)) error {
	rows, err := o.read.QueryContext(ctx, `SELECT log_index, address, renewal, event_id, country, agency FROM strange, owner ORDER BY log_index`)
	if err != nil {
		return fmt.Errorf("reading strange events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s Strange
		var index int64
		var id []byte
		if err := rows.Scan(&index, &s.Chain.Audience, &s.Chain.Renewal, &id, &s.Chain.Country, &s.Chain.Agency); err != nil {
			return fmt.Errorf("reading strange events: %w", err)
		}
		if copy(s.ID[:], id) != len(s.ID) {
			return fmt.Errorf("reading strange events: an event id has %d bytes", len(id))
		}
		s.Index = uint64(index)
		show(s)
	}
	return rows.Err()
}

func putOwn(tx *sql.Tx, own []Own, strange []Strange) error {
	for _, e := range own {
		_, err := tx.Exec(`INSERT INTO headers VALUES ($1, $2, $3, $4)`, e.Chain.Audience, e.Chain.Renewal, int64(e.Head.Counter), e.Head.Digest[:])
		if err != nil {
			return fmt.Errorf("header %d of chain %s: %w", e.Head.Counter, e.Chain, err)
		}
		_, err = tx.Exec(`INSERT OR REPLACE INTO chains VALUES ($1, $2, $3, $4, $5)`,
			e.Chain.Audience, e.Chain.Renewal, int64(e.Head.Counter), e.Head.Digest[:], e.Head.LastID[:])
		if err != nil {
			return fmt.Errorf("chain %s: %w", e.Chain, err)
		}
	}
	for _, s := range strange {
		_, err := tx.Exec(`INSERT INTO strange VALUES ($1, $2, $3, $4)`, int64(s.Index), s.Chain.Audience, s.Chain.Renewal, s.ID[:])
		if err != nil {
			return fmt.Errorf("strange event %d: %w", s.Index, err)
		}
	}
	return nil
}

// catchUpHeads makes the log's head the one to sign after, on chains where nothing
// is on its way. It is that already, but where another copy of this outbox was in use.
func catchUpHeads(tx *sql.Tx, own []Own) error {
	last := map[event.Chain]bool{}
	for _, e := range own {
		if last[e.Chain] {
			continue
		}
		last[e.Chain] = true
		var under bool
		err := tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM envelopes WHERE address = $1 AND renewal = $2 AND log_index IS NULL)`,
			e.Chain.Audience, e.Chain.Renewal).Scan(&under)
		if err == nil && !under {
			err = setBack(tx, e.Chain.Audience, e.Chain.Renewal)
		}
		if err != nil {
			return fmt.Errorf("the head of chain %s: %w", e.Chain, err)
		}
	}
	return nil
}

// setBack makes the log's head of a chain the one to sign after.
func setBack(tx *sql.Tx, address string, renewal int) error {
	if _, err := tx.Exec(`DELETE FROM heads WHERE address = $1 AND renewal = $2`, address, renewal); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO heads SELECT * FROM chains WHERE address = $1 AND renewal = $2`, address, renewal)
	return err
}

// Held is what the outbox has of an event in the log.
type Held struct {
	Known    bool  // its identifier was given out here
	Sequence int64 // of the report that waits and says the same; 0: none
	Draft    bool  // that report is not signed here
	Signed   bool  // that report was signed here, with this very header
}

// Holds looks an event up that key has signed. What it says counts, and not the header:
// another copy of this outbox may have signed the same report. Sealed content cannot be
// compared with what is in clear here, so there all else is: nobody else knows the
// identifier of a draft. An envelope's can be read by anybody, and a copy would have signed
// again only for another key or address.
func (o *Outbox) Holds(ctx context.Context, audience string, key event.KeyID, claims event.Claims, header event.Digest, said []event.Section) (Held, error) {
	var sequence int64
	var draftOf, envelopeOf, kind, retention, address sql.NullString
	var recorded sql.NullInt64
	var body, data, signedBy []byte
	err := o.read.QueryRowContext(ctx, `SELECT a.sequence, d.audience, kind, retention, recorded, body, e.audience, data, key_id, address FROM accepted a
		LEFT JOIN bodies b ON b.sequence = a.sequence
		LEFT JOIN drafts d ON d.sequence = a.sequence
		LEFT JOIN envelopes e ON e.sequence = a.sequence AND e.log_index IS NULL
		WHERE event_id = $1`, claims.ID[:]).Scan(&sequence, &draftOf, &kind, &retention, &recorded, &body, &envelopeOf, &data, &signedBy, &address)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Held{}, nil
	case err != nil:
		return Held{}, fmt.Errorf("looking up event %s: %w", claims.ID, err)
	}
	held := Held{Known: true, Draft: draftOf.Valid}
	if envelopeOf.Valid {
		envelope, signed := &eventv1.Envelope{}, &eventv1.Header{}
		if err := errors.Join(proto.Unmarshal(data, envelope), proto.Unmarshal(envelope.GetHeader(), signed)); err != nil {
			return Held{}, fmt.Errorf("envelope %d is damaged", sequence)
		}
		held.Signed = event.DigestOf(envelope.GetHeader()) == header
		if address.String != claims.Chain.Audience || string(signedBy) != string(key[:]) {
			draftOf, kind.String, retention.String, recorded.Int64 = envelopeOf, signed.GetKind(), signed.GetRetention(), signed.GetRecorded().AsTime().UnixNano()
		}
	}
	mine, err := sections(body)
	if err != nil {
		return Held{}, fmt.Errorf("report %d: %w", sequence, err)
	}
	if held.Signed || draftOf.Valid && draftOf.String == audience && kind.String == claims.Kind && retention.String == claims.Retention &&
		recorded.Int64 == claims.Recorded.UnixNano() && sameContent(mine, said) {
		held.Sequence = sequence
	}
	return held, nil
}

// sameContent compares what can be: of sealed sections the sizes, in any order.
func sameContent(mine, said []event.Section) bool {
	rest := slices.Clone(mine)
	for _, s := range said {
		at := slices.IndexFunc(rest, func(own event.Section) bool {
			if s.Form == eventv1.SectionForm_SECTION_FORM_SEALED {
				return len(s.Content) == len(own.Content)+seal.Overhead
			}
			return own.Compartment == s.Compartment && own.Form == s.Form && string(own.Content) == string(s.Content)
		})
		if at < 0 {
			return false
		}
		rest = slices.Delete(rest, at, at+1)
	}
	return len(rest) == 0
}
