package audit_test

import (
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// restored puts the hub's word that messages are back on the events stream.
func (w *world) restored(lost ...translog.Range) uint64 {
	w.t.Helper()
	data, err := translog.Restoration{Recovered: 5, Lost: lost, At: time.Unix(1_700_000_000, 0)}.Marshal()
	must(w.t, err)
	return w.put(translog.RestoredSubject, data)
}

func epoch(n uint64) func(*logv1.Leaves) { return func(l *logv1.Leaves) { l.Epoch = n } }

func TestRestorationIsToldAndNoFinding(t *testing.T) {
	w := newWorld(t)
	w.goOn()
	index := w.restored(translog.Range{From: 3, To: 5})
	w.witness(epoch(1))
	again := w.restored() // somebody had what the first time nobody brought
	w.witness(epoch(2))
	summary := w.finds()
	at := time.Unix(1_700_000_000, 0).UTC()
	same(t, "restorations", []audit.Restoration{
		{Index: index, Time: at, Recovered: 5, Lost: []translog.Range{{From: 3, To: 5}}}, {Index: again, Time: at, Recovered: 5, Lost: []translog.Range{}},
	}, summary.Restorations)
	same(t, "missing", uint64(2), summary.Restorations[0].Missing())
	same(t, "events of a desk", again+1, summary.Desks["XA"].Events)
}

// The hub has lost nothing, and says so of events that it keeps from some country: its
// desk would go on without them.
func TestAdversary_L14_LossThatIsNone(t *testing.T) {
	w := newWorld(t)
	w.goOn()
	w.restored(translog.Range{From: 2, To: 3}, translog.Range{From: 5, To: 7})
	w.witness(epoch(1))
	w.finds(at(audit.FindingExcuse, 2), at(audit.FindingExcuse, 5))
}

func TestEpochIsThatOfTheRestorations(t *testing.T) {
	w := newWorld(t)
	w.goOn()
	index := w.restored()
	w.witness()
	w.finds(at(audit.FindingLeaves, index))

	w = newWorld(t)
	w.goOn()
	index = w.put("evt.region.XA.police.site.reported", []byte("garbage"))
	w.witness(epoch(1))
	w.finds(at("undecodable", index), at(audit.FindingLeaves, index))
}

func TestRestorationThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	index := w.put(translog.RestoredSubject, []byte("garbage"))
	w.witness()
	w.finds(at("undecodable", index))
}
