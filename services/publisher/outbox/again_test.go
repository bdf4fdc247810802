package outbox

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
)

// signTo signs drafts of region as the relay does.
func signTo(t testing.TB, o *Outbox, address, owner string, n int) []Envelope {
	t.Helper()
	key, err := event.NewSigningKey(registrytest.Key(owner))
	if err != nil {
		t.Fatal(err)
	}
	chain := event.Chain{Country: "XA", Agency: "police", Audience: address}
	drafts, head, err := o.Drafts(t.Context(), "region", chain, Bounds{Events: n, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var events []event.Draft
	for _, d := range drafts {
		events = append(events, d.Event)
	}
	signed, next, err := event.SignBatch(key, chain, head, event.Seen{}, events)
	if err != nil {
		t.Fatal(err)
	}
	var envelopes []Envelope
	for i, s := range signed {
		envelopes = append(envelopes, Envelope{Sequence: drafts[i].Sequence, Address: address, Key: key.ID, Subject: s.Subject, Data: s.Data})
	}
	if err := o.PutSigned(t.Context(), "region", chain, head, next, envelopes); err != nil {
		t.Fatal(err)
	}
	return envelopes
}

func drafts(t testing.TB, o *Outbox, address string) ([]Draft, event.Head) {
	t.Helper()
	all, head, err := o.Drafts(t.Context(), "region", event.Chain{Country: "XA", Agency: "police", Audience: address}, Bounds{Events: 100, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return all, head
}

func TestSignedAgainIsTheSameReport(t *testing.T) {
	for _, accepted := range []int{0, 1, 2} {
		t.Run(fmt.Sprint(accepted, " were found before"), func(t *testing.T) {
			directory := t.TempDir()
			o := open(t, directory)
			accept(t, o, report("a", "1"), report("b", "2"), report("c", "3"), report("d", "4"), report("e", "5"))
			before, _ := drafts(t, o, "region")
			signed := signTo(t, o, "region", "the first key", 4)
			var heads []event.Head
			for _, e := range signed {
				u, err := event.Decode(e.Data)
				if err != nil {
					t.Fatal(err)
				}
				heads = append(heads, event.Head{Counter: u.Claims().Counter, Digest: u.HeaderDigest(), LastID: u.Claims().ID})
			}
			putStored(t, o, signed[:3], 1) // the last was never sent
			news := News{Followed: Followed{Snapshot: []byte("s")}, Again: []string{"region", "nothing"}, Witnessed: 100,
				Registry: []Update{{Index: 7, Subject: "reg.x", Data: []byte("u")}}}
			for i := range accepted {
				news.Own = append(news.Own, Own{Chain: region, Head: heads[i]})
				news.Found = append(news.Found, Found{Sequence: signed[i].Sequence, Cursor: uint64(i) + 1, Index: uint64(i)})
			}
			putLog(t, o, news)
			shut(t, o)
			o = open(t, directory)

			again, head := drafts(t, o, "region")
			if diff := cmp.Diff(before[accepted:], again); diff != "" {
				t.Errorf("the drafts are other ones:\n%s", diff)
			}
			want := event.Head{}
			if accepted > 0 {
				want = heads[accepted-1]
			}
			if head != want {
				t.Errorf("the head is %v, want %v", head, want)
			}
			if diff := cmp.Diff(Counts{Accepted: 5, Waiting: uint64(5 - accepted), Witnessed: uint64(accepted)}, counts(t, o)); diff != "" {
				t.Error(diff)
			}
			if updates, err := o.Registry(t.Context()); err != nil || len(updates) != 1 || updates[0].Index != 7 {
				t.Errorf("the registry is %v, error %v", updates, err)
			}
			moved := signTo(t, o, "region_7", "the second key", 100)
			if len(moved) != 5-accepted || len(unsent(t, o)) != len(moved) {
				t.Errorf("%d are signed again, want %d", len(moved), 5-accepted)
			}
		})
	}
}

// What an envelope does not say of its own report is not made a draft.
func TestDamagedEnvelopeIsNotSignedAgain(t *testing.T) {
	o := open(t, t.TempDir())
	accept(t, o, report("a", "1"), report("b", "2"))
	signTo(t, o, "region", "the first key", 2)
	if _, err := o.db.Exec(`UPDATE envelopes SET data = (SELECT data FROM envelopes WHERE sequence = 2) WHERE sequence = 1`); err != nil {
		t.Fatal(err)
	}
	if err := o.PutLog(t.Context(), News{Followed: Followed{Snapshot: []byte("s")}, Again: []string{"region"}}); err == nil {
		t.Error("a draft was made of another report's envelope")
	}
	if c := counts(t, o); c.Waiting != 2 || len(unsent(t, o)) != 2 {
		t.Errorf("a refusal left %v", c)
	}
}
