package evidence

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	evidencev1 "github.com/tripoint/tripoint/proto/tripoint/evidence/v1"
)

// Verify checks a file against the charter whose digest the reader brings along,
// the one thing that it believes. An error says which part does not hold and why;
// the report is then empty.
func Verify(file []byte, charter event.Digest) (Report, error) {
	e, err := decode(file)
	if err != nil {
		return Report{}, err
	}
	if e.GetEvent() == nil {
		return Report{}, errors.New("event: missing")
	}
	v := &verification{file: e, index: e.GetEvent().GetIndex()}
	for _, step := range []func() error{
		func() error { return v.fold(charter) }, v.signed, v.witnessed, v.included, v.judge, v.open,
	} {
		if err := step(); err != nil {
			return Report{}, err
		}
	}
	return v.report()
}

// verification is a file on the way to its report.
type verification struct {
	file  *evidencev1.Evidence
	index uint64 // of the event

	then registry.State // as it was at the event's index
	now  registry.State // after all updates

	// statements are the notary's checkpoint, and the checkpoints that countries
	// cosigned, by rising size. All are of one tree.
	statements []statement
	policy     translog.Policy // for the size of the notary's
	event      event.Verified
	opened     map[int]reading // by the section's place
}

// statement is a checkpoint that somebody signed.
type statement struct {
	translog.Checkpoint
	country string // empty: the notary
	time    uint64 // seconds since 1970, by the country's clock
}

// fold applies the updates. Each must apply: what changes nothing proves nothing.
func (v *verification) fold(charter event.Digest) error {
	v.now = registry.New(charter)
	for i, m := range v.file.GetUpdates() {
		fail := func(err error) error { return fmt.Errorf("updates[%d], at index %d: %w", i, m.GetIndex(), err) }
		if i > 0 && m.GetIndex() <= v.file.GetUpdates()[i-1].GetIndex() {
			return fail(errors.New("stands after a later one"))
		}
		next, err := v.now.Apply(m.GetIndex(), string(m.GetSubject()), m.GetData())
		if err != nil {
			return fail(err)
		}
		if v.now = next; m.GetIndex() < v.index {
			v.then = next
		}
	}
	if !v.now.Founded() {
		return errors.New("updates: none, and the first must be the charter's founding")
	}
	return nil
}

// signed opens the notary's checkpoint.
func (v *verification) signed() error {
	policies, err := v.now.Policies()
	if err != nil {
		return err
	}
	note := v.file.GetCheckpoint()
	if err := alone(note); err != nil && signatures(note) != 2 { // the notary's second one, where it has a second key
		return fmt.Errorf("checkpoint: %w", err)
	}
	c, err := policies.OpenCheckpoint(note)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", otherRegistry(err))
	}
	if plain, err := policies.Plain(note); err != nil || !bytes.Equal(plain, note) {
		return fmt.Errorf("checkpoint: %w", errSignatures)
	}
	if v.index >= c.Size {
		return fmt.Errorf("event: index %d is not below the checkpoint's size, %d", v.index, c.Size)
	}
	v.policy = policies.At(c.Size)
	v.statements = []statement{{Checkpoint: c}}
	return nil
}

// alone refuses a note with another number of signatures than one.
func alone(note []byte) error {
	if signatures(note) != 1 {
		return errSignatures
	}
	return nil
}

var errSignatures = errors.New("want a note with one signature, of a notary that has a second key with both in their order")

// signatures counts a note's signature lines; -1: it is no note.
func signatures(note []byte) int {
	at := bytes.LastIndex(note, []byte("\n\n"))
	if at < 0 {
		return -1
	}
	return bytes.Count(note[at+1:], []byte("\n")) - 1
}

// otherRegistry says of a checkpoint that names another registry what that means here.
func otherRegistry(err error) error {
	if _, ok := errors.AsType[*translog.OtherRegistry](err); ok {
		return fmt.Errorf("the file does not have the registry that was signed, an update is missing or one too many: %w", err)
	}
	return err
}

// witnessed opens the cosignatures: of a quorum of countries, of this checkpoint or
// of larger ones that continue it, each naming the registry below its size.
func (v *verification) witnessed() error {
	countries := map[string]bool{}
	for i, c := range v.file.GetCosignatures() {
		s, err := v.cosigned(c)
		if err != nil {
			return fmt.Errorf("cosignatures[%d]: %w", i, err)
		}
		if countries[s.country] {
			return fmt.Errorf("cosignatures[%d]: %s counts once, and has cosigned before", i, s.country)
		}
		countries[s.country] = true
		v.statements = append(v.statements, s)
	}
	if len(countries) < v.policy.Quorum {
		return fmt.Errorf("cosignatures: of %d countries, and it takes %d to witness a checkpoint of size %d", len(countries), v.policy.Quorum, v.statements[0].Size)
	}
	return nil
}

