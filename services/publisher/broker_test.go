package publisher

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
)

// broker is a real server with the streams and consumers that a hub makes. What
// each user may do is the hub's own test; here every user that is admitted may do all.
type broker struct {
	t       testing.TB
	server  *server.Server
	options *server.Options
	admin   *nats.Conn
	js      jetstream.JetStream
}

const password = "a password for tests"

// startBroker serves a directory at a host:port until the returned function ends it.
func startBroker(t testing.TB, directory, listen string, users ...string) (*broker, func()) {
	t.Helper()
	host, portText, err := net.SplitHostPort(listen)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	b := &broker{t: t, options: &server.Options{
		ServerName: "tripoint-hub", Host: host, Port: port, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: directory, SyncAlways: true, MaxPayload: 4 << 20,
	}}
	for _, user := range append(users, "admin") {
		b.options.Users = append(b.options.Users, &server.User{Username: user, Password: password})
	}
	if b.server, err = server.NewServer(b.options.Clone()); err != nil {
		t.Fatal(err)
	}
	b.server.Start()
	if !b.server.ReadyForConnections(20 * time.Second) {
		t.Fatal("the broker is not ready")
	}
	b.options.Port = b.server.Addr().(*net.TCPAddr).Port
	if b.admin, err = nats.Connect(b.server.ClientURL(), nats.UserInfo("admin", password), nats.Timeout(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if b.js, err = jetstream.New(b.admin); err != nil {
		t.Fatal(err)
	}
	b.provide(users)
	return b, func() {
		b.admin.Close()
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
}

func (b *broker) provide(users []string) {
	b.t.Helper()
	for _, settings := range stream.Settings() {
		name := settings.Name
		if _, err := b.js.CreateOrUpdateStream(patient(b.t), settings); err != nil {
			b.t.Fatal(err)
		}
		if name == stream.Keys {
			continue // who reads it is a test's own business
		}
		for _, user := range users {
			filters := map[string][]string{stream.Events: {"reg.>"}, stream.Log: {"log.>"}}[name]
			if name == stream.Events && (user == stream.NotaryUser || user == stream.AuditUser) {
				filters = []string{">"}
			}
			for _, agency := range []string{"XA.police", "XA.border", "XD.police"} {
				country, id, _ := strings.Cut(agency, ".")
				if name == stream.Events && user == stream.PublisherUser(country, id) {
					filters = append(filters, "evt.*."+agency+".>")
				}
			}
			_, err := b.js.CreateOrUpdateConsumer(patient(b.t), name, jetstream.ConsumerConfig{
				Durable: user, FilterSubjects: filters,
				DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckAllPolicy, MaxAckPending: 1 << 16,
			})
			if err != nil {
				b.t.Fatal(err)
			}
		}
	}
}

// found makes the charter the first message, where there is none.
func (b *broker) found(charter registry.Charter) {
	b.t.Helper()
	events, err := b.js.Stream(patient(b.t), stream.Events)
	if err != nil {
		b.t.Fatal(err)
	}
	if events.CachedInfo().State.LastSeq == 0 {
		b.submit(registry.FoundingSubject, charter.Message)
	}
}

// submit puts a message into the stream and returns its log index.
func (b *broker) submit(subject string, data []byte) uint64 {
	b.t.Helper()
	ack, err := b.js.Publish(patient(b.t), subject, data)
	if err != nil {
		b.t.Fatal(err)
	}
	return ack.Sequence - 1
}

// expel ends a user's connections and admits it no more.
func (b *broker) expel(user string) {
	b.t.Helper()
	next := b.options.Clone()
	next.Users = nil
	for _, u := range b.options.Users {
		if u.Username != user {
			next.Users = append(next.Users, u)
		}
	}
	b.options = next
	if err := b.server.ReloadOptions(next.Clone()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *broker) config(user string) stream.Config {
	at := url.URL{Scheme: "nats", User: url.UserPassword(user, password), Host: b.address()}
	return stream.Config{URL: at.String(), User: user}
}

func (b *broker) address() string {
	return net.JoinHostPort(b.options.Host, strconv.Itoa(b.options.Port))
}

// patient is a context for a machine under load.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
