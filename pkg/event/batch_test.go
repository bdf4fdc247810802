package event_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Every size whose tree has another shape: odd and even, perfect, one less, one more.
func TestBatchesVerify(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 256, 257} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			list := drafts(size, event.ID{})
			signed, head := sign(t, event.Head{}, list)
			checkChain(t, list, signed, head)
			checkPaths(t, signed)
		})
	}
}

// checkChain verifies all events with one memory of roots, and that they are a chain.
func checkChain(t *testing.T, list []event.Draft, signed []event.Signed, head event.Head) {
	t.Helper()
	_, public := signingKey(t, "publisher XA/police")
	roots := &event.Roots{}
	var previous event.Digest
	for i, s := range signed {
		unverified, err := event.Decode(s.Data)
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		v, err := unverified.Verify(public, nil, roots)
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		want := event.Claims{
			ID: list[i].ID, Chain: chain, Kind: list[i].Kind, Counter: uint64(i + 1), Previous: previous,
			Recorded: start, Retention: "case",
		}
		if diff := cmp.Diff(want, v.Claims); diff != "" {
			t.Fatalf("event %d (-want +got):\n%s", i, diff)
		}
		if diff := cmp.Diff(list[i].Sections, v.Sections(), cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })); diff != "" {
			t.Fatalf("event %d's sections (-want +got):\n%s", i, diff)
		}
		if s.Subject != "evt.region.XA.police.transfer.received" || s.Subject != v.Subject() {
			t.Fatalf("event %d lies on %s, its header says %s", i, s.Subject, v.Subject())
		}
		previous = v.HeaderDigest
	}
	if want := (event.Head{Counter: uint64(len(signed)), Digest: previous, LastID: list[len(list)-1].ID}); head != want {
		t.Errorf("head = %+v, want %+v", head, want)
	}
}