// cosigned opens the next cosignature. It counts under the key that its country has at
// its own size, if that is also the one at the checkpoint's.
func (v *verification) cosigned(c *evidencev1.Cosignature) (statement, error) {
	if err := alone(c.GetNote()); err != nil {
		return statement{}, err
	}
	policies, err := v.now.Policies()
	if err != nil {
		return statement{}, err
	}
	country, checkpoint, time, err := policies.OpenCosignature(c.GetNote())
	if err != nil {
		return statement{}, err
	}
	s, before := statement{checkpoint, country, time}, v.statements[len(v.statements)-1]
	fail := func(err error) (statement, error) { return s, fmt.Errorf("of %s: %w", country, err) }
	if !v.policy.Mirrors[country].Equal(policies.At(s.Size).Mirrors[country]) {
		return fail(fmt.Errorf("its key at size %d is not the one that it has at the checkpoint's size, %d", s.Size, v.statements[0].Size))
	}
	if s.Size < before.Size || s.Size == before.Size && before.country >= country {
		return fail(fmt.Errorf("of size %d, stands after one of size %d: sizes rise, and countries where sizes are the same", s.Size, before.Size))
	}
	proof, err := hashes(c.GetConsistency())
	if err != nil {
		return fail(fmt.Errorf("consistency: %w", err))
	}
	if err := translog.CheckConsistency(proof, before.Size, s.Size, before.Root, s.Root); err != nil {
		return fail(fmt.Errorf("consistency: %w", err))
	}
	if want := policies.At(s.Size).Registry; s.Registry != want {
		return fail(otherRegistry(&translog.OtherRegistry{Got: translog.Signed{Checkpoint: s.Checkpoint, Note: c.GetNote()}, Want: want}))
	}
	return s, nil
}

// included checks that each message is the leaf at its index.
func (v *verification) included() error {
	if err := v.leaf(v.file.GetEvent()); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	for i, m := range v.file.GetUpdates() {
		if err := v.leaf(m); err != nil {
			return fmt.Errorf("updates[%d]: %w", i, err)
		}
	}
	return nil
}

// leaf checks a message's proof, which leads to the first statement that covers it.
func (v *verification) leaf(m *evidencev1.Message) error {
	s, ok := covering(v.statements, m.GetIndex())
	if !ok {
		return fmt.Errorf("index %d is not below any size that was signed", m.GetIndex())
	}
	proof, err := hashes(m.GetInclusion())
	if err != nil {
		return fmt.Errorf("inclusion: %w", err)
	}
	hash := translog.LeafHash(m.GetIndex(), string(m.GetSubject()), m.GetData())
	return translog.CheckInclusion(proof, m.GetIndex(), s.Size, s.Root, hash)
}

func covering(statements []statement, index uint64) (statement, bool) {
	for _, s := range statements {
		if index < s.Size {
			return s, true
		}
	}
	return statement{}, false
}

// judge gives the verdict as far as it can be given on one event: as if its chain
// stood right before it.
func (v *verification) judge() error {
	m := v.file.GetEvent()
	if !v.then.Founded() {
		return fmt.Errorf("event: index %d is the founding's", m.GetIndex())
	}
	envelope, err := event.Decode(m.GetData())
	if err != nil {
		return fmt.Errorf("event: not an event, verdict %s: %w", verdict.Undecodable, err)
	}
	judged, err := verdict.Judge(v.then, before(envelope.Claims()), &event.Roots{}, m.GetIndex(), string(m.GetSubject()), m.GetData())
	switch {
	case err != nil:
		return err
	case judged.Update || judged.Event.HeaderDigest == event.Digest{} && judged.Code == verdict.Accepted:
		return errors.New("event: the message is not an event")
	case judged.Code != verdict.Accepted:
		return fmt.Errorf("event: verdict %s, so no reader takes it in: %s", judged.Code, judged.Reason)
	}
	v.event = judged.Event
	return nil
}

// before is the chain of an event, as it must have stood right before it.
type before event.Claims

// Head is what the event says that it follows.
func (b before) Head(event.Chain) (event.Head, error) {
	return event.Head{Counter: b.Counter - 1, Digest: b.Previous}, nil
}

// HeaderAt is never asked for: no counter is up to the head's.
func (b before) HeaderAt(event.Chain, uint64) (event.Digest, error) {
	return event.Digest{}, errors.New("the chain is not in the file")
}
