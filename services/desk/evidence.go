package desk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/seal"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	"github.com/tripoint/tripoint/services/desk/journal"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

// ErrNoEvent says that a desk's journal has no event of an identifier.
var ErrNoEvent = errors.New("this desk has no such event")

// Evidence makes a file that proves an event to somebody who has nothing else but the
// charter, out of what a desk's journal holds. Whoever has the file reads the sealed sections of
// the compartments in open. Of config it reads Country, Directory, Charter and, for these, OpeningKeys. The desk may run
// meanwhile: its journal only grows. The file is put in the desk's list of exports. It makes none of an event
// that was refused, nor of one that is not witnessed yet, nor where a section stays closed to the desk.
func Evidence(ctx context.Context, config Config, id event.ID, open ...eventv1.Compartment) ([]byte, error) {
	file, err := proof(ctx, config, id, open)
	if err == nil {
		err = noteExport(ctx, config, id)
	}
	if err != nil {
		return nil, fmt.Errorf("desk %s: event %s: %w", config.Country, id, err)
	}
	return file, nil
}

// noteExport puts a file in the list that a recall's receipt counts from: no file leaves that is not on it.
func noteExport(ctx context.Context, config Config, id event.ID) error {
	path := filepath.Join(config.Directory, "keys.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil // a desk of before there was sealed content
	}
	ring, err := keyring.Open(ctx, path, config.Country)
	if err != nil {
		return err
	}
	err = ring.Exported(ctx, keyring.Export{Made: config.now(), Person: "whoever runs the desk", Form: "evidence", Events: []event.ID{id}})
	return errors.Join(err, ring.Close())
}

func proof(ctx context.Context, config Config, id event.ID, open []eventv1.Compartment) ([]byte, error) {
	path, err := journalOf(config.Directory)
	if err != nil {
		return nil, err
	}
	j, err := journal.Read(ctx, path)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	s := search{journal: j, charter: config.Charter.Digest, id: id}
	accepted, verified, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	parts, size, err := witnessedParts(ctx, j, s.charter)
	if err != nil {
		return nil, err
	}
	if accepted.Index >= size {
		return nil, fmt.Errorf("it lies at index %d, and %d messages are witnessed so far: try again when a quorum of countries has cosigned it", accepted.Index, size)
	}
	parts.Event = held(accepted)
	if len(open) > 0 {
		if parts.Opened, err = keysFor(ctx, config, accepted.Index, verified, open); err != nil {
			return nil, err
		}
	}
	updates, err := j.Registry(ctx, 0, translog.MaxSize)
	if err != nil {
		return nil, err
	}
	for _, m := range updates {
		parts.Updates = append(parts.Updates, held(m))
	}
	return evidence.Write(s.charter, parts, allLeaves(ctx, j))
}

// keysFor are the content keys of an event's sections for compartments, as this desk can open them.
func keysFor(ctx context.Context, config Config, index uint64, e event.Verified, compartments []eventv1.Compartment) (opened []evidence.Opened, err error) {
	ring, state, err := ringOf(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ring.Close()) }()
	sections, err := ring.Opener(config.OpeningKeys, func() registry.State { return state }).Open(ctx, index, e, config.now())
	if err != nil {
		return nil, err
	}
	for i, s := range sections {
		if s.Err == nil && s.Key != (seal.ContentKey{}) && slices.Contains(compartments, s.Compartment) {
			opened = append(opened, evidence.Opened{Section: i, Compartment: s.Compartment, Key: s.Key})
		}
	}
	for _, c := range compartments {
		if !slices.ContainsFunc(sections, func(s seal.Section) bool { return s.Compartment == c && s.Err == nil }) {
			return nil, fmt.Errorf("it has no part %s that this desk can open%s", event.CompartmentName(c), closedWords(sections))
		}
	}
	return opened, nil
}

