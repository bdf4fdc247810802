package salvage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
)

// Log is a log as its parties' holdings prove it.
type Log struct {
	charter registry.Charter
	limits  limits
	sources []Source

	updates map[uint64][]holding.Message // by index: messages for everybody that somebody says stand there
	claimed []claim                      // newest checkpoints, by whom
	passed  []claim                      // checkpoints over leaves of a damaged source that do not hold
	notes   []claim                      // cosignatures

	leaves    []leaf
	labels    []string
	places    map[string]uint32 // in labels
	proofs    []Proof           // by rising size
	state     registry.State    // at the end of the tree
	present   []bool            // by index: somebody has the message
	survived  []bool            // likewise: the damaged streams have it
	survivors uint64            // how many these are
	epochs    []uint64          // indices at which the stream was restored before
	found     map[uint64]holding.Message
	strays    []stray
	signed    []Cosigned
	leftOut   map[string]uint64
	beyond    *Short
	carried   []holding.Message
}

type leaf struct {
	hash  translog.Hash
	label uint32 // place in labels
}

// disputed is the place of the label of a leaf which two have labelled each in their
// way. Nobody knows then for whom it is, and no third one decides that.
const disputed = 0

// claim is a note that somebody has brought, not verified yet.
type claim struct {
	by   string
	note []byte
}

// Survey reads all holdings and finds the longest log that is proven. Errors:
// *Fork, *Short, and those that say what is wrong with which holding.
func Survey(ctx context.Context, charter registry.Charter, sources ...Source) (*Log, error) {
	return survey(ctx, charter, generous, sources)
}

func survey(ctx context.Context, charter registry.Charter, bounds limits, sources []Source) (*Log, error) {
	l := &Log{
		limits: bounds, charter: charter, sources: sources, updates: map[uint64][]holding.Message{},
		labels: []string{disputed: holding.Unknown}, places: map[string]uint32{},
		found: map[uint64]holding.Message{}, leftOut: map[string]uint64{}, state: registry.New(charter.Digest),
	}
	founding := holding.Message{Known: true, Subject: registry.FoundingSubject, Data: charter.Message}
	l.updates[0] = []holding.Message{founding}
	for _, s := range sources {
		first := &gathering{log: l, from: s.Name, updates: l.limits.updates}
		if err := s.each(ctx, func(r holding.Record) error { first.take(r); return nil }); err != nil {
			return nil, err
		}
		first.end()
	}
	for _, damaged := range []bool{false, true} { // what is damaged may need the leaves of the others
		for _, s := range sources {
			if s.Damaged != damaged {
				continue
			}
			if err := l.climb(ctx, s); err != nil {
				return nil, err
			}
		}
	}
	if err := l.compareClaims(); err != nil {
		return nil, err
	}
	l.countersign()
	l.present, l.survived = make([]bool, len(l.leaves)), make([]bool, len(l.leaves))
	if err := l.classify(ctx); err != nil {
		return nil, err
	}
	return l, l.settle(ctx)
}

// Size is the number of leaves.
func (l *Log) Size() uint64 { return uint64(len(l.leaves)) }

// Leaf is the hash of the leaf at an index below Size.
func (l *Log) Leaf(index uint64) translog.Hash { return l.leaves[index].hash }

// label is what the leaf at an index is labelled with.
func (l *Log) label(index uint64) string { return l.labels[l.leaves[index].label] }

// place is where an audience stands in the table of labels.
func (l *Log) place(label string) uint32 {
	at, ok := l.places[label]
	if !ok {
		at = uint32(len(l.labels))
		l.places[label] = at
		l.labels = append(l.labels, label)
	}
	return at
}

// updateAt is the message for everybody that is the leaf at an index.
func (l *Log) updateAt(index uint64, hash translog.Hash) (m holding.Message, ok bool) {
	for _, m := range l.updates[index] {
		if translog.LeafHash(index, m.Subject, m.Data) == hash {
			return m, true
		}
	}
	return m, false
}

// compareClaims holds what was seen by who has no leaves against the tree.
func (l *Log) compareClaims() error {
	policies, err := l.policies()
	if err != nil {
		return err
	}
	roots := map[uint64]translog.Hash{}
	var proofs []Proof
	for _, c := range l.claimed {
		checkpoint, err := policies.OpenCheckpoint(c.note)
		if err != nil {
			return fmt.Errorf("%s: the newest checkpoint that it has seen does not verify by the registry as it was given: %w", c.by, err)
		}
		proof := Proof{By: c.by, Checkpoint: checkpoint, Note: c.note}
		if checkpoint.Size > l.Size() {
			return &Short{Seen: proof, Size: l.Size()}
		}
		proofs = append(proofs, proof)
		roots[checkpoint.Size] = translog.Hash{}
	}
	for _, proof := range l.overtaken(policies) {
		proofs = append(proofs, proof)
		roots[proof.Checkpoint.Size] = translog.Hash{}
	}
	if err := l.rootsAt(roots); err != nil {
		return err
	}
	for _, p := range proofs {
		if roots[p.Checkpoint.Size] != p.Checkpoint.Root {
			return &Fork{Have: l.covering(p.Checkpoint.Size), Got: p}
		}
		l.prove(p)
	}
	return nil
}

