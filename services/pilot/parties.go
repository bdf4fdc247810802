package pilot

import (
	"context"
	"crypto/hpke"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/publisher"
)

// parties are the publishers and desks that run here. They become more while the
// pilot runs: whose keys lie in the data directory, and whom the hub lets in,
// takes part.
type parties struct {
	mu         sync.Mutex
	publishers map[voice]*publisher.Publisher
	clients    map[voice]publisherv1connect.PublisherServiceClient
	desks      map[string]*desk.Desk
	consoles   map[string]*console.Console
}

func (p *parties) client(v voice) (publisherv1connect.PublisherServiceClient, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	client, ok := p.clients[v]
	return client, ok
}

// courier hands a desk's receipts of recalls to the first agency of its country that takes part.
type courier struct {
	parties *parties
	country string
}

// Publish hands reports over.
func (c courier) Publish(ctx context.Context, request *publisherv1.PublishRequest) (*publisherv1.PublishResponse, error) {
	clients := c.parties.allClients()
	voices := slices.SortedFunc(maps.Keys(clients), func(a, b voice) int { return strings.Compare(a.String(), b.String()) })
	for _, v := range voices {
		if v.Country == c.country {
			return clients[v].Publish(ctx, request)
		}
	}
	return nil, fmt.Errorf("no agency of %s takes part", c.country)
}

func (p *parties) allClients() map[voice]publisherv1connect.PublisherServiceClient {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.clients)
}

func (p *parties) allDesks() map[string]*desk.Desk {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.desks)
}

func (p *parties) addPublisher(v voice, opened *publisher.Publisher, client publisherv1connect.PublisherServiceClient) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.publishers == nil {
		p.publishers, p.clients = map[voice]*publisher.Publisher{}, map[voice]publisherv1connect.PublisherServiceClient{}
	}
	p.publishers[v], p.clients[v] = opened, client
}

func (p *parties) addDesk(country string, opened *desk.Desk, pages *console.Console) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.desks == nil {
		p.desks, p.consoles = map[string]*desk.Desk{}, map[string]*console.Console{}
	}
	p.desks[country], p.consoles[country] = opened, pages
}

// signIn makes a link to a desk's console.
func (p *parties) signIn(country string, officer console.Officer) (Console, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	link, err := p.consoles[country].SignInLink(officer)
	url := p.desks[country].URL()
	return Console{Country: country, Role: officer.Role, URL: url, SignIn: url + link}, err
}

// running says where everything listens.
func (p *parties) running(hub string) Running {
	p.mu.Lock()
	defer p.mu.Unlock()
	running := Running{Process: os.Getpid(), Hub: hub, Publishers: map[string]string{}, Desks: map[string]string{}}
	for v, opened := range p.publishers {
		running.Publishers[v.String()] = opened.URL()
	}
	for country, opened := range p.desks {
		running.Desks[country] = opened.URL()
	}
	return running
}

// lookOut is how often the pilot looks for newcomers.
const lookOut = 300 * time.Millisecond

// welcome starts those who come while the pilot runs.
func (p *Pilot) welcome(ctx context.Context, told func(Console)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended, running := make(chan error), 0
	var failures []error
	ticker := time.NewTicker(lookOut)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case err := <-ended:
			running--
			failures = append(failures, err)
			cancel()
		case <-ticker.C:
			before := p.parties.allDesks()
			roles, err := p.openParties(ctx)
			if err != nil {
				failures = append(failures, err)
				cancel()
			}
			for _, role := range roles {
				running++
				go func() { ended <- role.Run(ctx) }()
			}
			for country := range p.parties.allDesks() {
				if before[country] == nil && told != nil {
					if err := p.tell(told, country); err != nil {
						failures = append(failures, err)
						cancel()
					}
				}
			}
		}
	}
	for range running {
		failures = append(failures, <-ended)
	}
	return errors.Join(failures...)
}

// tell hands on a link for each officer to a desk that has come.
func (p *Pilot) tell(told func(Console), country string) error {
	for _, officer := range p.officers {
		link, err := p.parties.signIn(country, officer)
		if err != nil {
			return err
		}
		told(link)
	}
	return nil
}

// openParties opens every publisher and desk that is here, may connect and is not
// open yet. Founders are opened whether they may still connect or not.
func (p *Pilot) openParties(ctx context.Context) ([]daemon.Role, error) {
	var roles []daemon.Role
	for _, v := range p.layout.voices() {
		if _, open := p.parties.client(v); open || !p.takesPart(v.Country, stream.PublisherUser(v.Country, v.Agency)) {
			continue
		}
		role, err := p.openPublisher(ctx, v)
		if err != nil {
			return roles, err
		}
		roles = append(roles, role)
	}
	desks := p.parties.allDesks()
	for _, country := range p.layout.countries() {
		if desks[country] != nil || !p.takesPart(country, stream.DeskUser(country)) {
			continue
		}
		role, err := p.openDesk(ctx, country)
		if err != nil {
			return roles, err
		}
		roles = append(roles, role)
	}
	if len(roles) == 0 {
		return nil, nil
	}
	return roles, p.parties.running(p.hub.URL()).write(p.layout)
}

