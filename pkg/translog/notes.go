package translog

import (
	"maps"
	"slices"
)

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
