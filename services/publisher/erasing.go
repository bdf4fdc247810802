package publisher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// Erase decides that the keys of all events of a request are erased, or of none.
func (a api) Erase(ctx context.Context, request *publisherv1.EraseRequest) (*publisherv1.EraseResponse, error) {
	if err := a.p.check.message(request); err != nil {
		return nil, err
	}
	ids := make([]event.ID, len(request.GetEventIds()))
	for i, text := range request.GetEventIds() {
		var err error
		if ids[i], err = event.ParseID(text); err != nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("event_ids[%d]: not an event id", i))
		}
	}
	repeated, err := a.p.outbox.Erase(ctx, ids, request.GetReason())
	if unerasable := (*outbox.Unerasable)(nil); errors.As(err, &unerasable) {
		return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("event_ids[%d]: %s %s. Nothing of this request is erased",
			unerasable.At, request.GetEventIds()[unerasable.At], unerasable.Why))
	}
	if err != nil {
		return nil, a.notAccepted(err)
	}
	a.p.tender.signal()
	a.p.shipper.signal()
	response := &publisherv1.EraseResponse{}
	for i, id := range request.GetEventIds() {
		response.Erasing = append(response.Erasing, &publisherv1.Erasing{EventId: id, Repeated: repeated[i]})
	}
	return response, nil
}

// sayErased says of erasures that they are done, once the hub has every record of theirs
// without the entry. It goes to those who read the event and to those whom it was released to,
// for as long as its content could have lived.
func (t *tender) sayErased(ctx context.Context, view *logView) (moved bool, err error) {
	o := t.publisher.outbox
	erasures, err := o.Erasures(ctx, tendAtOnce)
	if err != nil {
		return false, err
	}
	for _, e := range erasures {
		retention, ready, err := t.erased(ctx, view, e)
		if err != nil {
			return moved, err
		}
		if !ready {
			continue
		}
		cuts, err := o.Erased(ctx, e.Sequence)
		if err != nil {
			return moved, err
		}
		if len(cuts) > 0 { // else it expired before anything was cut
			if err := t.sayErasedIn(ctx, view, e, retention, cuts); err != nil {
				return moved, err
			}
		}
		if err := o.PutDone(ctx, e.Sequence); err != nil {
			return moved, err
		}
		moved = true
	}
	return moved, nil
}

// sayErasedIn says an erasure in each audience by itself: after a crash between two, both are said
// again, under the same keys.
func (t *tender) sayErasedIn(ctx context.Context, view *logView, e outbox.Erasure, retention string, cuts []outbox.Erased) error {
	released, err := t.publisher.outbox.ReleasedTo(ctx, e.Sequence)
	if err != nil {
		return err
	}
	if err := t.say(ctx, erasedReport(view.state, e, e.Audience, retention, cuts)); err != nil {
		return err
	}
	for _, audience := range released {
		if audience == e.Audience {
			continue
		}
		report := erasedReport(view.state, e, audience, retention, cuts)
		report.IdempotencyKey += " in " + audience
		if err := t.say(ctx, report); err != nil {
			return err
		}
	}
	return nil
}

// erased reports whether no record of an event has an entry of it any more, on the hub
// either, and what its retention class is.
func (t *tender) erased(ctx context.Context, view *logView, e outbox.Erasure) (retention string, ready bool, err error) {
	records, err := t.publisher.outbox.RecordsOf(ctx, e.Audience, e.Sequence)
	if err != nil {
		return "", false, err
	}
	ready = true
	for _, r := range records {
		record, err := openRecord(view.state, r)
		if err != nil {
			return "", false, err
		}
		ready = ready && !record.Has(e.ID) && r.Stored == r.Revision
		retention = record.Retention
	}
	return retention, ready, nil
}

// erasedReport is the same each time, so that it is accepted once.
func erasedReport(state registry.State, e outbox.Erasure, in, retention string, cuts []outbox.Erased) *caseworkv1.Report {
	erased := &caseworkv1.ControlErased{Reason: e.Reason}
	for _, c := range cuts {
		erased.Erasures = append(erased.Erasures, &caseworkv1.Erasure{
			EventId: e.ID.String(), Batch: c.Batch[:], Revision: c.Revision, RecordDigest: c.Digest[:],
		})
	}
	purpose := ""
	if audience, ok := state.Audience(in); ok && len(audience.Purposes) > 0 {
		purpose = audience.Purposes[0]
	}
	return &caseworkv1.Report{
		IdempotencyKey: ownKeys + "erased " + e.ID.String(), Audience: in, Retention: retention,
		Case: &caseworkv1.CaseSection{
			Marking:  &caseworkv1.Marking{Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_AMBER, Purpose: purpose},
			Occurred: e.Decided.Format(time.RFC3339),
			Content:  &caseworkv1.CaseSection_ControlErased{ControlErased: erased},
		},
	}
}

// say accepts a report of the publisher's own. Said before, in other words or not, is said.
func (t *tender) say(ctx context.Context, report *caseworkv1.Report) error {
	made, err := draft(report)
	if err != nil {
		return err
	}
	_, err = t.publisher.outbox.Accept(ctx, []outbox.Report{made})
	if used := (*outbox.KeyUsed)(nil); errors.As(err, &used) {
		err = nil
	}
	if err != nil {
		return err
	}
	t.publisher.lanes.of(made.Audience).signal()
	return nil
}
