// Package paper is the registry as files that people carry: a Book, all of its
// messages so far, and a Proposal, an update on its way from root to root. Both
// are JSON, so that they pass through a mail and can be looked at.
//
// Neither proves anything by itself. A book is folded from the charter that its
// reader holds, so each update in it has its signatures; what a book leaves out at
// its end, only the log shows.
package paper

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// MaxFile bounds what is read, in bytes.
const MaxFile = 64 << 20

// Entry is one message of the registry, as it was judged.
type Entry struct {
	Index   uint64
	Subject string
	Digest  event.Digest // of the update's bytes; zero where it cannot be read
	Says    []string     // what it changed, in plain words; of a refused one, what it would have
	Refused error        // why it changed nothing; nil: it did
}

// Fold gives the registry right before the message at a log index, with all its
// entries up to there.
func Fold(charter event.Digest, book *registryv1.Book, before uint64) (registry.State, []Entry, error) {
	state := registry.New(charter)
	var entries []Entry
	next := uint64(0)
	for i, entry := range book.GetEntries() {
		index := entry.GetIndex()
		if index < next {
			return state, nil, fmt.Errorf("the book's entry %d, of log index %d, stands after one of index %d", i, index, next-1)
		}
		if index >= before {
			break
		}
		next = index + 1
		told := Entry{Index: index, Subject: entry.GetSubject()}
		if signed, update, err := registry.Read(entry.GetMessage()); err == nil {
			told.Digest, told.Says = event.DigestOf(signed.GetUpdate()), state.Say(update)
		}
		state, told.Refused = state.Apply(index, entry.GetSubject(), entry.GetMessage())
		if told.Refused != nil {
			told.Says = clip(told.Says)
		}
		entries = append(entries, told)
	}
	if !state.Founded() && before > 0 {
		return state, entries, fmt.Errorf("the book does not found the charter %s: it is of another log, or its beginning is missing", charter)
	}
	return state, entries, nil
}

// clip bounds the words of an update that was refused, of which nothing was
// checked. Those of one that applies, or could, are never cut: somebody signs them.
func clip(says []string) []string {
	const lines, characters = 8, 400
	if len(says) > lines {
		says = append(says[:lines:lines], fmt.Sprintf("And %d more.", len(says)-lines))
	}
	for i, words := range says {
		says[i] = fmt.Sprintf("%.*s", characters, words)
	}
	return says
}

// End is an index above all that the book has.
func End(book *registryv1.Book) uint64 {
	end := book.GetLogSize()
	if n := len(book.GetEntries()); n > 0 {
		end = max(end, book.GetEntries()[n-1].GetIndex()+1)
	}
	return end
}

// Applied is a book without what was refused, and so changed nothing: what a
// proposal is sent with. Anybody with a connection can fill the log with the rest.
func Applied(charter event.Digest, book *registryv1.Book) (*registryv1.Book, error) {
	_, entries, err := Fold(charter, book, End(book))
	if err != nil {
		return nil, err
	}
	kept := &registryv1.Book{LogSize: End(book)}
	for i, entry := range entries {
		if entry.Refused == nil {
			kept.Entries = append(kept.Entries, book.GetEntries()[i])
		}
	}
	return kept, nil
}

// OpenBook reads a book's file.
func OpenBook(data []byte) (*registryv1.Book, error) {
	book := &registryv1.Book{}
	return book, open("a registry book", data, book)
}

// OpenProposal reads a proposal's file.
func OpenProposal(data []byte) (*registryv1.Proposal, error) {
	proposal := &registryv1.Proposal{}
	if err := open("a proposal", data, proposal); err != nil {
		return nil, err
	}
	if len(proposal.GetSigned().GetUpdate()) == 0 {
		return nil, errors.New("not a proposal: it holds no update")
	}
	return proposal, nil
}

func open(what string, data []byte, into proto.Message) error {
	if len(data) > MaxFile {
		return fmt.Errorf("not %s: %d bytes, at most %d", what, len(data), MaxFile)
	}
	if err := protojson.Unmarshal(data, into); err != nil {
		return fmt.Errorf("not %s: no JSON of that form, or a file that was cut or changed on the way", what)
	}
	return nil
}

// Encode makes the content of a file.
func Encode(file proto.Message) ([]byte, error) {
	data, err := protojson.MarshalOptions{Multiline: true, Indent: " "}.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("encoding a file: %w", err)
	}
	return append(data, '\n'), nil
}

// Sheet is a proposal as one of its parties looks at it.
type Sheet struct {
	Base    registry.State // that it builds on, folded from the party's own charter
	Entries []Entry        // of the registry that it was sent with
	Review  registry.Review
}

// Look folds the book that a proposal came with and reviews its update on top.
// The error says why it could not apply; the sheet then holds what could be read.
func Look(charter event.Digest, proposal *registryv1.Proposal) (Sheet, error) {
	var sheet Sheet
	var err error
	end := End(proposal.GetBook())
	if sheet.Base, sheet.Entries, err = Fold(charter, proposal.GetBook(), end); err != nil {
		return sheet, err
	}
	sheet.Review, err = sheet.Base.Review(end, proposal.GetSigned())
	return sheet, err
}
