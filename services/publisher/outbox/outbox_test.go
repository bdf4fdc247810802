package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

var owner = Owner{Country: "XA", Agency: "police", Charter: event.Digest{1}}

func open(t testing.TB, directory string) *Outbox {
	t.Helper()
	o, err := Open(context.Background(), directory, owner)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	t.Cleanup(func() {
		if !closed {
			shut(t, o)
		}
	})
	closing[o] = &closed
	return o
}

var closing = map[*Outbox]*bool{}

func shut(t testing.TB, o *Outbox) {
	t.Helper()
	*closing[o] = true
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

func report(key, content string) Report {
	return Report{
		Key: key, Digest: event.DigestOf([]byte(content)), Audience: "region", Kind: "site.reported", Retention: "case",
		Sections: []event.Section{{
			Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: []byte(content),
		}},
	}
}

func accept(t testing.TB, o *Outbox, reports ...Report) []Acceptance {
	t.Helper()
	accepted, err := o.Accept(t.Context(), reports)
	if err != nil {
		t.Fatal(err)
	}
	return accepted
}

// sign plays the relay's signature: the envelope is the content itself.
func sign(t testing.TB, o *Outbox, n int) []Envelope {
	t.Helper()
	drafts, head, err := o.Drafts(t.Context(), "region", region, Bounds{Events: n, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	after := head
	var signed []Envelope
	for _, d := range drafts {
		after = event.Head{Counter: after.Counter + 1, Digest: event.DigestOf(d.Event.ID[:]), LastID: d.Event.ID}
		signed = append(signed, Envelope{Sequence: d.Sequence, Address: "region", Subject: "s", Data: d.Event.Sections[0].Content})
	}
	if err := o.PutSigned(t.Context(), "region", region, head, after, signed); err != nil {
		t.Fatal(err)
	}
	return signed
}

func counts(t testing.TB, o *Outbox) Counts {
	t.Helper()
	c, err := o.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAcceptIsIdempotent(t *testing.T) {
	directory := t.TempDir()
	o := open(t, directory)
	first := accept(t, o, report("a", "1"), report("b", "2"), report("a", "1"))
	if first[0].ID != first[2].ID || first[0].Repeated || !first[2].Repeated || !first[0].ID.Less(first[1].ID) {
		t.Errorf("one request: %v", first)
	}
	for _, c := range []struct {
		name    string
		reports []Report
		at      int
	}{
		{"known key, other content", []Report{report("new", "3"), report("b", "other")}, 1},
		{"twice in one request", []Report{report("new", "3"), report("newer", "4"), report("new", "5")}, 2},
	} {
		_, err := o.Accept(t.Context(), c.reports)
		var used *KeyUsed
		if !errors.As(err, &used) || used.At != c.at {
			t.Errorf("%s: %v, want a KeyUsed at %d", c.name, err, c.at)
		}
	}
	if diff := cmp.Diff(Counts{Accepted: 2, Waiting: 2}, counts(t, o)); diff != "" {
		t.Error(diff)
	}
	shut(t, o)
	o = open(t, directory)
	again := accept(t, o, report("b", "2"), report("c", "3"))
	if again[0].ID != first[1].ID || !again[0].Repeated || !first[1].ID.Less(again[1].ID) {
		t.Errorf("after a restart: %v, before: %v", again, first)
	}
}

func TestOneRefusalInAGroupDoesNotTouchTheOthers(t *testing.T) {
	o := open(t, t.TempDir())
	accept(t, o, report("used", "1"))
	var group []request
	var answers []chan answer
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for i, ctx := range []context.Context{t.Context(), t.Context(), t.Context(), gone} {
		reply := make(chan answer, 1)
		answers = append(answers, reply)
		reports := []Report{report(fmt.Sprint("k", i), "x")}
		if i == 1 {
			reports = append(reports, report("used", "other"))
		}
		group = append(group, request{ctx: ctx, reports: reports, answer: reply})
	}
	o.writeGroup(group)
	for i, reply := range answers {
		if a := <-reply; (a.err != nil) != (i == 1 || i == 3) {
			t.Errorf("request %d: %v", i, a.err)
		}
	}
	if c := counts(t, o); c.Accepted != 3 {
		t.Errorf("%d are accepted, want 3", c.Accepted)
	}
}

func TestConcurrentCallersShareTransactions(t *testing.T) {
	o := open(t, t.TempDir())
	const callers, each = 32, 20
	ids := make([][]Acceptance, callers)
	var wait sync.WaitGroup
	for i := range callers {
		wait.Go(func() {
			for j := range each {
				accepted, err := o.Accept(context.Background(), []Report{report(fmt.Sprint(i, " ", j), "x")})
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = append(ids[i], accepted[0])
			}
		})
	}
	wait.Wait()
	seen := map[event.ID]bool{}
	for _, mine := range ids {
		for j, a := range mine {
			if seen[a.ID] || j > 0 && !mine[j-1].ID.Less(a.ID) {
				t.Fatalf("id %s was given twice, or does not come after the last", a.ID)
			}
			seen[a.ID] = true
		}
	}
	if c := counts(t, o); c.Accepted != callers*each {
		t.Errorf("%d are accepted, want %d", c.Accepted, callers*each)
	}
	// In the order of acceptance, identifiers rise.
	drafts, _, err := o.Drafts(t.Context(), "region", region, Bounds{Events: 1000, Bytes: 1 << 20})
	if err != nil || len(drafts) != callers*each {
		t.Fatalf("%d drafts, error %v", len(drafts), err)
	}
	for i := 1; i < len(drafts); i++ {
		if !drafts[i-1].Event.ID.Less(drafts[i].Event.ID) {
			t.Fatalf("draft %d does not come after the one before", i)
		}
	}
}

func TestGatherTakesWhatWaitsTogether(t *testing.T) {
	o := &Outbox{requests: make(chan request, maxGroup)}
	for range maxGroup {
		o.requests <- request{}
	}
	if n := len(o.gather(request{})); n != maxGroup {
		t.Errorf("a group of %d, want %d", n, maxGroup)
	}
	if n := len(o.gather(request{})); n != 2 {
		t.Errorf("then a group of %d, want 2", n)
	}
}

func TestClosedOutboxAcceptsNothing(t *testing.T) {
	o := open(t, t.TempDir())
	shut(t, o)
	if _, err := o.Accept(t.Context(), []Report{report("a", "1")}); !errors.Is(err, ErrClosed) {
		t.Errorf("error is %v, want ErrClosed", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	directory := t.TempDir()
	o := open(t, directory)
	if _, err := Open(t.Context(), directory, owner); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second one: %v", err)
	}
	shut(t, o)
	for _, other := range []Owner{{"XB", "police", owner.Charter}, {"XA", "border", owner.Charter}, {"XA", "police", event.Digest{2}}} {
		if _, err := Open(t.Context(), directory, other); err == nil {
			t.Errorf("opened for %v", other)
		}
	}
	info, err := os.Stat(filepath.Join(directory, "outbox.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, error %v", info.Mode(), err)
	}
}

func TestWhatIsAcceptedStays(t *testing.T) {
	o := open(t, t.TempDir())
	accept(t, o, report("a", "1"))
	for _, statement := range []string{`DELETE FROM accepted`, `UPDATE accepted SET digest = x'00'`} {
		if _, err := o.db.Exec(statement); err == nil {
			t.Errorf("%s was done", statement)
		}
	}
}

func TestSigningTwiceIsRefused(t *testing.T) {
	o := open(t, t.TempDir())
	accept(t, o, report("a", "1"), report("b", "2"))
	drafts, head, err := o.Drafts(t.Context(), "region", region, Bounds{Events: 1, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	signed := sign(t, o, 1)
	after := event.Head{Counter: 1, LastID: drafts[0].Event.ID}
	if err := o.PutSigned(t.Context(), "region", region, head, after, signed); err == nil {
		t.Error("the chain's head was moved twice from one place")
	}
	_, head, err = o.Drafts(t.Context(), "region", region, Bounds{Events: 1, Bytes: 1 << 20})
	if err != nil || head.Counter != 1 {
		t.Fatalf("head is %v, error %v", head, err)
	}
	if err := o.PutSigned(t.Context(), "region", region, head, event.Head{Counter: 2}, signed); err == nil {
		t.Error("one report was signed twice")
	}
	if _, again, err := o.Drafts(t.Context(), "region", region, Bounds{Events: 1, Bytes: 1}); err != nil || again != head {
		t.Errorf("a refused signature moved the head to %v, error %v", again, err)
	}
}

func TestHeadMovesFromWhereItIsOnly(t *testing.T) {
	o := open(t, t.TempDir())
	accept(t, o, report("a", "1"), report("b", "2"), report("c", "3"))
	sign(t, o, 1)
	_, first, err := o.Drafts(t.Context(), "region", region, Bounds{Events: 1, Bytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	sign(t, o, 1)
	drafts, second, err := o.Drafts(t.Context(), "region", region, Bounds{Events: 1, Bytes: 1})
	if err != nil || len(drafts) != 1 {
		t.Fatalf("%d drafts, error %v", len(drafts), err)
	}
	other := second
	other.Digest[0] ^= 1
	envelope := []Envelope{{Sequence: drafts[0].Sequence, Subject: "s", Data: []byte("3")}}
	for name, before := range map[string]event.Head{"one counter back": first, "another header": other} {
		after := event.Head{Counter: before.Counter + 1, LastID: drafts[0].Event.ID}
		if err := o.PutSigned(t.Context(), "region", region, before, after, envelope); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	if c := counts(t, o); c.Waiting != 3 || len(unsent(t, o)) != 2 {
		t.Errorf("a refused signature left %v", c)
	}
}

func TestBoundsTakeAtLeastOne(t *testing.T) {
	o := open(t, t.TempDir())
	accept(t, o, report("a", strings.Repeat("x", 100)), report("b", strings.Repeat("x", 100)), report("c", "x"))
	drafts, _, err := o.Drafts(t.Context(), "region", region, Bounds{Events: 10, Bytes: 1})
	if err != nil || len(drafts) != 1 {
		t.Errorf("%d drafts, error %v; want 1", len(drafts), err)
	}
	sign(t, o, 10)
	if envelopes, err := o.Unsent(t.Context(), "region", Bounds{Events: 10, Bytes: 150}); err != nil || len(envelopes) != 2 {
		t.Errorf("%d envelopes, error %v; want 2", len(envelopes), err)
	}
}

var region = event.Chain{Country: "XA", Agency: "police", Audience: "region"}
