package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

// Publisher hands reports to an agency's publisher. A publisherv1connect client is one.
type Publisher interface {
	Publish(context.Context, *publisherv1.PublishRequest) (*publisherv1.PublishResponse, error)
}

// answer confirms recalls once what was recalled is gone here, until ctx ends. A receipt is kept until
// the publisher has accepted it. It may be handed over twice: its idempotency key is its own.
func (d *Desk) answer(ctx context.Context) error {
	folded, cancel := d.live.Subscribe()
	defer cancel()
	for pause := leastPause; ; {
		failed, err := d.answerOnce(ctx)
		if err != nil {
			return err
		}
		pause = min(2*pause, longestPause)
		if failed == nil {
			pause = leastPause
		} else {
			d.log.Warn("a receipt of a recall waits for the agency's publisher", "error", failed)
			folded = nil // not at once with every event
		}
		select {
		case <-folded:
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// answerOnce hands over what can be. failed is the publisher's fault, err this machine's.
func (d *Desk) answerOnce(ctx context.Context) (failed, err error) {
	if err := d.destroyed(ctx); err != nil {
		return nil, err
	}
	owed, err := d.ring.Owed(ctx)
	if err != nil || d.config.Publisher == nil {
		return nil, err
	}
	for _, receipt := range owed {
		if receipt.Destroyed.IsZero() {
			continue
		}
		exports, err := d.ring.Exports(ctx, receipt.Events)
		if err != nil {
			return nil, err
		}
		audience, _ := d.registry().Audience(receipt.Audience)
		report := receiptReport(d.config.Country, receipt, exports, audience)
		_, err = d.config.Publisher.Publish(ctx, &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{report}})
		if err != nil && connect.CodeOf(err) != connect.CodeAlreadyExists { // a desk that has lost its keys.db destroys again what it has confirmed
			failed = cmp.Or(failed, err)
			if err := d.refusedReceipt(ctx, receipt, err); err != nil {
				return nil, err
			}
			continue // it holds up no other receipt
		}
		if err := d.ring.Answered(ctx, receipt); err != nil {
			return nil, err
		}
	}
	return failed, nil
}

// refusedReceipt keeps what the publisher says against a receipt, for the console. That it
// does not answer changes nothing of that.
func (d *Desk) refusedReceipt(ctx context.Context, receipt keyring.Receipt, err error) error {
	if refused, ok := errors.AsType[console.Refused](saidNo(err)); ok {
		return d.ring.Refused(ctx, receipt, refused.Why)
	}
	return nil
}

// destroyed notes what a view that stands was folded without.
func (d *Desk) destroyed(ctx context.Context) error {
	cursor, err := d.shelf.Cursor(ctx)
	if err != nil {
		return err
	}
	stale, _, err := d.ring.Stale(ctx) // after the cursor: what was heard up to there has made it stale by now
	if err != nil || stale {
		return err
	}
	return d.ring.Destroyed(ctx, d.now(), cursor.Index)
}

// receiptReport is the answer to a recall. It goes where the recall was said, for the same purpose and
// with the same retention class, where that audience has them: else no publisher would
// take it, and whoever recalls in a wrong way would have every country look late.
func receiptReport(country string, r keyring.Receipt, exports uint64, audience registry.Audience) *caseworkv1.Report {
	receipt := &caseworkv1.ControlReceipt{
		RecallId: r.Recall, Country: r.Country, Agency: r.Agency, EventIds: idTexts(r.Events),
		Destroyed: r.Destroyed.Format(time.RFC3339), Exports: uint32(exports),
	}
	purpose, retention := r.Purpose, r.Retention
	if len(audience.Purposes) > 0 && !slices.Contains(audience.Purposes, purpose) {
		purpose = audience.Purposes[0]
	}
	if !audience.Keeps(retention) {
		retention = audience.Retention[0]
	}
	return &caseworkv1.Report{
		IdempotencyKey: fmt.Sprintf("receipt of %s to recall %s of %s.%s at %d", country, r.Recall, r.Country, r.Agency, r.Index),
		Audience:       r.Audience, Retention: retention,
		Case: &caseworkv1.CaseSection{
			Marking: &caseworkv1.Marking{Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_AMBER, Purpose: purpose},
			Source:  "the desk of " + country, Occurred: r.Destroyed.Format(time.RFC3339),
			Content: &caseworkv1.CaseSection_ControlReceipt{ControlReceipt: receipt},
		},
	}
}

func idTexts(ids []event.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}
