package desk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// world is a real JetStream server with the streams and consumers of a hub, and
// a notary that signs what the test asks for.
type world struct {
	t       testing.TB
	charter registry.Charter
	book    *registrytest.Log
	url     string
	server  *server.Server
	js      jetstream.JetStream
	agency  map[string]event.Head // by chain
	clock   int64

	messages []stream.Message // of EVENTS, as the notary saw them
	tree     translog.Frontier
	signed   int    // messages that are in a published checkpoint
	epoch    uint64 // of those that are not
}

// deadline is far above what anything here takes on a machine under load.
const deadline = time.Minute

func newWorld(t testing.TB) *world {
	t.Helper()
	book := registrytest.NewLog(t)
	w := &world{t: t, charter: book.Charter, book: book, agency: map[string]event.Head{}}
	w.serve()
	w.publish(stream.Message{Subject: registry.FoundingSubject, Data: w.charter.Message})
	return w
}

// serve starts a server with empty streams.
func (w *world) serve() { w.listen(server.RANDOM_PORT) }

func (w *world) listen(port int) {
	w.t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: w.t.TempDir(), NoLog: true, NoSigs: true, MaxPayload: 4 << 20,
	})
	must(w.t, err)
	s.Start()
	w.t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(deadline) {
		w.t.Fatal("the server does not accept connections")
	}
	w.url, w.server = s.ClientURL(), s
	nc, err := nats.Connect(w.url)
	must(w.t, err)
	w.t.Cleanup(nc.Close)
	w.js, err = jetstream.New(nc)
	must(w.t, err)
	for name, subjects := range map[string][]string{stream.Events: append(stream.Common(), "evt.>"), stream.Log: {"log.>"}} {
		_, err := w.js.CreateStream(w.t.Context(), jetstream.StreamConfig{Name: name, Subjects: subjects, AllowAtomicPublish: true})
		must(w.t, err)
	}
	_, err = w.js.CreateStream(w.t.Context(), jetstream.StreamConfig{Name: stream.Keys, Subjects: []string{"key.>"}, MaxMsgsPerSubject: 1})
	must(w.t, err)
	w.admit()
}

// admit lets each member read what the registry says, as a hub does.
func (w *world) admit() {
	w.t.Helper()
	for _, member := range w.book.State.Members() {
		if member.Status == registry.Left {
			for _, name := range []string{stream.Events, stream.Log, stream.Keys} {
				if err := w.js.DeleteConsumer(w.t.Context(), name, stream.DeskUser(member.Country)); !errors.Is(err, jetstream.ErrConsumerNotFound) {
					must(w.t, err)
				}
			}
			continue
		}
		filters, keys := stream.Common(), []string{"key._.>"}
		for _, address := range w.book.State.Reads(member.Country) {
			filters, keys = append(filters, "evt."+address+".>"), append(keys, "key."+address+".>")
		}
		w.consumer(stream.Keys, member.Country, keys)
		w.consumer(stream.Events, member.Country, filters)
		w.consumer(stream.Log, member.Country, []string{"log.>"})
	}
}

// amend publishes an update that applies, and returns its log index. The hub
// follows before anything else is said.
func (w *world) amend(change *registryv1.Update, signers ...string) uint64 {
	w.t.Helper()
	w.book.Next = uint64(len(w.messages))
	subject, message := w.book.Message(w.t, change, signers...)
	index := w.publish(stream.Message{Subject: subject, Data: message})
	same(w.t, "index of the update", index, w.book.Take(w.t, subject, message))
	w.admit()
	return index
}

func (w *world) consumer(name, country string, filters []string) {
	w.t.Helper()
	_, err := w.js.CreateOrUpdateConsumer(w.t.Context(), name, jetstream.ConsumerConfig{
		Durable: stream.DeskUser(country), FilterSubjects: filters, AckPolicy: jetstream.AckAllPolicy, MaxAckPending: 1 << 16,
	})
	must(w.t, err)
}

