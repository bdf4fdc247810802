package desk

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// signed is any text as a note, with a good signature that our own signers refuse
// to give: of C2SP signed-note, with the message that the key's kind signs.
func signed(owner, name string, kind byte, text string, prefix []byte, message string) []byte {
	public := registrytest.Public(owner)
	id := sha256.Sum256(append([]byte(name+"\n"+string([]byte{kind})), public...))
	line := append(slices.Clone(id[:4]), prefix...)
	line = append(line, ed25519.Sign(registrytest.Key(owner), []byte(message))...)
	return fmt.Appendf(nil, "%s\n— %s %s\n", text, name, base64.StdEncoding.EncodeToString(line))
}

func signedByNotary(text string) []byte {
	return signed("notary", translog.NotaryName(registrytest.Origin), 1, text, nil, text)
}

func signedByMirror(country, text string) []byte {
	at := binary.BigEndian.AppendUint64(nil, 1_700_000_000)
	return signed("mirror "+country, translog.MirrorName(registrytest.Origin, country), 4, text, at, "cosignature/v1\ntime 1700000000\n"+text)
}

// A notary and a mirror that have gone bad sign sizes at which arithmetic on trees
// overflows, allocates or loops. The mirror passes over them in no time, and is unharmed.
func TestAdversary_L01_SizesThatNoLogHas(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	honest := w.checkpoint()
	if c, err := translog.OpenCheckpoint(signedByNotary(honest.Text()), registrytest.Origin, registrytest.Public("notary")); err != nil || c != honest {
		t.Fatalf("this test does not sign as the notary does: %v", err)
	}
	if _, _, _, err := d.mirror.terms.OpenCosignature(signedByMirror("XA", honest.Text())); err != nil {
		t.Fatalf("this test does not sign as a mirror does: %v", err)
	}
	for _, size := range []uint64{1<<48 + 1, 1<<62 + 1, 1<<63 - 1, 1<<64 - 1} {
		text := translog.Checkpoint{Origin: registrytest.Origin, Size: size, Root: honest.Root}.Text()
		note, leaf := signedByNotary(text), make([]byte, 32)
		for _, leaves := range []*logv1.Leaves{
			{Start: size, Checkpoint: note},
			{Start: 4, Checkpoint: note},
			{Start: size - 1, Hashes: leaf, Labels: []uint32{0}, Audiences: []string{""}, Checkpoint: note},
			{Start: 4, Hashes: leaf, Labels: []uint32{0}, Audiences: []string{"pair"}, Checkpoint: note},
			{Start: 4, Epoch: size, Hashes: leaf, Labels: []uint32{0}, Audiences: []string{"pair"}, Checkpoint: note},
		} {
			w.send(leaves)
		}
		w.publish(stream.Message{Subject: stream.CosignPrefix + "XA", Data: signedByMirror("XA", text)})
	}
	d.alarmed(AlarmUnreadable)
	w.say(police)
	w.cosign("XA", w.notarise())
	d.hasCosigned(5)
	until(t, "the log is witnessed as before, and no alarm stands", func() bool {
		return d.Status().WitnessedSize == 5 && d.Status().Alarm == ""
	})
}

// Labels without leaves are not signed by anybody: nothing is waited for.
func TestLabelsWithoutLeavesHoldNothingUp(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	w.send(&logv1.Leaves{Start: 4, Audiences: []string{"region"}, Labels: make([]uint32, 1<<20), Checkpoint: w.note(w.checkpoint())})
	d.alarmed(AlarmUnreadable)
	w.say(police)
	d.hasCosigned(w.notarise().Size)
	same(t, "alarm", "", d.Status().Alarm)
}

// A new epoch that nobody has signed takes nothing out of the journal.
func TestAnEpochThatIsNotSignedSetsNothingAside(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	d.has(w.say(police))
	w.send(&logv1.Leaves{Start: 4, Epoch: 1, Hashes: make([]byte, 32), Labels: []uint32{0}, Audiences: []string{"pair"}, Checkpoint: []byte("none")})
	d.alarmed(AlarmUnreadable)
	aside, err := d.journal.Unlogged(t.Context())
	must(t, err)
	same(t, "messages that were set aside", 0, len(aside))
	d.hasCosigned(w.notarise().Size)
}

// What was set aside, and is still in the stream, is read again at once: nothing
// new need come after it.
func TestWhatWasSetAsideIsReadAgain(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	index := w.say(police)
	d.has(index)
	must(t, d.forget(t.Context(), index))
	until(t, "the message is journaled again", func() bool {
		_, ok, err := d.journal.At(t.Context(), index)
		return err == nil && ok
	})
	d.has(index)
	d.hasCosigned(w.notarise().Size)
}
