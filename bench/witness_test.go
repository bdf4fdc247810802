package bench

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/notary"
)

const (
	spacedEvents = 100 // more than the notary's interval apart
	bursts       = 10
	burstEvents  = 10 // one after the other, without a pause
	maxWitnessed = 50 * time.Millisecond
	interval     = 200 * time.Millisecond // the notary's default: within it, events share a checkpoint
)

// commit is one event that the hub has acknowledged.
type commit struct {
	index uint64
	at    time.Time
}

// voice is an agency that says one event at a time.
type voice struct {
	conn  *stream.Conn
	key   event.SigningKey
	chain event.Chain
	head  event.Head
}

func (h *house) voice() *voice {
	h.b.Helper()
	key, err := event.NewSigningKey(registrytest.Key("publisher XA/police"))
	must(h.b, err)
	return &voice{conn: h.dial(stream.PublisherUser("XA", "police")), key: key,
		chain: event.Chain{Country: "XA", Agency: "police", Audience: "region"}}
}

// say publishes an event that all three countries read and accept.
func (v *voice) say(b *testing.B) commit {
	b.Helper()
	content, err := proto.Marshal(&caseworkv1.CaseSection{
		Occurred: "2025-02-12", Source: "a visit", Marking: &caseworkv1.Marking{Purpose: "rescue", Tlp: caseworkv1.Tlp_TLP_AMBER},
		Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"}},
	})
	must(b, err)
	random := sha256.Sum256(fmt.Append(nil, v.head.Counter))
	signed, next, err := event.SignBatch(v.key, v.chain, v.head, event.Seen{}, []event.Draft{{
		ID: event.NextID(time.Now(), [10]byte(random[:10]), v.head.LastID), Kind: "site.reported", Retention: "case", Recorded: time.Now(),
		Sections: []event.Section{{Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: content}},
	}})
	must(b, err)
	sequence, err := v.conn.Publish(b.Context(), signed[0].Subject, signed[0].Data)
	must(b, err)
	v.head = next
	return commit{index: sequence - 1, at: time.Now()}
}

// complete starts the log's notary and all three desks, as they run in service.
func (h *house) complete() {
	h.b.Helper()
	n, err := notary.New(notary.Config{
		Directory: filepath.Join(h.directory, "notary"), Charter: h.charter, Key: registrytest.Key("notary"),
		Stream: h.connection(stream.NotaryUser),
	})
	must(h.b, err)
	h.run(n.Run)
	for _, country := range []string{"XA", "XB", "XC"} {
		d, err := desk.New(h.b.Context(), desk.Config{
			Country: country, Directory: filepath.Join(h.directory, country), Charter: h.charter,
			MirrorKey: registrytest.Key("mirror " + country), Stream: h.connection(stream.DeskUser(country)),
		})
		must(h.b, err)
		h.run(d.Run)
	}
	h.watch()
}

// BenchmarkWitnessed measures how long after an event's commit, which is the hub's
// fsynced acknowledgement, a follower of the log sees a checkpoint that covers it
// and that three countries have cosigned. Hub, notary and desks share the machine.
// An event that follows another within the notary's interval waits for its end. So
// the figure that must hold is that of single events, and for the others with the
// interval added; the median of all says how many were of which sort.
func BenchmarkWitnessed(b *testing.B) {
	describeMachine(b)
	h := newHouse(b, 3)
	h.complete()
	h.until(witnessed)
	v := h.voice()
	var spaced, burst []commit
	for range spacedEvents {
		<-time.After(250*time.Millisecond + rand.N(150*time.Millisecond))
		spaced = append(spaced, v.say(b))
	}
	for range bursts {
		<-time.After(250*time.Millisecond + rand.N(300*time.Millisecond))
		for range burstEvents {
			burst = append(burst, v.say(b))
		}
	}
	h.size = burst[len(burst)-1].index + 1
	h.until(witnessed)
	b.ReportMetric(0, "ns/op") // of no meaning here
	b.Logf("from an event's commit, in milliseconds:")
	single := h.report("spaced", spaced)
	among := h.report("in bursts", burst)
	h.report("all", append(spaced, burst...))
	if single > maxWitnessed {
		b.Errorf("half of the spaced events take more than %s, want at most %s", single, maxWitnessed)
	}
	if among > interval+maxWitnessed {
		b.Errorf("half of the events in bursts take more than %s, want at most the notary's interval and %s", among, maxWitnessed)
	}
}

// report logs how long each step took some events, and returns the median of the whole.
func (h *house) report(what string, events []commit) time.Duration {
	h.b.Helper()
	median := time.Duration(0)
	for _, step := range []string{byNotary, "XA", "XB", "XC", witnessed} {
		var took []time.Duration
		for _, e := range events {
			took = append(took, h.covered(step, e.index).Sub(e.at))
		}
		median = percentile(50, took)
		h.b.Logf("%3d events %-9s %-9s median %6.1f, p90 %6.1f, p99 %6.1f", len(events), what, step,
			milliseconds(median), milliseconds(percentile(90, took)), milliseconds(percentile(99, took)))
	}
	h.b.ReportMetric(milliseconds(median), strings.ReplaceAll(what, " ", "-")+"-ms")
	return median
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// covered is when somebody's word first covered an event.
func (h *house) covered(who string, index uint64) time.Time {
	h.b.Helper()
	for _, n := range h.heard {
		if n.who == who && n.size > index {
			return n.at
		}
	}
	h.b.Fatalf("%s has never covered event %d", who, index)
	return time.Time{}
}
