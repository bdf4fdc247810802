package audit_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// The operations that FuzzReplay reads: one byte, then what the operation takes.
const (
	opEvent       = iota // a sequence as 8 bytes, a subject, data
	opNext               // subject and data at the next sequence
	opLeaves             // data as it lies on log.leaves
	opNotary             // a Leaves message; a colluding notary signs its true root
	opCosignature        // country and note
	opMirror             // 8 bytes of size and a root: a colluding mirror cosigns them
	opStray              // subject
	operations
)

// script writes operations, and reads them again.
type script []byte

func (s script) op(code byte, fields ...[]byte) script {
	s = append(s, code)
	for _, field := range fields {
		s = append(binary.BigEndian.AppendUint16(s, uint16(len(field))), field...)
	}
	return s
}

// field takes the next field off; of a script that ends early, what there is.
func (s *script) field() []byte {
	if len(*s) < 2 {
		*s = nil
		return nil
	}
	n := min(int(binary.BigEndian.Uint16(*s)), len(*s)-2)
	field := (*s)[2 : 2+n]
	*s = (*s)[2+n:]
	return field
}

func (s *script) number() uint64 {
	var eight [8]byte
	copy(eight[:], s.field())
	return binary.BigEndian.Uint64(eight[:])
}

// scriptOf is a world as operations.
func scriptOf(w *world) script {
	var s script
	for _, m := range w.events {
		s = s.op(opNext, []byte(m.Subject), m.Data)
	}
	for _, n := range w.log {
		if n.subject == leavesSubject {
			s = s.op(opLeaves, n.data)
		} else {
			s = s.op(opCosignature, []byte(n.subject[len(cosignPrefix):]), n.data)
		}
	}
	return s
}

// FuzzReplay: whatever a hub shows, and whoever helps it, the replay comes to its
// end, its counters add up, and what it says is in proportion to what it was given.
func FuzzReplay(f *testing.F) {
	w := newWorld(f)
	w.goOn()
	f.Add([]byte(scriptOf(w)))
	w.events[3].Data = bytes.Clone(w.events[2].Data)
	f.Add([]byte(scriptOf(w)))
	w = newWorld(f)
	w.join()
	w.heard(w.chain("XD", "police", "region"), "S-5")
	w.update(registrytest.Suspend("XC"), append(founders, "root XD")...)
	w.update(registrytest.Leave("XC"), "root XC")
	w.back("root XA", "root XB", "root XD")
	w.witness()
	f.Add([]byte(scriptOf(w)))
	charter := registrytest.Charter(f)
	founded := script{}.op(opNext, []byte(registry.FoundingSubject), charter.Message)
	f.Add([]byte(founded.op(opEvent, []byte{0, 0, 0, 0, 0, 0, 0, 9}, []byte("evt.pair.XA.police.site.reported"), []byte("?"))))
	f.Add([]byte(founded.op(opEvent, bytes.Repeat([]byte{0xff}, 8), []byte("evt."), nil).op(opNext, []byte("evt.x"), nil)))
	f.Add([]byte(founded.op(opStray, []byte("log.x")).op(opMirror, []byte{0, 0, 0, 0, 0, 0, 0, 9}, otherRoot[:])))
	labels, err := proto.Marshal(&logv1.Leaves{Hashes: make([]byte, 32*200),
		Audiences: []string{string(bytes.Repeat([]byte("y"), 5000))}, Labels: make([]uint32, 200)})
	must(f, err)
	many := founded
	for range 200 {
		many = many.op(opNext, []byte("evt.pair.XA.police.site.reported"), nil)
	}
	f.Add([]byte(many.op(opNotary, labels)))
	f.Fuzz(func(t *testing.T, input []byte) {
		replay, err := audit.New(charter)
		must(t, err)
		p := &play{t: t, replay: replay, registry: registry.New(charter.Digest)}
		for s := script(input); len(s) > 0; {
			code := s[0] % operations
			s = s[1:]
			p.do(code, &s)
		}
		summary, err := replay.Finish()
		must(t, err)
		p.judge(summary, len(input))
	})
}

// play is a replay under a script.
type play struct {
	t                    *testing.T
	replay               *audit.Replay
	next                 uint64
	events, leaves, said uint64 // messages and leaves that were given
	tree                 translog.Frontier
	registry             registry.State // as the replay has it
}

