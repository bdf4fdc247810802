package pilot

import (
	"context"
	"fmt"
	"time"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/pilot/scenario"
)

// play hands the steps to their publishers over their API, in order, those of one
// agency that follow each other together, and waits for each part to be stored
// before the next, so that the log tells the story in its order. It may be
// repeated: each report has its idempotency key, and is accepted once.
func play(ctx context.Context, clientOf func(voice) (publisherv1connect.PublisherServiceClient, bool), steps []scenario.Step) error {
	for len(steps) > 0 {
		speaker := voice{steps[0].Country, steps[0].Agency}
		var reports []*caseworkv1.Report
		for len(steps) > 0 && (voice{steps[0].Country, steps[0].Agency}) == speaker {
			reports = append(reports, steps[0].Report)
			steps = steps[1:]
		}
		client, ok := clientOf(speaker)
		if !ok {
			return fmt.Errorf("playing the scenario: there is no publisher of %s", speaker)
		}
		if _, err := client.Publish(ctx, &publisherv1.PublishRequest{Reports: reports}); err != nil {
			return fmt.Errorf("playing the scenario: %s: %w", speaker, err)
		}
		if err := stored(ctx, client); err != nil {
			return fmt.Errorf("playing the scenario: %s: %w", speaker, err)
		}
	}
	return nil
}

// stored waits until the hub has all that a publisher accepted.
func stored(ctx context.Context, client publisherv1connect.PublisherServiceClient) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		status, err := client.GetStatus(ctx, &publisherv1.GetStatusRequest{})
		if err != nil || status.GetWaiting() == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
