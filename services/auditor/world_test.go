package auditor_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
	"github.com/tripoint/tripoint/services/auditor"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
)

const deadline = time.Minute

var (
	police = event.Chain{Country: "XA", Agency: "police", Audience: "region"}
	pair   = event.Chain{Country: "XA", Agency: "police", Audience: "pair"}
	border = event.Chain{Country: "XB", Agency: "border", Audience: "region"}
)

// house is a hub, and a notary where the test starts one.
type house struct {
	t     *testing.T
	hub   *hub.Hub
	conns map[string]*stream.Conn
	heads map[event.Chain]event.Head
	last  event.ID
	said  int

	registry *registrytest.Log
	next     uint64            // log index of the next event
	keys     map[string]string // of agencies whose key is not "publisher CC/agency" any more
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h, err := hub.New(t.Context(), hub.Config{Directory: t.TempDir(), Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: registrytest.Charter(t)})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return &house{t: t, hub: h, conns: map[string]*stream.Conn{}, heads: map[event.Chain]event.Head{},
		registry: registrytest.NewLog(t), next: 1, keys: map[string]string{}}
}

func (h *house) config(user string) stream.Config {
	return stream.Config{URL: h.hub.URL(), Credentials: h.hub.Credentials(user), User: user, Account: stream.InMemberAccount(user)}
}

// as is a connection with a user's own credentials.
func (h *house) as(user string) *stream.Conn {
	h.t.Helper()
	if conn, ok := h.conns[user]; ok {
		return conn
	}
	conn, err := stream.Dial(h.config(user))
	must(h.t, err)
	h.t.Cleanup(conn.Close)
	h.conns[user] = conn
	return conn
}

// notarise runs a notary until the test ends.
func (h *house) notarise() {
	h.t.Helper()
	n, err := notary.New(notary.Config{
		Directory: h.t.TempDir(), Charter: registrytest.Charter(h.t), Key: registrytest.Key("notary"),
		Stream: h.config(stream.NotaryUser), Interval: time.Millisecond,
	})
	must(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	h.t.Cleanup(func() { cancel(); <-done })
}

// checkpoint waits until the notary has signed size leaves.
func (h *house) checkpoint(size uint64) translog.Checkpoint {
	h.t.Helper()
	end := time.Now().Add(deadline)
	for time.Now().Before(end) {
		newest, ok, err := h.as(stream.NotaryUser).Newest(h.t.Context(), stream.Log, stream.LeavesSubject)
		must(h.t, err)
		leaves := &logv1.Leaves{}
		must(h.t, proto.Unmarshal(newest.Data, leaves))
		if !ok {
			continue
		}
		c, err := translog.OpenCheckpoint(leaves.GetCheckpoint(), registrytest.Origin, registrytest.Public("notary"))
		must(h.t, err)
		if c.Size >= size {
			return c
		}
	}
	h.t.Fatalf("the notary has not signed %d leaves", size)
	return translog.Checkpoint{}
}

// cosign is a desk's cosignature, with its own credentials and key.
func (h *house) cosign(country string, c translog.Checkpoint) {
	h.t.Helper()
	mirror, err := translog.NewMirror(registrytest.Origin, country, registrytest.Key("mirror "+country))
	must(h.t, err)
	note, err := mirror.Cosign(c, 1_700_000_000)
	must(h.t, err)
	_, err = h.as(stream.DeskUser(country)).Publish(h.t.Context(), stream.CosignPrefix+country, note)
	must(h.t, err)
}

// witness waits for size leaves and has all founders cosign them.
func (h *house) witness(size uint64) translog.Checkpoint {
	h.t.Helper()
	c := h.checkpoint(size)
	for _, country := range []string{"XA", "XB", "XC"} {
		h.cosign(country, c)
	}
	return c
}

func (h *house) draft() event.Draft {
	h.t.Helper()
	h.said++
	content := &caseworkv1.CaseSection{Occurred: "2025-02-12", Marking: &caseworkv1.Marking{Purpose: "rescue"},
		Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: fmt.Sprintf("S-%d", h.said), Name: "invented"}}}
	kind, err := casework.KindOf(content)
	must(h.t, err)
	data, err := proto.Marshal(content)
	must(h.t, err)
	h.last = event.NextID(time.UnixMilli(1_700_000_000_000), [10]byte{}, h.last)
	return event.Draft{ID: h.last, Kind: kind, Retention: "case", Recorded: time.Unix(1_700_000_000, 0), Sections: []event.Section{
		{Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: data}}}
}

