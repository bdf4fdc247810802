package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/hub"
)

// secret is in every message that the attackers of T03 must not read.
const secret = "XB/police to pair"

// listen hears all that a connection may hear, and returns what held needle.
func (a *attacker) listen(t *testing.T, needles []string, subjects ...string) (heard func() []string) {
	t.Helper()
	var mu sync.Mutex
	var found []string
	for _, subject := range subjects {
		if _, err := a.nc.Subscribe(subject, func(m *nats.Msg) {
			if strings.Contains(string(m.Data), `"name":"`+a.name+`"`) {
				return // the server says what it was asked, to who asked it
			}
			for _, needle := range needles {
				if strings.Contains(string(m.Data), needle) || strings.Contains(fmt.Sprint(m.Header), needle) {
					mu.Lock()
					found = append(found, fmt.Sprintf("%s: %.200q", m.Subject, m.Data))
					mu.Unlock()
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.nc.Flush(); err != nil && !strings.Contains(err.Error(), "Permissions Violation") {
		t.Fatal(err)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), found...)
	}
}

// readings are the calls that read a stream, by whichever way JetStream has.
func readings(inbox string) []*nats.Msg {
	var all []*nats.Msg
	for _, prefix := range []string{"$JS.API.", "HUB.API.", "$JS.HUB.API."} {
		for subject, bodies := range map[string][]string{
			"STREAM.MSG.GET.EVENTS":                                       {`{"seq":3}`, `{"last_by_subj":"evt.pair.XB.police.site.reported"}`, `{"next_by_subj":"evt.pair.>","seq":1}`},
			"DIRECT.GET.EVENTS":                                           {`{"seq":3}`, `{"batch":50,"seq":1}`, `{"next_by_subj":"evt.pair.>","batch":9}`, `{"multi_last":["evt.>"]}`},
			"DIRECT.GET.EVENTS.evt.pair.XB.police.site.reported":          {""},
			"DIRECT.GET.KEYS.key.pair.XB.police.batch":                    {""},
			"CONSUMER.CREATE.EVENTS":                                      {`{"stream_name":"EVENTS","config":{"ack_policy":"none","deliver_policy":"all","deliver_subject":"` + inbox + `.push"}}`},
			"CONSUMER.CREATE.EVENTS.mine":                                 {`{"stream_name":"EVENTS","config":{"name":"mine","ack_policy":"none"}}`},
			"CONSUMER.CREATE.EVENTS.desk-XC.evt.pair.>":                   {`{"stream_name":"EVENTS","config":{"name":"desk-XC","durable_name":"desk-XC","filter_subject":"evt.pair.>"}}`},
			"CONSUMER.CREATE.EVENTS.desk-XC":                              {`{"stream_name":"EVENTS","action":"update","config":{"name":"desk-XC","durable_name":"desk-XC","filter_subjects":["evt.>"]}}`},
			"CONSUMER.DURABLE.CREATE.EVENTS.mine":                         {`{"stream_name":"EVENTS","config":{"durable_name":"mine"}}`},
			"CONSUMER.LIST.EVENTS":                                        {""},
			"CONSUMER.NAMES.EVENTS":                                       {""},
			"STREAM.INFO.EVENTS":                                          {`{"subjects_filter":">"}`},
			"STREAM.LIST":                                                 {""},
			"STREAM.NAMES":                                                {`{"subject":"evt.>"}`},
			"STREAM.SNAPSHOT.EVENTS":                                      {`{"deliver_subject":"` + inbox + `.snapshot"}`},
			"STREAM.CREATE.STOLEN":                                        {`{"name":"STOLEN","mirror":{"name":"EVENTS"}}`, `{"name":"STOLEN","subjects":["evt.>"]}`},
			"STREAM.CREATE.SOURCED":                                       {`{"name":"SOURCED","sources":[{"name":"EVENTS","external":{"api":"HUB.API","deliver":"` + inbox + `"}}]}`},
			"CONSUMER.MSG.NEXT.EVENTS.desk-XB":                            {`{"batch":50,"no_wait":true}`},
			"CONSUMER.MSG.NEXT.KEYS.desk-XB":                              {`{"batch":50,"no_wait":true}`},
			"CONSUMER.MSG.NEXT.EVENTS." + stream.AuditUser:                {`{"batch":50,"no_wait":true}`},
			"CONSUMER.MSG.NEXT.EVENTS." + stream.NotaryUser:               {`{"batch":50,"no_wait":true}`},
			"CONSUMER.MSG.NEXT.EVENTS." + stream.ScrubConsumer:            {`{"batch":50,"no_wait":true}`},
			"CONSUMER.MSG.NEXT.EVENTS." + stream.StandbyUser:              {`{"batch":50,"no_wait":true}`},
			"CONSUMER.MSG.NEXT.EVENTS.desk-XC":                            {`{"batch":50,"no_wait":true}`, `{"batch":50,"no_wait":true,"filter_subject":"evt.pair.>"}`},
			"CONSUMER.MSG.NEXT.KEYS.desk-XC":                              {`{"batch":50,"no_wait":true}`},
			"CONSUMER.RESET.EVENTS.desk-XC":                               {`{"seq":3}`},
			"CONSUMER.MSG.NEXT.EVENTS.publisher-XC-police":                {`{"batch":50,"no_wait":true}`},
			"CONSUMER.MSG.NEXT.EVENTS." + stream.RegistrarUser("XC"):      {`{"batch":50,"no_wait":true}`},
			"CONSUMER.MSG.NEXT.EVENTS." + stream.DeskUser("XC") + ".pair": {`{"batch":50,"no_wait":true}`},
		} {
			for _, body := range bodies {
				all = append(all, request(prefix+subject, body), request(prefix+subject, body, "Nats-Trace-Dest", inbox+".trace"))
			}
		}
	}
	// A consumer has to send a message again that was refused: also one that it never sent?
	for sequence := 1; sequence <= 6; sequence++ {
		for delivered := 1; delivered <= 4; delivered++ {
			all = append(all, request(fmt.Sprintf("$JS.ACK.EVENTS.desk-XC.1.%d.%d.1.0", sequence, delivered), "-NAK"),
				request(fmt.Sprintf("$JS.ACK.EVENTS.desk-XC.1.%d.%d.1.0", sequence, delivered), `+NXT {"batch":10,"no_wait":true}`))
		}
	}
	return all
}

// T03: read an audience not one's own, by every call that JetStream has.
func TestAdversary_T03_ReadAForeignAudience(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.says("XA", "police", "region")
	w.says("XB", "police", "pair", "region", "pair")
	police := dial(t, w.Hub, stream.PublisherUser("XB", "police"))
	until(t, "there is a key record to attack", func() bool { return publishes(police, "key.pair.XB.police.batch") })
	needles := []string{secret, "evt.pair", "key.pair"}
	for _, a := range w.everyone("XC") {
		ears := []string{">", "evt.>", "*.>", "$JS.>", "$SYS.>", "_INBOX.>", "_INBOX.desk-XB.>", "_R_.>", "log.>", "key.>", stream.InboxPrefix("hub") + ".>"}
		if strings.HasPrefix(a.name, "insider") { // its own requests come back to it on these, with what they ask for in them
			ears = []string{"evt.>", "key.>", "reg.>", "log.>", "$JS.EVENT.>", "$SYS.>", "_INBOX.desk-XB.>", "_INBOX.hub.>", "_R_.>"}
		}
		heard := a.listen(t, needles, append(ears, a.inbox, a.inbox+".push", a.inbox+".snapshot", a.inbox+".trace")...)
		for range 2 { // what the first round reset or refused comes in the second
			a.ask(t, readings(a.inbox)...)
		}
		w.says("XB", "police", "pair", "region") // live
		a.ask(t, readings(a.inbox)...)
		got, region := heard(), 0
		a.mu.Lock()
		for _, messages := range a.came {
			for _, m := range messages {
				if strings.Contains(string(m.Data), "XB/police to region") {
					region++
				}
				for _, needle := range needles {
					if strings.Contains(string(m.Data), needle) || strings.Contains(m.Subject, needle) {
						got = append(got, fmt.Sprintf("on %s: %.200q", m.Subject, m.Data))
					}
				}
			}
		}
		a.mu.Unlock()
		if len(got) != 0 {
			t.Errorf("%s reads of pair:\n%s", a.name, strings.Join(got, "\n"))
		}
		reads := a.name == stream.DeskUser("XC") || strings.HasPrefix(a.name, "insider")
		if reads != (region > 0) {
			t.Errorf("%s reads %d messages of region", a.name, region)
		}
	}
}

// What T03 cannot stop: with headers of its own publish a publisher learns the
// newest sequence of a subject, also of one that it does not read. It learns that
// and nothing else.
func TestPublisherLearnsASequenceAndNoMore(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.says("XB", "police", "pair", "pair")
	police := w.attack(stream.PublisherUser("XC", "police"))
	m := request("evt.region.XC.police.x", "x", nats.ExpectedLastSubjSeqHdr, "99", "Nats-Expected-Last-Subject-Sequence-Subject", "evt.pair.XB.police.site.reported")
	before := w.holds()
	if got := police.ask(t, m); got[0] != answered {
		t.Fatal(got)
	}
	want := `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"},"stream":"EVENTS","seq":0}`
	if diff := cmp.Diff(want, string(police.answers(m)[0].Data)); diff != "" {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
	w.unchanged(t, before)
}

// T04: consume through another country's consumer.
func TestAdversary_T04_AnothersConsumer(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.says("XA", "police", "region", "pair")
	w.says("XB", "police", "region", "pair")
	// XB is in the middle of reading: there is something to acknowledge for it.
	victim := w.attack(stream.DeskUser("XB"))
	m := request("HUB.API.CONSUMER.MSG.NEXT.EVENTS.desk-XB", `{"batch":3,"no_wait":true}`)
	if victim.ask(t, m); len(victim.answers(m)) == 0 {
		t.Fatal("XB reads nothing")
	}
	until(t, "XB has three messages", func() bool { return len(victim.answers(m)) == 3 })
	others := func() map[string]string { return w.placesOfOthers("XA") }
	before := others()
	names := []string{"desk-XB", "desk-*", "desk-X*", "*", ">", "*.>", "desk-XB.>", "publisher-XB-police", "publisher-XC-border",
		"registrar-XB", stream.NotaryUser, stream.ScrubConsumer, stream.StandbyUser, stream.AuditUser, "desk-XA.desk-XB", "desk-xb", ""}
	for _, a := range w.everyone("XA") {
		var requests []*nats.Msg
		for _, name := range names {
			for _, prefix := range []string{"$JS.API.CONSUMER.", "HUB.API.CONSUMER."} {
				for call, body := range map[string]string{"MSG.NEXT.": `{"batch":50,"no_wait":true}`, "INFO.": "", "RESET.": `{"seq":1}`, "DELETE.": "", "PAUSE.": `{"pause_until":"2099-01-01T00:00:00Z"}`, "UNPIN.": `{"group":"g"}`} {
					requests = append(requests, request(prefix+call+stream.Events+"."+name, body), request(prefix+call+"*."+name, body))
				}
			}
			for _, body := range []string{"", "+ACK", "-NAK", "+TERM", "+WPI", "+NXT"} {
				requests = append(requests, request("$JS.ACK.EVENTS."+name+".1.3.3.1.0", body), request("$JS.ACK.HUB.acc.EVENTS."+name+".1.3.3.1.0.x", body))
			}
		}
		a.refused(t, requests...)
	}
	if diff := cmp.Diff(before, others()); diff != "" {
		t.Errorf("others' consumers have moved (-before +after):\n%s", diff)
	}
	desk := stream.DeskUser("XB")
	r := reader(t, dial(t, w.Hub, desk), stream.Events, desk)
	if err := r.Reset(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint64{1, 2, 3, 4, 5}, sequences(t, r, 5)); diff != "" {
		t.Errorf("XB reads (-want +got):\n%s", diff)
	}
}

// nextOfXB asks for messages of XB's desk.
func nextOfXB(streamName, how string) *nats.Msg {
	return request("HUB.API.CONSUMER.MSG.NEXT."+streamName+".desk-XB", how)
}

// departure sees that nothing comes of an audience that XB has left.
type departure struct {
	*world
	js      jetstream.JetStream
	desk    *attacker // what it had asked for earlier may come still
	checked int
}

// came is what two connections of XB have got, and whether a marker is among it.
func (s *departure) came(a *attacker, marker string) (subjects []string, end bool) {
	for _, from := range []*attacker{s.desk, a} {
		from.mu.Lock()
		for _, messages := range from.came {
			for _, m := range messages {
				end = end || string(m.Data) == marker
				subjects = append(subjects, string(m.Data))
			}
		}
		from.mu.Unlock()
	}
	return subjects, end
}

// of asks, says something that XB may read, and looks at all that came before it.
func (s *departure) of(t *testing.T, after string, a *attacker, requests ...*nats.Msg) (read []string) {
	t.Helper()
	a.ask(t, append(requests, nextOfXB(stream.Events, `{"batch":1000,"expires":60000000000}`))...)
	s.checked++
	marker := fmt.Sprint("marker ", s.checked)
	// A fetch that was open while its account changed takes messages to nowhere,
	// until it has had as many as it asked for (a stream.Reader notices): say it again.
	said := time.Time{}
	until(t, "XB reads what is for it, "+after, func() bool {
		if _, end := s.came(a, marker); end || time.Since(said) < 300*time.Millisecond {
			return end
		}
		said = time.Now()
		if _, err := s.js.Publish(t.Context(), "evt.region.XA.police.marker", []byte(marker)); err != nil {
			t.Fatal(err)
		}
		return false
	})
	subjects, _ := s.came(a, marker)
	for _, data := range subjects {
		if strings.Contains(data, "to pair") {
			t.Errorf("%s: XB reads %q", after, data)
		}
	}
	return subjects
}

// T07: an audience left in the middle of a fetch, then a reset to the beginning.
func TestAdversary_T07_AudienceLeftInTheMiddleOfAFetch(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.says("XA", "police", "pair", "pair", "pair", "region")
	police := dial(t, w.Hub, stream.PublisherUser("XA", "police"))
	until(t, "there is a key record", func() bool { return publishes(police, "key.pair.XA.police.batch") })
	desk := w.attack(stream.DeskUser("XB"))
	// The fetch: five are there, and it waits for more. Nothing is acknowledged.
	fetch, keys := nextOfXB(stream.Events, `{"batch":8,"expires":60000000000}`), nextOfXB(stream.Keys, `{"batch":8,"expires":60000000000}`)
	desk.ask(t, fetch, keys)
	until(t, "XB reads", func() bool { return len(desk.answers(fetch)) == 5 && len(desk.answers(keys)) == 1 })
	read := desk.answers(fetch)
	w.submit(registrytest.Quit("pair", "XB"), "root XB")
	out := w.attack(stream.PublisherUser("XB", "police"))
	until(t, "the hub enforces it", func() bool { return out.ask(t, request("evt.pair.XB.police.marker", ""))[0] == nobody })
	if now := w.places(stream.Events)["desk-XB"] + w.places(stream.Keys)["desk-XB"]; strings.Contains(now, ".pair.") {
		t.Errorf("XB's consumers after its accounts: %s", now)
	}
	w.says("XA", "police", "pair", "pair")
	_, js := hub.Administrator(w.Hub)
	if _, err := js.Publish(t.Context(), "key.pair.XA.police.later", []byte("XA/police to pair")); err != nil {
		t.Fatal(err)
	}
	quiet := (&departure{world: w, js: js, desk: desk}).of
	desk.mu.Lock()
	clear(desk.came) // what it read before it left is its own
	desk.mu.Unlock()
	quiet(t, "with the fetch that was open", desk)
	var again []*nats.Msg
	for _, m := range read {
		again = append(again, request(m.Reply, "-NAK"))
	}
	if got := quiet(t, "when it wants the same again", desk, again...); !slices.Contains(got, "XA/police to region") {
		t.Errorf("it does not get again what it may read: the attack did not take place; it has %q", got)
	}
	for _, a := range []*attacker{desk, w.attack("insider XB")} {
		for _, sequence := range []int{1, 3, 9} {
			reset := fmt.Sprintf(`{"seq":%d}`, sequence)
			quiet(t, fmt.Sprintf("after a reset to %d by %s", sequence, a.name), a, request("HUB.API.CONSUMER.RESET.EVENTS.desk-XB", reset),
				request("HUB.API.CONSUMER.RESET.KEYS.desk-XB", `{"seq":1}`), nextOfXB(stream.Keys, `{"batch":100,"no_wait":true}`))
		}
	}
}