func (p *play) do(code byte, s *script) {
	p.said++
	switch code {
	case opEvent:
		p.event(s.number(), string(s.field()), s.field())
	case opNext:
		p.event(p.next+1, string(s.field()), s.field())
	case opLeaves:
		data := s.field()
		p.leaves += uint64(len(data) / 32)
		p.replay.Needs(data)
		p.replay.Leaves(data)
	case opNotary:
		p.notary(s.field())
	case opCosignature:
		p.replay.Cosignature(string(s.field()), s.field())
	case opMirror:
		c := translog.Checkpoint{Origin: registrytest.Origin, Size: s.number() % (translog.MaxSize + 1)}
		copy(c.Root[:], s.field())
		mirror, err := translog.NewMirror(registrytest.Origin, "XB", registrytest.Key("mirror XB"))
		must(p.t, err)
		note, err := mirror.Cosign(c, 1)
		must(p.t, err)
		p.replay.Cosignature("XB", note)
	case opStray:
		p.replay.Stray(string(s.field()))
	}
}

func (p *play) event(sequence uint64, subject string, data []byte) {
	p.events++
	if sequence > p.next && registry.IsSubject(subject) {
		if next, err := p.registry.Apply(sequence-1, subject, data); err == nil {
			p.registry = next
		}
	}
	must(p.t, p.replay.Event(audit.Message{Sequence: sequence, Subject: subject, Data: data}))
	p.next = p.replay.Fed()
}

// notary signs the true root of whatever leaves the message has, and the registry
// that the replay has below it.
func (p *play) notary(data []byte) {
	l := &logv1.Leaves{}
	if proto.Unmarshal(data, l) != nil {
		return
	}
	tree := p.tree.Clone()
	for rest := l.GetHashes(); len(rest) >= 32; rest = rest[32:] {
		must(p.t, tree.Append(translog.Hash(rest[:32])))
	}
	p.leaves += uint64(len(l.GetHashes()) / 32)
	signer, err := translog.NewNotary(registrytest.Origin, registrytest.Key("notary"))
	must(p.t, err)
	c := translog.Checkpoint{Origin: registrytest.Origin, Size: tree.Size(), Root: tree.Root()}
	if policies, err := p.registry.Policies(); err == nil {
		c.Registry = policies.At(c.Size).Registry
	}
	l.Checkpoint, err = signer.Sign(c)
	must(p.t, err)
	data, err = proto.Marshal(l)
	must(p.t, err)
	p.replay.Leaves(data)
	if l.GetStart() == p.tree.Size() {
		p.tree = tree
	}
}

func (p *play) judge(s audit.Summary, given int) {
	var verdicts uint64
	for _, n := range s.Verdicts {
		verdicts += n
	}
	if s.Events > p.events || verdicts != s.Events || s.Accepted+s.Refused+s.Duplicates != s.Events {
		p.t.Errorf("%d events given; counted %d, verdicts %d, accepted %d, refused %d, duplicates %d",
			p.events, s.Events, verdicts, s.Accepted, s.Refused, s.Duplicates)
	}
	if s.LogSize > p.leaves || s.WitnessedSize > s.LogSize {
		p.t.Errorf("%d leaves given; log size %d, witnessed %d", p.leaves, s.LogSize, s.WitnessedSize)
	}
	for country, desk := range s.Desks {
		if desk.Events > s.Events || desk.Sealed > s.LogSize || desk.LogIndex > p.replay.Fed() {
			p.t.Errorf("the desk of %s: %d events, %d sealed, index %d", country, desk.Events, desk.Sealed, desk.LogIndex)
		}
	}
	// An event and a leaf are worth two findings each at most, and a seen checkpoint; none is long.
	if most := 3*p.events + 2*p.leaves + 2*p.said; uint64(len(s.Findings)) > most {
		p.t.Errorf("%d findings, of %d events, %d leaves and %d operations", len(s.Findings), p.events, p.leaves, p.said)
	}
	for _, finding := range s.Findings {
		if len(finding.What) > 1024 {
			p.t.Errorf("of %d bytes given, finding %s says %d bytes: %.200s", given, finding.Code, len(finding.What), finding.What)
		}
	}
}
