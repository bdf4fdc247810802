package hub_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/hub"
)

// An attacker is a raw connection. There are two kinds: a country's own user with
// its own credentials, and an insider of the country's account whom no permission
// limits, so that the account's boundary alone stands in the way.
type attacker struct {
	name  string
	nc    *nats.Conn
	inbox string

	mu     sync.Mutex
	denied map[string]bool        // subjects that a permission refused
	came   map[string][]*nats.Msg // by reply subject
	asked  int
}

var violation = regexp.MustCompile(`Permissions Violation for (?:Publish|Subscription|Publish with Reply) (?:to|of) "([^"]+)"`)

// attack connects a user, or the insider of a country: "insider XA".
func (w *world) attack(user string) *attacker {
	w.t.Helper()
	a := &attacker{name: user, inbox: stream.InboxPrefix(user), denied: map[string]bool{}, came: map[string][]*nats.Msg{}}
	credentials := []byte(nil)
	if country, inside := strings.CutPrefix(user, "insider "); inside {
		a.inbox = "_INBOX.insider"
		var err error
		if credentials, err = hub.InsiderCredentials(w.Hub, country); err != nil {
			w.t.Fatal(err)
		}
	} else {
		credentials = w.file(user)
	}
	nc, err := nats.Connect(w.URL(), nats.UserCredentialBytes(credentials), nats.CustomInboxPrefix(a.inbox), nats.NoReconnect(), nats.Name(a.name), nats.Timeout(deadline),
		nats.SkipSubjectValidation(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if found := violation.FindStringSubmatch(err.Error()); found != nil {
				a.mu.Lock()
				defer a.mu.Unlock()
				a.denied[found[1]] = true
			}
		}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	a.nc = nc
	return a
}

// What came of a request.
const (
	answered = "answered"
	denied   = "denied"  // a permission of the user
	nobody   = "nobody"  // the account has no such subject
	without  = "without" // the server says that the account has no JetStream
	silence  = "silence" // nothing came in time
)

// patience is how long nothing may come, until what is unanswered then is silence.
const patience = 600 * time.Millisecond

// ask sends all requests at once, those that name no reply with an own one, and
// says of each what came of it.
func (a *attacker) ask(t *testing.T, requests ...*nats.Msg) []string {
	t.Helper()
	for _, m := range requests {
		if m.Reply == "" {
			a.asked++
			reply := fmt.Sprintf("%s.%d", a.inbox, a.asked)
			m.Reply = reply
			// What a consumer delivers has the subject of the event, not of the inbox.
			if _, err := a.nc.Subscribe(reply, func(m *nats.Msg) {
				a.mu.Lock()
				defer a.mu.Unlock()
				a.came[reply] = append(a.came[reply], m)
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.nc.PublishMsg(m); err != nil {
			t.Fatalf("%s on %q: %v", a.name, m.Subject, err)
		}
	}
	if err := a.nc.FlushTimeout(3 * deadline); err != nil && !strings.Contains(err.Error(), "Permissions Violation") {
		t.Fatalf("%s: %v", a.name, err)
	}
	outcomes := make([]string, len(requests))
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	before, since := len(requests)+1, time.Now()
	for ; ; <-ticker.C {
		open := 0
		for i, m := range requests {
			if outcomes[i] = a.outcome(m); outcomes[i] == silence {
				open++
			}
		}
		if open < before {
			before, since = open, time.Now()
		}
		if open == 0 || time.Since(since) > patience {
			return outcomes
		}
	}
}

func (a *attacker) outcome(m *nats.Msg) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	came := a.came[m.Reply]
	switch {
	case a.denied[m.Subject] || a.denied[m.Reply]:
		return denied
	case len(came) == 0:
		return silence
	case len(came[0].Data) == 0 && came[0].Header.Get("Status") == "503":
		return nobody
	case strings.Contains(string(came[0].Data), `"err_code":10039,`), // JetStream not enabled for account
		strings.Contains(string(came[0].Data), `"err_code":10010,`): // asked for before that: it is no cluster
		return without
	}
	return answered
}

// answers are what came on a request's reply.
func (a *attacker) answers(m *nats.Msg) []*nats.Msg {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*nats.Msg(nil), a.came[m.Reply]...)
}

// refused asks, and fails where anything was answered.
func (a *attacker) refused(t *testing.T, requests ...*nats.Msg) {
	t.Helper()
	for i, outcome := range a.ask(t, requests...) {
		if outcome == answered {
			t.Errorf("%s: %s %v is answered: %.200q", a.name, requests[i].Subject, requests[i].Header, a.answers(requests[i])[0].Data)
		}
	}
}

// held is a message that a stream holds.
type held struct {
	Stream        string
	Sequence      uint64
	Subject, Data string
}

// holds is all that the streams hold, as the hub's administrator sees it.
func (w *world) holds() []held {
	w.t.Helper()
	_, js := hub.Administrator(w.Hub)
	var all []held
	for _, name := range []string{stream.Events, stream.Log, stream.Keys, stream.Files} {
		s, err := js.Stream(w.t.Context(), name)
		if err != nil {
			w.t.Fatal(err)
		}
		for sequence := s.CachedInfo().State.FirstSeq; sequence <= s.CachedInfo().State.LastSeq && sequence > 0; sequence++ {
			m, err := s.GetMsg(w.t.Context(), sequence)
			if err != nil && (name == stream.Keys || name == stream.Files) {
				continue // replaced
			}
			if err != nil {
				all = append(all, held{Stream: name, Sequence: sequence, Data: err.Error()})
				continue
			}
			all = append(all, held{name, sequence, m.Subject, string(m.Data)})
		}
	}
	return all
}

// unchanged fails where the streams hold other messages than before.
func (w *world) unchanged(t *testing.T, before []held) {
	t.Helper()
	if diff := cmp.Diff(before, w.holds()); diff != "" {
		t.Errorf("the streams hold something else than before (-before +after):\n%s", diff)
	}
}

// places are the consumers of a stream: what each has delivered, and its filters.
func (w *world) places(streamName string) map[string]string {
	w.t.Helper()
	_, js := hub.Administrator(w.Hub)
	s, err := js.Stream(w.t.Context(), streamName)
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string]string{}
	list := s.ListConsumers(w.t.Context())
	for c := range list.Info() {
		if !regexp.MustCompile("^(desk|publisher|registrar|notary|auditor)").MatchString(c.Name) {
			continue // the hub's own, which it makes and forgets
		}
		all[c.Name] = fmt.Sprint(c.Delivered.Consumer, c.Delivered.Stream, c.AckFloor.Stream, c.NumAckPending, c.Config.FilterSubjects)
	}
	if list.Err() != nil {
		w.t.Fatal(list.Err())
	}
	return all
}

func request(subject, data string, headers ...string) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: []byte(data), Header: nats.Header{}}
	for i := 0; i+1 < len(headers); i += 2 {
		m.Header.Set(headers[i], headers[i+1])
	}
	return m
}

