package publisher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

const token = "a token for tests"

// world is a real hub with a notary and mirrors that do what a test tells them.
type world struct {
	t         testing.TB
	charter   registry.Charter
	registry  *registrytest.Log
	directory string
	listen    string
	hub       *broker
	stopHub   func()
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return worldOf(t, func(*registryv1.Founding) {})
}

// worldOf is a world with another founding.
func worldOf(t testing.TB, change func(*registryv1.Founding)) *world {
	t.Helper()
	founding := registrytest.Founding()
	change(founding)
	founding.RetentionClasses = append(founding.RetentionClasses, &registryv1.RetentionClass{Retention: "brief", Days: 30})
	for _, a := range founding.Agencies { // so that each can rotate its key to "next publisher ..."
		next := registry.CommitmentOf(registrytest.Public("next publisher " + a.Country + "/" + a.Agency))
		a.PublisherNext = next[:]
	}
	w := &world{t: t, charter: registrytest.Sign(t, founding), directory: t.TempDir(), listen: "127.0.0.1:0"}
	state, err := w.charter.State()
	if err != nil {
		t.Fatal(err)
	}
	w.registry = &registrytest.Log{Charter: w.charter, State: state}
	w.startHub()
	return w
}

func (w *world) startHub() {
	w.t.Helper()
	var stop func()
	w.hub, stop = startBroker(w.t, w.directory, w.listen, stream.NotaryUser, stream.AuditUser,
		stream.DeskUser("XA"), stream.DeskUser("XB"), stream.DeskUser("XC"),
		stream.PublisherUser("XA", "police"), stream.PublisherUser("XA", "border"), stream.PublisherUser("XD", "police"))
	w.hub.found(w.charter)
	w.listen = w.hub.address() // the same when it comes back
	w.stopHub = sync.OnceFunc(stop)
	w.t.Cleanup(w.stopHub)
}

func (w *world) config(directory string) Config {
	return Config{
		Country: "XA", Agency: "police", Directory: directory, Charter: w.charter,
		Key: registrytest.Key("publisher XA/police"), Listen: "127.0.0.1:0", Token: token,
		Stream: w.hub.config(stream.PublisherUser("XA", "police")),
	}
}

// change puts an update of the registry into the log and returns its index.
func (w *world) change(change *registryv1.Update, signers ...string) uint64 {
	w.t.Helper()
	subject, message := w.registry.Message(w.t, change, signers...)
	w.registry.Next = w.hub.submit(subject, message)
	return w.registry.Take(w.t, subject, message)
}

// roots are all roots of the founding.
var roots = []string{"root XA", "root XB", "root XC"}

// running is a publisher at work.
type running struct {
	*Publisher
	t      testing.TB
	client publisherv1connect.PublisherServiceClient
	stop   func()
}

// start runs a publisher; between lets a test put a fault in before it runs.
func (w *world) start(directory string, between ...func(*Publisher)) *running {
	w.t.Helper()
	return run(w.t, w.config(directory), between...)
}