// publish stores a message on the stream, whoever may be its author.
func (w *world) publish(m stream.Message) uint64 {
	w.t.Helper()
	if !strings.HasPrefix(m.Subject, "log.") {
		w.messages = append(w.messages, m)
	}
	return w.store(m)
}

func (w *world) store(m stream.Message) uint64 {
	w.t.Helper()
	ack, err := w.js.Publish(w.t.Context(), m.Subject, m.Data)
	must(w.t, err)
	return ack.Sequence - 1
}

// announce is say, but for the stream: the notary knows the message, and it is
// not stored yet.
func (w *world) announce(chain event.Chain) stream.Message {
	w.t.Helper()
	messages, next := w.sign(chain, w.agency[chain.String()], w.draft("site.reported"))
	w.agency[chain.String()] = next
	w.messages = append(w.messages, messages[0])
	return messages[0]
}

// draft is an event about a site.
func (w *world) draft(kind string, sections ...event.Section) event.Draft {
	w.clock++
	if len(sections) == 0 {
		sections = []event.Section{w.section(kind, fmt.Sprintf("S-%d", w.clock%3))}
	}
	id := event.NextID(time.UnixMilli(1_700_000_000_000+w.clock), [10]byte{}, event.ID{})
	return event.Draft{ID: id, Kind: kind, Retention: "case", Recorded: time.Unix(1_700_000_000+w.clock, 0), Sections: sections}
}

func (w *world) section(kind, site string) event.Section {
	w.t.Helper()
	report := &caseworkv1.CaseSection{Occurred: "2025-02-12", Source: "a visit", Marking: &caseworkv1.Marking{Purpose: "rescue", Tlp: caseworkv1.Tlp_TLP_AMBER}}
	switch kind {
	case "site.status":
		report.Content = &caseworkv1.CaseSection_SiteStatus{SiteStatus: &caseworkv1.SiteStatus{SiteId: site, State: caseworkv1.SiteState_SITE_STATE_RAIDED}}
	default:
		report.Content = &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: site, Name: "invented " + site}}
	}
	content, err := proto.Marshal(report)
	must(w.t, err)
	return event.Section{Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: content}
}

func keyOf(t testing.TB, country, agency string) event.SigningKey {
	t.Helper()
	key, err := event.NewSigningKey(registrytest.Key("publisher " + country + "/" + agency))
	must(t, err)
	return key
}

// sign signs drafts in one batch after a chain's head and does not move the chain.
func (w *world) sign(chain event.Chain, head event.Head, drafts ...event.Draft) ([]stream.Message, event.Head) {
	w.t.Helper()
	signed, next, err := event.SignBatch(keyOf(w.t, chain.Country, chain.Agency), chain, head, event.Seen{}, drafts)
	must(w.t, err)
	messages := make([]stream.Message, len(signed))
	for i, s := range signed {
		messages[i] = stream.Message{Subject: s.Subject, Data: s.Data}
	}
	return messages, next
}

// say publishes an honest event and returns its log index.
func (w *world) say(chain event.Chain, sections ...event.Section) uint64 {
	w.t.Helper()
	messages, next := w.sign(chain, w.agency[chain.String()], w.draft("site.reported", sections...))
	w.agency[chain.String()] = next
	return w.publish(messages[0])
}

// unsigned is the notary's next message, honest, about all that it has not signed yet.
func (w *world) unsigned() *logv1.Leaves {
	w.t.Helper()
	out := &logv1.Leaves{Epoch: w.epoch, Start: uint64(w.signed)}
	places := map[string]uint32{}
	tree := w.tree.Clone()
	for i, m := range w.messages[w.signed:] {
		hash := translog.LeafHash(uint64(w.signed+i), m.Subject, m.Data)
		must(w.t, tree.Append(hash))
		label := verdict.Label(m.Subject)
		if _, ok := places[label]; !ok {
			places[label] = uint32(len(out.Audiences))
			out.Audiences = append(out.Audiences, label)
		}
		out.Hashes = append(out.Hashes, hash[:]...)
		out.Labels = append(out.Labels, places[label])
	}
	out.Checkpoint = w.note(translog.Checkpoint{Origin: registrytest.Origin, Size: tree.Size(), Root: tree.Root(), Registry: w.registryAt(tree.Size())})
	return out
}

