// Package audit replays a log as somebody who holds no secret: every signature,
// chain, verdict, leaf, checkpoint and cosignature, and what each country's desk
// must have made of it. It uses the very code of those whom it judges, and signs
// and opens nothing.
package audit

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// Message is one message of the events stream, in the order of the stream.
type Message struct {
	Sequence uint64
	Subject  string
	Data     []byte
}

// Replay takes in a log from its beginning. Feed it events with Event up to the
// end of each of the notary's messages before that message; Needs says how far.
// Memory grows by some 32 bytes an event, and with the documents of the desks.
type Replay struct {
	state    registry.State
	chains   verdict.Memory
	roots    event.Roots
	policies translog.Policies
	follower *translog.Follower
	parted   bool             // the notary's registry is another than the stream's
	desks    map[string]*desk // of all countries that there ever were
	readers  *audiences       // as the registry has them now
	sealing  *audiences       // of the newest leaf that was counted
	outsider tally            // of a desk that is in no audience

	next    uint64                   // log index of the next event
	absent  []translog.Range         // below it, what the stream has not
	waiting []leaf                   // events that no checkpoint covers yet, by rising index
	seen    []seen                   // what publishers say they have seen, not compared yet
	known   map[uint64]translog.Hash // the roots of all checkpoints
	summary Summary

	openers map[string]Opener // by country
	leaves  []leafAt          // of all messages by index, kept where there is an opener
}

type leaf struct {
	index   uint64
	hash    translog.Hash
	label   string
	readers *audiences
}

type seen struct {
	index uint64
	event.Seen
}

// New begins the replay of the log that charter founds.
func New(charter registry.Charter) (*Replay, error) {
	state, err := charter.State()
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	policies, err := state.Policies()
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	follower, err := translog.NewFollower(policies)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	r := &Replay{
		state: state, policies: policies, follower: follower,
		openers: map[string]Opener{}, desks: map[string]*desk{}, known: map[uint64]translog.Hash{},
		summary: Summary{CosignedBy: []string{}, Findings: []Finding{}, Desks: map[string]Desk{}, Verdicts: map[string]uint64{}, Restorations: []Restoration{}},
	}
	r.readers = &audiences{}
	r.regroup() // the founders have desks, whatever the log holds
	r.sealing, r.state = r.readers, registry.New(charter.Digest)
	return r, nil
}

func (r *Replay) find(code string, index uint64, format string, args ...any) {
	r.summary.Findings = append(r.summary.Findings, Finding{Code: code, Index: index, What: fmt.Sprintf(format, args...)})
}

// Event takes in the next message of the events stream. Its index is its sequence
// less one, as for everybody else, so that one lost message does not make all
// after it look altered. A sequence that was there before is not taken in again.
func (r *Replay) Event(m Message) error {
	if m.Sequence != r.next+1 {
		r.find(FindingSequence, r.next, "stream sequence %d stands where %d should", m.Sequence, r.next+1)
		if m.Sequence > r.next {
			r.absent = append(r.absent, translog.Range{From: r.next, To: m.Sequence - 1})
		}
	}
	if m.Sequence <= r.next {
		return nil
	}
	index := m.Sequence - 1
	r.next = m.Sequence
	r.keep(index, m)
	judged, err := verdict.Judge(r.state, &r.chains, &r.roots, index, m.Subject, m.Data)
	if err != nil {
		return fmt.Errorf("audit of index %d: %w", index, err)
	}
	r.state = judged.State
	r.count(index, judged)
	if judged.Update {
		r.regroup()
		r.adopt(index)
	}
	r.waiting = append(r.waiting, leaf{
		index: index, hash: translog.LeafHash(index, m.Subject, m.Data), label: verdict.Label(m.Subject), readers: r.readers})
	if judged.Restored != nil {
		r.summary.Restorations = append(r.summary.Restorations, restorationOf(index, *judged.Restored))
	}
	if judged.Said() {
		r.chains.Take(judged.Event)
		if judged.Event.Seen.Size > 0 {
			r.seen = append(r.seen, seen{index: index, Seen: judged.Event.Seen})
		}
	}
	return r.showDesks(index, m.Subject, judged)
}

