package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
)

// stores publishes chunks as an agency; each says where it lies.
func (w *world) stores(country, agency string, subjects ...string) {
	w.t.Helper()
	conn := dial(w.t, w.Hub, stream.PublisherUser(country, agency))
	until(w.t, "it is connected", conn.Connected)
	for _, subject := range subjects {
		if _, err := conn.Publish(w.t.Context(), subject, []byte("chunk on "+subject)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// fetchings are the calls that could bring a chunk, by whichever way JetStream has.
func fetchings(inbox string) []*nats.Msg {
	bodies := []string{
		``, `{}`, `{"seq":1}`, `{"seq":1,"batch":100}`, `{"seq":1,"batch":100,"max_bytes":1000000}`, `{"last_by_subj":"file.pair.XB.police.aa"}`,
		`{"next_by_subj":"file.pair.>"}`, `{"next_by_subj":"file.>","batch":100}`, `{"multi_last":["file.>"]}`,
		`{"multi_last":["file.pair.>"],"batch":100}`, `{"start_time":"2000-01-01T00:00:00Z","batch":100}`, `{"up_to_seq":100,"multi_last":["file.>"]}`,
	}
	var all []*nats.Msg
	for _, prefix := range []string{"$JS.API.", "HUB.API.", "$JS.HUB.API."} {
		for _, subject := range []string{
			"DIRECT.GET.FILES", "DIRECT.GET.FILES.file.pair.XB.police.aa", "DIRECT.GET.FILES.file.pair.>", "DIRECT.GET.FILES.file.*.XB.police.aa",
			"DIRECT.GET.FILES.file.>", "DIRECT.GET.FILES.>", "DIRECT.GET.FILES.file.*.>", "DIRECT.GET.*.file.pair.XB.police.aa", "DIRECT.GET.FILES.file",
			"DIRECT.GET.FILES.file.region.XB.police.aa", "DIRECT.GET.FILES.file.region.>", "DIRECT.GET.EVENTS.file.region.XB.police.aa",
			"DIRECT.GET.KEYS.file.region.XB.police.aa", "STREAM.MSG.GET.FILES",
		} {
			for _, body := range bodies {
				all = append(all, request(prefix+subject, body), request(prefix+subject, body, "Nats-Trace-Dest", inbox+".trace"))
			}
		}
		for subject, body := range map[string]string{
			"CONSUMER.CREATE.FILES":          `{"stream_name":"FILES","config":{"ack_policy":"none","deliver_policy":"all","deliver_subject":"` + inbox + `.push"}}`,
			"CONSUMER.CREATE.FILES.mine":     `{"stream_name":"FILES","config":{"name":"mine","ack_policy":"none"}}`,
			"CONSUMER.MSG.NEXT.FILES.mine":   `{"batch":50,"no_wait":true}`,
			"CONSUMER.LIST.FILES":            ``,
			"CONSUMER.NAMES.FILES":           ``,
			"STREAM.INFO.FILES":              `{"subjects_filter":">"}`,
			"STREAM.NAMES":                   `{"subject":"file.>"}`,
			"STREAM.SNAPSHOT.FILES":          `{"deliver_subject":"` + inbox + `.snapshot"}`,
			"STREAM.CREATE.STOLEN":           `{"name":"STOLEN","mirror":{"name":"FILES"}}`,
			"CONSUMER.DURABLE.CREATE.FILES.": `{"stream_name":"FILES","config":{"durable_name":"mine"}}`,
		} {
			all = append(all, request(prefix+subject, body))
		}
	}
	return all
}

// T03 with attachments: a chunk of an audience that is not one's own, by every call that
// JetStream has, and the list of one's own.
func TestAdversary_T03_ForeignAttachment(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.stores("XB", "police", "file.pair.XB.police.aa", "file.pair.XB.police.bb", "file.region.XB.police.aa", "file.region.XB.police.bb")
	needles := []string{"chunk on file.pair", "file.pair.XB"}
	for _, a := range w.everyone("XC") {
		heard := a.listen(t, needles, a.inbox+".push", a.inbox+".snapshot", a.inbox+".trace", "file.>")
		requests := fetchings(a.inbox)
		a.ask(t, requests...)
		got, region := heard(), 0
		for _, m := range requests {
			answers := a.answers(m)
			chunks := 0
			for _, answer := range answers {
				if answer.Header.Get("Status") == "503" {
					continue // nobody is there, and it says what was asked for
				}
				if strings.HasPrefix(string(answer.Data), "chunk on file.region.XB.police.") {
					chunks++
				}
				for _, needle := range needles {
					if strings.Contains(string(answer.Data)+fmt.Sprint(answer.Header), needle) {
						got = append(got, fmt.Sprintf("on %s: %.200q", m.Subject, answer.Data))
					}
				}
			}
			if region += chunks; chunks > 1 {
				t.Errorf("%s reads %d chunks with one request on %s, %s", a.name, chunks, m.Subject, m.Data)
			}
			if chunks == 1 && !strings.HasPrefix(m.Subject, "HUB.API.DIRECT.GET.FILES.file.region.") {
				t.Errorf("%s reads a chunk of region on %s", a.name, m.Subject)
			}
		}
		if len(got) != 0 {
			t.Errorf("%s reads of pair:\n%s", a.name, strings.Join(got, "\n"))
		}
		if reads := a.name == stream.DeskUser("XC") || strings.HasPrefix(a.name, "insider"); reads != (region > 0) {
			t.Errorf("%s reads %d chunks of region", a.name, region)
		}
	}
}

// T07 with attachments: nothing more is fetched of an audience that was left, and what
// its newcomers may read they can.
func TestAdversary_T07_AttachmentOfAnAudienceThatWasLeft(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.stores("XA", "police", "file.pair.XA.police.aa", "file.region.XA.police.aa")
	fetch := func(address string) *nats.Msg {
		return request("HUB.API.DIRECT.GET.FILES.file."+address+".XA.police.aa", "")
	}
	desk, inside := w.attack(stream.DeskUser("XB")), w.attack("insider XB")
	for _, a := range []*attacker{desk, inside} {
		for _, address := range []string{"pair", "region"} {
			m := fetch(address)
			a.ask(t, m)
			if got := a.answers(m); len(got) != 1 || string(got[0].Data) != "chunk on file."+address+".XA.police.aa" {
				t.Fatalf("%s reads of %s: %v", a.name, address, got)
			}
		}
	}
	w.submit(registrytest.Quit("pair", "XB"), "root XB")
	until(t, "the hub enforces it", func() bool { return inside.ask(t, fetch("pair"))[0] == nobody })
	for _, a := range []*attacker{desk, inside} {
		if got := a.ask(t, fetch("pair"), fetch("region")); got[0] != nobody || got[1] != answered {
			t.Errorf("%s reads: %v", a.name, got)
		}
	}
}

// T03 with attachments: a publisher reads back its own agency's chunks, where its country reads, one at a time.
func TestAdversary_T03_PublisherReadsBackItsOwnFilesAlone(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.stores("XA", "police", "file.region.XA.police.aa", "file.pair.XA.police.aa")
	w.stores("XA", "border", "file.region.XA.border.aa")
	w.stores("XB", "police", "file.region.XB.police.aa", "file.pair.XB.police.aa")
	const get = "HUB.API.DIRECT.GET.FILES.file."
	a := w.attack(stream.PublisherUser("XA", "police"))
	if got := a.ask(t, request(get+"region.XA.police.aa", ""), request(get+"pair.XA.police.aa", "")); got[0] != answered || got[1] != answered {
		t.Errorf("its own: %v", got)
	}
	for _, subject := range []string{"region.XA.border.aa", "region.XB.police.aa", "pair.XB.police.aa", "*.XB.police.aa", "region.*.police.aa", ">"} {
		if got := a.ask(t, request(get+subject, "")); got[0] == answered {
			t.Errorf("it reads on %s", subject)
		}
	}
	for _, body := range []string{`{"seq":3}`, `{"next_by_subj":"file.>"}`, `{"multi_last":["file.>"]}`} {
		if got := a.ask(t, request("HUB.API.DIRECT.GET.FILES", body)); got[0] == answered {
			t.Errorf("it reads by %s", body)
		}
		m := request(get+"region.XA.police.aa", body)
		a.ask(t, m)
		for _, answer := range a.answers(m) {
			if s := string(answer.Data); s != "" && s != "chunk on file.region.XA.police.aa" {
				t.Errorf("by %s on its own subject it reads %q", body, s)
			}
		}
	}
	b := w.attack(stream.PublisherUser("XB", "police"))
	w.submit(registrytest.Quit("pair", "XB"), "root XB")
	until(t, "what its country does not read, it does not read back", func() bool { return b.ask(t, request(get+"pair.XB.police.aa", ""))[0] != answered })
}
