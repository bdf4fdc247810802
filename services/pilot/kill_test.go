package pilot_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/pilot"
)

const kills = 24

// TestAdversary_P01_KilledAtAnyMoment kills the whole pilot again and again, from
// its founding on, while an agency's system hands it reports, and asserts that
// every report that was ever answered is in the log, and the log is sound.
func TestAdversary_P01_KilledAtAnyMoment(t *testing.T) {
	binary := build(t)
	data := filepath.Join(t.TempDir(), "data")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	moments := rand.New(rand.NewPCG(seed, 0))
	client := &feeder{data: data, accepted: map[string]string{}}
	for round := range kills {
		// Half of the kills fall into the start, where most is going on; the others come
		// after a report was answered, however long the start takes here.
		alive := time.Duration(20+moments.IntN(480)) * time.Millisecond
		runAndKill(t, binary, data, round%2 == 1, alive, client)
	}
	t.Logf("%d reports were answered before a kill", len(client.accepted))
	var summary audit.Summary
	play(t, data, func(ctx context.Context, p *pilot.Pilot) { summary = summaryOf(t, ctx, p) }) // however long it takes to settle
	if len(summary.Findings) != 0 || summary.Refused != 0 || summary.WitnessedSize != summary.LogSize {
		t.Errorf("after %d kills: %d findings, %d refused, %d of %d witnessed: %v",
			kills, len(summary.Findings), summary.Refused, summary.WitnessedSize, summary.LogSize, summary.Findings)
	}
	replayed, err := pilot.Audit(t.Context(), data, nil)
	if err != nil || len(replayed.Findings) != 0 {
		t.Errorf("audit replay: %v, error %v", replayed.Findings, err)
	}
	stored := storedEvents(t, data)
	for key, id := range client.accepted {
		if !stored[id] {
			t.Errorf("report %s was accepted as event %s and is not in the log", key, id)
		}
	}
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "tripoint")
	if out, err := exec.Command("go", "build", "-o", binary, "../tripoint").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return binary
}

// firstAnswer is far above what a pilot takes to start on a machine under load.
const firstAnswer = 2 * time.Minute

// runAndKill starts the pilot, feeds it, and kills it after a while: from its start,
// or from when it has answered.
func runAndKill(t *testing.T, binary, data string, answers bool, alive time.Duration, client *feeder) {
	t.Helper()
	var output bytes.Buffer
	process := exec.Command(binary, "pilot", "--data", data)
	process.Stdout, process.Stderr = &output, &output
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	feeding, answered := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(feeding)
		client.feed(ctx, process.Process.Pid, sync.OnceFunc(func() { close(answered) }))
	}()
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	var moment, late <-chan time.Time
	var first <-chan struct{}
	if answers {
		first, late = answered, time.After(firstAnswer)
	} else {
		moment = time.After(alive)
	}
	for killed := false; !killed; {
		select {
		case err := <-ended:
			t.Fatalf("the pilot ended before it was killed: %v\n%s", err, output.String())
		case <-first:
			first, late, moment = nil, nil, time.After(alive)
		case <-late:
			t.Errorf("no report was answered in %v", firstAnswer)
			killed = true
		case <-moment:
			killed = true
		}
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	cancel()
	<-feeding
}

// feeder is an agency's system: it hands reports to a publisher, one after the
// other, and notes those that were answered.
type feeder struct {
	data string
	next int
	// accepted holds event ids by idempotency key.
	accepted map[string]string
}

func (f *feeder) feed(ctx context.Context, process int, answered func()) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		running, err := pilot.FindRunning(pilot.Layout(f.data))
		if err != nil || running.Process != process {
			<-tick.C // it is still starting
			continue
		}
		client, err := pilot.Dial(f.data, "TH/immigration")
		if err != nil {
			continue
		}
		f.next++
		key := fmt.Sprintf("kill/%d", f.next)
		answer, err := client.Publish(ctx, &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{report(key)}})
		if err == nil {
			f.accepted[key] = answer.GetAccepted()[0].GetEventId()
			answered()
		}
	}
}

func report(key string) *caseworkv1.Report {
	return &caseworkv1.Report{
		IdempotencyKey: key, Audience: "region", Retention: "case",
		Case: &caseworkv1.CaseSection{
			Marking:  &caseworkv1.Marking{Tlp: caseworkv1.Tlp_TLP_GREEN, Pap: caseworkv1.Pap_PAP_GREEN, Purpose: "rescue"},
			Occurred: "2025-03-01", Source: "an invented report",
			Content: &caseworkv1.CaseSection_TransferReleased{TransferReleased: &caseworkv1.TransferReleased{
				TransferId: "T-2025-02-12", ReleasedBy: key,
			}},
		},
	}
}

// storedEvents reads the identifiers of all events in the hub's stream.
func storedEvents(t *testing.T, data string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	without(t, data, nil, func(ctx context.Context, h *house) {
		for _, m := range h.stored(ctx) {
			if !strings.HasPrefix(m.Subject, "evt.") {
				continue
			}
			envelope, err := event.Decode(m.Data)
			if err != nil {
				t.Fatalf("sequence %d: %v", m.Sequence, err)
			}
			found[envelope.Claims().ID.String()] = true
		}
	})
	return found
}
