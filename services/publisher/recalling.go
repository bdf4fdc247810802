package publisher

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// spread has a recall said wherever its events were said or released, whichever audience its
// author thought of: the outbox knows, and decides all of it in the transaction that accepts the
// recall. What else a draft says is said once.
func spread(state registry.State, report *caseworkv1.Report, said *outbox.Report) {
	recall := report.GetCase().GetControlRecalled()
	for _, text := range recall.GetEventIds() {
		if id, err := event.ParseID(text); err == nil {
			said.Recalls = append(said.Recalls, id)
		}
	}
	said.Elsewhere = func(audience string, recalled []event.ID) (outbox.Report, bool, error) {
		there, ok := state.Audience(audience)
		if !ok {
			return outbox.Report{}, false, nil
		}
		made, err := draft(recallIn(state, there, report, recalled))
		return made, err == nil, err
	}
}

// recallIn is a recall in another audience: the same, of the events that are read there, for a
// purpose and a retention class that the audience has.
func recallIn(state registry.State, there registry.Audience, report *caseworkv1.Report, recalled []event.ID) *caseworkv1.Report {
	section := proto.Clone(report.GetCase()).(*caseworkv1.CaseSection)
	section.Attachments = nil
	section.GetControlRecalled().EventIds = nil
	for _, id := range recalled {
		section.GetControlRecalled().EventIds = append(section.GetControlRecalled().EventIds, id.String())
	}
	if len(there.Purposes) > 0 && !slices.Contains(there.Purposes, section.GetMarking().GetPurpose()) {
		section.GetMarking().Purpose = there.Purposes[0]
	}
	retention := report.GetRetention()
	if !there.Keeps(retention) {
		days := state.Retention()
		retention = slices.MaxFunc(there.Retention, func(a, b string) int { return int(days[a]) - int(days[b]) })
	}
	return &caseworkv1.Report{
		IdempotencyKey: ownKeys + "recalled " + report.GetIdempotencyKey() + " in " + there.ID, Audience: there.ID, Retention: retention, Case: section,
	}
}