// everyone are a country's own users and its insider.
func (w *world) everyone(country string) []*attacker {
	return []*attacker{
		w.attack(stream.PublisherUser(country, "police")), w.attack(stream.DeskUser(country)),
		w.attack(stream.RegistrarUser(country)), w.attack("insider " + country),
	}
}

// says publishes as an agency, and its name is in what it says.
func (w *world) says(country, agency string, addresses ...string) {
	w.t.Helper()
	conn := dial(w.t, w.Hub, stream.PublisherUser(country, agency))
	until(w.t, "it is connected", conn.Connected)
	for _, address := range addresses {
		subject := "evt." + address + "." + country + "." + agency + ".site.reported"
		if _, err := conn.Publish(w.t.Context(), subject, []byte(country+"/"+agency+" to "+address)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// T01: publish as another agency, of another country or of one's own.
func TestAdversary_T01_PublishAsAnotherAgency(t *testing.T) {
	t.Parallel()
	w := found(t)
	before := w.holds()
	foreign := []string{
		"evt.region.XB.police.site.reported", "evt.pair.XB.border.site.reported", "key.region.XB.police.batch",
		"file.region.XB.police.aa", "file.*.XB.police.aa", "file.region.XA.police", "file.region.XA.>", "file.>", "file.nowhere.XA.police.aa",
		"evt.*.XB.police.x", "evt.region.*.police.x", "evt.region.XA.*.x", "evt.region.XA.>", "evt.*.XA.police.x", "evt.>", ">",
		"evt.region.XA.police", "evt.region.XA", "evt.nowhere.XA.police.x", "evt.region.xa.police.x", "evt.region_1.XA.police.x",
		"EVT.region.XB.police.x", "log.leaves", "log.cosign.XB", "hub.restored", "hub.x", "hub.>",
	}
	for _, a := range w.everyone("XA") {
		var requests []*nats.Msg
		subjects := foreign
		if a.name != "insider XA" {
			subjects = append([]string{"evt.region.XA.border.site.reported", "key.region.XA.border.batch", "file.region.XA.border.aa", "evt.pair.XA.border.x"}, foreign...)
		}
		for i, subject := range subjects {
			requests = append(requests,
				request(subject, "forged"),
				request(subject, "forged", nats.MsgIdHdr, "some id"),
				request(subject, "forged", "Nats-Batch-Id", fmt.Sprint("one", i), "Nats-Batch-Sequence", "1", "Nats-Batch-Commit", "1"),
			)
		}
		a.refused(t, requests...)
	}
	// A batch that begins with one's own, and with the foreign one in the middle or at the end.
	for _, a := range w.everyone("XA") {
		for i, foreign := range []string{"evt.region.XB.police.x", "evt.region.XA.*.x"} {
			for at := 2; at <= 3; at++ {
				id := fmt.Sprint(a.name, i, at)
				for n := 1; n <= 3; n++ {
					m := request("evt.region.XA.police.x", "forged", "Nats-Batch-Id", id, "Nats-Batch-Sequence", fmt.Sprint(n))
					if n == at {
						m.Subject = foreign
					}
					if n == 3 {
						m.Header.Set("Nats-Batch-Commit", "1")
					}
					for _, outcome := range a.ask(t, m) {
						if outcome == answered && n == 3 && strings.Contains(string(a.answers(m)[0].Data), `"count"`) {
							t.Errorf("%s: a batch with %s is stored: %s", a.name, foreign, a.answers(m)[0].Data)
						}
					}
				}
			}
		}
	}
	w.unchanged(t, before)
	// The same way with an own subject is good: the attack was not refused for another reason.
	police := w.attack(stream.PublisherUser("XA", "police"))
	if got := police.ask(t, request("evt.region.XA.police.x", "own"), request("key.region.XA.police.batch", "own"), request("file.region.XA.police.aa", "own")); !slices.Equal(got, []string{answered, answered, answered}) {
		t.Errorf("an agency's own messages: %v", got)
	}
	if grown := len(w.holds()) - len(before); grown != 3 {
		t.Errorf("%d own messages are stored, want 3", grown)
	}
}

// T02: publish by reply subject. The hub's answers, what it delivers and what it
// traces are sent where the asker says; nothing of that may come into a stream on
// a subject that he could not publish on himself.
func TestAdversary_T02_PublishByReplySubject(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.says("XA", "police", "region", "pair")
	w.says("XB", "police", "region", "pair")
	notary := dial(t, w.Hub, stream.NotaryUser)
	if _, err := notary.PublishAfter(t.Context(), 0, stream.LeavesSubject, []byte("the notary's leaves")); err != nil {
		t.Fatal(err)
	}
	police := dial(t, w.Hub, stream.PublisherUser("XB", "police"))
	until(t, "there is a chunk to have sent somewhere", func() bool { return publishes(police, "file.region.XB.police.aa") })
	desk := dial(t, w.Hub, stream.DeskUser("XB"))
	until(t, "a desk cosigns", func() bool { return publishes(desk, stream.CosignPrefix+"XB") })
	targets := []string{
		"evt.region.XA.police.x", "evt.region.XA.border.x", "evt.region.XB.police.x", "evt.*.XA.police.x", "evt.region.XA.police.>",
		"key.region.XA.police.x", "key.region.XB.police.x", "file.region.XB.police.aa", "file.region.XA.police.aa", "reg.agency.enrolled", "reg.charter.founded",
		"log.cosign.XA", "log.cosign.XB", "log.leaves", "log.x.XA", "$JS.ACK.EVENTS.desk-XB.1.1.1.1.0", "_R_.x", "$JS.API.STREAM.PURGE.KEYS",
		"HUB.API.CONSUMER.MSG.NEXT.LOG.desk-XA", "HUB.API.CONSUMER.RESET.LOG.desk-XA",
	}
	for _, a := range w.everyone("XA") {
		before := w.holds()
		if strings.HasPrefix(a.name, "insider") { // who listens where his answers go gets them there for certain
			if _, err := a.nc.Subscribe(">", func(*nats.Msg) {}); err != nil {
				t.Fatal(err)
			}
		}
		var requests []*nats.Msg
		for _, name := range []string{"desk-XA", "publisher-XA-police", "registrar-XA"} {
			for _, streamName := range []string{stream.Events, stream.Log, stream.Keys} {
				for _, target := range targets {
					consumer := streamName + "." + name
					for subject, data := range map[string]string{
						"INFO": "", "RESET": `{"seq":1}`, "MSG.NEXT": `{"batch":20,"expires":300000000,"idle_heartbeat":100000000}`,
					} {
						m := request("HUB.API.CONSUMER."+subject+"."+consumer, data)
						m.Reply = target
						requests = append(requests, m)
					}
					for _, data := range []string{"+ACK", "+NXT {\"batch\":5}", "-NAK"} {
						m := request("$JS.ACK."+consumer+".1.1.1.1.0", data)
						m.Reply = target
						requests = append(requests, m)
					}
				}
			}
		}
		for _, target := range targets {
			m := request("HUB.API.DIRECT.GET.FILES.file.region.XB.police.aa", "")
			m.Reply = target
			requests = append(requests, m)
		}
		a.ask(t, requests...)
		w.unchanged(t, before)
	}
	t.Run("answers to a publish", func(t *testing.T) {
		for _, a := range w.everyone("XA") {
			before := w.holds()
			for _, own := range []string{"evt.region.XA.police.own", "key.region.XA.police.own", "file.region.XA.police.own", "reg.made.up", "log.cosign.XA"} {
				var requests []*nats.Msg
				for _, target := range targets {
					m := request(own, "own")
					m.Reply = target
					traced := request(own, "own", "Nats-Trace-Dest", target)
					only := request(own, "own", "Nats-Trace-Dest", target, "Nats-Trace-Only", "1")
					requests = append(requests, m, traced, only)
				}
				a.ask(t, requests...)
			}
			w.onlyItsOwn(t, a, before)
		}
	})
}

// may are the subjects on which somebody of XA can publish himself.
func (a *attacker) may(subject string) bool {
	switch {
	case strings.HasPrefix(a.name, "insider"):
		return regexp.MustCompile(`^(evt|key|file)\.(region|pair)\.XA\.|^reg\.[^.]+\.[^.]+$|^log\.[^.]+\.XA$`).MatchString(subject)
	case a.name == stream.DeskUser("XA"):
		return subject == "log.cosign.XA"
	case a.name == stream.RegistrarUser("XA"):
		return strings.HasPrefix(subject, "reg.")
	}
	return regexp.MustCompile(`^(evt|key|file)\.(region|pair)\.XA\.police\.`).MatchString(subject)
}

// onlyItsOwn fails where an attacker brought something on a subject that is not its own.
func (w *world) onlyItsOwn(t *testing.T, a *attacker, before []held) {
	t.Helper()
	had := map[held]bool{}
	for _, h := range before {
		had[h] = true
	}
	grown := 0
	for _, h := range w.holds() {
		if had[h] {
			continue
		}
		if grown++; !a.may(h.Subject) {
			t.Errorf("%s brought %s of %s there: %.100q", a.name, h.Subject, h.Stream, h.Data)
		}
	}
	if grown == 0 {
		t.Errorf("%s brought nothing at all: the attack did not take place", a.name)
	}
}
