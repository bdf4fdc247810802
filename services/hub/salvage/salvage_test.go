package salvage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// told is a log of seven leaves in three parts, the fourth message to the pair, and
// two messages more that nobody has signed.
func told(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.say(police)
	w.say(police)
	w.sign()
	w.say(pair)
	w.sign()
	w.say(police)
	w.say(police)
	w.say(pair)
	w.sign()
	w.say(police)
	w.say(police)
	return w
}

func TestLongestTreeWinsAndAllBringMessages(t *testing.T) {
	w := told(t)
	// XC has the longest tree and not the pair's messages; XA has stopped earlier.
	l := w.finds(7, []Range{{6, 7, "pair"}}, w.desk("desk XC", 7, 9).of(), w.desk("desk XA", 4, 4).of())
	same(t, "what goes on", 2, len(l.Carried()))
	l = w.finds(7, nil, w.desk("desk XC", 7, 9).of(), w.desk("desk XA", 4, 7).of())
	same(t, "what goes on", w.messages[7:], l.Carried())
	w.finds(4, nil, w.desk("desk XA", 4, 4).of())
	// Of a message that only a leaf is left of, the label says whose it was.
	w.finds(7, []Range{{1, 3, "region"}, {3, 4, "pair"}, {4, 6, "region"}, {6, 7, "pair"}}, w.desk("desk XA", 7, 0).of())
}

func TestNotarysTreeIsCutWhereDesksHaveCheckpoints(t *testing.T) {
	w := told(t)
	l := w.finds(7, []Range{{3, 4, "pair"}, {6, 7, holding.Unknown}}, w.joined(7).of(), w.desk("desk XC", 3, 9).of(), w.desk("desk XA", 4, 3).of())
	var sizes []uint64
	must(t, l.Messages(func(m *logv1.Leaves) error {
		sizes = append(sizes, m.GetStart()+uint64(len(m.GetHashes())/32))
		return nil
	}))
	same(t, "sizes on the log stream", []uint64{3, 4, 7}, sizes)
}

func TestTwoSignedLogsAreAFork(t *testing.T) {
	w := told(t)
	other := newWorld(t)
	other.say(police)
	other.say(pair)
	other.sign()
	for name, sources := range map[string][]Source{
		"desks":                     {w.desk("desk XA", 7, 9).of(), other.desk("desk XC", 3, 3).of()},
		"the other way round":       {other.desk("desk XC", 3, 3).of(), w.desk("desk XA", 7, 9).of()},
		"what is left of the hub":   {w.desk("desk XA", 7, 9).of(), other.desk("the hub", 3, 3).damaged()},
		"a checkpoint that is seen": {w.desk("desk XC", 7, 9).of(), source{"publisher", []holding.Record{{Leaves: &logv1.Leaves{Start: 3, Checkpoint: other.notes[0].text}}}}.of()},
	} {
		_, err := w.survey(sources...)
		fork := (*Fork)(nil)
		if !errors.As(err, &fork) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, side := range []Proof{fork.Have, fork.Got} {
			c, err := translog.OpenCheckpoint(side.Note, registrytest.Origin, registrytest.Public("notary"))
			if err != nil || c != side.Checkpoint || side.By == "" {
				t.Errorf("%s: the proof of %q: %v", name, side.By, err)
			}
		}
		if !strings.Contains(err.Error(), sources[0].Name) || !strings.Contains(err.Error(), sources[1].Name) {
			t.Errorf("%s: not both are named: %v", name, err)
		}
	}
}

func TestLogThatWasSeenFurtherIsNotRestoredShorter(t *testing.T) {
	w := told(t)
	seen := source{"publisher XA/police", []holding.Record{{Leaves: &logv1.Leaves{Start: 7, Checkpoint: w.notes[2].text}}}}
	_, err := w.survey(w.desk("desk XC", 4, 4).of(), seen.of())
	if short := (*Short)(nil); !errors.As(err, &short) || short.Size != 4 || short.Seen.Checkpoint.Size != 7 || !strings.Contains(err.Error(), seen.name) {
		t.Errorf("%v", err)
	}
	w.finds(7, nil, w.desk("desk XA", 7, 7).of(), seen.of())
	// A checkpoint that only its reader has is published again too.
	w.notes = w.notes[2:]
	early := told(t)
	l := w.finds(7, nil, w.desk("desk XA", 7, 7).of(), source{"p", []holding.Record{{Leaves: &logv1.Leaves{Start: 3, Checkpoint: early.notes[0].text}}}}.of())
	same(t, "checkpoints", 2, len(l.proofs))
}