func (p *Pilot) takesPart(country, user string) bool {
	if _, err := os.Stat(p.layout.credentials(user)); err == nil {
		return true
	}
	state, err := p.charter.State()
	return err == nil && slices.Contains(state.Countries(), country)
}

func (p *Pilot) openPublisher(ctx context.Context, v voice) (daemon.Role, error) {
	key, err := keyfile.Load(p.layout.publisherKey(v), keyfile.Unsealed)
	if err != nil {
		return daemon.Role{}, err
	}
	token, err := readToken(p.layout, v)
	if err != nil {
		return daemon.Role{}, err
	}
	opened, err := publisher.New(ctx, publisher.Config{
		Country: v.Country, Agency: v.Agency, Directory: p.layout.publisher(v), Charter: p.charter, Key: key,
		Stream: p.layout.connection(p.hub.URL(), stream.PublisherUser(v.Country, v.Agency)),
		Listen: loopback, Token: token, Logger: p.log.With("role", "publisher "+v.String()),
	})
	if err != nil {
		return daemon.Role{}, err
	}
	p.parties.addPublisher(v, opened, publisher.NewClient(opened.URL(), token))
	return daemon.Role{Name: "publisher " + v.String(), Run: opened.Run}, nil
}

func (p *Pilot) openDesk(ctx context.Context, country string) (daemon.Role, error) {
	key, err := keyfile.Load(p.layout.mirrorKey(country), keyfile.Unsealed)
	if err != nil {
		return daemon.Role{}, err
	}
	openings, err := p.layout.loadOpenings(country)
	if err != nil {
		return daemon.Role{}, err
	}
	var pages *console.Console
	opened, err := desk.New(ctx, desk.Config{
		Country: country, Directory: p.layout.desk(country), Charter: p.charter, MirrorKey: key, OpeningKeys: openings,
		Publisher: courier{&p.parties, country},
		Voice: func(agency string) desk.Voice {
			if client, ok := p.parties.client(voice{country, agency}); ok {
				return client
			}
			return nil
		},
		Stream: p.layout.connection(p.hub.URL(), stream.DeskUser(country)), Listen: loopback,
		Logger: p.log.With("role", "desk "+country),
		Console: func(d *desk.Desk) (http.Handler, error) {
			pages, err = d.Pages()
			return pages, err
		},
	})
	if err != nil {
		return daemon.Role{}, err
	}
	p.parties.addDesk(country, opened, pages)
	return daemon.Role{Name: "desk " + country, Run: opened.Run}, nil
}

// loadOpenings are a desk's opening keys; none where nobody has made any: a pilot of
// before has none.
func (l Layout) loadOpenings(country string) ([]hpke.PrivateKey, error) {
	keys, err := keyfile.LoadOpenings(l.openings(country), keyfile.Unsealed)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return keys, err
}

// Console is one desk's console, with a link that signs one person in, once.
type Console struct{ Country, Role, URL, SignIn string }

// Consoles makes a sign-in link to each console, in the order of the countries.
func (p *Pilot) Consoles(officer console.Officer) ([]Console, error) {
	var all []Console
	for _, country := range p.countries() {
		one, err := p.parties.signIn(country, officer)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// voices are the agencies whose keys lie here, in a fixed order.
func (l Layout) voices() []voice {
	var all []voice
	keys, _ := filepath.Glob(l.publisherKey(voice{"*", "*"})) // the pattern is good
	for _, key := range keys {
		country, agency, ok := strings.Cut(filepath.Base(filepath.Dir(key)), "-")
		if ok {
			all = append(all, voice{country, agency})
		}
	}
	return all
}

// countries are those whose desks' keys lie here, in a fixed order.
func (l Layout) countries() []string {
	var all []string
	keys, _ := filepath.Glob(l.mirrorKey("*")) // the pattern is good
	for _, key := range keys {
		all = append(all, filepath.Base(filepath.Dir(key)))
	}
	return all
}

// everybody are the agencies and countries that have a part here: those that the
// charter names, whether anything of theirs is left or not, and those whose keys lie
// here. Both in a fixed order.
func (l Layout) everybody(charter registry.Charter) (voices []voice, countries []string, err error) {
	state, err := charter.State()
	if err != nil {
		return nil, nil, err
	}
	voices, countries = l.voices(), append(l.countries(), state.Countries()...)
	for _, a := range state.Agencies() {
		voices = append(voices, voice{a.Country, a.ID})
	}
	slices.SortFunc(voices, func(a, b voice) int { return strings.Compare(a.String(), b.String()) })
	slices.Sort(countries)
	return slices.Compact(voices), slices.Compact(countries), nil
}
