package hub_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/hub"
)

// external runs a server of its own on the files, with streams and consumers made from them.
func external(t *testing.T, directory string) string {
	t.Helper()
	options, err := server.ProcessConfigFile(filepath.Join(directory, "nats-server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	options.Host, options.Port, options.NoSigs, options.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("not ready")
	}
	nc, err := nats.Connect(s.ClientURL(), nats.UserCredentials(filepath.Join(directory, "credentials", "hub.creds")), nats.CustomInboxPrefix("_INBOX.hub"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range readJSON[[]jetstream.StreamConfig](t, filepath.Join(directory, "streams.json")) {
		if _, err := js.CreateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range readJSON[[]struct {
		Stream string                   `json:"stream_name"`
		Config jetstream.ConsumerConfig `json:"config"`
	}](t, filepath.Join(directory, "consumers.json")) {
		if _, err := js.CreateConsumer(t.Context(), c.Stream, c.Config); err != nil {
			t.Fatal(err)
		}
	}
	return s.ClientURL()
}

func readJSON[T any](t *testing.T, path string) T {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// The files make a server of somebody else's enforce what the embedded one does.
func TestExternalClusterEnforcesTheSame(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	state := registrytest.NewLog(t).State
	if err := hub.WriteConfig(directory, filepath.Join(directory, "broker.key"), keyfile.Unsealed, state); err != nil {
		t.Fatal(err)
	}
	url := external(t, directory)
	connect := func(user string) *stream.Conn {
		conn, err := stream.Dial(stream.Config{URL: url, User: user, Account: stream.InMemberAccount(user), Credentials: filepath.Join(directory, "credentials", user+".creds")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		return conn
	}
	police := connect(stream.PublisherUser("XA", "police"))
	if !publishes(police, "evt.pair.XA.police.site.reported") || !publishes(police, "evt.region.XA.police.site.reported") {
		t.Error("a publisher cannot publish")
	}
	for _, subject := range []string{"evt.region.XA.border.site.reported", "evt.region.XB.police.site.reported", "evt.other.XA.police.site.reported", "reg.key.revoked"} {
		if publishes(police, subject) {
			t.Errorf("a publisher publishes on %s", subject)
		}
	}
	for _, user := range []string{stream.NotaryUser, stream.StandbyUser} {
		if diff := cmp.Diff([]uint64{1, 2}, sequences(t, reader(t, connect(user), stream.Events, user), 2)); diff != "" {
			t.Errorf("%s reads (-want +got):\n%s", user, diff)
		}
	}
	const short = "key.region.XA.police.short"
	if _, err := police.PutRecord(t.Context(), short, []byte("a key record"), 0, time.Second); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- hub.Erase(ctx, url, filepath.Join(directory, "credentials", "hub.creds"), slog.New(slog.DiscardHandler))
	}()
	until(t, "an expired record is overwritten", func() bool {
		_, err := police.PutRecord(t.Context(), short, []byte("another"), 0, time.Hour) // only where there is none
		return err == nil
	})
	if cancel(); <-ended != nil {
		t.Error("erasing has failed")
	}
	for country, want := range map[string][]uint64{"XB": {1, 2}, "XC": {2}} {
		desk := stream.DeskUser(country)
		if diff := cmp.Diff(want, sequences(t, reader(t, connect(desk), stream.Events, desk), len(want))); diff != "" {
			t.Errorf("%s reads (-want +got):\n%s", desk, diff)
		}
	}
}

// account reads what the files say of an account, without times and signatures.
func accounts(t *testing.T, directory string) map[string]*jwt.AccountClaims {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "accounts", "*.jwt"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*jwt.AccountClaims{}
	for _, file := range files {
		token, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := jwt.DecodeAccountClaims(string(token))
		if err != nil {
			t.Fatal(err)
		}
		claims.IssuedAt, claims.ID = 0, ""
		found[claims.Name] = claims
	}
	return found
}

// The derivation is a function of secret and state: two hubs derive the same, and
// a change of the registry changes what it is about and nothing else.
func TestDerivationIsDeterministic(t *testing.T) {
	t.Parallel()
	one, other := t.TempDir(), t.TempDir()
	secret := filepath.Join(t.TempDir(), "broker.key")
	l := registrytest.NewLog(t)
	write := func(directory string, state registry.State) map[string]*jwt.AccountClaims {
		if err := hub.WriteConfig(directory, secret, keyfile.Unsealed, state); err != nil {
			t.Fatal(err)
		}
		return accounts(t, directory)
	}
	before := write(one, l.State)
	if diff := cmp.Diff(before, write(other, l.State)); diff != "" {
		t.Errorf("two hubs differ:\n%s", diff)
	}
	l.Apply(t, registrytest.RevokeKey(registrytest.AgencyOwner("XA", "police"), 0), "root XA")
	after := write(other, l.State)
	var changed []string
	for name := range after {
		if !cmp.Equal(before[name], after[name]) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	if diff := cmp.Diff([]string{"XA"}, changed); diff != "" {
		t.Errorf("accounts that changed (-want +got):\n%s", diff)
	}
}