// keep remembers what a message can be held against when it is released to a desk later.
func (r *Replay) keep(index uint64, m Message) {
	if len(r.openers) == 0 {
		return
	}
	for uint64(len(r.leaves)) < index {
		r.leaves = append(r.leaves, leafAt{}) // missing in the stream
	}
	r.leaves = append(r.leaves, leafAt{translog.LeafHash(index, m.Subject, m.Data), r.state})
}

// adopt takes on the policies that the update at an index lays down for sizes to come.
func (r *Replay) adopt(index uint64) {
	policies, err := r.state.Policies()
	if err == nil {
		err = r.follower.Adopt(policies)
	}
	if err != nil {
		// Its leaf came first: the size after it was judged without what it says.
		r.find(FindingMissing, index, "the stream had this update of the registry too late: %v", err)
		return
	}
	r.policies = policies
}

func (r *Replay) count(index uint64, judged verdict.Judged) {
	r.summary.Events++
	r.summary.Verdicts[string(judged.Code)]++
	switch {
	case judged.Code == verdict.Accepted:
		r.summary.Accepted++
	case judged.Code == verdict.Duplicate:
		r.summary.Duplicates++
	default:
		r.summary.Refused++
		r.find(string(judged.Code), index, "%s", judged.Reason)
	}
}

// Needs is how many events must have been fed before Leaves may take data in; 0
// where data cannot be read, which Leaves then reports.
func (r *Replay) Needs(data []byte) uint64 {
	leaves := &logv1.Leaves{}
	if err := proto.Unmarshal(data, leaves); err != nil || leaves.GetStart() > translog.MaxSize {
		return 0
	}
	return leaves.GetStart() + uint64(len(leaves.GetHashes())/len(translog.Hash{}))
}

// Fed is the index after that of the newest event taken in.
func (r *Replay) Fed() uint64 { return r.next }

// Leaves takes in the next message of the notary.
func (r *Replay) Leaves(data []byte) {
	leaves := &logv1.Leaves{}
	if err := proto.Unmarshal(data, leaves); err != nil {
		r.find(FindingLeaves, r.follower.Size(), "not a message of a notary")
		return
	}
	batch, err := r.follower.Leaves(leaves)
	if other, ok := errors.AsType[*translog.OtherRegistry](err); ok {
		// Said once: the chain over the updates never comes together again.
		r.find(FindingRegistry, other.Got.Checkpoint.Size, "%v", err)
		r.parted = true
		r.follower.IgnoreRegistry()
		batch, err = r.follower.Leaves(leaves)
	}
	if err != nil {
		r.refuse(err)
		return
	}
	r.known[batch.Checkpoint.Size] = batch.Checkpoint.Root
	r.compareEpoch(batch)
	for i, hash := range batch.Hashes {
		r.compare(batch.Start+uint64(i), hash, batch.Labels[i])
	}
	r.compareSeen()
}

// refuse names what is wrong with a message on the log stream.
func (r *Replay) refuse(err error) {
	var rollback *translog.Rollback
	var fork *translog.Fork
	switch size := r.follower.Size(); {
	case errors.As(err, &rollback):
		got := rollback.Got.Checkpoint
		if root, ok := r.known[got.Size]; ok && root != got.Root { // of a size that the follower has forgotten
			r.find(FindingFork, got.Size, "two roots for size %d: %s and %s", got.Size, root, got.Root)
			return
		}
		r.find(FindingRollback, got.Size, "%v", err)
	case errors.As(err, &fork):
		r.find(FindingFork, fork.Got.Checkpoint.Size, "%v", err)
	default:
		r.find(FindingLeaves, size, "%v", err)
	}
}

func (r *Replay) compare(index uint64, hash translog.Hash, label string) {
	readers := r.sealing
	defer func() { r.seal(readers, label) }()
	for len(r.waiting) > 0 && r.waiting[0].index < index {
		r.waiting = r.waiting[1:] // came after its leaf, which was found missing
	}
	if len(r.waiting) == 0 || r.waiting[0].index != index {
		r.find(FindingMissing, index, "the tree has this leaf, the stream does not")
		return
	}
	own := r.waiting[0]
	r.waiting, readers = r.waiting[1:], own.readers
	if own.hash != hash {
		r.find(FindingLeaf, index, "the tree has leaf %s, the stream's bytes give %s", hash, own.hash)
	}
	if own.label != label {
		// Cut: a label is unsigned, and one long one may stand for many leaves.
		r.find(FindingLabel, index, "labelled for %.64q, the subject is of %.64q", label, own.label)
	}
}

