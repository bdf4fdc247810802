package paper_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/paper"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// journey is a log with a join, and a proposal on top of it that nobody has signed.
func journey(t testing.TB) (*Log, *registryv1.Proposal) {
	t.Helper()
	l := NewLog(t)
	l.Next = 10
	l.Apply(t, Form("three", "XA", "XC"), "root XA", "root XC")
	l.Next = 20
	update, err := l.State.Propose(AmendCharter(2, 2), 100)
	if err != nil {
		t.Fatal(err)
	}
	book := &registryv1.Book{Entries: l.Entries, LogSize: l.Next}
	return l, &registryv1.Proposal{Signed: &registryv1.SignedUpdate{Update: update}, Book: book}
}

// A proposal goes from hand to hand as a file, and each hand sees what it lacks.
func TestProposalGoesFromRootToRoot(t *testing.T) {
	l, proposal := journey(t)
	for _, country := range []string{"XA", "XB", "XC"} {
		data, err := paper.Encode(proposal)
		if err != nil {
			t.Fatal(err)
		}
		if proposal, err = paper.OpenProposal(data); err != nil {
			t.Fatal(err)
		}
		sheet, err := paper.Look(l.Charter.Digest, proposal)
		if err != nil {
			t.Fatal(err)
		}
		if sheet.Review.Lacking == nil || !strings.Contains(sheet.Review.Lacking.Error(), country) {
			t.Errorf("before %s signs it lacks %v", country, sheet.Review.Lacking)
		}
		if len(sheet.Review.Says) != 2 || !strings.Contains(sheet.Review.Says[0], "roots of 2 members; it took 3") {
			t.Errorf("it says %q", sheet.Review.Says)
		}
		if part, err := sheet.Base.Sign(proposal.GetSigned(), Key("root "+country)); err != nil || part.Root != country {
			t.Fatalf("signed as %q, %v", part.Root, err)
		}
	}
	sheet, err := paper.Look(l.Charter.Digest, proposal)
	if err != nil || sheet.Review.Lacking != nil {
		t.Errorf("complete, and lacks %v, %v", sheet.Review.Lacking, err)
	}
}

func TestFoldAtEveryIndex(t *testing.T) {
	l, proposal := journey(t)
	for at, audiences := range map[uint64]int{0: 0, 1: 2, 10: 2, 11: 3, 1 << 62: 3} {
		state, entries, err := paper.Fold(l.Charter.Digest, proposal.GetBook(), at)
		if err != nil || len(state.Audiences()) != audiences {
			t.Errorf("at %d: %d audiences, %d entries, %v", at, len(state.Audiences()), len(entries), err)
		}
	}
	refused := proto.Clone(proposal.GetBook()).(*registryv1.Book)
	refused.Entries = append(refused.Entries, &registryv1.Entry{Index: 12, Subject: "reg.member.left", Message: []byte("nothing")})
	if _, entries, err := paper.Fold(l.Charter.Digest, refused, 100); err != nil || len(entries) != 3 || entries[2].Refused == nil || entries[1].Refused != nil {
		t.Errorf("entries %v, %v", entries, err)
	}
}

func TestFilesRefused(t *testing.T) {
	l, proposal := journey(t)
	good, err := paper.Encode(proposal)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "cut": good[:len(good)/2], "another file": []byte(`{"public_key":"00"}`), "no update": []byte(`{}`),
		"a book": []byte(`{"entries":[]}`), "too large": make([]byte, paper.MaxFile+1),
	} {
		if _, err := paper.OpenProposal(data); err == nil {
			t.Errorf("%s was opened as a proposal", name)
		}
	}
	if _, err := paper.Look(event.DigestOf([]byte("another")), proposal); err == nil || !strings.Contains(err.Error(), "does not found the charter") {
		t.Errorf("under another charter: %v", err)
	}
	disordered := proto.Clone(proposal).(*registryv1.Proposal)
	disordered.Book.Entries[0], disordered.Book.Entries[1] = disordered.Book.Entries[1], disordered.Book.Entries[0]
	if _, err := paper.Look(l.Charter.Digest, disordered); err == nil || !strings.Contains(err.Error(), "stands after one of index 10") {
		t.Errorf("out of order: %v", err)
	}
	// A book that hides the newest update builds on an older version, which the log will tell.
	hidden := proto.Clone(proposal).(*registryv1.Proposal)
	hidden.Book.Entries = hidden.Book.Entries[:1]
	if _, err := paper.Look(l.Charter.Digest, hidden); err != nil {
		t.Errorf("another scope's update does not matter: %v", err)
	}
}

// FuzzOpen: whatever file comes, looking at it returns, and only what its parties
// signed is ever complete.
func FuzzOpen(f *testing.F) {
	l, proposal := journey(f)
	for _, file := range []proto.Message{proposal, proposal.GetBook()} {
		data, err := paper.Encode(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if book, err := paper.OpenBook(data); err == nil {
			if state, _, err := paper.Fold(l.Charter.Digest, book, paper.End(book)); err == nil && state.Founded() && state.Charter() != l.Charter.Digest {
				t.Error("founded on another charter")
			}
		}
		opened, err := paper.OpenProposal(data)
		if err != nil {
			return
		}
		sheet, err := paper.Look(l.Charter.Digest, opened)
		var none *registry.Unsigned
		if err == nil && sheet.Review.Lacking == none {
			t.Error("complete, and nobody has signed it")
		}
	})
}
