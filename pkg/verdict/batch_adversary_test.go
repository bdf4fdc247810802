package verdict_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// E08: an S above the order of the base point fits the equation and is not the
// one encoding: one signature, one form.
func TestAdversary_E08_SignatureSpelledOtherwise(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	order := [32]byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	addOrder := func(e *eventv1.Envelope) {
		carry := 0
		for i, b := range order {
			carry += int(e.Proof.Signature[32+i]) + int(b)
			e.Proof.Signature[32+i] = byte(carry)
			carry >>= 8
		}
	}
	m := police.says(t, 1)[0]
	t.Run("never seen", func(t *testing.T) {
		if got := r.reads(t, altered(t, m, addOrder)); got.Code != verdict.BadSignature {
			t.Errorf("verdict = %s, want %s", got.Code, verdict.BadSignature)
		}
		r.accepts(t, m)
	})
	t.Run("its root remembered", func(t *testing.T) {
		r.withstands(t, police, altered(t, m, addOrder), verdict.BadSignature)
	})
	t.Run("a bit that RFC 8032 keeps clear", func(t *testing.T) {
		r.withstands(t, police, altered(t, m, func(e *eventv1.Envelope) { e.Proof.Signature[63] |= 0x80 }), verdict.BadSignature)
	})
	t.Run("R alone", func(t *testing.T) {
		r.withstands(t, police, altered(t, m, func(e *eventv1.Envelope) { e.Proof.Signature[0]++ }), verdict.BadSignature)
	})
	t.Run("zero", func(t *testing.T) {
		r.withstands(t, police, altered(t, m, func(e *eventv1.Envelope) { clear(e.Proof.Signature) }), verdict.BadSignature)
	})
}

func TestAdversary_E09_PathOfAnotherEvent(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	batch := police.says(t, 5)
	r.accepts(t, batch...)
	other := police.says(t, 5)
	r.accepts(t, other...)
	proofOf := func(m message) *eventv1.BatchProof {
		e, _ := open(t, m)
		return e.GetProof()
	}
	hash := make([]byte, 32)
	tests := []struct {
		name   string
		at     int // the event of the batch that is altered
		change func(p *eventv1.BatchProof)
		want   verdict.Code
	}{
		{"its neighbour's path", 2, func(p *eventv1.BatchProof) { p.Path = proofOf(batch[3]).Path }, verdict.BadSignature},
		{"its neighbour's path and index", 2, func(p *eventv1.BatchProof) { p.Path, p.Index = proofOf(batch[3]).Path, 3 }, verdict.BadSignature},
		{"another batch's path", 2, func(p *eventv1.BatchProof) { p.Path = proofOf(other[2]).Path }, verdict.BadSignature},
		{"another batch's proof", 2, func(p *eventv1.BatchProof) {
			p.Path, p.Signature = proofOf(other[2]).Path, proofOf(other[2]).Signature
		}, verdict.BadSignature},
		{"index one less", 2, func(p *eventv1.BatchProof) { p.Index-- }, verdict.BadSignature},
		{"index one more", 2, func(p *eventv1.BatchProof) { p.Index++ }, verdict.BadSignature},
		{"index of the size", 4, func(p *eventv1.BatchProof) { p.Index = 5 }, verdict.Undecodable},
		{"index 2^64-1", 4, func(p *eventv1.BatchProof) { p.Index = 1<<64 - 1 }, verdict.Undecodable},
		{"size one less", 2, func(p *eventv1.BatchProof) { p.Size-- }, verdict.BadSignature},
		{"size one more", 2, func(p *eventv1.BatchProof) { p.Size++ }, verdict.BadSignature},
		{"size of the same depth", 0, func(p *eventv1.BatchProof) { p.Size = 8 }, verdict.BadSignature},
		{"size 0", 0, func(p *eventv1.BatchProof) { p.Size = 0 }, verdict.Undecodable},
		{"size above the largest", 0, func(p *eventv1.BatchProof) { p.Size = event.MaxBatch + 1 }, verdict.Undecodable},
		{"size 2^64-1", 0, func(p *eventv1.BatchProof) { p.Size = 1<<64 - 1 }, verdict.Undecodable},
		{"path without its last hash", 2, func(p *eventv1.BatchProof) { p.Path = p.Path[:len(p.Path)-1] }, verdict.BadSignature},
		{"path without its first hash", 2, func(p *eventv1.BatchProof) { p.Path = p.Path[1:] }, verdict.BadSignature},
		{"path with one hash more", 2, func(p *eventv1.BatchProof) { p.Path = append(p.Path, hash) }, verdict.BadSignature},
		{"path as long as any, and more", 2, func(p *eventv1.BatchProof) { p.Path = slices.Repeat([][]byte{hash}, 17) }, verdict.Undecodable},
		{"path as long as any", 2, func(p *eventv1.BatchProof) { p.Path = slices.Repeat([][]byte{hash}, 16) }, verdict.BadSignature},
		{"path in reverse", 2, func(p *eventv1.BatchProof) { slices.Reverse(p.Path) }, verdict.BadSignature},
		{"half a hash", 2, func(p *eventv1.BatchProof) { p.Path[0] = p.Path[0][:16] }, verdict.Undecodable},
		{"empty path with a size above 1", 2, func(p *eventv1.BatchProof) { p.Path, p.Index = nil, 0 }, verdict.BadSignature},
		{"empty path with a size of 1", 2, func(p *eventv1.BatchProof) { p.Path, p.Index, p.Size = nil, 0, 1 }, verdict.BadSignature},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := altered(t, batch[test.at], func(e *eventv1.Envelope) { test.change(e.Proof) })
			r.withstands(t, police, m, test.want)
		})
	}
}