// note is any checkpoint, correctly signed by the notary.
func (w *world) note(c translog.Checkpoint) []byte {
	w.t.Helper()
	notary, err := translog.NewNotary(registrytest.Origin, registrytest.Key("notary"))
	must(w.t, err)
	note, err := notary.Sign(c)
	must(w.t, err)
	return note
}

// send puts a message on log.leaves.
func (w *world) send(l *logv1.Leaves) {
	w.t.Helper()
	data, err := proto.Marshal(l)
	must(w.t, err)
	w.publish(stream.Message{Subject: stream.LeavesSubject, Data: data})
}

// notarise signs all that was published, honestly, and returns the checkpoint.
func (w *world) notarise() translog.Checkpoint {
	w.t.Helper()
	w.send(w.unsigned())
	for ; w.signed < len(w.messages); w.signed++ {
		m := w.messages[w.signed]
		must(w.t, w.tree.Append(translog.LeafHash(uint64(w.signed), m.Subject, m.Data)))
	}
	return w.checkpoint()
}

func (w *world) checkpoint() translog.Checkpoint {
	return translog.Checkpoint{Origin: registrytest.Origin, Size: w.tree.Size(), Root: w.tree.Root(), Registry: w.registryAt(w.tree.Size())}
}

// registryAt is the registry that an honest checkpoint of a size names.
func (w *world) registryAt(size uint64) translog.Hash {
	w.t.Helper()
	policies, err := w.book.State.Policies()
	must(w.t, err)
	return policies.At(size).Registry
}

// cosign is a country's cosignature, as its mirror key makes it.
func (w *world) cosign(country string, c translog.Checkpoint) []byte {
	w.t.Helper()
	mirror, err := translog.NewMirror(registrytest.Origin, country, registrytest.Key("mirror "+country))
	must(w.t, err)
	note, err := mirror.Cosign(c, 1_700_000_000)
	must(w.t, err)
	w.publish(stream.Message{Subject: stream.CosignPrefix + country, Data: note})
	return note
}

// cosigned lists the sizes that a country has cosigned on the log stream, in order.
func (w *world) cosigned(country string) []uint64 {
	w.t.Helper()
	var sizes []uint64
	w.eachCosignature(country, func(c translog.Checkpoint, _ []byte) { sizes = append(sizes, c.Size) })
	return sizes
}

// notes are a country's different cosignatures on the log stream, by size.
func (w *world) notes(country string) map[uint64]map[string]bool {
	w.t.Helper()
	notes := map[uint64]map[string]bool{}
	w.eachCosignature(country, func(c translog.Checkpoint, note []byte) {
		if notes[c.Size] == nil {
			notes[c.Size] = map[string]bool{}
		}
		notes[c.Size][string(note)] = true
	})
	return notes
}

func (w *world) eachCosignature(country string, visit func(translog.Checkpoint, []byte)) {
	w.t.Helper()
	log, err := w.js.Stream(w.t.Context(), stream.Log)
	must(w.t, err)
	policies, err := w.book.State.Policies()
	must(w.t, err)
	for sequence := uint64(1); sequence <= log.CachedInfo().State.LastSeq; sequence++ {
		m, err := log.GetMsg(w.t.Context(), sequence)
		must(w.t, err)
		if m.Subject != stream.CosignPrefix+country {
			continue
		}
		_, c, _, err := policies.OpenCosignature(m.Data)
		must(w.t, err)
		visit(c, m.Data)
	}
}

// running is a desk whose loops run.
type running struct {
	*Desk
	w      *world
	cancel context.CancelFunc
	ended  chan struct{} // closed when Run has returned
	err    error         // what it returned
}

var errCrash = errors.New("crashed here")

