package evidence

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	evidencev1 "github.com/tripoint/tripoint/proto/tripoint/evidence/v1"
)

// Parts are what a holder of the log makes a file of.
type Parts struct {
	Checkpoint   []byte    // the note of a witnessed checkpoint above the event's index
	Cosignatures [][]byte  // the notes that make it witnessed
	Updates      []Message // on registry subjects, by rising index; those that did not apply are left out
	Event        Message
	Opened       []Opened // sealed sections that the file shall open, by rising section; whoever has the file reads them
}

// Message is one message of the log.
type Message struct {
	Index   uint64
	Subject string
	Data    []byte
}

// Write makes a file and verifies it: what it returns holds. leaves are the tree's,
// from the first one on, at least as many as the largest note speaks of; they are
// read once and not kept.
func Write(charter event.Digest, p Parts, leaves iter.Seq2[translog.Hash, error]) ([]byte, error) {
	file, err := build(charter, p, leaves)
	if err != nil {
		return nil, fmt.Errorf("making evidence: %w", err)
	}
	if _, err := Verify(file, charter); err != nil {
		return nil, fmt.Errorf("making evidence: what is held here does not prove the event: %w", err)
	}
	return file, nil
}

// build is Write, unverified.
func build(charter event.Digest, p Parts, leaves iter.Seq2[translog.Hash, error]) ([]byte, error) {
	e, sizes, err := p.arrange(charter)
	if err != nil {
		return nil, err
	}
	pick := &translog.Pick{}
	if err := prove(e, sizes, pick); err != nil { // says what it needs
		return nil, err
	}
	if err := pick.Fill(first(sizes[len(sizes)-1], leaves)); err != nil {
		return nil, err
	}
	if err := prove(e, sizes, pick); err != nil {
		return nil, err
	}
	return encode(e), nil
}

// first is the first n leaves: nothing above is needed.
func first(n uint64, leaves iter.Seq2[translog.Hash, error]) iter.Seq2[translog.Hash, error] {
	return func(yield func(translog.Hash, error) bool) {
		left := n
		for leaf, err := range leaves {
			if left == 0 || !yield(leaf, err) {
				return
			}
			left--
		}
		if left > 0 {
			yield(translog.Hash{}, fmt.Errorf("%d leaves of %d are missing", left, n))
		}
	}
}

// arrange puts the parts in their order, without proofs. sizes are those of the
// checkpoint and of each cosignature.
func (p Parts) arrange(charter event.Digest) (*evidencev1.Evidence, []uint64, error) {
	state := registry.New(charter)
	var updates []Message
	for _, m := range p.Updates {
		if next, err := state.Apply(m.Index, m.Subject, m.Data); err == nil {
			state, updates = next, append(updates, m)
		}
	}
	policies, err := state.Policies()
	if err != nil {
		return nil, nil, err
	}
	c, err := policies.OpenCheckpoint(p.Checkpoint)
	if err != nil {
		return nil, nil, fmt.Errorf("checkpoint: %w", err)
	}
	checkpoint, err := policies.Plain(p.Checkpoint)
	if err != nil {
		return nil, nil, fmt.Errorf("checkpoint: %w", err)
	}
	type cosigned struct {
		country string
		size    uint64
		note    []byte
	}
	var all []cosigned
	for _, note := range p.Cosignatures {
		country, at, _, err := policies.OpenCosignature(note)
		if err != nil {
			return nil, nil, fmt.Errorf("cosignature: %w", err)
		}
		all = append(all, cosigned{country, at.Size, note})
	}
	slices.SortFunc(all, func(a, b cosigned) int { return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.country, b.country)) })
	e, sizes := &evidencev1.Evidence{Version: version, Checkpoint: checkpoint, Event: p.Event.proto()}, []uint64{c.Size}
	for _, o := range p.Opened {
		e.Opened = append(e.Opened, o.proto())
	}
	for _, s := range all {
		e.Cosignatures = append(e.Cosignatures, &evidencev1.Cosignature{Note: s.note})
		sizes = append(sizes, s.size)
	}
	for _, m := range updates {
		if m.Index < sizes[len(sizes)-1] {
			e.Updates = append(e.Updates, m.proto())
		}
	}
	return e, sizes, nil
}

func (m Message) proto() *evidencev1.Message {
	return &evidencev1.Message{Index: m.Index, Subject: []byte(m.Subject), Data: m.Data}
}

// prove fills in all proofs out of a tree.
func prove(e *evidencev1.Evidence, sizes []uint64, tree tlog.HashReader) error {
	for i, c := range e.GetCosignatures() {
		proof, err := translog.ProveConsistency(sizes[i], sizes[i+1], tree)
		if err != nil {
			return err
		}
		c.Consistency = joined(proof)
	}
	for _, m := range append(slices.Clone(e.GetUpdates()), e.GetEvent()) {
		at := slices.IndexFunc(sizes, func(size uint64) bool { return m.GetIndex() < size })
		if at < 0 {
			return fmt.Errorf("index %d is not below any size that was signed", m.GetIndex())
		}
		proof, err := translog.Prove(m.GetIndex(), sizes[at], tree)
		if err != nil {
			return err
		}
		m.Inclusion = joined(proof)
	}
	return nil
}
