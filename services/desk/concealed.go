package desk

import (
	"context"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

// concealment is what no page shows until the view was folded again: the row of an event whose
// content was deleted, and the documents that it is in.
type concealment struct {
	mark  uint64 // of the key ring: a fold that began at it, or later, is without the content
	all   bool   // it is everything
	index uint64 // of the row
	refs  []casework.Ref
}

// concealed are those that hold. Whoever uses it holds the shelf's mutex.
type concealed struct {
	list    []concealment
	mark    uint64 // of the live view
	all     bool
	entries map[uint64]bool
	refs    map[casework.Ref]bool
}

func (c *concealed) add(more concealment) {
	if more.mark <= c.mark {
		return // the live view was folded without it by now
	}
	c.list = append(c.list, more)
	c.all = c.all || more.all
	c.entries[more.index] = c.entries[more.index] || !more.all
	for _, ref := range more.refs {
		c.refs[ref] = true
	}
}

// conceal hides something. It waits for the pages that are being read.
func (s *shelf) conceal(c concealment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hidden.entries == nil {
		s.hidden.entries, s.hidden.refs = map[uint64]bool{}, map[casework.Ref]bool{}
	}
	s.hidden.add(c)
}

// reveal ends it for what a view that was swapped in was folded without.
func (s *shelf) reveal(mark uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.hidden.list
	s.hidden = concealed{mark: max(mark, s.hidden.mark), entries: map[uint64]bool{}, refs: map[casework.Ref]bool{}}
	for _, c := range before {
		s.hidden.add(c)
	}
}

// Entries has a concealed event's row with nothing of its content.
func (s *shelf) Entries(ctx context.Context, f view.Filter) ([]view.Entry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entries, err := s.view.Entries(ctx, f)
	for i := range entries {
		if e := &entries[i]; s.hidden.all || s.hidden.entries[e.Index] {
			e.Occurred, e.Source, e.Marking, e.Refs, e.Breaches = "", "", casework.Marking{}, nil, nil
			e.Open, e.Closed = nil, folding(*e)
			e.Summary = "being folded again: content was erased, recalled or has expired"
		}
	}
	return entries, err
}

// folding has every section of an entry closed, with that for a reason.
func folding(e view.Entry) []casework.Closed {
	var closed []casework.Closed
	for _, compartment := range e.Open {
		closed = append(closed, casework.Closed{Compartment: compartment, Reason: view.Folding})
	}
	for _, c := range e.Closed {
		closed = append(closed, casework.Closed{Compartment: c.Compartment, Reason: view.Folding})
	}
	return closed
}

// Document fails with view.ErrFolding where the entity is concealed.
func (s *shelf) Document(ctx context.Context, ref casework.Ref) (view.Document, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.hidden.all || s.hidden.refs[ref] {
		return view.Document{}, false, view.ErrFolding
	}
	return s.view.Document(ctx, ref)
}

// Documents leaves concealed entities out.
func (s *shelf) Documents(ctx context.Context, entityType string) ([]view.Document, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.hidden.all {
		return nil, view.ErrFolding
	}
	all, err := s.view.Documents(ctx, entityType)
	shown := all[:0]
	for _, document := range all {
		if !s.hidden.refs[document.Ref] {
			shown = append(shown, document)
		}
	}
	return shown, err
}

// documentOf is Document for the desk itself.
func (s *shelf) documentOf(ctx context.Context, ref casework.Ref) (view.Document, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.view.Document(ctx, ref)
}

// entries is Entries for the desk itself.
func (s *shelf) entries(ctx context.Context, f view.Filter) ([]view.Entry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.view.Entries(ctx, f)
}