// E09: an inner node is two hashes side by side. Offered as an event it has
// another prefix and another form than one; offered as a smaller tree it has another size.
func TestAdversary_E09_InnerNodeAsEvent(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	batch := police.says(t, 4)
	r.accepts(t, batch...)
	leaf := func(i int) []byte {
		e, _ := open(t, batch[i])
		sum := sha256.Sum256(append([]byte{0}, pae.Encode(pae.Event, police.key.ID[:], e.GetHeader())...))
		return sum[:]
	}
	node := func(left, right []byte) []byte {
		sum := sha256.Sum256(slices.Concat([]byte{1}, left, right))
		return sum[:]
	}
	right := node(leaf(2), leaf(3))
	t.Run("the node's content as a header", func(t *testing.T) {
		m := altered(t, batch[0], func(e *eventv1.Envelope) {
			e.Header = slices.Concat(leaf(0), leaf(1))
			e.Proof.Size, e.Proof.Path = 2, [][]byte{right}
		})
		r.withstands(t, police, m, verdict.Undecodable)
	})
	t.Run("an event in a tree of the upper nodes", func(t *testing.T) {
		m := altered(t, batch[0], func(e *eventv1.Envelope) { e.Proof.Size, e.Proof.Path = 2, [][]byte{right} })
		r.withstands(t, police, m, verdict.BadSignature)
	})
	t.Run("half of the tree under its own size", func(t *testing.T) {
		m := altered(t, batch[1], func(e *eventv1.Envelope) { e.Proof.Size, e.Proof.Path = 2, [][]byte{leaf(0)} })
		r.withstands(t, police, m, verdict.BadSignature)
	})
}

// E09: an agency signs, as a batch's root, what no tree of that size has. The
// signature is good and the path is not: it must be used up at the root, not before or after.
func TestAdversary_E09_TreeOfAnotherShapeSigned(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	r.accepts(t, police.says(t, 1)...)
	node := func(left, right []byte) []byte {
		sum := sha256.Sum256(slices.Concat([]byte{1}, left, right))
		return sum[:]
	}
	a, b := slices.Repeat([]byte{1}, 32), slices.Repeat([]byte{2}, 32)
	tests := []struct {
		name        string
		index, size uint64
		path        [][]byte
		root        func(leaf []byte) []byte
		want        verdict.Code
	}{
		{"empty path, size 2", 0, 2, nil, func(leaf []byte) []byte { return leaf }, verdict.BadSignature},
		{"empty path, size 65536", 65535, 65536, nil, func(leaf []byte) []byte { return leaf }, verdict.BadSignature},
		{"a path, size 1, to the left", 0, 1, [][]byte{a}, func(leaf []byte) []byte { return node(a, leaf) }, verdict.BadSignature},
		{"a path, size 1, to the right", 0, 1, [][]byte{a}, func(leaf []byte) []byte { return node(leaf, a) }, verdict.BadSignature},
		{"one hash, size 4", 0, 4, [][]byte{a}, func(leaf []byte) []byte { return node(leaf, a) }, verdict.BadSignature},
		{"two hashes, size 2, to the left", 0, 2, [][]byte{a, b}, func(leaf []byte) []byte { return node(b, node(leaf, a)) }, verdict.BadSignature},
		{"two hashes, size 2, to the right", 0, 2, [][]byte{a, b}, func(leaf []byte) []byte { return node(node(leaf, a), b) }, verdict.BadSignature},
		{"two hashes, last of 3", 2, 3, [][]byte{a, b}, func(leaf []byte) []byte { return node(b, node(a, leaf)) }, verdict.BadSignature},
		{"sides exchanged, size 2", 0, 2, [][]byte{a}, func(leaf []byte) []byte { return node(a, leaf) }, verdict.BadSignature},
		{"the right shape", 0, 2, [][]byte{a}, func(leaf []byte) []byte { return node(leaf, a) }, verdict.Accepted},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			next, head := police.signs(t, police.head, police.draft())
			m := altered(t, next[0], func(e *eventv1.Envelope) {
				leaf := sha256.Sum256(append([]byte{0}, pae.Encode(pae.Event, police.key.ID[:], e.Header)...))
				statement := pae.Encode(pae.Batch, police.key.ID[:], pae.Uint64(test.size), test.root(leaf[:]))
				signature := ed25519.Sign(registrytest.Key("publisher XA/police"), statement)
				e.Proof = &eventv1.BatchProof{KeyId: police.key.ID[:], Index: test.index, Size: test.size, Path: test.path, Signature: signature}
			})
			if test.want == verdict.Accepted {
				r.accepts(t, m)
				police.head = head
				return
			}
			r.withstands(t, police, m, test.want)
		})
	}
}

// A body that is not the signed one is the hub's fault or the network's: the event
// itself may still come.
func TestBodyExchanged(t *testing.T) {
	police, r := newAgency(t, "XA", "police", "region"), newReader(t)
	batch := police.says(t, 2)
	second, _ := open(t, batch[1])
	m := altered(t, batch[0], func(e *eventv1.Envelope) { e.Body = second.Body })
	if got := r.reads(t, m); got.Code != verdict.BadBody {
		t.Errorf("verdict = %s (%s), want %s", got.Code, got.Reason, verdict.BadBody)
	}
	r.accepts(t, batch...)
	r.withstands(t, police, m, verdict.BadBody) // also where the header is a duplicate
}
