package audit

import (
	"encoding/hex"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/translog"
)

// Summary is what a log holds and what is wrong with it. Its JSON form is a
// contract with scripts: it is documented in the README and changed only by
// addition.
type Summary struct {
	Events        uint64            `json:"events"`         // messages on the events stream, refused ones and the registry's included
	Accepted      uint64            `json:"accepted"`       // of them
	Refused       uint64            `json:"refused"`        // of them
	Duplicates    uint64            `json:"duplicates"`     // of them: the same header again, harmless
	LogSize       uint64            `json:"log_size"`       // leaves under the newest checkpoint
	Checkpoint    Checkpoint        `json:"checkpoint"`     // the newest one
	WitnessedSize uint64            `json:"witnessed_size"` // leaves under the newest checkpoint with a quorum
	CosignedBy    []string          `json:"cosigned_by"`    // the countries that cosigned that one
	Desks         map[string]Desk   `json:"desks"`          // by country
	Findings      []Finding         `json:"findings"`       // empty when all is well
	Verdicts      map[string]uint64 `json:"verdicts"`       // messages by verdict
	Restorations  []Restoration     `json:"restorations"`   // of the stream, after it had lost messages; by rising index
}

// Restoration is the hub's word that it had lost messages, and what of them is back.
// It is no finding: what is missing for good is one for each index.
type Restoration struct {
	Index     uint64           `json:"index"`
	Time      time.Time        `json:"time"` // by the hub's clock
	Recovered uint64           `json:"recovered"`
	Lost      []translog.Range `json:"lost"`
}

// Missing is how many messages nobody had.
func (r Restoration) Missing() uint64 {
	missing := uint64(0)
	for _, lost := range r.Lost {
		missing += lost.To - lost.From
	}
	return missing
}

func restorationOf(index uint64, r translog.Restoration) Restoration {
	return Restoration{Index: index, Time: r.At, Recovered: r.Recovered, Lost: append([]translog.Range{}, r.Lost...)}
}

// compareLost holds the hub's newest word on what it has lost against the stream: a
// desk lets pass what is said to be lost, so who says it of what is there may withhold
// it. What an earlier word says may have come back since.
func (r *Replay) compareLost() {
	all := r.summary.Restorations
	if len(all) == 0 {
		return
	}
	newest := all[len(all)-1]
	for _, lost := range newest.Lost {
		index := lost.From
		for _, hole := range r.absent {
			if hole.Has(index) {
				index = hole.To
			}
		}
		if index < lost.To {
			r.find(FindingExcuse, index, "the restoration at index %d says that this message is lost, and the stream has it", newest.Index)
		}
	}
}

// Checkpoint is a log size and its root in hexadecimal.
type Checkpoint struct {
	Size uint64 `json:"size"`
	Root string `json:"root"`
}

// CheckpointOf is the JSON form of a checkpoint.
func CheckpointOf(c translog.Checkpoint) Checkpoint {
	return Checkpoint{Size: c.Size, Root: hex.EncodeToString(c.Root[:])}
}

// Desk is one country's view of the log.
type Desk struct {
	LogIndex   uint64                     `json:"log_index"`   // of the newest message that it took in
	ViewDigest string                     `json:"view_digest"` // of all its documents, hexadecimal
	Events     uint64                     `json:"events"`      // messages that it took in
	Sealed     uint64                     `json:"sealed"`      // messages of the log that are not for it
	Opened     bool                       `json:"opened"`      // replayed with the desk's keys: else sealed content was not compared
	Transfers  []casework.TransferSummary `json:"transfers"`
	Breaches   []casework.Breach          `json:"breaches"`
}

// Finding is one thing that is wrong, with where it stands.
type Finding struct {
	Code  string `json:"code"`
	Index uint64 `json:"index"` // log index, or the log size that a checkpoint speaks of
	What  string `json:"what"`
}

// Codes of findings beside those of verdicts, which stand for a refused message.
const (
	FindingSequence    = "sequence"    // the stream skips or repeats a sequence
	FindingLeaf        = "leaf"        // the tree has another hash than the stream's bytes
	FindingLabel       = "label"       // the tree names another audience than the subject
	FindingMissing     = "missing"     // the tree has a leaf that the stream has not
	FindingLeaves      = "leaves"      // a notary's message that does not fit what it published before
	FindingRollback    = "rollback"    // a smaller tree, correctly signed
	FindingFork        = "fork"        // two checkpoints of one size
	FindingRegistry    = "registry"    // a signed checkpoint that names another registry than the stream's updates make
	FindingCosignature = "cosignature" // a cosignature that does not hold, or of a size that was not published
	FindingExcuse      = "excuse"      // the hub says that it has lost a message for good, and the stream has it
	FindingSeen        = "seen"        // a publisher was shown another log
)
