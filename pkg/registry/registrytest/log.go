package registrytest

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/registry"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Log is the registry's part of a log under way. Its indices go on by one with
// each update; set Next where other messages lie between.
type Log struct {
	Charter registry.Charter
	State   registry.State // after all entries
	Next    uint64         // log index of the next message
	Entries []*registryv1.Entry
}

// NewLog is founded at index 0 with Charter.
func NewLog(t testing.TB) *Log {
	t.Helper()
	return NewLogOf(t, Founding())
}

// NewLogOf is founded at index 0 with a founding of one's own.
func NewLogOf(t testing.TB, founding *registryv1.Founding) *Log {
	t.Helper()
	charter := Sign(t, founding)
	state, err := charter.State()
	if err != nil {
		t.Fatal(err)
	}
	return &Log{Charter: charter, State: state, Next: 1,
		Entries: []*registryv1.Entry{{Subject: registry.FoundingSubject, Message: charter.Message}}}
}

// Signed is a change in its place in the registry as it stands, signed by owners
// as in Key: by roots ("root XA") as consent, by any other as possession.
func (l *Log) Signed(t testing.TB, change *registryv1.Update, signers ...string) *registryv1.SignedUpdate {
	t.Helper()
	update, err := l.State.Propose(change, l.Next+1000)
	if err != nil {
		t.Fatal(err)
	}
	return SignUpdate(t, update, signers...)
}

// SignUpdate signs an update's bytes as Signed does. "new root XA" is the root
// of XA as possession, "ml-dsa NAME" the second key of that name.
func SignUpdate(t testing.TB, update []byte, signers ...string) *registryv1.SignedUpdate {
	t.Helper()
	signed := &registryv1.SignedUpdate{Update: update}
	for _, signer := range signers {
		if country, ok := strings.CutPrefix(signer, "root "); ok {
			consent, err := registry.SignRoot(country, Key(signer), update)
			if err != nil {
				t.Fatal(err)
			}
			signed.Signatures = append(signed.Signatures, consent)
			continue
		}
		if name, ok := strings.CutPrefix(signer, "ml-dsa "); ok {
			possession, err := registry.SignSecondPossession(Second(name), update)
			if err != nil {
				t.Fatal(err)
			}
			signed.Possessions = append(signed.Possessions, possession)
			continue
		}
		possession, err := registry.SignPossession(Key(strings.TrimPrefix(signer, "new ")), update)
		if err != nil {
			t.Fatal(err)
		}
		signed.Possessions = append(signed.Possessions, possession)
	}
	return signed
}

// Message is Signed as it lies on the stream.
func (l *Log) Message(t testing.TB, change *registryv1.Update, signers ...string) (subject string, message []byte) {
	t.Helper()
	message, err := proto.Marshal(l.Signed(t, change, signers...))
	if err != nil {
		t.Fatal(err)
	}
	return registry.SubjectOf(change), message
}

// Apply is Message, taken in at Next. It returns the update's log index.
func (l *Log) Apply(t testing.TB, change *registryv1.Update, signers ...string) uint64 {
	t.Helper()
	subject, message := l.Message(t, change, signers...)
	return l.Take(t, subject, message)
}

// Take takes in a message that must apply.
func (l *Log) Take(t testing.TB, subject string, message []byte) uint64 {
	t.Helper()
	state, err := l.State.Apply(l.Next, subject, message)
	if err != nil {
		t.Fatal(err)
	}
	at := l.Next
	l.State, l.Next = state, at+1
	l.Entries = append(l.Entries, &registryv1.Entry{Index: at, Subject: subject, Message: message})
	return at
}
