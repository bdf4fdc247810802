package pilot_test

import (
	"cmp"
	"context"
	"crypto/hpke"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/publisher"
)

// house is some of a pilot's roles, run on its directory without the others. What is
// set before it is opened is how they run.
type house struct {
	t        testing.TB
	data     string
	charter  registry.Charter
	shares   hub.Shares
	log      *slog.Logger                 // of all roles; nil: silent
	way      func(url string) string      // to the hub; nil: straight
	open     map[string][]hpke.PrivateKey // desks' opening keys
	patience time.Duration                // of a story; 0: three minutes

	hub      *hub.Hub
	desks    map[string]*desk.Desk
	consoles map[string]*console.Console
	clients  map[string]publisherv1connect.PublisherServiceClient
	urls     map[string]string // of publishers
}

// without runs the hub, the desks of countries and the publishers of agencies, and
// no notary, until the story ends.
func without(t *testing.T, data string, parties []string, story func(ctx context.Context, h *house)) {
	t.Helper()
	houseOf(t, data).with(parties, story)
}

func houseOf(t testing.TB, data string) *house {
	t.Helper()
	message, err := os.ReadFile(filepath.Join(data, "charter"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, data: data, way: func(url string) string { return url }}
	if h.charter, err = registry.OpenCharter(message); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) with(parties []string, story func(ctx context.Context, h *house)) {
	t := h.t
	t.Helper()
	h.desks, h.consoles = map[string]*desk.Desk{}, map[string]*console.Console{}
	h.clients, h.urls = map[string]publisherv1connect.PublisherServiceClient{}, map[string]string{}
	var err error
	h.hub, err = hub.New(t.Context(), hub.Config{
		Directory: filepath.Join(h.data, "hub"), Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: h.charter, Shares: h.shares, Logger: h.log})
	if err != nil {
		t.Fatal(err)
	}
	roles := []daemon.Role{{Name: "hub", Run: h.hub.Run}}
	for _, party := range parties {
		if country, agency, ok := strings.Cut(party, "/"); ok {
			roles = append(roles, h.publisher(country, agency))
		} else if party == "notary" {
			roles = append(roles, h.notary())
		} else {
			roles = append(roles, h.desk(party))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(h.patience, 3*time.Minute))
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- daemon.Run(ctx, roles...) }()
	story(ctx, h)
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func (h *house) connection(user string) stream.Config {
	return stream.Config{URL: h.way(h.hub.URL()), Credentials: h.hub.Credentials(user), User: user, Account: true, Logger: h.log}
}

func (h *house) notary() daemon.Role {
	h.t.Helper()
	directory := filepath.Join(h.data, "notary")
	key, err := keyfile.Load(filepath.Join(directory, "notary.key"), keyfile.Unsealed)
	if err != nil {
		h.t.Fatal(err)
	}
	there := h.connection(stream.NotaryUser)
	there.Account = false
	n, err := notary.New(notary.Config{Directory: directory, Charter: h.charter, Key: key, Stream: there, Logger: h.log})
	if err != nil {
		h.t.Fatal(err)
	}
	return daemon.Role{Name: "notary", Run: n.Run}
}

func (h *house) desk(country string) daemon.Role {
	h.t.Helper()
	directory := filepath.Join(h.data, "desks", country)
	key, err := keyfile.Load(filepath.Join(directory, "mirror.key"), keyfile.Unsealed)
	if err != nil {
		h.t.Fatal(err)
	}
	h.desks[country], err = desk.New(h.t.Context(), desk.Config{
		Country: country, Directory: directory, Charter: h.charter, MirrorKey: key, Stream: h.connection(stream.DeskUser(country)),
		OpeningKeys: h.open[country], Logger: h.log, Listen: "127.0.0.1:0",
		Console: func(d *desk.Desk) (http.Handler, error) {
			pages, err := d.Pages()
			h.consoles[country] = pages
			return pages, err
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return daemon.Role{Name: "desk " + country, Run: h.desks[country].Run}
}

func (h *house) publisher(country, agency string) daemon.Role {
	h.t.Helper()
	directory := filepath.Join(h.data, "publishers", country+"-"+agency)
	key, err := keyfile.Load(filepath.Join(directory, "publisher.key"), keyfile.Unsealed)
	if err != nil {
		h.t.Fatal(err)
	}
	p, err := publisher.New(h.t.Context(), publisher.Config{
		Country: country, Agency: agency, Directory: directory, Charter: h.charter, Key: key,
		Stream: h.connection(stream.PublisherUser(country, agency)), Listen: "127.0.0.1:0", Token: "a token", Logger: h.log,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.urls[country+"/"+agency] = p.URL()
	h.clients[country+"/"+agency] = publisher.NewClient(p.URL(), "a token")
	return daemon.Role{Name: "publisher " + country + "/" + agency, Run: p.Run}
}

// says hands reports to a publisher and waits until so many are not stored by the hub.
func (h *house) says(ctx context.Context, agency string, waiting uint64, keys ...string) {
	h.t.Helper()
	var reports []*caseworkv1.Report
	for _, key := range keys {
		reports = append(reports, report(key))
	}
	if _, err := h.clients[agency].Publish(ctx, &publisherv1.PublishRequest{Reports: reports}); err != nil {
		h.t.Fatal(err)
	}
	h.until(ctx, agency+" has stored all", func() bool {
		status, err := h.clients[agency].GetStatus(ctx, &publisherv1.GetStatusRequest{})
		if err != nil {
			h.t.Fatal(err)
		}
		return status.GetWaiting() == waiting
	})
}

// has waits until a desk's view goes up to a log index.
func (h *house) has(ctx context.Context, country string, index uint64) {
	h.t.Helper()
	h.until(ctx, "desk "+country+" has it", func() bool {
		cursor, err := h.desks[country].Reader().Cursor(ctx)
		if err != nil {
			h.t.Fatal(err)
		}
		return cursor.Index >= index
	})
}

func (h *house) until(ctx context.Context, what string, holds func() bool) {
	h.t.Helper()
	for tick := time.NewTicker(10 * time.Millisecond); !holds(); {
		select {
		case <-ctx.Done():
			h.t.Fatalf("waiting until %s: %v", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// stored are all messages of the running hub's event stream, straight from it: past
// publishers, desks and audit.
func (h *house) stored(ctx context.Context) []stream.Message {
	h.t.Helper()
	conn, err := stream.Dial(h.connection(stream.AuditUser))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	reader, err := conn.Reader(ctx, stream.Events, stream.AuditUser)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := reader.Reset(ctx, 1); err != nil {
		h.t.Fatal(err)
	}
	pending, err := reader.Pending(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	var all []stream.Message
	for uint64(len(all)) < pending { // an empty answer only says that the hub is slow
		messages, err := reader.Fetch(ctx, 500, time.Second)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, messages...)
	}
	return all
}