func TestLeavesThatNobodySignedCountForNothing(t *testing.T) {
	w := told(t)
	for name, spoil := range map[string]func(*logv1.Leaves){
		"a hash":            func(l *logv1.Leaves) { l.Hashes[3] ^= 1 },
		"the note":          func(l *logv1.Leaves) { l.Checkpoint[len(l.Checkpoint)-10] ^= 1 },
		"a gap":             func(l *logv1.Leaves) { l.Start++ },
		"half a hash":       func(l *logv1.Leaves) { l.Hashes = l.Hashes[:16] },
		"no labels":         func(l *logv1.Leaves) { l.Labels = nil },
		"a label outside":   func(l *logv1.Leaves) { l.Labels[0] = 9 },
		"another's note":    func(l *logv1.Leaves) { l.Checkpoint = told(t).notes[0].text },
		"leaves far beyond": func(l *logv1.Leaves) { l.Start = 1<<64 - 2 },
	} {
		spoiled := w.desk("desk XC", 7, 9)
		spoil(spoiled.records[1].Leaves)
		if _, err := w.survey(w.desk("desk XA", 7, 9).of(), spoiled.of()); err == nil || !strings.Contains(err.Error(), "desk XC: ") {
			t.Errorf("%s changed: %v; want the holding named", name, err)
		}
		spoiled.name = "the hub"
		l := w.finds(7, nil, w.desk("desk XA", 7, 9).of(), spoiled.damaged())
		if len(l.LeftOut()) == 0 {
			t.Errorf("%s changed: nothing says that leaves were left out", name)
		}
		l = w.finds(3, nil, spoiled.damaged())
		if short := l.Beyond(); short == nil || short.Seen.Checkpoint.Size != 7 || short.Size != 3 || short.Seen.By != "the hub" {
			t.Errorf("%s changed: the notary has signed 7 leaves, and that the log is shorter is not said: %v", name, short)
		}
	}
}

// The beginning of the damaged log stream is gone, and nobody else has its later leaves.
func TestLeavesBehindAGapOfTheDamagedStream(t *testing.T) {
	w := told(t)
	hub := w.desk("the hub", 7, 9)
	later := source{hub.name, hub.records[1:]} // its leaves from 3 on
	last := source{hub.name, hub.records[2:]}  // from 4 on
	for name, sources := range map[string][]Source{
		"gap up to where another ends":        {w.desk("desk XC", 3, 3).of(), later.damaged()},
		"the other way round":                 {later.damaged(), w.desk("desk XC", 3, 3).of()},
		"two messages are gone":               {w.desk("desk XC", 4, 4).of(), last.damaged()},
		"gap within what another has":         {w.desk("desk XC", 4, 4).of(), later.damaged()},
		"no checkpoint where the gap ends":    {w.joined(7).of(), last.damaged()},
		"the second and third of three parts": {w.desk("desk XC", 4, 4).of(), source{hub.name, append(hub.records[:1:1], hub.records[2:]...)}.damaged()},
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			if short := w.finds(7, nil, sources...).Beyond(); short != nil {
				t.Error(short)
			}
		})
	}
	// Nobody fills the gap: the restoration hears of what was signed.
	for name, c := range map[string]struct {
		size    uint64
		sources []Source
	}{
		"a desk that stopped earlier": {3, []Source{w.desk("desk XC", 3, 3).of(), last.damaged()}},
		"nobody else":                 {0, []Source{later.damaged()}},
	} {
		l, err := w.survey(c.sources...)
		must(t, err)
		same(t, name, c.size, l.Size())
		if short := l.Beyond(); short == nil || short.Seen.Checkpoint.Size != 7 || short.Size != c.size {
			t.Errorf("%s: the notary has signed 7 leaves, %d come back, and nothing says so: %v", name, c.size, short)
		}
	}
	// What fits no other is a fork, whether its leaves can be followed or not.
	other := newWorld(t)
	other.say(police)
	other.sign()
	other.say(pair)
	other.sign()
	var fork *Fork
	if _, err := w.survey(w.desk("desk XA", 7, 9).of(), source{"the hub", other.leaves(3, honest)[1:]}.damaged()); !errors.As(err, &fork) {
		t.Errorf("another log's later leaves: %v", err)
	}
}

func TestMessageCountsOnlyWhereItIsTheLeaf(t *testing.T) {
	w := told(t)
	altered := w.desk("desk XA", 7, 7)
	for i, r := range altered.records {
		if m := r.Message; m != nil && m.Index == 5 {
			altered.records[i] = holding.Record{Message: &holding.Message{Index: 5, Known: true, Subject: m.Subject, Data: append([]byte("x"), m.Data...)}}
		}
	}
	l := w.finds(7, []Range{{5, 6, "region"}}, altered.of())
	same(t, "carried", 0, len(l.Carried()))
	same(t, "left out", []LeftOut{{"messages that were never signed by the notary, and that no reader would accept: undecodable", 1}}, l.LeftOut())
	w.finds(7, nil, altered.of(), w.desk("desk XC", 4, 9).of())
	// Under another label it is still for whom its subject says.
	lies := w.desk("desk XA", 7, 7)
	lies.records = append(w.leaves(7, func(string) string { return "pair" }), lies.records[3:]...)
	w.finds(7, nil, lies.of())
}