// closedWords says why sections are closed; empty where none is.
func closedWords(sections []seal.Section) string {
	var reasons []string
	for _, s := range sections {
		if reason := string(seal.ReasonOf(s.Err)); reason != "" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	return " (closed: " + strings.Join(reasons, ", ") + ")"
}

func held(m journal.Message) evidence.Message {
	return evidence.Message{Index: m.Index, Subject: m.Subject, Data: m.Data}
}

// witnessedParts are the newest witnessed checkpoint and the cosignatures that make it
// one, and its size. The mirror's place is read before the registry, which a desk that
// runs meanwhile has then at least as far.
func witnessedParts(ctx context.Context, j *journal.Journal, charter event.Digest) (evidence.Parts, uint64, error) {
	place, err := j.Place(ctx)
	if err != nil {
		return evidence.Parts{}, 0, err
	}
	if len(place.Snapshot) == 0 {
		return evidence.Parts{}, 0, errors.New("this desk has seen nothing of the log's tree yet")
	}
	state, err := newChronicle(j, charter).read(ctx)
	if err != nil {
		return evidence.Parts{}, 0, err
	}
	policies, err := state.Policies()
	if err != nil {
		return evidence.Parts{}, 0, err
	}
	follower, err := translog.NewFollowerAt(policies, place.Snapshot)
	if err != nil {
		return evidence.Parts{}, 0, fmt.Errorf("the mirror in its journal: %w", err)
	}
	checkpoint, cosignatures, _ := follower.Quorum()
	witnessed, _, _ := follower.Witnessed()
	return evidence.Parts{Checkpoint: checkpoint, Cosignatures: cosignatures}, witnessed.Size, nil
}

// leavesAtOnce is how many leaves are read from the journal in one go.
const leavesAtOnce = 4096

// allLeaves are those of the mirror's tree.
func allLeaves(ctx context.Context, j *journal.Journal) iter.Seq2[translog.Hash, error] {
	return func(yield func(translog.Hash, error) bool) {
		newest, _, err := j.Newest(ctx)
		for from := uint64(0); err == nil && from < newest.Size; from += leavesAtOnce {
			var leaves []journal.Leaf
			leaves, err = j.Leaves(ctx, from, min(from+leavesAtOnce, newest.Size))
			for _, leaf := range leaves {
				if !yield(leaf.Hash, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(translog.Hash{}, err)
		}
	}
}

// search looks for the one message with an event that every reader has accepted:
// others may carry the same event again, or the same identifier.
type search struct {
	journal *journal.Journal
	charter event.Digest
	id      event.ID
}

// find reads the journal for messages that carry the identifier, and then once more
// as far as the last of them, to judge the chains that they stand in.
func (s search) find(ctx context.Context) (journal.Message, event.Verified, error) {
	var last uint64
	lanes := map[string]bool{}
	err := s.each(ctx, func(m journal.Message) error {
		if s.carries(m) {
			last, lanes[lane(m.Subject)] = m.Index, true
		}
		return nil
	})
	if err == nil && len(lanes) == 0 {
		err = ErrNoEvent
	}
	if err != nil {
		return journal.Message{}, event.Verified{}, err
	}
	var accepted *journal.Message
	var verified event.Verified
	var refused verdict.Judged
	err = s.judge(ctx, last, lanes, func(m journal.Message, judged verdict.Judged) {
		switch carries := s.carries(m); {
		case carries && judged.Code == verdict.Accepted:
			accepted, verified = &m, judged.Event
		case carries:
			refused = judged
		}
	})
	if err == nil && accepted == nil {
		err = fmt.Errorf("at index %d it was refused (%s: %s), and a file is made of accepted events alone", last, refused.Code, refused.Reason)
	}
	if err != nil {
		return journal.Message{}, event.Verified{}, err
	}
	return *accepted, verified, nil
}

// judge shows the verdicts on the messages of some lanes, up to an index. Chains run
// along lanes, so that nothing else needs to be judged but the registry.
func (s search) judge(ctx context.Context, last uint64, lanes map[string]bool, show func(journal.Message, verdict.Judged)) error {
	state, chains, roots := registry.New(s.charter), verdict.Memory{}, event.Roots{}
	return s.each(ctx, func(m journal.Message) error {
		if m.Index > last || !registry.IsSubject(m.Subject) && !lanes[lane(m.Subject)] {
			return nil
		}
		judged, err := verdict.Judge(state, &chains, &roots, m.Index, m.Subject, m.Data)
		if err != nil {
			return err
		}
		if state = judged.State; judged.Code == verdict.Accepted && !judged.Update {
			chains.Take(judged.Event)
		}
		show(m, judged)
		return nil
	})
}

// carries reports whether a message says that it is the event.
func (s search) carries(m journal.Message) bool {
	if registry.IsSubject(m.Subject) {
		return false
	}
	envelope, err := event.Decode(m.Data)
	return err == nil && envelope.Claims().ID == s.id
}

// each shows all messages in order.
func (s search) each(ctx context.Context, show func(journal.Message) error) error {
	for from := uint64(0); ; {
		messages, err := s.journal.Messages(ctx, from, foldAtOnce)
		if err != nil || len(messages) == 0 {
			return err
		}
		for _, m := range messages {
			if err := show(m); err != nil {
				return err
			}
		}
		from = messages[len(messages)-1].Index + 1
	}
}

// lane is an event's subject without its kind. All events of a chain have one.
func lane(subject string) string {
	parts := strings.SplitN(subject, ".", 5)
	return strings.Join(parts[:min(4, len(parts))], ".")
}
