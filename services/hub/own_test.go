package hub_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
)

// A publisher reads what lies in its agency's name, at every address, and the
// registry: nothing of other agencies, and its country's leaving takes nothing of its own.
func TestPublisherReadsItsOwnAndNobodyElses(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.says("XA", "police", "region", "pair")
	w.says("XA", "border", "region", "pair")
	w.says("XB", "police", "region", "pair")
	want := []string{"reg.charter.founded", "evt.region.XA.police.site.reported", "evt.pair.XA.police.site.reported"}
	read := func() []string {
		t.Helper()
		var subjects []string
		r := reader(t, dial(t, w.Hub, stream.PublisherUser("XA", "police")), stream.Events, stream.PublisherUser("XA", "police"))
		if err := r.Reset(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		left, err := r.Pending(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for left > 0 {
			messages, err := r.Fetch(t.Context(), 100, 10*time.Second)
			if err != nil || len(messages) == 0 {
				t.Fatalf("%d messages are announced and do not come: %v", left, err)
			}
			for _, m := range messages {
				subjects = append(subjects, m.Subject)
			}
			left -= uint64(len(messages))
		}
		return subjects
	}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("it reads (-want +got):\n%s", diff)
	}
	w.submit(registrytest.Quit("pair", "XA"), "root XA")
	until(t, "the hub enforces it", func() bool {
		return !publishes(dial(t, w.Hub, stream.PublisherUser("XA", "police")), "evt.pair.XA.police.site.reported")
	})
	got := read()
	if diff := cmp.Diff(append(want, "reg.audience.left"), leaveOut(got, "evt.pair.XA.police.site.reported", len(want))); diff != "" {
		t.Errorf("after its country left pair it reads (-want +got):\n%s", diff)
	}
}

// leaveOut leaves out a subject after the first n, which may have gone out before the hub knew.
func leaveOut(subjects []string, subject string, n int) []string {
	kept := subjects[:n:n]
	for _, s := range subjects[n:] {
		if s != subject {
			kept = append(kept, s)
		}
	}
	return kept
}
