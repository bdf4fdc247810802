package pilot_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/second"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/auditor"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/publisher"
)

// pair is a log whose notary and one publisher have second keys: hub, notary,
// publisher and three desks, each with its own directory and connection.
type pair struct {
	t       *testing.T
	charter registry.Charter
	hub     *hub.Hub
	client  publisherv1connect.PublisherServiceClient
	desks   map[string]*desk.Desk // by country
	notary  string                // its directory
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, charter: Sign(t, SecondFounding()), desks: map[string]*desk.Desk{}, notary: t.TempDir()}
	var err error
	p.hub, err = hub.New(t.Context(), hub.Config{Directory: t.TempDir(), Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: p.charter})
	p.must(err)
	p.runs(daemon.Role{Name: "hub", Run: p.hub.Run})
	for _, country := range []string{"XA", "XB", "XC"} {
		d, err := desk.New(t.Context(), desk.Config{
			Country: country, Directory: t.TempDir(), Charter: p.charter, MirrorKey: Key("mirror " + country), Stream: p.as(stream.DeskUser(country)),
		})
		p.must(err)
		p.desks[country] = d
		p.runs(daemon.Role{Name: country, Run: d.Run})
	}
	says, err := publisher.New(t.Context(), publisher.Config{
		Country: "XA", Agency: "police", Directory: t.TempDir(), Charter: p.charter, Key: Key("publisher XA/police"),
		SecondKeys: []*second.Key{Second("publisher XA/police")},
		Stream:     p.as(stream.PublisherUser("XA", "police")), Listen: "127.0.0.1:0", Token: "a token",
	})
	p.must(err)
	p.runs(daemon.Role{Name: "publisher", Run: says.Run})
	p.client = publisher.NewClient(says.URL(), "a token")
	return p
}

func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) as(user string) stream.Config {
	return stream.Config{URL: p.hub.URL(), Credentials: p.hub.Credentials(user), User: user, Account: stream.InMemberAccount(user)}
}

// runs runs a role until the test or stop ends it.
func (p *pair) runs(role daemon.Role) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- role.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("%s: %v", role.Name, err)
		}
	})
	p.t.Cleanup(stop)
	return stop
}

// notarises runs the notary with both keys.
func (p *pair) notarises() (stop func()) {
	p.t.Helper()
	return p.runs(daemon.Role{Name: "notary", Run: p.newNotary().Run})
}

func (p *pair) newNotary() *notary.Notary {
	p.t.Helper()
	n, err := notary.New(notary.Config{
		Directory: p.notary, Charter: p.charter, Key: Key("notary"), SecondKeys: []*second.Key{Second("notary")},
		Stream: p.as(stream.NotaryUser), Interval: 10 * time.Millisecond,
	})
	p.must(err)
	return n
}

// says hands reports in and waits until so many are witnessed.
func (p *pair) says(witnessed uint64, keys ...string) {
	p.t.Helper()
	p.hands(keys...)
	p.until("what the police say is witnessed", func() bool {
		status, err := p.client.GetStatus(p.t.Context(), &publisherv1.GetStatusRequest{})
		p.must(err)
		return status.GetWitnessed() >= witnessed && status.GetHalted() == ""
	})
}

// hands hands reports in and waits until the hub has stored them.
func (p *pair) hands(keys ...string) {
	p.t.Helper()
	var reports []*caseworkv1.Report
	for _, key := range keys {
		reports = append(reports, report(key))
	}
	_, err := p.client.Publish(p.t.Context(), &publisherv1.PublishRequest{Reports: reports})
	p.must(err)
	p.until("what the police say is stored", func() bool {
		status, err := p.client.GetStatus(p.t.Context(), &publisherv1.GetStatusRequest{})
		p.must(err)
		return status.GetWaiting() == 0
	})
}

func (p *pair) until(what string, holds func() bool) {
	p.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case <-deadline:
			p.t.Fatalf("waiting until %s", what)
		case <-tick.C:
		}
	}
}

func (p *pair) audits() audit.Summary {
	p.t.Helper()
	summary, err := auditor.Replay(p.t.Context(), auditor.Config{Charter: p.charter, Stream: p.as(stream.AuditUser)})
	p.must(err)
	return summary
}

func codes(s audit.Summary) []string {
	var found []string
	for _, f := range s.Findings {
		found = append(found, f.Code)
	}
	return found
}

