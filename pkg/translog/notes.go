package translog

import (
	"maps"
	"slices"
)

// Quorum are the notes that make the newest witnessed checkpoint one: the notary's,
// and the newest cosignature of each mirror of its policy, of its size or of a larger
// one; ok is false while there is none.
func (f *Follower) Quorum() (checkpoint []byte, cosignatures [][]byte, ok bool) {
	if !f.witnessed {
		return nil, nil, false
	}
	for _, c := range f.cosigners(f.kept[0].Checkpoint.Size) {
		cosignatures = append(cosignatures, slices.Clone(c.signed.Note))
	}
	return slices.Clone(f.kept[0].Note), cosignatures, true
}

// Notes are the notes of the newest checkpoint and of the newest cosignature of
// each mirror that was counted: what one party can show another. checkpoint is nil
// before the first.
func (f *Follower) Notes() (checkpoint []byte, cosignatures [][]byte) {
	if n := len(f.kept); n > 0 {
		checkpoint = slices.Clone(f.kept[n-1].Note)
	}
	for _, at := range slices.SortedFunc(maps.Keys(f.cosigned), seat.compare) {
		cosignatures = append(cosignatures, slices.Clone(f.cosigned[at].signed.Note))
	}
	return checkpoint, cosignatures
}
