package pilot_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/publisher/outbox"
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
	t.Parallel()
	data := played(t)
	var before audit.Summary
	play(t, data, func(ctx context.Context, p *pilot.Pilot) { before = summaryOf(t, ctx, p) })
	remove(t, streams(data))
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

// Whose files are gone is named, also where the restoration succeeds without them.
func TestRestorationNamesWhoHasNothing(t *testing.T) {
	t.Parallel()
	data := played(t)
	for _, gone := range []string{"hub/streams", "desks/MM", "publishers/TH-border/outbox.db"} {
		remove(t, filepath.Join(data, filepath.FromSlash(gone)))
	}
	// A dry run leaves the holdings of one that was broken off where they are.
	broken := filepath.Join(data, "holdings", "notary")
	if err := os.MkdirAll(filepath.Dir(broken), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"desk MM", "publisher TH/border"}
	dry, err := pilot.Restore(t.Context(), data, hub.Restoration{DryRun: true}, nil)
	if diff := cmp.Diff(want, dry.Absent); err != nil || diff != "" {
		t.Errorf("error %v, absent (-want +got):\n%s", err, diff)
	}
	if left, err := filepath.Glob(filepath.Join(data, "holdings*", "*")); err != nil || !slices.Equal(left, []string{broken}) {
		t.Errorf("after a dry run there are holdings %v, error %v", left, err)
	}
	if done := restore(t, data); !slices.Equal(done.Absent, want) || len(done.Lost) != 0 {
		t.Errorf("restored as %+v", done)
	}
	// Where messages are missing, they may be with who is named.
	remove(t, streams(data))
	remove(t, filepath.Join(data, "desks"))
	_, err = pilot.Restore(t.Context(), data, hub.Restoration{}, nil)
	if loss := (*hub.Loss)(nil); !errors.As(err, &loss) || !strings.HasSuffix(err.Error(), "Nothing was there of: desk CN, desk MM, desk TH, publisher TH/border") {
		t.Errorf("%v", err)
	}
}

// Whose files are damaged is named and not used: the others have all that is needed.
func TestRestorationGoesOnWithoutDamagedParties(t *testing.T) {
	t.Parallel()
	data := played(t)
	remove(t, streams(data))
	for name, at := range map[string]int{"notary/hashes": 100, "desks/CN/journal.db": 17} {
		path := filepath.Join(data, filepath.FromSlash(name))
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content[at] ^= 0x40 // of SQLite: its page format
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	done := restore(t, data)
	if len(done.Unsound) != 2 || !strings.HasPrefix(done.Unsound[0], "desk CN: ") || !strings.HasPrefix(done.Unsound[1], "notary: ") || len(done.Lost) != 0 {
		t.Errorf("restored as %+v", done)
	}
	// Where messages are missing, they may be with who is named.
	remove(t, streams(data))
	remove(t, filepath.Join(data, "desks", "TH"))
	remove(t, filepath.Join(data, "desks", "MM"))
	_, err := pilot.Restore(t.Context(), data, hub.Restoration{}, nil)
	if err == nil || !strings.Contains(err.Error(), "Damaged, and not used: desk CN: ") {
		t.Errorf("%v", err)
	}
}

// Before the notary has signed them, events are stored, two desks have them and one
// has not; then the hub's disk is gone. All of them are in the log afterwards, once.
func TestUnsignedEventsOutliveTheStreams(t *testing.T) {
	t.Parallel()
	data := played(t)
	without(t, data, []string{"TH/immigration", "MM/border", "CN", "MM"}, func(ctx context.Context, h *house) {
		h.says(ctx, "TH/immigration", 0, "tail/1", "tail/2")
		h.says(ctx, "MM/border", 0, "tail/3")
		h.has(ctx, "CN", 31)
		h.has(ctx, "MM", 31)
	})
	remove(t, streams(data))
	done := restore(t, data)
	if done.Size != 29 || done.Carried != 3 || len(done.LeftOut) != 0 {
		t.Errorf("restored as %+v", done)
	}
	summary := goesOn(t, data, 1)
	if want := uint64(29 + 1 + 3 + 3); summary.Events-summary.Duplicates != want {
		t.Errorf("%d events, %d of them duplicates, want %d others", summary.Events, summary.Duplicates, want)
	}
	isStored(t, data, "tail/1", "tail/2", "tail/3", "after/1", "after/2", "after/3")
}

// The hub has begun anew on an empty disk, and has taken events at sequences that
// were others', before anybody noticed.
func TestAdversary_S03_EventsOfAHubThatBeganAnewAreKept(t *testing.T) {
	t.Parallel()
	data := played(t)
	without(t, data, []string{"TH/immigration"}, func(ctx context.Context, h *house) { h.says(ctx, "TH/immigration", 0, "tail/1") })
	tail := unwitnessed(t, data, "TH", "immigration")
	remove(t, streams(data))
	without(t, data, nil, func(ctx context.Context, h *house) {
		// A publisher notices, and waits. So its event, signed before, is put there by itself.
		conn, err := stream.Dial(h.connection(stream.PublisherUser("TH", "immigration")))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		last, err := conn.PublishBatch(ctx, tail)
		if err != nil || last != uint64(len(tail))+1 {
			t.Fatalf("stored up to sequence %d, error %v", last, err)
		}
	})
	done := restore(t, data)
	if done.Size != 29 || done.Survived != 1 || done.Carried != 1 || done.Damaged == "" {
		t.Errorf("restored as %+v", done)
	}
	goesOn(t, data, 1)
	isStored(t, data, "tail/1", "after/1")
}

// The hub is set back to an older copy of its disk, and grows past where desks have
// read it. What was signed is at its place again, and what came since goes on after it.
func TestAdversary_S03_RolledBackAndRegrownIsRepaired(t *testing.T) {
	t.Parallel()
	data, backup := played(t), filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(streams(data))); err != nil {
		t.Fatal(err)
	}
	play(t, data, func(ctx context.Context, p *pilot.Pilot) {
		say(t, ctx, data, "TH/immigration", "lost/1", "lost/2")
		if err := p.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	})
	remove(t, streams(data))
	if err := os.Rename(backup, streams(data)); err != nil {
		t.Fatal(err)
	}
	regrown := []stream.Message{{Subject: "evt.region.CN.police.site.reported", Data: []byte("junk")}}
	without(t, data, nil, func(ctx context.Context, h *house) {
		conn, err := stream.Dial(h.connection(stream.PublisherUser("CN", "police")))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for range 3 {
			if _, err := conn.PublishBatch(ctx, regrown); err != nil {
				t.Fatal(err)
			}
		}
	})
	done := restore(t, data)
	if done.Size != 31 || done.Survived != 29 || done.Recovered != 2 || done.Carried != 0 || len(done.LeftOut) != 1 {
		t.Errorf("restored as %+v", done)
	}
	goesOn(t, data, 1)
	isStored(t, data, "lost/1", "lost/2", "after/1")
}

