package pilot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/stream"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/auditor"
)

// Codes of findings that only somebody who sees both desks and audit can make.
const (
	FindingView  = "view"  // a desk's view is not what the log gives
	FindingAlarm = "alarm" // a desk no longer trusts the log
)

func (p *Pilot) countries() []string { return slices.Sorted(maps.Keys(p.parties.allDesks())) }

// Settle waits until everything accepted is in the log, witnessed by all
// countries, and taken in by every desk that may see it.
func (p *Pilot) Settle(ctx context.Context) error {
	// As the notary, which may ask where the stream ends.
	conn, err := stream.Dial(p.layout.connection(p.hub.URL(), stream.NotaryUser))
	if err != nil {
		return err
	}
	defer conn.Close()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		waits, err := p.waitsFor(ctx, conn)
		if err != nil || waits == "" {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("still waiting for %s: %w", waits, ctx.Err())
		case <-ticker.C:
		}
	}
}

// waitsFor names the first party that is not done; empty when all are.
func (p *Pilot) waitsFor(ctx context.Context, conn *stream.Conn) (string, error) {
	for v, client := range p.parties.allClients() {
		status, err := client.GetStatus(ctx, &publisherv1.GetStatusRequest{})
		if err != nil {
			return "", fmt.Errorf("asking publisher %s: %w", v, err)
		}
		if status.GetWaiting() > 0 || status.GetStored() > 0 {
			return fmt.Sprintf("publisher %s: %d waiting, %d stored and not witnessed", v, status.GetWaiting(), status.GetStored()), nil
		}
	}
	// What nobody waits for, like the message that the stream was restored, counts too.
	standing, err := conn.Standing(ctx, stream.Events, 1)
	if err != nil {
		return "", err
	}
	size := standing.Last
	desks := p.parties.allDesks()
	for _, d := range desks {
		size = max(size, d.Status().LogSize)
	}
	for country, d := range desks {
		status := d.Status()
		policy, err := d.State().Policy()
		if err != nil || size == 0 || status.WitnessedSize < size || len(status.CosignedBy) < len(policy.Mirrors) {
			return fmt.Sprintf("desk %s: %d of %d witnessed, cosigned by %v", country, status.WitnessedSize, size, status.CosignedBy), nil
		}
		caught, err := d.CaughtUp(ctx)
		if err != nil {
			return "", fmt.Errorf("desk %s: %w", country, err)
		}
		if !caught {
			return fmt.Sprintf("desk %s: its view is behind its journal", country), nil
		}
	}
	return "", nil
}

// Summary is what an audit of the log says, with each desk's own view in place of
// the audit's. Where the two differ, that is a finding.
func (p *Pilot) Summary(ctx context.Context) (audit.Summary, error) {
	openers := map[string]audit.Opener{}
	for country, d := range p.parties.allDesks() {
		openers[country] = d.Opener()
	}
	summary, err := auditor.Replay(ctx, auditor.Config{
		Charter: p.charter, Stream: p.layout.connection(p.hub.URL(), stream.AuditUser), Openers: openers,
	})
	if err != nil {
		return audit.Summary{}, err
	}
	for country, d := range p.parties.allDesks() {
		own, err := d.Audited(ctx)
		if err != nil {
			return audit.Summary{}, fmt.Errorf("desk %s: %w", country, err)
		}
		if expected := summary.Desks[country]; expected.ViewDigest != own.ViewDigest {
			summary.Findings = append(summary.Findings, audit.Finding{Code: FindingView, Index: own.LogIndex,
				What: fmt.Sprintf("the view of %s has digest %s, the log gives %s", country, own.ViewDigest, expected.ViewDigest)})
		}
		if alarm := d.Status().Alarm; alarm != "" {
			summary.Findings = append(summary.Findings, audit.Finding{Code: FindingAlarm, Index: own.LogIndex, What: "desk " + country + ": " + alarm})
		}
		summary.Desks[country] = own
	}
	return summary, nil
}
