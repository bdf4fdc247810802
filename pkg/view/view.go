// Package view is the contract of a read model: what a desk keeps of the stream
// so that officers can work with it. It is disposable. Everything in it is a
// deterministic fold of the desk's journal, and a rebuild from zero has the
// same digest as the view that grew event by event.
package view

import (
	"context"
	"errors"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/verdict"
)

// ErrFolding says that an entity cannot be shown now: content of it was erased, recalled or has
// expired, and the view is being folded again without it.
var ErrFolding = errors.New("being folded again without what was erased, recalled or has expired")

// Folding is the reason for which the sections of such an event are closed meanwhile.
const Folding = "folding"

// Cursor says how far a view has come. The stream's sequence alone is no
// identity (it is used again after a loss), so the message's digest stands
// beside it and is checked on start.
type Cursor struct {
	Sequence uint64       // of the last message taken in; 0: none yet
	Index    uint64       // its log index; meaningless where Sequence is 0
	Digest   event.Digest // SHA-256 of its data
}

// Entry is one message of the stream as a desk sees it, refused ones included.
type Entry struct {
	Index    uint64
	Sequence uint64
	Subject  string
	Verdict  verdict.Code
	Reason   string

	// What follows is empty where the message could not be read as an event.
	EventID      string
	HeaderDigest event.Digest
	Country      string
	Agency       string
	Audience     string
	Renewal      int // of its chain, see event.Chain
	Kind         string
	Counter      uint64
	Retention    string
	Recorded     time.Time

	// What follows is set where Verdict is accepted.
	Occurred string // as the originator stated it
	Source   string
	Marking  casework.Marking
	Summary  string         // one plain line, without a word about a person's identity
	Refs     []casework.Ref // the entities that it touched
	Breaches []casework.Breach
	Open     []string          // compartments of the sections that this desk has opened, sorted
	Closed   []casework.Closed // sections that this desk cannot read, and why
	Released uint64            // log index of the event that released it to this country; 0: it was addressed to it
}

// Filter selects entries. A zero field selects all.
type Filter struct {
	After   uint64 // only entries with Index >= After
	Family  string // the part of the kind before the dot
	Country string
	Verdict verdict.Code
	Ref     casework.Ref // only entries that touched it
	Limit   int          // at most so many; 0 is 100
	Newest  bool         // newest first; After then counts as a lower bound all the same
}

// Document is an entity's row.
type Document struct {
	Ref   casework.Ref
	Data  []byte // JSON, as pkg/casework wrote it
	Index uint64 // log index of the event that touched it last
}

// Reader is what pages and feeds read. It never blocks the writer.
type Reader interface {
	Cursor(context.Context) (Cursor, error)
	Entries(context.Context, Filter) ([]Entry, error)
	// Document finds one entity; ok is false where there is none.
	Document(context.Context, casework.Ref) (doc Document, ok bool, err error)
	// Documents lists the entities of a type in the order of their identifiers.
	Documents(ctx context.Context, entityType string) ([]Document, error)
	// Counts gives the number of entries for each verdict.
	Counts(context.Context) (map[verdict.Code]uint64, error)
	// Digest is the digest of all documents, in one consistent snapshot.
	Digest(context.Context) (event.Digest, Cursor, error)
}

// Writer changes a view. Only the desk's own loop holds one.
type Writer interface {
	// Begin opens the transaction in which one batch of messages is taken in.
	Begin(context.Context) (Tx, error)
}

// Tx is one batch: rows, verdicts, chain heads and cursor become visible
// together or not at all. After a crash the batch either is in the view with its
// cursor, or is folded again.
type Tx interface {
	casework.Cabinet
	verdict.Chains
	// Take records a message; where its verdict is accepted it also advances the
	// event's chain to head.
	Take(entry Entry, head event.Head) error
	Commit(Cursor) error
	Rollback() error
}
