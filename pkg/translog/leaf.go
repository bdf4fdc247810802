package translog

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/pae"
)

// LeafHash is the RFC 6962 leaf hash of one stream message: its log index, the
// subject it was stored under, and the digest of its bytes. The index is inside,
// so that no leaf can stand in for another with the same content.
func LeafHash(index uint64, subject string, data []byte) Hash {
	return LeafHashOf(index, subject, sha256.Sum256(data))
}

// LeafHashOf is LeafHash of a message whose digest is known.
func LeafHashOf(index uint64, subject string, digest [sha256.Size]byte) Hash {
	return tlog.RecordHash(pae.Encode(pae.Leaf, pae.Uint64(index), []byte(subject), digest[:]))
}