// Whose signatures count at which size is what the updates say that are leaves.
func TestRegistryIsThatOfTheTree(t *testing.T) {
	w := newWorld(t)
	w.say(police)
	w.amend(&registryv1.Update{Change: &registryv1.Update_CharterAmended{CharterAmended: &registryv1.CharterAmended{NotaryKey: registrytest.Public("notary 2")}}},
		"root XA", "root XB", "root XC", "notary 2")
	w.tree = translog.Frontier{}
	w.notary = "notary 2"
	w.sign()
	w.say(police)
	w.sign()
	whole := w.desk("desk XA", 4, 4)
	l := w.finds(4, nil, whole.of())
	same(t, "notary", string(registrytest.Public("notary 2")), string(mustPolicy(t, l).Notary))
	without := source{"notary", whole.records[:2]} // leaves alone
	if _, err := w.survey(without.of()); err == nil {
		t.Error("leaves were believed without the update that names their notary")
	}
	// Who has the update brings the proof for the others.
	w.finds(4, []Range{{1, 2, "region"}, {3, 4, "region"}}, without.of(), source{"publisher", []holding.Record{{Message: &w.messages[2]}}}.of())
	// An update that is no leaf changes nothing.
	false2 := w.fork()
	false2.amend(registrytest.AmendCharter(2, 1), "root XA", "root XB", "root XC")
	early := false2.messages[4]
	early.Index = 1
	w.finds(4, nil, whole.of(), source{"desk XB", []holding.Record{{Message: &early}}}.of())
}

func mustPolicy(t testing.TB, l *Log) translog.Policy {
	t.Helper()
	policy, err := l.State().Policy()
	must(t, err)
	return policy
}

func TestNewestCosignatureOfEachMirror(t *testing.T) {
	w := told(t)
	other := newWorld(t)
	other.say(pair)
	c := other.sign()
	policies, err := w.book.State.Policies()
	must(t, err)
	at := func(size uint64, root translog.Hash) translog.Checkpoint {
		return translog.Checkpoint{Origin: registrytest.Origin, Size: size, Root: root, Registry: policies.At(size).Registry}
	}
	var tree translog.Frontier
	for _, m := range w.messages[:3] {
		must(t, tree.Append(translog.LeafHash(m.Index, m.Subject, m.Data)))
	}
	small, between, large := at(3, tree.Root()), at(5, w.tree.Root()), at(7, w.tree.Root())
	newest := w.cosign("XA", large, 9)
	l := w.finds(7, nil, w.desk("desk XA", 7, 7).with(
		w.cosign("XA", small, 10), newest, w.cosign("XA", large, 8), w.cosign("XB", small, 5),
		w.cosign("XC", c, 5), w.cosign("XC", between, 6), holding.Record{Cosignature: []byte("junk")},
	).of())
	same(t, "cosignatures", []Cosigned{{"XA", newest.Cosignature}, {"XB", w.cosign("XB", small, 5).Cosignature}}, l.Cosignatures())
	same(t, "left out", uint64(3), l.LeftOut()[0].Count+l.LeftOut()[1].Count)
}

func TestEpochsBeginWhereTheMessagesSayIt(t *testing.T) {
	w := newWorld(t)
	w.say(police)
	w.sign()
	data, err := translog.Restoration{Recovered: 2}.Marshal()
	must(t, err)
	w.store(translog.RestoredSubject, data)
	w.say(police)
	w.sign()
	w.store(translog.RestoredSubject, []byte("no restoration"))
	w.sign()
	l := w.finds(5, nil, w.desk("desk XA", 5, 5).of())
	var epochs []uint64
	must(t, l.Messages(func(m *logv1.Leaves) error { epochs = append(epochs, m.GetEpoch()); return nil }))
	same(t, "epochs", []uint64{0, 1, 1}, epochs)
	// One message cannot be of two epochs.
	joined := w.desk("desk XA", 5, 5)
	w.notes = w.notes[2:]
	joined.records = append(w.leaves(5, honest), joined.records[3:]...)
	l, err = w.survey(joined.of())
	must(t, err)
	if err := l.Messages(func(*logv1.Leaves) error { return nil }); err == nil || !strings.Contains(err.Error(), "between 0 and 5") {
		t.Errorf("a message of two epochs: %v", err)
	}
}

func TestFileThatChangesBetweenReadingsIsNoticed(t *testing.T) {
	w := told(t)
	path := filepath.Join(t.TempDir(), "holding")
	write := func(s source) {
		t.Helper()
		file, err := os.Create(path)
		must(t, err)
		out, err := holding.NewWriter(file, w.book.Charter.Digest, s.name)
		must(t, err)
		for _, r := range s.records {
			if r.Leaves != nil {
				must(t, out.Leaves(r.Leaves))
			} else {
				must(t, out.Message(*r.Message))
			}
		}
		must(t, errors.Join(out.Close(), file.Close()))
	}
	write(w.desk("desk XA", 7, 9))
	l := w.finds(7, nil, File(path, w.book.Charter))
	write(w.desk("desk XC", 7, 9))
	if err := l.Each(t.Context(), func(uint64, *holding.Message) error { return nil }); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("%v", err)
	}
	must(t, os.Truncate(path, 500))
	if _, err := w.survey(File(path, w.book.Charter)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that was cut: %v", err)
	}
	if _, err := w.survey(File(path+"x", w.book.Charter)); err == nil {
		t.Error("a file that is not there was read")
	}
}