// config is that of a desk on a directory.
func (w *world) config(country, directory string, change ...func(*Config)) Config {
	config := Config{
		Country: country, Directory: directory, Charter: w.charter, MirrorKey: registrytest.Key("mirror " + country),
		Stream: stream.Config{URL: w.url, User: stream.DeskUser(country)},
	}
	for _, c := range change {
		c(&config)
	}
	return config
}

// start opens and runs a desk on a directory.
func (w *world) start(country, directory string, change ...func(*Config)) *running {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d, err := New(ctx, w.config(country, directory, change...))
	if err != nil {
		cancel()
		w.t.Fatal(err)
	}
	r := &running{Desk: d, w: w, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		if r.err = d.Run(ctx); r.err != nil {
			w.t.Logf("the desk of %s has ended: %v", country, r.err)
		}
	}()
	w.t.Cleanup(func() { r.stop() })
	return r
}

// impatient is for tests in which a message does not come.
func impatient(c *Config) { c.Patience = 200 * time.Millisecond }

// desk is start on a directory of its own.
func (w *world) desk(country string, change ...func(*Config)) *running {
	w.t.Helper()
	return w.start(country, w.t.TempDir(), change...)
}

// stop ends the loops, if they have not ended, and returns what Run returned.
func (r *running) stop() error {
	r.cancel()
	return r.crashed()
}

// crashed waits until the desk has ended by itself and returns what Run returned.
func (r *running) crashed() error {
	<-r.ended
	return r.err
}

// until waits for something to become true.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	within(t, deadline, what, condition)
}

// within is until for what takes long with the race detector.
func within(t testing.TB, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	end := time.After(limit)
	for !condition() {
		select {
		case <-ticker.C:
		case <-end:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// has waits until the view has come to a log index.
func (r *running) has(index uint64) {
	r.w.t.Helper()
	until(r.w.t, fmt.Sprintf("index %d is in the view", index), func() bool {
		at, err := r.Reader().Cursor(context.Background())
		must(r.w.t, err)
		return at.Sequence > 0 && at.Index >= index
	})
}

// hasCosigned waits until the desk's newest cosignature on the log is of a size.
func (r *running) hasCosigned(size uint64) {
	r.w.t.Helper()
	until(r.w.t, fmt.Sprintf("size %d is cosigned", size), func() bool {
		sizes := r.w.cosigned(r.config.Country)
		return len(sizes) > 0 && sizes[len(sizes)-1] == size
	})
}

// alarmed waits for an alarm and returns it as the journal keeps it.
func (r *running) alarmed(code string) (have, got string) {
	r.w.t.Helper()
	until(r.w.t, "alarm "+code+" is raised", func() bool {
		all, err := r.journal.Alarms(context.Background())
		must(r.w.t, err)
		for _, a := range all {
			if a.Code == code {
				have, got = string(a.Have), string(a.Got)
				return true
			}
			r.w.t.Fatalf("alarm %s instead of %s: %s", a.Code, code, a.What)
		}
		return false
	})
	until(r.w.t, "the alarm is shown", func() bool { return r.Status().Alarm != "" })
	return have, got
}

func (r *running) entries() []view.Entry {
	r.w.t.Helper()
	entries, err := r.Reader().Entries(context.Background(), view.Filter{Limit: 1000})
	must(r.w.t, err)
	return entries
}

// verdicts are those of all entries, by log index.
func (r *running) verdicts() map[uint64]verdict.Code {
	r.w.t.Helper()
	got := map[uint64]verdict.Code{}
	for _, entry := range r.entries() {
		got[entry.Index] = entry.Verdict
	}
	return got
}

func (r *running) digest() event.Digest {
	r.w.t.Helper()
	digest, _, err := r.Reader().Digest(context.Background())
	must(r.w.t, err)
	return digest
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

var (
	police = event.Chain{Country: "XA", Agency: "police", Audience: "region"}
	border = event.Chain{Country: "XB", Agency: "border", Audience: "region"}
	pair   = event.Chain{Country: "XA", Agency: "police", Audience: "pair"}
)

func journalPath(directory string) string { return filepath.Join(directory, "journal.db") }
