package desk

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/auditor"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
)

// house is a world with the real hub and the real notary: everybody has their own
// credentials, and nothing is signed because the test says so.
type house struct {
	*world
	hub       *hub.Hub
	directory string // the hub's
	conns     map[string]*stream.Conn
}

func newHouse(t testing.TB) *house {
	t.Helper()
	book := registrytest.NewLog(t)
	directory := t.TempDir()
	h, err := hub.New(t.Context(), hub.Config{Directory: directory, Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: book.Charter})
	must(t, err)
	live(t, h.Run)
	n, err := notary.New(notary.Config{
		Directory: t.TempDir(), Charter: book.Charter, Key: registrytest.Key("notary"), Interval: time.Millisecond,
		Stream: stream.Config{URL: h.URL(), Credentials: h.Credentials(stream.NotaryUser), User: stream.NotaryUser},
	})
	must(t, err)
	live(t, n.Run)
	w := &world{t: t, charter: book.Charter, book: book, agency: map[string]event.Head{}}
	w.messages = []stream.Message{{Data: book.Charter.Message}} // the hub's own beginning
	return &house{world: w, hub: h, directory: directory, conns: map[string]*stream.Conn{}}
}

// live runs a role until the test ends.
func live(t testing.TB, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func (h *house) member(user string) stream.Config {
	return stream.Config{URL: h.hub.URL(), Credentials: h.hub.Credentials(user), User: user, Account: true}
}

// as is a connection with a user's own credentials.
func (h *house) as(user string) *stream.Conn {
	h.t.Helper()
	if h.conns[user] == nil {
		conn, err := stream.Dial(h.member(user))
		must(h.t, err)
		h.t.Cleanup(conn.Close)
		h.conns[user] = conn
	}
	return h.conns[user]
}

// open starts a desk at this hub.
func (h *house) open(country, directory string, change ...func(*Config)) *running {
	h.t.Helper()
	here := func(c *Config) { c.Stream = h.member(stream.DeskUser(country)) }
	return h.start(country, directory, append([]func(*Config){here}, change...)...)
}

// report publishes an honest event with its agency's credentials.
func (h *house) report(chain event.Chain) {
	h.t.Helper()
	messages, next := h.sign(chain, h.agency[chain.String()], h.draft("site.reported"))
	until(h.t, "the hub takes an event", func() bool {
		_, err := h.as(stream.PublisherUser(chain.Country, chain.Agency)).PublishBatch(h.t.Context(), messages)
		return err == nil
	})
	h.agency[chain.String()] = next
	h.messages = append(h.messages, messages...)
}

// size is how many messages there are.
func (h *house) size() uint64 { return uint64(len(h.messages)) }

// witnesses waits until desks know that all countries have cosigned all there is,
// and have all of it in their views.
func (h *house) witnesses(desks ...*running) {
	h.t.Helper()
	for _, d := range desks {
		until(h.t, fmt.Sprintf("all is witnessed at %s", d.config.Country), func() bool {
			caughtUp, err := d.CaughtUp(context.Background())
			return err == nil && caughtUp && d.Status().WitnessedSize == h.size() && len(d.Status().CosignedBy) == 3
		})
	}
}

// logRead are all messages of the log stream, as an auditor reads them.
func (h *house) logRead() []stream.Message {
	h.t.Helper()
	r, err := h.as(stream.AuditUser).Reader(h.t.Context(), stream.Log, stream.AuditUser)
	must(h.t, err)
	must(h.t, r.Reset(h.t.Context(), 1))
	var all []stream.Message
	for {
		fetched, err := r.Fetch(h.t.Context(), 1000, 200*time.Millisecond)
		must(h.t, err)
		if len(fetched) == 0 {
			return all
		}
		all = append(all, fetched...)
	}
}

// newest is the size that a country has cosigned last on the log.
func (h *house) newest(country string) (size uint64) {
	h.t.Helper()
	policies, err := h.book.State.Policies()
	must(h.t, err)
	for _, m := range h.logRead() {
		if m.Subject == stream.CosignPrefix+country {
			_, c, _, err := policies.OpenCosignature(m.Data)
			must(h.t, err)
			size = c.Size
		}
	}
	return size
}

// oneChain checks a country's cosignatures on the log: sizes only grow, and each
// has one signature, however often it was published.
func (h *house) oneChain(country string, log []stream.Message) {
	h.t.Helper()
	policies, err := h.book.State.Policies()
	must(h.t, err)
	last, note := translog.Checkpoint{}, ""
	for _, m := range log {
		if m.Subject != stream.CosignPrefix+country {
			continue
		}
		_, c, _, err := policies.OpenCosignature(m.Data)
		must(h.t, err)
		if c.Size < last.Size || c.Size == last.Size && string(m.Data) != note {
			h.t.Errorf("%s cosigned %d after %d, or a size twice", country, c.Size, last.Size)
		}
		last, note = c, string(m.Data)
	}
	if last.Size != h.size() {
		h.t.Errorf("%s has cosigned %d of %d", country, last.Size, h.size())
	}
}

// audit replays the log as an outsider, and holds each desk's view beside it.
func (h *house) audit(desks ...*running) {
	h.t.Helper()
	openers := map[string]audit.Opener{}
	for _, d := range desks {
		openers[d.config.Country] = d.Opener()
	}
	summary, err := auditor.Replay(h.t.Context(), auditor.Config{Charter: h.charter, Stream: h.member(stream.AuditUser), Openers: openers})
	must(h.t, err)
	same(h.t, "findings", []audit.Finding{}, summary.Findings)
	same(h.t, "accepted", h.size(), summary.Accepted)
	same(h.t, "log", h.size(), summary.LogSize)
	same(h.t, "witnessed", h.size(), summary.WitnessedSize)
	for _, d := range desks {
		own, err := d.Audited(h.t.Context())
		must(h.t, err)
		same(h.t, d.config.Country+" beside the audit", summary.Desks[d.config.Country], own)
		if !slices.Contains(summary.CosignedBy, d.config.Country) {
			h.t.Errorf("%s has not cosigned the newest witnessed size", d.config.Country)
		}
	}
}
