package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/hub"
)

// configurations are the streams' own, as the administrator sees them.
func (w *world) configurations() map[string]any {
	w.t.Helper()
	_, js := hub.Administrator(w.Hub)
	all := map[string]any{}
	list := js.ListStreams(w.t.Context())
	for info := range list.Info() {
		all[info.Config.Name] = info.Config
	}
	if list.Err() != nil {
		w.t.Fatal(list.Err())
	}
	return all
}

// still fails where a message of before is not there as it was.
func (w *world) still(t *testing.T, before []held) {
	t.Helper()
	now := map[held]bool{}
	for _, h := range w.holds() {
		now[h] = true
	}
	for _, h := range before {
		if !now[h] {
			t.Errorf("%s has lost or altered %d, %s", h.Stream, h.Sequence, h.Subject)
		}
	}
}

// alterations are the calls that alter, empty or delete a stream.
func alterations() []*nats.Msg {
	var all []*nats.Msg
	for _, prefix := range []string{"$JS.API.", "HUB.API.", "$JS.HUB.API."} {
		for _, name := range []string{stream.Events, stream.Log, stream.Keys, stream.Files, "*", ">"} {
			for subject, body := range map[string]string{
				"STREAM.UPDATE.":                `{"name":"` + name + `","subjects":["evt.>","reg.>"],"max_msgs":1,"max_age":1000000000,"allow_rollup_hdrs":true}`,
				"STREAM.PURGE.":                 `{}`,
				"STREAM.DELETE.":                ``,
				"STREAM.MSG.DELETE.":            `{"seq":1,"no_erase":false}`,
				"STREAM.RESTORE.":               `{"config":{"name":"` + name + `"},"state":{}}`,
				"STREAM.CREATE.":                `{"name":"` + name + `","subjects":["evt.>"]}`,
				"STREAM.LEADER.STEPDOWN.":       ``,
				"STREAM.PEER.REMOVE.":           `{"peer":"tripoint-hub"}`,
				"CONSUMER.DELETE." + name + ".": ``,
			} {
				if strings.HasPrefix(subject, "CONSUMER") {
					all = append(all, request(prefix+subject+"desk-XB", body), request(prefix+subject+stream.NotaryUser, body), request(prefix+subject+stream.ScrubConsumer, body), request(prefix+subject+stream.StandbyUser, body))
					continue
				}
				all = append(all, request(prefix+subject+name, body))
			}
		}
		all = append(all, request(prefix+"ACCOUNT.PURGE.HUB", ""), request(prefix+"META.LEADER.STEPDOWN", ""), request(prefix+"SERVER.REMOVE", `{"peer":"tripoint-hub"}`))
	}
	return all
}