func run(t testing.TB, config Config, between ...func(*Publisher)) *running {
	t.Helper()
	p, err := New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range between {
		change(p)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	r := &running{Publisher: p, t: t, client: client(p.URL(), token)}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func client(url, token string) publisherv1connect.PublisherServiceClient {
	return publisherv1connect.NewPublisherServiceClient(&http.Client{Transport: bearer(token)}, url, connect.WithProtoJSON())
}

// binaryClient speaks protobuf where client speaks JSON.
func binaryClient(url string) publisherv1connect.PublisherServiceClient {
	return publisherv1connect.NewPublisherServiceClient(&http.Client{Transport: bearer(token)}, url)
}

// bearer is a client's transport that presents a token.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

func (r *running) publish(reports ...*caseworkv1.Report) []*publisherv1.Accepted {
	r.t.Helper()
	response, err := r.client.Publish(context.Background(), &publisherv1.PublishRequest{Reports: reports})
	if err != nil {
		r.t.Fatal(err)
	}
	return response.GetAccepted()
}

func (r *running) status() *publisherv1.GetStatusResponse {
	r.t.Helper()
	status, err := r.client.GetStatus(context.Background(), &publisherv1.GetStatusRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return status
}

// until waits for a status, at most a minute.
func (r *running) until(what string, holds func(*publisherv1.GetStatusResponse) bool) {
	r.t.Helper()
	var status *publisherv1.GetStatusResponse
	eventually(r.t, func() string {
		if status = r.status(); holds(status) {
			return ""
		}
		return fmt.Sprintf("waiting until %s: %v", what, status)
	})
}

func (r *running) untilStored(n uint64) {
	r.t.Helper()
	r.until(fmt.Sprintf("%d are stored", n), func(s *publisherv1.GetStatusResponse) bool { return s.GetStored() == n && s.GetWaiting() == 0 })
}

func (r *running) untilWitnessed(n uint64) {
	r.t.Helper()
	r.until(fmt.Sprintf("%d are witnessed", n), func(s *publisherv1.GetStatusResponse) bool { return s.GetWitnessed() == n && s.GetHalted() == "" })
}

// eventually asks again until pending says nothing.
func eventually(t testing.TB, pending func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(time.Minute)
	for {
		why := pending()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(why)
		}
		<-tick.C
	}
}

// report is a sound report; change makes it another one.
func report(key string, change ...func(*caseworkv1.Report)) *caseworkv1.Report {
	r := &caseworkv1.Report{
		IdempotencyKey: key, Audience: "region", Retention: "case",
		Case: &caseworkv1.CaseSection{
			Marking:  &caseworkv1.Marking{Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_GREEN, Purpose: "rescue"},
			Source:   "an invented officer",
			Occurred: "2025-02-12",
			Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{
				SiteId: "S-1", Name: "an invented compound",
			}},
		},
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func to(audience string) func(*caseworkv1.Report) {
	return func(r *caseworkv1.Report) { r.Audience = audience }
}

func keep(retention string) func(*caseworkv1.Report) {
	return func(r *caseworkv1.Report) { r.Retention = retention }
}

// reports are n sound ones with keys of their own.
func reports(prefix string, n int, change ...func(*caseworkv1.Report)) []*caseworkv1.Report {
	all := make([]*caseworkv1.Report, n)
	for i := range all {
		all[i] = report(fmt.Sprintf("%s-%d", prefix, i), change...)
	}
	return all
}

// notary is a test's own: it reads the stream and says of it what it is told to.
type notary struct {
	w        *world
	conn     *stream.Conn
	reader   *stream.Reader
	signer   *translog.Notary
	frontier translog.Frontier
	registry registry.State
	last     uint64 // sequence of its last message on log.leaves

	Label    func(index uint64, label string) string // lies about an audience
	Hash     func(index uint64, hash translog.Hash) translog.Hash
	Registry func(head translog.Hash) translog.Hash
}

func (w *world) notary() *notary {
	w.t.Helper()
	conn, err := stream.Dial(w.hub.config(stream.NotaryUser))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(conn.Close)
	connected(w.t, conn)
	n := &notary{w: w, conn: conn, registry: registry.New(w.charter.Digest)}
	if n.reader, err = conn.Reader(context.Background(), stream.Events, stream.NotaryUser); err != nil {
		w.t.Fatal(err)
	}
	if n.signer, err = translog.NewNotary(registrytest.Origin, registrytest.Key("notary")); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// signAs has it sign with another key from now on.
func (n *notary) signAs(owner string) {
	n.w.t.Helper()
	var err error
	if n.signer, err = translog.NewNotary(registrytest.Origin, registrytest.Key(owner)); err != nil {
		n.w.t.Fatal(err)
	}
}

// checkpoint states all that is in the stream now, and at least up to size.
func (n *notary) checkpoint(size uint64) translog.Checkpoint {
	n.w.t.Helper()
	leaves := &logv1.Leaves{Start: n.frontier.Size()}
	table := map[string]uint32{}
	for deadline := time.Now().Add(time.Minute); ; {
		messages := fetch(n.w.t, n.reader, n.frontier.Size()+1)
		for _, m := range messages {
			n.add(leaves, table, m)
		}
		if len(messages) == 0 && n.frontier.Size() >= size {
			break
		}
		if time.Now().After(deadline) {
			n.w.t.Fatalf("the stream has %d messages, want %d", n.frontier.Size(), size)
		}
	}
	c := translog.Checkpoint{Origin: registrytest.Origin, Size: n.frontier.Size(), Root: n.frontier.Root()}
	if policies, err := n.registry.Policies(); err == nil {
		c.Registry = policies.At(c.Size).Registry
	}
	if n.Registry != nil {
		c.Registry = n.Registry(c.Registry)
	}
	n.publish(leaves, c)
	return c
}

func (n *notary) add(leaves *logv1.Leaves, table map[string]uint32, m stream.Message) {
	n.w.t.Helper()
	index := n.frontier.Size()
	hash, label := translog.LeafHash(index, m.Subject, m.Data), verdict.Label(m.Subject)
	if registry.IsSubject(m.Subject) {
		if next, err := n.registry.Apply(index, m.Subject, m.Data); err == nil {
			n.registry = next
		}
	}
	if n.Hash != nil {
		hash = n.Hash(index, hash)
	}
	if n.Label != nil {
		label = n.Label(index, label)
	}
	if _, ok := table[label]; !ok {
		table[label] = uint32(len(table))
		leaves.Audiences = append(leaves.Audiences, label)
	}
	leaves.Hashes = append(leaves.Hashes, hash[:]...)
	leaves.Labels = append(leaves.Labels, table[label])
	if err := n.frontier.Append(hash); err != nil {
		n.w.t.Fatal(err)
	}
}

func (n *notary) publish(leaves *logv1.Leaves, c translog.Checkpoint) {
	n.w.t.Helper()
	var err error
	if leaves.Checkpoint, err = n.signer.Sign(c); err != nil {
		n.w.t.Fatal(err)
	}
	data, err := proto.Marshal(leaves)
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.send(data)
}

func (n *notary) send(data []byte) {
	n.w.t.Helper()
	var err error
	if n.last, err = n.conn.PublishAfter(patient(n.w.t), n.last, stream.LeavesSubject, data); err != nil {
		n.w.t.Fatal(err)
	}
}

// cosign publishes what these countries' mirrors say of a checkpoint.
func (w *world) cosign(c translog.Checkpoint, countries ...string) {
	w.t.Helper()
	for _, country := range countries {
		mirror, err := translog.NewMirror(registrytest.Origin, country, registrytest.Key("mirror "+country))
		if err != nil {
			w.t.Fatal(err)
		}
		note, err := mirror.Cosign(c, 1)
		if err != nil {
			w.t.Fatal(err)
		}
		w.as(stream.DeskUser(country), func(conn *stream.Conn) {
			if _, err := conn.Publish(patient(w.t), stream.CosignPrefix+country, note); err != nil {
				w.t.Fatal(err)
			}
		})
	}
}

func (w *world) as(user string, do func(*stream.Conn)) {
	w.t.Helper()
	conn, err := stream.Dial(w.hub.config(user))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	connected(w.t, conn)
	do(conn)
}

// connected waits for a connection: publishing without one fails at once.
func connected(t testing.TB, conn *stream.Conn) {
	t.Helper()
	eventually(t, func() string {
		if conn.Connected() {
			return ""
		}
		return "waiting for a connection"
	})
}

// fetch reads what is there; what was lost on the way is read again from next on.
func fetch(t testing.TB, reader *stream.Reader, next uint64) []stream.Message {
	t.Helper()
	messages, err := reader.Fetch(patient(t), 1000, 100*time.Millisecond)
	if errors.Is(err, stream.ErrMissed) {
		if err := reader.Reset(patient(t), next); err != nil {
			t.Fatal(err)
		}
		messages, err = reader.Fetch(patient(t), 1000, time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// judged is what every reader concludes from the stream.
type judged struct {
	accepted []event.Verified
	raw      [][]byte // all messages that carry events
	codes    map[verdict.Code]int
}

func (w *world) judge() judged {
	w.t.Helper()
	out := judged{codes: map[verdict.Code]int{}}
	w.as(stream.AuditUser, func(conn *stream.Conn) {
		reader, err := conn.Reader(context.Background(), stream.Events, stream.AuditUser)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := reader.Reset(context.Background(), 1); err != nil {
			w.t.Fatal(err)
		}
		state, memory, roots := registry.New(w.charter.Digest), &verdict.Memory{}, &event.Roots{}
		for next := uint64(1); ; {
			messages := fetch(w.t, reader, next)
			if len(messages) == 0 {
				return
			}
			for _, m := range messages {
				j, err := verdict.Judge(state, memory, roots, m.Sequence-1, m.Subject, m.Data)
				if err != nil {
					w.t.Fatal(err)
				}
				state, next = j.State, m.Sequence+1
				if j.Update {
					continue
				}
				out.codes[j.Code]++
				out.raw = append(out.raw, m.Data)
				if j.Code == verdict.Accepted {
					memory.Take(j.Event)
					out.accepted = append(out.accepted, j.Event)
				}
			}
		}
	})
	return out
}

// check asserts that the promised events, and no others, are accepted, each once
// and in the order of the promise, and that nothing was refused.
func (j judged) check(t testing.TB, promised ...*publisherv1.Accepted) {
	t.Helper()
	var got, want []string
	for _, v := range j.accepted {
		got = append(got, v.ID.String())
	}
	for _, p := range promised {
		want = append(want, p.GetEventId())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("accepted are %v, promised were %v", got, want)
	}
	for code, n := range j.codes {
		if code.Refused() {
			t.Errorf("%d events are judged %s", n, code)
		}
	}
}

// image is the outbox as a process killed now would leave it: both files as they were at
// one moment, at which nothing was moved from one to the other.
func image(t testing.TB, directory string) string {
	t.Helper()
	names := []string{"outbox.db", "outbox.db-wal"}
	read := func() (files [2][]byte) {
		for i, name := range names {
			data, err := os.ReadFile(filepath.Join(directory, name))
			if err != nil {
				t.Fatal(err)
			}
			files[i] = data
		}
		return files
	}
	was := read()
	for is := read(); !bytes.Equal(was[0], is[0]) || !bytes.Equal(was[1], is[1]); is = read() {
		was = is
	}
	to := t.TempDir()
	for i, name := range names {
		if err := os.WriteFile(filepath.Join(to, name), was[i], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// faulty is a hub whose answers a test may change.
type faulty struct {
	hub
	publish func(ctx context.Context, through hub, messages []stream.Message) (uint64, error)
	record  func(ctx context.Context, through hub, r hubRecord) (uint64, error) // nil: as it is
}

// hubRecord is what PutRecord is given.
type hubRecord struct {
	subject string
	data    []byte
	after   uint64
	life    time.Duration
}

func (f faulty) PutRecord(ctx context.Context, subject string, data []byte, after uint64, life time.Duration) (uint64, error) {
	if f.record == nil {
		return f.hub.PutRecord(ctx, subject, data, after, life)
	}
	return f.record(ctx, f.hub, hubRecord{subject, data, after, life})
}

func (f faulty) PublishBatch(ctx context.Context, messages []stream.Message) (uint64, error) {
	if f.publish == nil {
		return f.hub.PublishBatch(ctx, messages)
	}
	return f.publish(ctx, f.hub, messages)
}

func withHub(publish func(context.Context, hub, []stream.Message) (uint64, error)) func(*Publisher) {
	return func(p *Publisher) { p.hub = faulty{hub: p.hub, publish: publish} }
}
