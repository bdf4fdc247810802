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
	summary := w.finds()
	same(t, "restorations", []audit.Restoration{{
		Index: index, Time: time.Unix(1_700_000_000, 0).UTC(), Recovered: 5, Lost: []translog.Range{{From: 3, To: 5}},
	}}, summary.Restorations)
	same(t, "missing", uint64(2), summary.Restorations[0].Missing())
	same(t, "events of a desk", index+1, summary.Desks["XA"].Events)
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
