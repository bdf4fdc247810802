package paper_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/paper"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// flood is a log in which somebody has handed in n unsigned updates with much to say.
func flood(t *testing.T, n int) (*Log, *registryv1.Book) {
	t.Helper()
	l, proposal := journey(t)
	change := Quit(strings.Repeat("x", 200_000), "XA")
	update, err := proto.Marshal(change)
	if err != nil {
		t.Fatal(err)
	}
	message, err := proto.Marshal(&registryv1.SignedUpdate{Update: update})
	if err != nil {
		t.Fatal(err)
	}
	book := proposal.GetBook()
	for i := range uint64(n) {
		book.Entries = append(book.Entries, &registryv1.Entry{Index: 20 + i, Subject: registry.SubjectOf(change), Message: message})
		book.LogSize = 21 + i
	}
	return l, book
}

// A refused update does not fill the history with its words.
func TestRefusedUpdatesSayLittle(t *testing.T) {
	l, book := flood(t, 1)
	_, entries, err := paper.Fold(l.Charter.Digest, book, paper.End(book))
	if err != nil {
		t.Fatal(err)
	}
	last := entries[len(entries)-1]
	if last.Refused == nil || len(strings.Join(last.Says, "")) > 1000 {
		t.Errorf("refused: %v, in %d bytes of words", last.Refused, len(strings.Join(last.Says, "")))
	}
}

// Whoever has a connection can hand in what is refused, as often as he likes, and
// the log keeps it. It must not make proposals too large to be read.
func TestProposalsLeaveOutWhatWasRefused(t *testing.T) {
	l, whole := flood(t, 3)
	book, err := paper.Applied(l.Charter.Digest, whole)
	if err != nil {
		t.Fatal(err)
	}
	if len(book.GetEntries()) != len(l.Entries) || paper.End(book) != paper.End(whole) {
		t.Errorf("%d entries up to %d, want %d up to %d", len(book.GetEntries()), paper.End(book), len(l.Entries), paper.End(whole))
	}
	before, _, err := paper.Fold(l.Charter.Digest, whole, paper.End(whole))
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := paper.Fold(l.Charter.Digest, book, paper.End(book))
	if err != nil {
		t.Fatal(err)
	}
	if gone, come := registry.Diff(before.Overview(), after.Overview()); len(gone)+len(come) > 0 {
		t.Errorf("another registry: gone %q, come %q", gone, come)
	}
}
