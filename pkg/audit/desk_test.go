package audit_test

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// digest is a country's view as the test itself folds it, from what was said and
// not from any event's bytes.
func (w *world) digest(country string) string {
	w.t.Helper()
	var cabinet casework.Memory
	for _, said := range w.said {
		if hearers, ok := w.hears[said.Index]; ok && !slices.Contains(hearers, country) || !ok && said.Audience == "pair" && country == "XC" {
			continue
		}
		_, err := casework.Fold(&cabinet, said)
		must(w.t, err)
	}
	digest, err := cabinet.Digest()
	must(w.t, err)
	return hex.EncodeToString(digest[:])
}

func TestDesksSeeTheirAudiences(t *testing.T) {
	w := newWorld(t)
	w.goOn()
	index := w.say(pair, event.Seen{}, site("S-7"))
	w.witness()
	summary := w.finds()
	same(t, "desks", []string{"XA", "XB", "XC"}, slices.Sorted(maps.Keys(summary.Desks)))
	for country, want := range map[string]struct{ index, events, sealed uint64 }{
		"XA": {index, 10, 0}, "XB": {index, 10, 0}, "XC": {index - 1, 7, 3},
	} {
		got := summary.Desks[country]
		if got.LogIndex != want.index || got.Events != want.events || got.Sealed != want.sealed {
			t.Errorf("the desk of %s: index %d, %d events, %d sealed; want %+v", country, got.LogIndex, got.Events, got.Sealed, want)
		}
		same(t, "the view of "+country, w.digest(country), got.ViewDigest)
	}
	if summary.Desks["XC"].ViewDigest == summary.Desks["XA"].ViewDigest {
		t.Error("XC, outside pair, has the view of XA, inside")
	}
}

// What is sealed is counted from the tree: an event that it does not cover yet is
// in nobody's count.
func TestSealedCountsLeaves(t *testing.T) {
	w := newWorld(t)
	w.say(pair, event.Seen{}, site("S-7"))
	summary := w.finds()
	same(t, "sealed for XC", uint64(2), summary.Desks["XC"].Sealed)
	same(t, "events of XA", uint64(9), summary.Desks["XA"].Events)
}

func TestDesksShowTransfersAndBreaches(t *testing.T) {
	w := newWorld(t)
	wrong := site("S-8")
	wrong.Marking.Purpose = "prosecution" // which pair does not have
	index := w.say(pair, event.Seen{}, wrong)
	w.witness()
	summary := w.finds() // a breach is the agency's, and no fault of the log
	for country, breaches := range map[string]int{"XA": 1, "XB": 1, "XC": 0} {
		desk := summary.Desks[country]
		if len(desk.Breaches) != breaches || breaches == 1 && (desk.Breaches[0].Code != casework.BreachPurpose || desk.Breaches[0].Index != index) {
			t.Errorf("breaches for %s: %+v", country, desk.Breaches)
		}
		if len(desk.Transfers) != 1 {
			t.Fatalf("transfers for %s: %+v", country, desk.Transfers)
		}
		transfer := desk.Transfers[0]
		if transfer.ID != "T-1" || *transfer.Announced != 53 || *transfer.Departed != 53 || *transfer.Received != 52 || len(transfer.Discrepancies) == 0 {
			t.Errorf("the transfer for %s is %+v", country, transfer)
		}
	}
}

// Content that makes no sense is an accepted event all the same.
func TestUnreadableSectionIsABreach(t *testing.T) {
	w := newWorld(t)
	draft := w.draft(site("S-8"))
	draft.Sections[0].Content = []byte{0xff}
	signed, next := w.sign("XA/police", police, w.heads[police], event.Seen{}, draft)
	w.heads[police] = next
	index := w.put(signed[0].Subject, signed[0].Data)
	w.goOn()
	for country, desk := range w.finds().Desks {
		if len(desk.Breaches) != 1 || desk.Breaches[0].Code != casework.BreachUnreadable || desk.Breaches[0].Index != index {
			t.Errorf("breaches for %s: %+v", country, desk.Breaches)
		}
	}
}

// TestSummaryIsAContract: scripts read these names. Add to the list; never change it.
func TestSummaryIsAContract(t *testing.T) {
	w := newWorld(t)
	wrong := proto.CloneOf(site("S-8"))
	wrong.Marking = &caseworkv1.Marking{}
	w.say(police, event.Seen{}, wrong)
	w.put("evt.region.XA.police.site.reported", []byte("garbage"))
	w.witness()
	data, err := json.Marshal(w.summary())
	must(t, err)
	var decoded any
	must(t, json.Unmarshal(data, &decoded))
	all := map[string]bool{}
	paths(all, "", decoded)
	got := map[string]bool{}
	paths(got, "", decoded)
	// Objects that are keyed by country or verdict: one stands for all.
	maps.DeleteFunc(got, func(path string, _ bool) bool {
		return strings.HasPrefix(path, "desks.XB.") || strings.HasPrefix(path, "desks.XC.") || path == "verdicts.undecodable"
	})
	same(t, "fields", []string{
		"accepted", "checkpoint.root", "checkpoint.size", "cosigned_by[]",
		"desks.XA.breaches[].code", "desks.XA.breaches[].index", "desks.XA.breaches[].what",
		"desks.XA.events", "desks.XA.log_index", "desks.XA.opened", "desks.XA.sealed",
		"desks.XA.transfers[].announced", "desks.XA.transfers[].departed",
		"desks.XA.transfers[].discrepancies[].left", "desks.XA.transfers[].discrepancies[].name",
		"desks.XA.transfers[].discrepancies[].right", "desks.XA.transfers[].discrepancies[].state",
		"desks.XA.transfers[].id", "desks.XA.transfers[].received",
		"desks.XA.view_digest",
		"duplicates", "events", "findings[].code", "findings[].index", "findings[].what",
		"log_size", "refused", "verdicts.accepted", "witnessed_size",
	}, slices.Sorted(maps.Keys(got)))
}

// Nothing is null: a list without entries is an empty list.
func TestSummaryOfAnEmptyLog(t *testing.T) {
	got, err := json.Marshal(found(t).summary())
	must(t, err)
	desk := `{"log_index":0,"view_digest":"` + (&world{t: t}).digest("XA") + `","events":1,"sealed":0,"opened":false,"transfers":[],"breaches":[]}`
	want := `{"events":1,"accepted":1,"refused":0,"duplicates":0,"log_size":0,"checkpoint":{"size":0,"root":""},"witnessed_size":0,` +
		`"cosigned_by":[],"desks":{"XA":` + desk + `,"XB":` + desk + `,"XC":` + desk + `},"findings":[],"verdicts":{"accepted":1},"restorations":[]}`
	same(t, "summary", want, string(got))
}

// paths names every leaf of a JSON document.
func paths(into map[string]bool, at string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			if at != "" {
				name = at + "." + name
			}
			paths(into, name, inner)
		}
	case []any:
		for _, inner := range value {
			paths(into, at+"[]", inner)
		}
	default:
		into[at] = true
	}
}