// compareEpoch holds the epoch that the notary states against the restorations that
// lie in the log.
func (r *Replay) compareEpoch(batch translog.Batch) {
	if len(batch.Hashes) == 0 {
		return
	}
	for _, index := range []uint64{batch.Start, batch.Start + uint64(len(batch.Hashes)) - 1} {
		epoch := uint64(0)
		for _, restored := range r.summary.Restorations {
			if restored.Index <= index {
				epoch++
			}
		}
		if epoch != batch.Epoch {
			r.find(FindingLeaves, index, "the notary says epoch %d, and there were %d restorations up to here", batch.Epoch, epoch)
			return
		}
	}
}

// compareSeen holds what publishers saw against the tree that everybody is shown.
// An event can only have seen what was published before it.
func (r *Replay) compareSeen() {
	r.seen = slices.DeleteFunc(r.seen, func(s seen) bool {
		if s.Size > r.follower.Size() {
			return false
		}
		if root, ok := r.known[s.Size]; !ok || root != translog.Hash(s.Root) {
			r.find(FindingSeen, s.index, "its publisher had verified root %s for %d leaves, which this log never published", s.Root, s.Size)
		}
		return true
	})
}

// Cosignature takes in the next cosignature of a mirror, as it lies on the log
// stream. A mirror signs what it has read there: one of a size that does not stand
// before it tells of another log. Also those too old to count are compared.
func (r *Replay) Cosignature(country string, note []byte) {
	signer, c, _, err := r.policies.OpenCosignature(note)
	if err != nil {
		r.find(FindingCosignature, r.follower.Size(), "by %.64q: %v", country, err)
		return
	}
	if signer != country {
		r.find(FindingCosignature, c.Size, "of %s, on the subject of %.64q", signer, country)
	}
	root, ok := r.known[c.Size]
	switch {
	case !ok:
		r.find(FindingCosignature, c.Size, "%s cosigned %d leaves, for which no checkpoint that holds stands before it", signer, c.Size)
	case root != c.Root:
		r.find(FindingFork, c.Size, "%s cosigned root %s for size %d, the notary signed %s", signer, c.Root, c.Size, root)
	case !r.parted && c.Registry != r.policies.At(c.Size).Registry: // the notary's was found to name that one
		r.find(FindingRegistry, c.Size, "%s cosigned registry %s for size %d, the notary signed %s", signer, c.Registry, c.Size, r.policies.At(c.Size).Registry)
	default:
		if _, err := r.follower.Cosignature(note); err != nil && !errors.Is(err, translog.ErrStale) {
			r.find(FindingCosignature, c.Size, "by %s: %v", signer, err)
		}
	}
}

// Stray reports a message on the log stream that no role may put there.
func (r *Replay) Stray(subject string) {
	r.find(FindingLeaves, r.follower.Size(), "a message on %.64q, where nobody publishes", subject)
}

// Finish ends the replay and returns its summary.
func (r *Replay) Finish() (Summary, error) {
	s := &r.summary
	r.compareSeen() // of events that came after the newest checkpoint
	r.compareLost()
	for _, left := range r.seen {
		r.find(FindingSeen, left.index, "its publisher had verified %d leaves, more than the log has", left.Size)
	}
	r.seen = nil
	if newest, ok := r.follower.Checkpoint(); ok {
		s.LogSize, s.Checkpoint = newest.Size, CheckpointOf(newest)
	}
	if witnessed, countries, ok := r.follower.Witnessed(); ok {
		s.WitnessedSize, s.CosignedBy = witnessed.Size, countries
	}
	for country, d := range r.desks {
		summary, err := d.summary()
		if err != nil {
			return *s, fmt.Errorf("audit: the view of %s: %w", country, err)
		}
		s.Desks[country] = summary
	}
	return *s, nil
}