// checkPaths compares the paths with those of another implementation of RFC 6962.
func checkPaths(t *testing.T, signed []event.Signed) {
	t.Helper()
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	size := int64(len(signed))
	envelopes := make([]*eventv1.Envelope, size)
	for i, s := range signed {
		envelopes[i] = &eventv1.Envelope{}
		if err := proto.Unmarshal(s.Data, envelopes[i]); err != nil {
			t.Fatal(err)
		}
		leaf := encoded("tripoint/v1/event", envelopes[i].GetProof().GetKeyId(), envelopes[i].GetHeader())
		hashes, err := tlog.StoredHashes(int64(i), leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	for i, envelope := range envelopes {
		want, err := tlog.ProveRecord(size, int64(i), reader)
		if err != nil {
			t.Fatal(err)
		}
		var got tlog.RecordProof
		for _, hash := range envelope.GetProof().GetPath() {
			got = append(got, tlog.Hash(hash))
		}
		if len(got) != len(want) || len(got) > 0 && !cmp.Equal(got, want) {
			t.Fatalf("path of event %d of %d is %v, want %v", i, size, got, want)
		}
	}
}

func TestLargestBatch(t *testing.T) {
	list := drafts(event.MaxBatch, event.ID{})
	signed, _ := sign(t, event.Head{}, list)
	for _, i := range []int{0, 1, event.MaxBatch / 2, event.MaxBatch - 1} {
		if _, err := verify(t, signed[i].Data); err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	key, _ := signingKey(t, "publisher XA/police")
	if _, _, err := event.SignBatch(key, chain, event.Head{}, event.Seen{}, append(list, list[0])); err == nil {
		t.Error("a batch above the largest was signed")
	}
}

// A batch goes on where the one before it ended.
func TestBatchesChain(t *testing.T) {
	list := drafts(5, event.ID{})
	_, head := sign(t, event.Head{}, list[:2])
	signed, head := sign(t, head, list[2:])
	v, err := verify(t, signed[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	if v.Counter != 3 || v.Previous == (event.Digest{}) || head.Counter != 5 {
		t.Errorf("the second batch begins at %d after %s and ends at %d", v.Counter, v.Previous, head.Counter)
	}
}

func TestSeenIsCarried(t *testing.T) {
	key, _ := signingKey(t, "publisher XA/police")
	seen := event.Seen{Size: 1 << 48, Root: event.DigestOf([]byte("root"))}
	signed, _, err := event.SignBatch(key, chain, event.Head{}, seen, drafts(1, event.ID{}))
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify(t, signed[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	if v.Seen != seen {
		t.Errorf("seen = %+v, want %+v", v.Seen, seen)
	}
}

func TestSignBatchRefuses(t *testing.T) {
	good := func() []event.Draft { return drafts(3, event.ID{}) }
	tests := []struct {
		name   string
		change func(list []event.Draft) []event.Draft
		want   string
	}{
		{"nothing", func([]event.Draft) []event.Draft { return nil }, "batch of 0 events"},
		{"two retention classes", func(l []event.Draft) []event.Draft { l[2].Retention = "other"; return l }, "retention"},
		{"the same id twice", func(l []event.Draft) []event.Draft { l[2].ID = l[1].ID; return l }, "event id"},
		{"ids that go back", func(l []event.Draft) []event.Draft { l[1], l[2] = l[2], l[1]; return l }, "event id"},
		{"an id before the head's", func(l []event.Draft) []event.Draft { l[0].ID = event.ID{6: 0x70, 8: 0x80}; return l }, "event id"},
		{"no section", func(l []event.Draft) []event.Draft { l[2].Sections = nil; return l }, "sections"},
		{"a kind in one word", func(l []event.Draft) []event.Draft { l[2].Kind = "transfer"; return l }, "kind"},
		{"a message above the limit", func(l []event.Draft) []event.Draft {
			l[2].Sections[0].Content = make([]byte, event.MaxMessage)
			return l
		}, "at most 1048576"},
	}
	key, _ := signingKey(t, "publisher XA/police")
	_, head := sign(t, event.Head{}, []event.Draft{good()[0]})
	head.LastID = event.ID{5: 1, 6: 0x70, 8: 0x80} // older than all drafts
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			signed, next, err := event.SignBatch(key, chain, head, event.Seen{}, test.change(good()))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one about %q", err, test.want)
			}
			if signed != nil || next != head {
				t.Error("a refused batch moved the head")
			}
		})
	}
}

// brokenDevice is a signer that fails.
type brokenDevice struct{ ed25519.PrivateKey }

func (brokenDevice) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the device is away")
}

func TestSignBatchWithoutSignature(t *testing.T) {
	key, err := event.NewSigningKey(brokenDevice{private("publisher XA/police")})
	if err != nil {
		t.Fatal(err)
	}
	signed, head, err := event.SignBatch(key, chain, event.Head{}, event.Seen{}, drafts(2, event.ID{}))
	if err == nil || signed != nil || head != (event.Head{}) {
		t.Errorf("SignBatch = %d events, head %+v, %v: want none, the zero head, an error", len(signed), head, err)
	}
}

func TestNewSigningKeyRefusesOtherAlgorithms(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := event.NewSigningKey(other); err == nil {
		t.Error("an ECDSA key was taken")
	}
}

// A key in two roles has two identifiers, and they are what the specification says.
func TestKeyIDOf(t *testing.T) {
	_, public := signingKey(t, "publisher XA/police")
	seen := map[event.KeyID]event.Role{}
	for _, role := range []event.Role{event.RolePublisher, event.RoleNotary, event.RoleMirror, event.RoleRoot} {
		id := event.KeyIDOf(role, public)
		if id != sha256.Sum256(encoded("tripoint/v1/key", []byte(role), public)) {
			t.Errorf("%s: the key id is not that of the specification", role)
		}
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s share a key id", role, other)
		}
		seen[id] = role
	}
}
