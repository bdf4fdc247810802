package casework

import (
	"crypto/sha256"
	"fmt"
	"hash"

	"github.com/tripoint/tripoint/pkg/pae"
)

// DigestWriter computes the digest of a read model from its documents in
// order, one at a time, so that a table of any size can be streamed: SHA-256
// over the concatenation of PAE(tripoint/v1/view, type, id, document).
type DigestWriter struct {
	sum   hash.Hash
	last  Ref
	begun bool
}

// NewDigestWriter returns a writer that has seen no document.
func NewDigestWriter() *DigestWriter {
	return &DigestWriter{sum: sha256.New()}
}

// Add takes the next document. It fails where ref does not come after the one
// before in the order of (type, id), compared bytewise: a query that forgot its
// ORDER BY, or that sorts by a language's rules, must not give a digest.
func (w *DigestWriter) Add(ref Ref, doc []byte) error {
	if w.begun && w.last.compare(ref) >= 0 {
		return fmt.Errorf("digesting the view: %s %q does not come after %s %q", ref.Type, ref.ID, w.last.Type, w.last.ID)
	}
	w.last, w.begun = ref, true
	w.sum.Write(pae.Encode(pae.View, []byte(ref.Type), []byte(ref.ID), doc))
	return nil
}

// Sum returns the digest of the documents added so far.
func (w *DigestWriter) Sum() [32]byte {
	return [32]byte(w.sum.Sum(nil))
}