// T05: alter or purge a stream, by the API or by the headers of one's own messages.
func TestAdversary_T05_AlterOrPurgeAStream(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.says("XA", "police", "region", "pair")
	w.says("XB", "police", "region", "pair")
	before, configured := w.holds(), w.configurations()
	for _, a := range w.everyone("XA") {
		a.refused(t, alterations()...)
	}
	w.unchanged(t, before)
	const own = "evt.region.XA.police.site.reported"
	// Refused by the stream, whatever the value is.
	refused := [][]string{
		{"Nats-Rollup", "all"}, {"Nats-Rollup", "sub"}, {"Nats-TTL", "1s"}, {"Nats-TTL", "never"}, {"Nats-TTL", "-1"},
		{"Nats-Schedule", "@at 2020-01-01T00:00:00Z", "Nats-Schedule-Target", "evt.region.XB.police.x"},
		{"Nats-Schedule", "@every 1s", "Nats-Schedule-Target", own, "Nats-Schedule-TTL", "1s"}, {"Nats-Incr", "1"},
		{"Nats-Expected-Last-Sequence", "1"}, {"Nats-Expected-Last-Msg-Id", "x"}, {"Nats-Expected-Stream", "LOG"},
		{"Nats-Expected-Last-Subject-Sequence", "1"},
		{"Nats-Batch-Id", "b", "Nats-Batch-Sequence", "7", "Nats-Batch-Commit", "1"},
		{"Nats-Batch-Id", strings.Repeat("b", 65), "Nats-Batch-Sequence", "1", "Nats-Batch-Commit", "1"},
		{"Nats-Batch-Id", "c", "Nats-Batch-Sequence", "-1"}, {"Nats-Batch-Id", "d"},
		{"Nats-Batch-Id", "e", "Nats-Batch-Sequence", "1", "Nats-Batch-Commit", "1", "Nats-Rollup", "all"},
		{"Nats-Batch-Id", "f", "Nats-Batch-Sequence", "1", "Nats-Batch-Commit", "1", "Nats-TTL", "1s"},
		{"Nats-Required-Api-Level", "99", "Nats-Rollup", "all"},
	}
	// Stored like any other message.
	inert := [][]string{
		{"KV-Operation", "DEL"}, {"KV-Operation", "PURGE"}, {"Nats-Marker-Reason", "Purge"}, {"Nats-Stream-Source", "EVENTS 1 > > >"},
		{"Nats-Scheduler", own, "Nats-Schedule-Next", "purge"}, {"Nats-Sequence", "1"}, {"Nats-Last-Sequence", "1"}, {"Nats-Msg-Id", "once"},
		{"Nats-Request-Info", `{"acc":"HUB"}`},
	}
	for _, a := range []*attacker{w.attack(stream.PublisherUser("XA", "police")), w.attack("insider XA")} {
		sofar := w.holds()
		var requests []*nats.Msg
		for _, headers := range refused {
			requests = append(requests, request(own, "x", headers...))
		}
		for i, outcome := range a.ask(t, requests...) {
			if outcome == answered && !strings.Contains(string(a.answers(requests[i])[0].Data), `"error":`) {
				t.Errorf("%s: %v is taken: %s", a.name, refused[i], a.answers(requests[i])[0].Data)
			}
		}
		w.unchanged(t, sofar)
		requests = nil
		for _, headers := range inert {
			requests = append(requests, request(own, "inert "+a.name, headers...))
		}
		for i, outcome := range a.ask(t, requests...) {
			if outcome != answered {
				t.Errorf("%s: %v: %s", a.name, inert[i], outcome)
			}
		}
		w.still(t, sofar)
	}
	if diff := cmp.Diff(fmt.Sprint(configured), fmt.Sprint(w.configurations())); diff != "" {
		t.Errorf("the streams are configured otherwise (-before +after):\n%s", diff)
	}
	// A message identifier is one for all on a stream, and whoever comes second with
	// it is told that he repeats himself: so nobody publishes with one.
	want := len(w.holds())
	w.says("XB", "police", "region")
	if got := len(w.holds()); got != want+1 {
		t.Errorf("after XB has published there are %d messages, want %d", got, want+1)
	}
}