// thief is whoever holds an agency's Ed25519 key and its connection, and no second key of its.
func (p *pair) thief(head event.Head, own *second.Key) []stream.Message {
	p.t.Helper()
	key, err := event.NewSigningKey(Key("publisher XA/police"))
	p.must(err)
	key.Second = own
	content, err := proto.Marshal(report("forged").GetCase())
	p.must(err)
	drafts := []event.Draft{{
		ID: event.NextID(time.Now(), [10]byte{1}, head.LastID), Kind: "transfer.released", Retention: "case", Recorded: time.Now(),
		Sections: []event.Section{{Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: content}},
	}}
	signed, _, err := event.SignBatch(key, event.Chain{Country: "XA", Agency: "police", Audience: "region"}, head, event.Seen{}, drafts)
	p.must(err)
	return []stream.Message{{Subject: signed[0].Subject, Data: signed[0].Data}}
}

// With second keys enrolled all roles work together, and the audit is clean.
func TestSecondKeysFromEndToEnd(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.notarises()
	p.says(3, "one", "two", "three")
	p.says(4, "four")
	summary := p.audits()
	if len(summary.Findings) != 0 || summary.Accepted != 5 || summary.WitnessedSize != 5 {
		t.Errorf("%d accepted, %d witnessed, findings %v", summary.Accepted, summary.WitnessedSize, summary.Findings)
	}
}

// E13: the agency's Ed25519 key is broken. The forger has that key and the agency's
// connection; nothing that he says is accepted by anybody, and what the agency says is,
// before and after.
func TestAdversary_E13_BrokenPublisherKey(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.notarises()
	p.says(2, "one", "two")
	conn, err := stream.Dial(p.as(stream.PublisherUser("XA", "police")))
	p.must(err)
	defer conn.Close()
	for _, own := range []*second.Key{nil, Second("thief")} {
		_, err = conn.PublishBatch(t.Context(), p.thief(event.Head{}, own))
		p.must(err)
	}
	p.says(4, "three", "four")
	summary := p.audits()
	if summary.Accepted != 5 || summary.Verdicts["bad-signature"] != 2 || summary.WitnessedSize != 7 {
		t.Errorf("%d accepted, %d witnessed, verdicts %v", summary.Accepted, summary.WitnessedSize, summary.Verdicts)
	}
	if found := codes(summary); !slices.Equal(found, []string{"bad-signature", "bad-signature"}) {
		t.Errorf("findings %v", summary.Findings)
	}
}

// E13: the notary's Ed25519 key is broken. Leaves under a checkpoint with that
// signature alone, or with another second one, are an alarm at every desk and a finding
// of the audit; nobody cosigns them.
func TestAdversary_E13_BrokenNotaryKey(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	stop := p.notarises()
	p.says(2, "one", "two")
	stop()
	p.hands("three") // stored, and in no checkpoint
	conn, err := stream.Dial(p.as(stream.NotaryUser))
	p.must(err)
	defer conn.Close()
	newest, _, err := conn.Newest(t.Context(), stream.Log, stream.LeavesSubject)
	p.must(err)
	honest := &logv1.Leaves{}
	p.must(proto.Unmarshal(newest.Data, honest))
	size := honest.GetStart() + uint64(len(honest.GetHashes())/32)
	forger, err := translog.NewNotary(Origin, Key("notary"))
	p.must(err)
	for _, signer := range []*translog.Notary{forger, forger.WithSecond(Second("thief"))} {
		leaf := translog.LeafHash(size, "evt.region.XA.police.site.reported", []byte("what nobody said"))
		note, err := signer.Sign(translog.Checkpoint{Origin: Origin, Size: size + 1, Root: translog.Hash{1}})
		p.must(err)
		data, err := proto.Marshal(&logv1.Leaves{Start: size, Hashes: leaf[:], Labels: []uint32{0}, Audiences: []string{"region"}, Checkpoint: note})
		p.must(err)
		_, err = conn.Publish(t.Context(), stream.LeavesSubject, data)
		p.must(err)
	}
	for country, d := range p.desks {
		p.until("the desk of "+country+" has noticed", func() bool { return d.Status().AlarmCode == desk.AlarmUnreadable })
	}
	summary := p.audits()
	if summary.WitnessedSize != size || summary.LogSize != size || summary.Accepted != 4 {
		t.Errorf("log of %d, %d witnessed, want %d; %d accepted", summary.LogSize, summary.WitnessedSize, size, summary.Accepted)
	}
	if found := codes(summary); !slices.Equal(found, []string{audit.FindingLeaves, audit.FindingLeaves}) {
		t.Errorf("findings %v", summary.Findings)
	}
	// The notary that comes back finds what it has not signed, and says so.
	if err := p.newNotary().Run(t.Context()); !errors.Is(err, notary.ErrAltered) {
		t.Errorf("the notary: %v", err)
	}
}