func unwitnessed(t *testing.T, data, country, agency string) []stream.Message {
	t.Helper()
	charter, err := pilot.Charter(data)
	if err != nil {
		t.Fatal(err)
	}
	var all []stream.Message
	_, err = outbox.Inspect(t.Context(), filepath.Join(data, "publishers", country+"-"+agency),
		outbox.Owner{Country: country, Agency: agency, Charter: charter.Digest}, func(s outbox.Stored) error {
			all = append(all, stream.Message{Subject: s.Subject, Data: s.Data})
			return nil
		})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d events wait in the outbox, error %v", len(all), err)
	}
	return all
}

// The broker throws away what it cannot read of a block with one flipped bit. What
// it has left, and what desks hold, is the log again.
func TestAdversary_S01_FlippedBitIsRepaired(t *testing.T) {
	t.Parallel()
	data := played(t)
	blocks, err := filepath.Glob(filepath.Join(streams(data), "jetstream", "*", "streams", "EVENTS", "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("%d blocks of the stream, error %v", len(blocks), err)
	}
	block, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	block[len(block)/2] ^= 1
	if err := os.WriteFile(blocks[0], block, 0o600); err != nil {
		t.Fatal(err)
	}
	broken, err := pilot.Audit(t.Context(), data, nil)
	if err != nil || len(broken.Findings) == 0 {
		t.Fatalf("the audit of damaged streams has %d findings, error %v", len(broken.Findings), err)
	}
	done := restore(t, data)
	if done.Size != 29 || done.Recovered == 0 || len(done.Lost) != 0 || done.Damaged == "" {
		t.Errorf("restored as %+v", done)
	}
	goesOn(t, data, 1)
	// And once more, after it is lost altogether.
	remove(t, streams(data))
	restore(t, data)
	after, err := pilot.Audit(t.Context(), data, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Findings) != 0 || len(after.Restorations) != 2 {
		t.Errorf("after two restorations: %v, findings %v", after.Restorations, after.Findings)
	}
	goesOnAgain(t, data, 2)
}

func goesOnAgain(t *testing.T, data string, restorations int) {
	t.Helper()
	play(t, data, func(ctx context.Context, p *pilot.Pilot) {
		say(t, ctx, data, "CN/police", "again/1")
		if err := p.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		isSound(t, summaryOf(t, ctx, p), restorations)
	})
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}
