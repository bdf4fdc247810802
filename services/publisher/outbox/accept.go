package outbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Report is one thing to be said, checked already.
type Report struct {
	Key       string       // the caller's idempotency key
	Digest    event.Digest // of all that is said; the same key with another digest is refused
	Audience  string
	Kind      string
	Retention string
	Sections  []event.Section // clear, in rising order of compartment

	Attachments []Attached // files that its sections name

	// Releases is the event that it says is released; zero: none.
	Releases event.ID

	// Recalls are the events that it recalls. It is said once more in each other audience that
	// one of them was said or released to, as Elsewhere makes it; ok is false where nobody can read it there.
	Recalls   []event.ID
	Elsewhere func(audience string, recalled []event.ID) (report Report, ok bool, err error)
}

// Attached is a file that a section names.
type Attached struct {
	Compartment eventv1.Compartment
	Entry       []byte // in deterministic encoding
}

// Acceptance is the promise for one report.
type Acceptance struct {
	ID       event.ID
	Repeated bool     // the key was accepted before, with the same content
	Also     []string // audiences in which it is said too, unless Repeated
}

// KeyUsed refuses a request: an idempotency key stands for other content already.
type KeyUsed struct{ At int } // the report's place in the request, from 0

func (e *KeyUsed) Error() string {
	return fmt.Sprintf("the idempotency key of report %d was used for other content", e.At)
}

// ErrClosed says that the outbox was closed before a request was accepted.
var ErrClosed = errors.New("the outbox is closed")

// maxGroup is how many waiting requests one transaction takes together.
const maxGroup = 256

type request struct {
	ctx     context.Context
	reports []Report
	answer  chan<- answer
}

type answer struct {
	accepted []Acceptance
	err      error
}

// Accept stores all reports or, with an error, none. Callers that come at the
// same time share one transaction, and so one fsync. When ctx ends early, the
// reports may have been accepted all the same: ask again with the same keys.
// Errors: *KeyUsed, *NotAttached, *Unreleasable, ErrClosed, those of ctx and of the disk.
func (o *Outbox) Accept(ctx context.Context, reports []Report) ([]Acceptance, error) {
	reply := make(chan answer, 1)
	select {
	case o.requests <- request{ctx: ctx, reports: reports, answer: reply}:
	case <-o.stopped:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-reply:
		return a.accepted, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-o.stopped:
	}
	// Answered in the writer's last turn, or never taken up.
	select {
	case a := <-reply:
		return a.accepted, a.err
	default:
		return nil, ErrClosed
	}
}

// write is the one writer of reports: it takes whatever is waiting, and no longer.
func (o *Outbox) write() {
	defer close(o.stopped)
	for {
		select {
		case <-o.stop:
			return
		case first := <-o.requests:
			o.writeGroup(o.gather(first))
		}
	}
}

