// Package registrar is what a country's office for the registry uses: it reads
// the registry from the hub as a book, and hands signed updates in. It holds no
// root and signs nothing: roots are offline, and sign files.
package registrar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/paper"
	"github.com/tripoint/tripoint/pkg/stream"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Registrar is one country's way to the registry on a hub.
type Registrar struct {
	charter event.Digest
	country string
	conn    *stream.Conn
	reader  *stream.Reader
	book    *registryv1.Book
}

// Config is what a registrar needs.
type Config struct {
	Country string
	Charter registry.Charter // the party's own copy
	Stream  stream.Config    // as stream.RegistrarUser(Country)
}

const (
	fetchLimit = 500
	fetchWait  = 250 * time.Millisecond
)

// Open connects and reads the whole registry.
func Open(ctx context.Context, config Config) (*Registrar, error) {
	r := &Registrar{charter: config.Charter.Digest, country: config.Country, book: &registryv1.Book{}}
	var err error
	if r.conn, err = stream.Dial(config.Stream); err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	if err := r.open(ctx); err != nil {
		r.Close()
		return nil, fmt.Errorf("registrar: %w", err)
	}
	return r, nil
}

func (r *Registrar) open(ctx context.Context) error {
	var err error
	if r.reader, err = r.conn.Reader(ctx, stream.Events, stream.RegistrarUser(r.country)); err != nil {
		return err
	}
	if err := r.reader.Reset(ctx, 1); err != nil {
		return err
	}
	pending, err := r.reader.Pending(ctx)
	if err != nil {
		return err
	}
	for uint64(len(r.book.GetEntries())) < pending {
		if err := r.read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// read takes in what the hub has.
func (r *Registrar) read(ctx context.Context) error {
	messages, err := r.reader.Fetch(ctx, fetchLimit, fetchWait)
	if err != nil {
		return err
	}
	for _, m := range messages {
		index := m.Sequence - 1 // in the first epoch
		if index < paper.End(r.book) && len(r.book.GetEntries()) > 0 {
			continue // delivered twice
		}
		r.book.Entries = append(r.book.Entries, &registryv1.Entry{Index: index, Subject: m.Subject, Message: m.Data})
		r.book.LogSize = index + 1
	}
	return r.reader.Ack()
}

// Close ends the connection.
func (r *Registrar) Close() { r.conn.Close() }

// Book is the registry as read so far.
func (r *Registrar) Book() *registryv1.Book { return r.book }

// Refused says that an update lies in the log and changed nothing.
type Refused struct {
	Index  uint64
	Reason error
}

func (e *Refused) Error() string {
	return fmt.Sprintf("the update lies in the log at index %d and changed nothing: %v", e.Index, e.Reason)
}

func (e *Refused) Unwrap() error { return e.Reason }

// Submit hands a proposal in, if it could apply now, and waits for where it lies.
// It may be repeated: an update that is in force gives the index where it became so.
// Errors: *registry.Unsigned, *Refused, those of a proposal that is out of place.
func (r *Registrar) Submit(ctx context.Context, proposal *registryv1.Proposal) (index uint64, err error) {
	signed := proposal.GetSigned()
	digest := event.DigestOf(signed.GetUpdate())
	state, entries, err := paper.Fold(r.charter, r.book, paper.End(r.book))
	if err != nil {
		return 0, err
	}
	if at, ok := inForce(entries, digest); ok {
		return at, nil
	}
	review, err := state.Review(paper.End(r.book), signed)
	if err != nil {
		return 0, err
	}
	if review.Lacking != nil {
		return 0, review.Lacking
	}
	message, err := proto.Marshal(signed)
	if err != nil {
		return 0, err
	}
	sequence, err := r.conn.Publish(ctx, review.Subject, message)
	if err != nil {
		return 0, err
	}
	return r.await(ctx, sequence-1, digest)
}

// inForce finds the entry with which an update became so.
func inForce(entries []paper.Entry, digest event.Digest) (uint64, bool) {
	for _, entry := range entries {
		if entry.Digest == digest && entry.Refused == nil {
			return entry.Index, true
		}
	}
	return 0, false
}

// await reads on until the update has come, and says what became of it.
func (r *Registrar) await(ctx context.Context, index uint64, digest event.Digest) (uint64, error) {
	for paper.End(r.book) <= index {
		if err := r.read(ctx); err != nil {
			return 0, fmt.Errorf("the update was handed in, and what became of it is not known: submit it again: %w", err)
		}
	}
	_, entries, err := paper.Fold(r.charter, r.book, paper.End(r.book))
	if err != nil {
		return 0, err
	}
	if at, ok := inForce(entries, digest); ok {
		return at, nil
	}
	for _, entry := range entries {
		if entry.Index == index && entry.Digest == digest {
			return 0, &Refused{Index: index, Reason: entry.Refused}
		}
	}
	return 0, errors.New("the hub said where the update lies, and something else lies there")
}
