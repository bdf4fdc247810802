package pilot_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/translog"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/pilot"
)

// say has an agency of a running pilot say something more.
func say(t *testing.T, ctx context.Context, data, agency string, keys ...string) {
	t.Helper()
	client, err := pilot.Dial(data, agency)
	if err != nil {
		t.Fatal(err)
	}
	var reports []*caseworkv1.Report
	for _, key := range keys {
		reports = append(reports, report(key))
	}
	if _, err := client.Publish(ctx, &publisherv1.PublishRequest{Reports: reports}); err != nil {
		t.Fatal(err)
	}
}

// goesOn starts a restored pilot, has two agencies say more, and sees that all of it
// is witnessed by all, that every view is what the log gives, and no alarm stands.
func goesOn(t *testing.T, data string, restorations int) audit.Summary {
	t.Helper()
	var summary audit.Summary
	play(t, data, func(ctx context.Context, p *pilot.Pilot) {
		before := summaryOf(t, ctx, p)
		say(t, ctx, data, "TH/immigration", "after/1", "after/2")
		say(t, ctx, data, "MM/border", "after/3")
		if err := p.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		summary = summaryOf(t, ctx, p)
		if summary.Events != before.Events+3 {
			t.Errorf("three events more: there are %d after %d", summary.Events, before.Events)
		}
	})
	isSound(t, summary, restorations)
	replayed, err := pilot.Audit(t.Context(), data, nil)
	if err != nil {
		t.Fatal(err)
	}
	isSound(t, replayed, restorations)
	return summary
}

func isSound(t *testing.T, s audit.Summary, restorations int) {
	t.Helper()
	if len(s.Findings) != 0 || s.LogSize != s.Events || s.WitnessedSize != s.LogSize || s.Refused != 0 || len(s.Restorations) != restorations {
		t.Errorf("%d events, %d refused, log of %d, %d witnessed, restorations %v, findings %v",
			s.Events, s.Refused, s.LogSize, s.WitnessedSize, s.Restorations, s.Findings)
	}
}

func streams(data string) string { return filepath.Join(data, "hub", "streams") }

func restore(t *testing.T, data string) hub.Restored {
	t.Helper()
	done, err := pilot.Restore(t.Context(), data, hub.Restoration{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// The whole directory of streams is gone; outboxes and journals are there.
func TestLostStreamsAreRestoredByOneCommand(t *testing.T) {
	data := t.TempDir()
	var before audit.Summary
	play(t, data, func(ctx context.Context, p *pilot.Pilot) { before = summaryOf(t, ctx, p) })
	if err := os.RemoveAll(streams(data)); err != nil {
		t.Fatal(err)
	}
	done := restore(t, data)
	if done.Size != before.LogSize || done.Recovered != before.LogSize || len(done.Lost) != 0 || done.Carried != 0 {
		t.Errorf("a log of %d was restored as %+v", before.LogSize, done)
	}
	after, err := pilot.Audit(t.Context(), data, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []audit.Restoration{{Index: before.LogSize, Time: after.Restorations[0].Time, Recovered: before.LogSize, Lost: []translog.Range{}}}
	if diff := cmp.Diff(want, after.Restorations); diff != "" {
		t.Errorf("the loss as it is recorded (-want +got):\n%s", diff)
	}
	if len(after.Findings) != 0 || after.Checkpoint != before.Checkpoint || after.Events != before.Events+1 {
		t.Errorf("%d events with root %s, findings %v", after.Events, after.Checkpoint.Root, after.Findings)
	}
	goesOn(t, data, 1)
}
