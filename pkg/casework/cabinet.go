package casework

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Cabinet is where documents live: rows of a table, or memory. Fold reads and
// writes through it and keeps nothing, so a cabinet inside a transaction makes
// a fold atomic.
type Cabinet interface {
	// Get returns a document and whether there is one. The caller does not alter it.
	Get(ref Ref) ([]byte, bool, error)
	// Put stores a document in place of the one before. It may keep doc.
	Put(ref Ref, doc []byte) error
}

// Load reads one document, for example Load[Transfer](c, Ref{TypeTransfer, id}),
// and says whether there is one.
func Load[D any](c Cabinet, ref Ref) (*D, bool, error) {
	raw, found, err := c.Get(ref)
	if err != nil {
		return nil, false, fmt.Errorf("getting document %s %q: %w", ref.Type, ref.ID, err)
	}
	if !found {
		return nil, false, nil
	}
	doc := new(D)
	if err := json.Unmarshal(raw, doc); err != nil {
		return nil, false, fmt.Errorf("decoding document %s %q: %w", ref.Type, ref.ID, err)
	}
	return doc, true, nil
}

// Memory is a Cabinet in memory. Its zero value is empty and ready. It is not
// safe for use by several goroutines at once.
type Memory struct {
	documents map[Ref][]byte
}

// Get returns a document and whether there is one; it never fails.
func (m *Memory) Get(ref Ref) ([]byte, bool, error) {
	doc, found := m.documents[ref]
	return doc, found, nil
}

// Put stores a copy of a document; it never fails.
func (m *Memory) Put(ref Ref, doc []byte) error {
	if m.documents == nil {
		m.documents = make(map[Ref][]byte)
	}
	m.documents[ref] = bytes.Clone(doc)
	return nil
}

// All yields every document, sorted by type and identifier.
func (m *Memory) All() iter.Seq2[Ref, []byte] {
	return func(yield func(Ref, []byte) bool) {
		refs := slices.SortedFunc(maps.Keys(m.documents), Ref.compare)
		for _, ref := range refs {
			if !yield(ref, m.documents[ref]) {
				return
			}
		}
	}
}

// Digest returns the digest of all documents.
func (m *Memory) Digest() ([32]byte, error) {
	w := NewDigestWriter()
	for ref, doc := range m.All() {
		if err := w.Add(ref, doc); err != nil {
			return [32]byte{}, err
		}
	}
	return w.Sum(), nil
}
