package desk

import (
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// shown is a subject as text: anybody may have made it.
func shown(subject string) string { return strings.ToValidUTF8(subject, "\uFFFD") }

// entryOf is a message's row, before what the fold adds to it.
func entryOf(m journal.Message, judged verdict.Judged) view.Entry {
	entry := view.Entry{
		Index: m.Index, Sequence: m.Sequence(),
		Subject: shown(m.Subject),
		Verdict: judged.Code, Reason: judged.Reason,
	}
	v := judged.Event
	if v.ID == (event.ID{}) {
		return entry // nothing in it is known to be true
	}
	entry.EventID, entry.HeaderDigest = v.ID.String(), v.HeaderDigest
	entry.Country, entry.Agency = v.Chain.Country, v.Chain.Agency
	entry.Audience, entry.Renewal = v.Chain.Audience, v.Chain.Renewal
	entry.Kind, entry.Counter = v.Kind, v.Counter
	entry.Retention, entry.Recorded = v.Retention, v.Recorded
	return entry
}
