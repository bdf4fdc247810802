package registrar_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/paper"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/registrar"
)

// world is a hub that registrars reach.
type world struct {
	t       *testing.T
	hub     *hub.Hub
	charter registry.Charter
}

func found(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, charter: Charter(t)}
	var err error
	w.hub, err = hub.New(t.Context(), hub.Config{Directory: t.TempDir(), Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: w.charter})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) as(country string) *registrar.Registrar {
	w.t.Helper()
	user := stream.RegistrarUser(country)
	r, err := registrar.Open(w.t.Context(), registrar.Config{Country: country, Charter: w.charter, Stream: stream.Config{
		URL: w.hub.URL(), Credentials: w.hub.Credentials(user), User: user, Account: true,
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(r.Close)
	return r
}

// proposal is a change on top of what a registrar has read.
func (w *world) proposal(r *registrar.Registrar, change *registryv1.Update, signers ...string) *registryv1.Proposal {
	w.t.Helper()
	state, _, err := paper.Fold(w.charter.Digest, r.Book(), paper.End(r.Book()))
	if err != nil {
		w.t.Fatal(err)
	}
	update, err := state.Propose(change, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return &registryv1.Proposal{Signed: SignUpdate(w.t, update, signers...), Book: r.Book()}
}

func TestProposalComesIntoForceForAll(t *testing.T) {
	w := found(t)
	one, other := w.as("XA"), w.as("XB")
	p := w.proposal(one, Retire("XC", "border"), "root XC")
	for range 2 { // again is as good as once
		if index, err := other.Submit(t.Context(), p); err != nil || index != 1 {
			t.Fatalf("in force from index %d, %v", index, err)
		}
	}
	state, entries, err := paper.Fold(w.charter.Digest, w.as("XC").Book(), 100)
	if a, _ := state.Agency("XC", "border"); err != nil || a.Retired != 1 || len(entries) != 2 {
		t.Errorf("%d entries, retired at %d, %v", len(entries), a.Retired, err)
	}
}

// R01: what lacks a signature does not reach the log, and says which.
func TestAdversary_R01_SubmittedWithTooFewRoots(t *testing.T) {
	w := found(t)
	r := w.as("XA")
	var lacking *registry.Unsigned
	_, err := r.Submit(t.Context(), w.proposal(r, Suspend("XC"), "root XA", "root XB"))
	if !errors.As(err, &lacking) || !strings.Contains(err.Error(), "not signed by XC") {
		t.Errorf("submitted: %v", err)
	}
	if again := w.as("XB").Book(); len(again.GetEntries()) != 1 {
		t.Errorf("the log has %d updates", len(again.GetEntries()))
	}
}

// R03: two registrars submit at the same time what excludes each other. One is in
// force for both; the other lies in the log, refused, and its registrar is told.
func TestAdversary_R03_SubmittedAtTheSameTime(t *testing.T) {
	w := found(t)
	one, other := w.as("XA"), w.as("XB")
	first := w.proposal(one, Retire("XC", "border"), "root XC")
	second := w.proposal(other, Retire("XC", "police"), "root XC")
	if _, err := one.Submit(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	var refused *registrar.Refused
	_, err := other.Submit(t.Context(), second)
	if !errors.As(err, &refused) || refused.Index != 2 || !strings.Contains(err.Error(), "another update came first") {
		t.Fatalf("the second: %v", err)
	}
	// With what it has read by now, it is refused before it is sent.
	if _, err := other.Submit(t.Context(), second); err == nil || errors.As(err, &refused) {
		t.Errorf("again: %v", err)
	}
	for _, r := range []*registrar.Registrar{one, other, w.as("XC")} {
		if r == one {
			r = w.as("XA") // as it is now
		}
		state, _, err := paper.Fold(w.charter.Digest, r.Book(), 100)
		police, _ := state.Agency("XC", "police")
		border, _ := state.Agency("XC", "border")
		if err != nil || police.Retired != 0 || border.Retired != 1 {
			t.Errorf("police retired at %d, border at %d, %v", police.Retired, border.Retired, err)
		}
	}
}

// A hub of another log is told from the first message.
func TestHubOfAnotherCharter(t *testing.T) {
	w := found(t)
	r := w.as("XA")
	p := w.proposal(r, Retire("XA", "border"), "root XA")
	w.charter.Digest = event.DigestOf([]byte("another charter"))
	if _, err := w.as("XA").Submit(t.Context(), p); err == nil || !strings.Contains(err.Error(), "does not found the charter") {
		t.Errorf("submitted: %v", err)
	}
	bad := proto.Clone(p).(*registryv1.Proposal)
	bad.Signed.Update = bad.Signed.Update[:10]
	if _, err := r.Submit(t.Context(), bad); err == nil {
		t.Error("a torn update was submitted")
	}
}