// sign signs n events on a chain with any publisher's key, after any head.
func (h *house) sign(owner string, chain event.Chain, head event.Head, seen event.Seen, n int) ([]stream.Message, event.Head) {
	h.t.Helper()
	name, ok := h.keys[owner]
	if !ok {
		name = "publisher " + owner
	}
	key, err := event.NewSigningKey(registrytest.Key(name))
	must(h.t, err)
	drafts := make([]event.Draft, n)
	for i := range drafts {
		drafts[i] = h.draft()
	}
	signed, next, err := event.SignBatch(key, chain, head, seen, drafts)
	must(h.t, err)
	messages := make([]stream.Message, n)
	for i, s := range signed {
		messages[i] = stream.Message{Subject: s.Subject, Data: s.Data}
	}
	return messages, next
}

// say publishes n honest events as one batch and returns it.
func (h *house) say(chain event.Chain, seen event.Seen, n int) []stream.Message {
	h.t.Helper()
	messages, next := h.sign(chain.Country+"/"+chain.Agency, chain, h.heads[chain], seen, n)
	h.heads[chain] = next
	h.publish(chain, messages...)
	return messages
}

// publish stores raw messages with the credentials of a chain's publisher.
func (h *house) publish(chain event.Chain, messages ...stream.Message) {
	h.t.Helper()
	h.eventually(func() error {
		_, err := h.as(stream.PublisherUser(chain.Country, chain.Agency)).PublishBatch(h.t.Context(), messages)
		return err
	})
	h.next += uint64(len(messages))
}

// update hands in a change of the registry.
func (h *house) update(change *registryv1.Update, signers ...string) uint64 {
	h.t.Helper()
	h.registry.Next = h.next
	subject, message := h.registry.Message(h.t, change, signers...)
	_, err := h.as(stream.RegistrarUser("XA")).Publish(h.t.Context(), subject, message)
	must(h.t, err)
	h.next++
	return h.registry.Take(h.t, subject, message)
}

// admitted waits until the hub lets a user in.
func (h *house) admitted(user string) {
	h.t.Helper()
	h.eventually(func() error {
		_, err := os.Stat(h.hub.Credentials(user))
		return err
	})
}

// eventually tries until the hub has come to know what the log says.
func (h *house) eventually(try func() error) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), deadline)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			h.t.Fatal(err)
		case <-tick.C:
		}
	}
}

func (h *house) audit(change ...func(*auditor.Config)) (audit.Summary, error) {
	config := auditor.Config{Charter: registrytest.Charter(h.t), Stream: h.config(stream.AuditUser)}
	for _, c := range change {
		c(&config)
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), deadline)
	defer cancel()
	return auditor.Replay(ctx, config)
}

// finds audits and expects exactly these findings.
func (h *house) finds(want ...audit.Finding) audit.Summary {
	h.t.Helper()
	summary, err := h.audit()
	must(h.t, err)
	got := []audit.Finding{}
	for _, f := range summary.Findings {
		got = append(got, at(f.Code, f.Index))
	}
	same(h.t, "findings", append([]audit.Finding{}, want...), got)
	return summary
}

func at(code string, index uint64) audit.Finding { return audit.Finding{Code: code, Index: index} }

// mute stands between a client and the hub, and from one request for messages on
// keeps back what the hub says, until it hears the word.
type mute struct {
	url  string
	skip atomic.Int64  // requests for messages that are answered before
	held chan struct{} // closed once something is kept back
}

func newMute(t *testing.T, hubURL, word string, skip int64) *mute {
	t.Helper()
	target, err := url.Parse(hubURL)
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	m := &mute{url: "nats://" + listener.Addr().String(), held: make(chan struct{})}
	m.skip.Store(skip)
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	t.Cleanup(func() { listener.Close(); release() })
	go func() {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", target.Host)
		if err != nil {
			client.Close()
			return
		}
		go m.listen(client, server, []byte(word), release)
		m.speak(client, server, released)
	}()
	return m
}

// listen passes on what the client says.
func (m *mute) listen(client io.Reader, server io.WriteCloser, word []byte, release func()) {
	defer server.Close()
	asked := false
	buffer := make([]byte, 1<<16) // the client flushes each request whole
	for {
		n, err := client.Read(buffer)
		if !asked {
			requests := int64(bytes.Count(buffer[:n], []byte("MSG.NEXT")))
			if requests > 0 && m.skip.Add(-requests) < 0 {
				asked = true
				close(m.held)
			}
		} else if bytes.Contains(buffer[:n], word) {
			release()
		}
		if err != nil {
			release()
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// speak passes on what the hub says, or keeps it.
func (m *mute) speak(client io.WriteCloser, server io.Reader, released <-chan struct{}) {
	defer client.Close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		select {
		case <-m.held:
			<-released
		default:
		}
		if err != nil {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
