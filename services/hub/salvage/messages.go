package salvage

import (
	"fmt"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// maxSpan is how many leaves one message on the log stream can hold, in 4 MiB.
const maxSpan = 1e5

// Messages shows what the notary published, or the same in larger parts: one
// message for each checkpoint that somebody has kept.
func (l *Log) Messages(show func(*logv1.Leaves) error) error {
	from := uint64(0)
	for _, proof := range l.proofs {
		size := proof.Checkpoint.Size
		if size <= from {
			continue
		}
		epoch, end := l.epoch(from)
		if size-from > maxSpan || end < size {
			return fmt.Errorf("of the checkpoints between %d and %d leaves nobody has one, and no message can hold all of these leaves: add a desk's holding", from, size)
		}
		if err := show(l.message(epoch, from, size, proof.Note)); err != nil {
			return err
		}
		from = size
	}
	return nil
}

// epoch is that of the leaf at an index, and where it ends.
func (l *Log) epoch(index uint64) (epoch, end uint64) {
	for _, begins := range l.epochs {
		if begins > index {
			return epoch, begins
		}
		epoch++
	}
	return epoch, l.Size()
}

func (l *Log) message(epoch, from, to uint64, note []byte) *logv1.Leaves {
	leaves := &logv1.Leaves{Epoch: epoch, Start: from, Checkpoint: note}
	places := map[string]uint32{}
	for _, leaf := range l.leaves[from:to] {
		leaves.Hashes = append(leaves.Hashes, leaf.hash[:]...)
		label := l.labels[leaf.label]
		place, ok := places[label]
		if !ok {
			place = uint32(len(leaves.Audiences))
			places[label] = place
			leaves.Audiences = append(leaves.Audiences, label)
		}
		leaves.Labels = append(leaves.Labels, place)
	}
	return leaves
}