// overtaken are the checkpoints of damaged sources over leaves that do not hold there,
// where the tree has come as far all the same. The newest that it has not come to is
// kept in beyond. Those that do not verify were left out with their leaves.
func (l *Log) overtaken(policies translog.Policies) (proofs []Proof) {
	for _, c := range l.passed {
		checkpoint, err := policies.OpenCheckpoint(c.note)
		proof := Proof{By: c.by, Checkpoint: checkpoint, Note: c.note}
		// Beyond the tree there may be updates that nobody has.
		other := (*translog.OtherRegistry)(nil)
		switch further := checkpoint.Size > l.Size(); {
		case err == nil && !further:
			proofs = append(proofs, proof)
		case further && (err == nil || errors.As(err, &other)) && (l.beyond == nil || checkpoint.Size > l.beyond.Seen.Checkpoint.Size):
			l.beyond = &Short{Seen: proof, Size: l.Size()}
		}
	}
	return proofs
}

// Beyond is how far the log went by what is left of the damaged streams, where leaves
// in between are gone and nobody has brought them; nil: they say nothing of the kind.
// Who restores the log decides whether to go on.
func (l *Log) Beyond() *Short { return l.beyond }

// rootsAt fills in the roots of the sizes that are asked for.
func (l *Log) rootsAt(roots map[uint64]translog.Hash) error {
	var tree translog.Frontier
	for at := range l.leaves {
		if _, asked := roots[tree.Size()]; asked {
			roots[tree.Size()] = tree.Root()
		}
		if err := tree.Append(l.leaves[at].hash); err != nil {
			return err
		}
	}
	if _, asked := roots[tree.Size()]; asked {
		roots[tree.Size()] = tree.Root()
	}
	return nil
}

func (p Proof) compare(size uint64) int { return cmp.Compare(p.Checkpoint.Size, size) }

// prove keeps a checkpoint of this tree, one of each size.
func (l *Log) prove(p Proof) {
	at, there := slices.BinarySearchFunc(l.proofs, p.Checkpoint.Size, Proof.compare)
	if !there {
		l.proofs = slices.Insert(l.proofs, at, p)
	}
}

// covering is the smallest checkpoint of this tree with at least so many leaves.
func (l *Log) covering(size uint64) Proof {
	at, _ := slices.BinarySearchFunc(l.proofs, size, Proof.compare)
	if at == len(l.proofs) {
		return Proof{}
	}
	return l.proofs[at]
}

// countersign keeps the newest cosignature of each mirror. What is of another tree
// or of a size without a checkpoint stays behind: its desk has it.
func (l *Log) countersign() {
	policies, err := l.policies()
	if err != nil {
		return
	}
	type newest struct {
		size, time uint64
		note       []byte
	}
	by := map[string]newest{}
	for _, c := range l.notes {
		country, checkpoint, time, err := policies.OpenCosignature(c.note)
		proof := l.covering(checkpoint.Size)
		switch have := by[country]; {
		case err != nil:
			l.leftOut["cosignatures that do not verify"]++
		case proof.Checkpoint != checkpoint:
			l.leftOut["cosignatures of a tree or size that is not this log's"]++
		case checkpoint.Size > have.size || checkpoint.Size == have.size && time > have.time:
			by[country] = newest{checkpoint.Size, time, c.note}
		}
	}
	for _, country := range slices.Sorted(maps.Keys(by)) {
		l.signed = append(l.signed, Cosigned{country, by[country].note})
	}
}

// Cosigned is a mirror's newest cosignature, over a checkpoint of this log.
type Cosigned struct {
	Country string
	Note    []byte
}

// Cosignatures are one of each mirror that has cosigned, by country.
func (l *Log) Cosignatures() []Cosigned { return l.signed }

// policies are those that judge every size of the tree.
func (l *Log) policies() (translog.Policies, error) { return l.policiesOf(l.state) }

func (l *Log) policiesOf(state registry.State) (translog.Policies, error) {
	if !state.Founded() {
		founded, err := l.charter.State()
		if err != nil {
			return nil, err
		}
		state = founded
	}
	return state.Policies()
}

// State is the registry at the end of the tree.
func (l *Log) State() registry.State { return l.state }

// Equal compares a log with one that was read back, and says the first difference:
// leaves, what is lost of their messages, what goes on after them, cosignatures.
func (l *Log) Equal(got *Log) error {
	if l.Size() != got.Size() {
		return fmt.Errorf("there are %d leaves, not %d", got.Size(), l.Size())
	}
	for at := range l.leaves {
		index := uint64(at)
		if l.leaves[at].hash != got.leaves[at].hash || l.label(index) != got.label(index) || l.present[at] != got.present[at] {
			return fmt.Errorf("leaf %d is another, or its message is", at)
		}
	}
	if len(l.proofs) != len(got.proofs) {
		return fmt.Errorf("there are %d checkpoints, not %d", len(got.proofs), len(l.proofs))
	}
	same := func(a, b holding.Message) bool { return a.Subject == b.Subject && bytes.Equal(a.Data, b.Data) }
	if !slices.EqualFunc(l.carried, got.carried, same) {
		return fmt.Errorf("%d messages go on after the leaves, not %d, or in another order", len(got.carried), len(l.carried))
	}
	if !slices.EqualFunc(l.signed, got.signed, func(a, b Cosigned) bool { return a.Country == b.Country && bytes.Equal(a.Note, b.Note) }) {
		return errors.New("the cosignatures are others")
	}
	return nil
}

// Survivors is how many of the log's messages the damaged streams still have.
func (l *Log) Survivors() uint64 { return l.survivors }

// Lost are the leaves whose messages nobody has.
func (l *Log) Lost() []Range {
	var lost []Range
	for at, present := range l.present {
		if present {
			continue
		}
		index, label := uint64(at), l.label(uint64(at))
		if n := len(lost); n > 0 && lost[n-1].To == index && lost[n-1].Label == label {
			lost[n-1].To++
			continue
		}
		lost = append(lost, Range{From: index, To: index + 1, Label: label})
	}
	return lost
}