func (o *Outbox) gather(first request) []request {
	group := []request{first}
	for len(group) < maxGroup {
		select {
		case next := <-o.requests:
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// writeGroup answers each request of a group. A refused request has written
// nothing; a failed transaction fails the whole group.
func (o *Outbox) writeGroup(group []request) {
	answers := make([]answer, len(group))
	err := o.transact(context.Background(), func(tx *sql.Tx) error {
		in, err := newIntake(tx, o.Clock)
		if err != nil {
			return err
		}
		defer in.close()
		for i, r := range group {
			if r.ctx.Err() != nil { // nobody waits for it any more
				answers[i].err = r.ctx.Err()
				continue
			}
			answers[i].accepted, err = in.take(r.reports)
			if refuses(err) {
				answers[i].err = err
			} else if err != nil {
				return err
			}
		}
		_, err = tx.Exec(`UPDATE owner SET last_id = $1`, in.last[:])
		return err
	})
	for i, r := range group {
		if err != nil {
			answers[i] = answer{err: fmt.Errorf("writing to the outbox: %w", err)}
		}
		r.answer <- answers[i]
	}
}

// refuses tells a refusal of one request, which has written nothing, from a fault.
func refuses(err error) bool {
	used, unattached, unreleasable := (*KeyUsed)(nil), (*NotAttached)(nil), (*Unreleasable)(nil)
	return errors.As(err, &used) || errors.As(err, &unattached) || errors.As(err, &unreleasable)
}

// intake writes reports within one transaction.
type intake struct {
	tx                        *sql.Tx
	find, accept, draft, body *sql.Stmt
	clock                     func() time.Time
	sequence                  int64
	last                      event.ID
}

func newIntake(tx *sql.Tx, clock func() time.Time) (*intake, error) {
	in := &intake{tx: tx, clock: clock}
	var last []byte
	var errs [7]error
	in.find, errs[0] = tx.Prepare(`SELECT digest, event_id FROM accepted WHERE idempotency_key = $1`)
	in.accept, errs[1] = tx.Prepare(`INSERT INTO accepted VALUES ($1, $2, $3, $4, $5)`)
	in.draft, errs[2] = tx.Prepare(`INSERT INTO drafts VALUES ($1, $2, $3, $4, $5)`)
	in.body, errs[6] = tx.Prepare(`INSERT INTO bodies VALUES ($1, $2)`)
	errs[3] = tx.QueryRow(`SELECT coalesce(max(sequence), 0) FROM accepted`).Scan(&in.sequence)
	errs[4] = tx.QueryRow(`SELECT last_id FROM owner`).Scan(&last)
	if copy(in.last[:], last) != len(in.last) {
		errs[5] = fmt.Errorf("the last event id has %d bytes", len(last))
	}
	if err := errors.Join(errs[:]...); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

func (in *intake) close() {
	for _, statement := range []*sql.Stmt{in.find, in.accept, in.draft, in.body} {
		if statement != nil {
			statement.Close()
		}
	}
}

// take looks at all reports before it writes the first, so that a refusal needs no undoing.
func (in *intake) take(reports []Report) ([]Acceptance, error) {
	accepted := make([]Acceptance, len(reports))
	first, named := make(map[string]int, len(reports)), naming{}
	for i, report := range reports {
		if earlier, ok := first[report.Key]; ok {
			if reports[earlier].Digest != report.Digest {
				return nil, &KeyUsed{At: i}
			}
			accepted[i].Repeated = true
			continue
		}
		first[report.Key] = i
		var digest, id []byte
		err := in.find.QueryRow(report.Key).Scan(&digest, &id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			if err := named.check(in.tx, i, report); err != nil {
				return nil, err
			}
			if _, err := releasable(context.Background(), in.tx, report.Releases); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		case string(digest) != string(report.Digest[:]):
			return nil, &KeyUsed{At: i}
		case len(id) != len(event.ID{}):
			return nil, fmt.Errorf("an event id has %d bytes", len(id))
		default:
			accepted[i] = Acceptance{ID: event.ID(id), Repeated: true}
		}
	}
	for i, report := range reports {
		earlier := first[report.Key]
		switch {
		case earlier != i:
			accepted[i].ID = accepted[earlier].ID
		case !accepted[i].Repeated:
			if err := in.insert(report); err != nil {
				return nil, err
			}
			accepted[i].ID = in.last
			var err error
			if accepted[i].Also, err = in.reach(report); err != nil {
				return nil, err
			}
		}
	}
	return accepted, nil
}

func (in *intake) insert(report Report) error {
	body := &eventv1.Body{}
	for _, section := range report.Sections {
		body.Sections = append(body.Sections, &eventv1.Section{Compartment: section.Compartment, Content: section.Content})
	}
	content, err := proto.Marshal(body)
	if err != nil {
		return err
	}
	var random [10]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	now := in.clock()
	in.last = event.NextID(now, random, in.last)
	in.sequence++
	if _, err := in.accept.Exec(in.sequence, report.Key, report.Digest[:], in.last[:], report.Audience); err != nil {
		return err
	}
	if _, err := in.draft.Exec(in.sequence, report.Audience, report.Kind, report.Retention, now.UnixNano()); err != nil {
		return err
	}
	if _, err := in.body.Exec(in.sequence, content); err != nil {
		return err
	}
	return name(in.tx, in.sequence, report)
}