// T06: another agency's key record overwritten, or a chunk of its files; one's own may be.
func TestAdversary_T06_AnothersKeyRecordOverwritten(t *testing.T) {
	t.Parallel()
	w := found(t)
	foreign := []string{"key.region.XB.police.batch", "key.pair.XB.police.batch", "key.region.XA.border.batch", "key.region.XC.police.batch", "file.region.XB.police.aa"}
	for _, subject := range append(foreign, "key.region.XA.police.batch") {
		token := strings.Split(subject, ".")
		agency := dial(t, w.Hub, stream.PublisherUser(token[2], token[3]))
		until(t, "there is a record to attack", func() bool { return publishes(agency, subject) })
	}
	before := w.holds()
	for _, a := range w.everyone("XA") {
		targets := append([]string{}, foreign...)
		if strings.HasPrefix(a.name, "insider") {
			targets = []string{foreign[0], foreign[1], foreign[3], foreign[4]} // a country's account is the country's
		}
		var requests []*nats.Msg
		for i, subject := range append(targets, "key.*.XB.police.batch", "key.region.XB.*.batch", "key.region.XB.>", "key.>", "key.region.*.police.batch") {
			requests = append(requests, request(subject, "overwritten"), request(subject, "", "KV-Operation", "PURGE"), request(subject, "", "Nats-Rollup", "sub"),
				request(subject, "", "Nats-TTL", "1s"), request(subject, "x", "Nats-Batch-Id", fmt.Sprint(a.name, i), "Nats-Batch-Sequence", "1", "Nats-Batch-Commit", "1"))
		}
		a.refused(t, requests...)
		// By headers and wildcard-looking names of one's own records.
		if a.name == stream.PublisherUser("XA", "police") || strings.HasPrefix(a.name, "insider") {
			a.ask(t, request("key.region.XA.police.>", "x"), request("key.region.XA.police.*", "x"), request("key.region.XA.police.>", "y"),
				request("key.region.XA.police.own", "x", "Nats-Rollup", "all"), request("key.region.XA.police.own", "x", "Nats-Schedule", "@at 2020-01-01T00:00:00Z", "Nats-Schedule-Target", foreign[0]))
		}
		w.still(t, before)
	}
	police := w.attack(stream.PublisherUser("XA", "police"))
	if got := police.ask(t, request("key.region.XA.police.batch", "replaced")); got[0] != answered {
		t.Fatal(got)
	}
	for _, h := range w.holds() {
		if h.Subject == "key.region.XA.police.batch" && h.Data != "replaced" {
			t.Errorf("its own record is still %q", h.Data)
		}
	}
}

// T06: as a publisher puts its records, one's own is replaced where it lies, for life, and
// another's is neither replaced nor told of. What was said to an address that has closed can still be erased.
func TestAdversary_T06_RecordPutInPlaceOfAnothers(t *testing.T) {
	t.Parallel()
	w := found(t)
	police, other := dial(t, w.Hub, stream.PublisherUser("XA", "police")), dial(t, w.Hub, stream.PublisherUser("XB", "police"))
	const own, foreign = "key.pair.XA.police.batch", "key.pair.XB.police.batch"
	var first uint64
	until(t, "a record is put", func() bool {
		sequence, err := police.PutRecord(t.Context(), own, []byte("one"), 0, time.Hour)
		first = sequence
		return err == nil
	})
	until(t, "another's record is put", func() bool {
		_, err := other.PutRecord(t.Context(), foreign, []byte("theirs"), 0, time.Hour)
		return err == nil
	})
	var there *stream.Occupied
	if _, err := police.PutRecord(t.Context(), own, []byte("one"), 0, time.Hour); !errors.As(err, &there) || there.Sequence != first {
		t.Errorf("the same again: %v, want that message %d is there", err, first)
	}
	bounded, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	there = nil
	if _, err := police.PutRecord(bounded, foreign, []byte("overwritten"), 0, time.Hour); err == nil || errors.As(err, &there) {
		t.Errorf("another's: %v, want no answer at all", err)
	}
	w.submit(registrytest.Join("pair", "XC"), "root XA", "root XB", "root XC") // pair has another address now
	second, err := police.PutRecord(t.Context(), own, []byte("two"), first, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	held := func() map[string]string {
		all := map[string]string{}
		for _, h := range w.holds() {
			if strings.HasPrefix(h.Subject, "key.") {
				all[h.Subject] = h.Data
			}
		}
		return all
	}
	if got := held(); got[own] != "two" || got[foreign] != "theirs" {
		t.Errorf("the hub holds %v", got)
	}
	third, err := police.PutRecord(t.Context(), own, []byte("three"), second, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the record's life is over", func() bool { return held()[own] == "" })
	if _, err := police.PutRecord(t.Context(), own, []byte("four"), third, time.Hour); !errors.As(err, &there) || there.Sequence != 0 {
		t.Errorf("after what is gone: %v, want that there is none", err)
	}
}
