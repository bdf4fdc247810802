package viewtest

import (
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
)

func chains(t *testing.T, open Open) {
	s := fresh(t, open)
	renewed := first // differs in the renewal alone
	renewed.Renewal = 2
	other := event.Chain{Country: "AA", Agency: "police", Audience: "few"} // differs in the audience alone
	var heads [3]event.Head
	commit(t, s, cursorAt(7), func(tx view.Tx) {
		for i := range heads {
			entry, head := accepted(uint64(i), first, uint64(i+1), "site.reported")
			must(t, tx.Take(entry, head))
			heads[i] = head
			got, err := tx.Head(first)
			must(t, err)
			same(t, "head inside the batch", head, got)
		}
		must(t, tx.Take(accepted(3, other, 1, "site.reported")))
		must(t, tx.Take(accepted(6, renewed, 1, "site.reported")))
		// What is refused or a duplicate moves no chain and is no header of it.
		again, _ := accepted(4, first, 1, "site.reported")
		again.Verdict = verdict.Duplicate
		must(t, tx.Take(again, event.Head{}))
		fork, _ := accepted(5, first, 2, "site.reported")
		fork.Verdict, fork.HeaderDigest = verdict.Equivocation, event.DigestOf([]byte("another"))
		must(t, tx.Take(fork, event.Head{}))
	})
	taken := get[[]view.Entry](t)(s.Entries(t.Context(), view.Filter{After: 6}))
	if len(taken) != 1 || taken[0].Renewal != renewed.Renewal {
		t.Errorf("the entry of the renewed chain is %v", taken)
	}
	tx := begin(t, s)
	defer tx.Rollback()
	for i, head := range heads {
		got, err := tx.HeaderAt(first, uint64(i+1))
		must(t, err)
		same(t, "header", head.Digest, got)
	}
	for _, counter := range []uint64{0, 4, 1 << 63} {
		if _, err := tx.HeaderAt(first, counter); err == nil {
			t.Errorf("HeaderAt(%d) of a chain of 3: no error", counter)
		}
	}
	for chain, want := range map[event.Chain]event.Head{first: heads[2], second: {}} {
		got, err := tx.Head(chain)
		must(t, err)
		same(t, "head of "+chain.String(), want, got)
	}
	_, want := accepted(6, renewed, 1, "site.reported")
	digest, err := tx.HeaderAt(renewed, 1)
	must(t, err)
	same(t, "header of the renewed chain", want.Digest, digest)
	same(t, "header of the chain before it", true, digest != heads[0].Digest)
	got, err := tx.Head(renewed)
	must(t, err)
	same(t, "head of the renewed chain", want, got)
	got, err = tx.Head(other)
	must(t, err)
	same(t, "counter of the other audience's chain", uint64(1), got.Counter)
}
