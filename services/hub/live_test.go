package hub_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
	"github.com/tripoint/tripoint/services/hub"
)

const deadline = time.Minute

// world is a hub and the registry as this test knows it.
type world struct {
	*hub.Hub
	t       *testing.T
	log     *registrytest.Log
	stopHub func()
}

func found(t *testing.T) *world {
	t.Helper()
	h, stop := start(t, t.TempDir())
	return &world{Hub: h, t: t, log: registrytest.NewLog(t), stopHub: stop}
}

// submit hands an update in as XA's registrar does.
func (w *world) submit(change *registryv1.Update, signers ...string) uint64 {
	w.t.Helper()
	subject, message := w.log.Message(w.t, change, signers...)
	sequence, err := dial(w.t, w.Hub, stream.RegistrarUser("XA")).Publish(w.t.Context(), subject, message)
	if err != nil {
		w.t.Fatal(err)
	}
	w.log.Next = sequence - 1
	return w.log.Take(w.t, subject, message)
}

// until polls, in real time: the broker is another party.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	end := time.After(deadline)
	for !condition() {
		select {
		case <-ticker.C:
		case <-end:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// publishes tries one message with a short patience.
func publishes(conn *stream.Conn, subject string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := conn.Publish(ctx, subject, []byte("x"))
	return err == nil
}

func (w *world) hasCredentials(user string) bool {
	_, err := os.Stat(w.Credentials(user))
	return err == nil
}

// A new country publishes and reads within seconds of its admission, from there on.
func TestCountryThatJoins(t *testing.T) {
	t.Parallel()
	w := found(t)
	police := dial(t, w.Hub, stream.PublisherUser("XA", "police"))
	if !publishes(police, "evt.region.XA.police.site.reported") {
		t.Fatal("a founder cannot publish")
	}
	roots := []string{"root XA", "root XB", "root XC"}
	w.submit(registrytest.Admit("XD"), append(roots, "root XD", "mirror XD")...)
	w.submit(registrytest.Enrol("XD", "police"), "root XD", "publisher XD/police")
	joined := w.submit(registrytest.Join("region", "XD"), append(roots, "root XD")...)
	began := time.Now()
	until(t, "XD has credentials", func() bool {
		return w.hasCredentials(stream.PublisherUser("XD", "police")) && w.hasCredentials(stream.DeskUser("XD"))
	})
	region, _ := w.log.State.Audience("region")
	address := region.Address()
	newcomer := dial(t, w.Hub, stream.PublisherUser("XD", "police"))
	until(t, "XD publishes", func() bool { return publishes(newcomer, "evt."+address+".XD.police.site.reported") })
	until(t, "XA publishes to the new circle", func() bool { return publishes(police, "evt."+address+".XA.police.site.reported") })
	t.Logf("publishing %s after the update", time.Since(began))
	if publishes(police, "evt.region.XA.police.site.reported") {
		t.Error("the address of the old circle is still open")
	}
	desk := stream.DeskUser("XD")
	r := reader(t, dial(t, w.Hub, desk), stream.Events, desk)
	for range 2 { // also after a reset to the beginning
		var subjects []string
		messages, err := r.Fetch(t.Context(), 100, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			subjects = append(subjects, m.Subject)
		}
		want := []string{registry.FoundingSubject, "reg.member.admitted", "reg.agency.enrolled", "reg.audience.joined",
			"evt." + address + ".XD.police.site.reported", "evt." + address + ".XA.police.site.reported"}
		if diff := cmp.Diff(want, subjects); diff != "" {
			t.Errorf("XD reads (-want +got):\n%s", diff)
		}
		if err := r.Reset(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if address != "region_4" || joined != 4 {
		t.Errorf("joined at %d, address %s", joined, address)
	}
}

// raw is a connection that makes known how it ended.
func raw(t *testing.T, w *world, user string) (nc *nats.Conn, closed <-chan error) {
	t.Helper()
	ended := make(chan error, 1)
	nc, err := nats.Connect(w.URL(), nats.UserCredentials(w.Credentials(user)), nats.CustomInboxPrefix(stream.InboxPrefix(user)),
		nats.NoReconnect(), nats.ClosedHandler(func(nc *nats.Conn) { ended <- nc.LastError() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, ended
}

func (w *world) refused(user string, credentials []byte) {
	w.t.Helper()
	nc, err := nats.Connect(w.URL(), nats.UserCredentialBytes(credentials), nats.CustomInboxPrefix(stream.InboxPrefix(user)), nats.NoReconnect())
	if err == nil {
		nc.Close()
		w.t.Errorf("%s could connect", user)
	}
}

// ends waits for a connection's end, and sees that the same credentials open none.
func (w *world) ends(user string, closed <-chan error, credentials []byte) {
	w.t.Helper()
	select {
	case <-closed:
	case <-time.After(deadline):
		w.t.Fatalf("the connection of %s goes on", user)
	}
	w.refused(user, credentials)
}

func (w *world) file(user string) []byte {
	w.t.Helper()
	content, err := os.ReadFile(w.Credentials(user))
	if err != nil {
		w.t.Fatal(err)
	}
	return content
}

// A revoked agency may at once do nothing but read why, and its connection is closed. The key that follows gets other
// credentials: whoever has stolen the first is not let in with them.
func TestRevokedAgencyIsShutOut(t *testing.T) {
	t.Parallel()
	w := found(t)
	police := stream.PublisherUser("XA", "police")
	stolen := w.file(police)
	_, closed := raw(t, w, police)
	_, others := raw(t, w, stream.PublisherUser("XA", "border"))
	revoked := w.submit(registrytest.RevokeKey(registrytest.AgencyOwner("XA", "police"), 0), "root XA")
	thief := dial(t, w.Hub, police)
	r := reader(t, thief, stream.Events, police)
	until(t, "it reads why", func() bool {
		messages, err := r.Fetch(t.Context(), 10, 100*time.Millisecond)
		return err == nil && len(messages) > 0 && messages[len(messages)-1].Sequence == revoked+1
	})
	until(t, "it publishes no more", func() bool { return !publishes(thief, "evt.region.XA.police.site.reported") })
	w.ends(police, closed, stolen)
	until(t, "the credentials are gone", func() bool { return !w.hasCredentials(police) })
	w.submit(registrytest.EnrolKey(registrytest.AgencyOwner("XA", "police"), "second key of XA/police"), "root XA", "second key of XA/police")
	until(t, "there are new credentials", func() bool { return w.hasCredentials(police) })
	if !publishes(dial(t, w.Hub, police), "evt.region.XA.police.site.reported") {
		t.Error("the new key's credentials open nothing")
	}
	w.refused(police, stolen)
	select {
	case err := <-others:
		t.Errorf("another agency's connection was closed: %v", err)
	default:
	}
	w.submit(registrytest.Retire("XA", "police"), "root XA")
	until(t, "a retired agency has no credentials", func() bool { return !w.hasCredentials(police) })
}

// R07: a member that was removed keeps reading: it gets nothing more, not from
// before either, and after its leave no connection.
func TestAdversary_R07_RemovedMemberKeepsReading(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.submit(registrytest.AmendCharter(2, 2), "root XA", "root XB", "root XC")
	police := dial(t, w.Hub, stream.PublisherUser("XA", "police"))
	publishes(police, "evt.region.XA.police.site.reported")
	desk, agency := stream.DeskUser("XC"), stream.PublisherUser("XC", "police")
	conn := dial(t, w.Hub, desk)
	r := reader(t, conn, stream.Events, desk)
	sequences(t, r, 3)
	publisher := dial(t, w.Hub, agency)
	w.submit(registrytest.Suspend("XC"), "root XA", "root XB")
	until(t, "its agency publishes no more", func() bool { return !publishes(publisher, "evt.region.XC.police.site.reported") })
	if got := sequences(t, reader(t, publisher, stream.Events, agency), 3); len(got) < 3 {
		t.Errorf("its publisher reads %v of the registry, and not its own suspension", got)
	}
	publishes(police, "evt.region.XA.police.site.reported")
	until(t, "XC's desk reads its own suspension", func() bool {
		messages, err := r.Fetch(t.Context(), 10, 100*time.Millisecond)
		if err != nil { // its consumer is another one now: it says where it was
			if err := r.Reset(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
			return false
		}
		for _, m := range messages {
			if m.Subject == "reg.member.suspended" {
				return true
			}
			t.Errorf("after the suspension it reads %s", m.Subject)
		}
		return false
	})
	if err := r.Reset(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	suspended := w.log.Entries[len(w.log.Entries)-1].GetIndex() + 1
	if diff := cmp.Diff([]uint64{1, 2, suspended}, sequences(t, r, 3)); diff != "" {
		t.Errorf("from the beginning it reads (-want +got):\n%s", diff)
	}
	if publishes(conn, stream.CosignPrefix+"XC") {
		t.Error("a suspended member cosigns")
	}
	// Back again, in a circle of its own.
	w.submit(registrytest.Reinstate("XC"), "root XA", "root XB")
	region, _ := w.log.State.Audience("region")
	until(t, "it publishes again", func() bool {
		return publishes(publisher, "evt."+region.Address()+".XC.police.site.reported")
	})
	// And gone for good: nothing is left that it could read with.
	deskFile := w.file(desk)
	agencyFile := w.file(agency)
	nc, ended := raw(t, w, desk)
	_, agencyEnded := raw(t, w, agency)
	w.submit(registrytest.Leave("XC"), "root XC")
	w.ends(desk, ended, deskFile)
	w.ends(agency, agencyEnded, agencyFile)
	if nc.IsConnected() {
		t.Error("still connected")
	}
}

// What the broker enforces after a restart is the registry of the stream, before anybody connects.
func TestRestartEnforcesTheRegistry(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	h, stop := start(t, directory)
	w := &world{Hub: h, t: t, log: registrytest.NewLog(t)}
	police := stream.PublisherUser("XA", "police")
	credentials := w.file(police)
	w.submit(registrytest.RevokeKey(registrytest.AgencyOwner("XA", "police"), 0), "root XA")
	stop()
	w.Hub, _ = start(t, directory)
	w.refused(police, credentials)
	if w.hasCredentials(police) {
		t.Error("a revoked agency has credentials")
	}
}

// An update that does not apply, by whomever, changes nothing at the broker.
func TestRefusedUpdateIsNotEnforced(t *testing.T) {
	t.Parallel()
	w := found(t)
	registrar := dial(t, w.Hub, stream.RegistrarUser("XB"))
	_, message := w.log.Message(t, registrytest.RevokeKey(registrytest.AgencyOwner("XA", "police"), 0), "root XB")
	if _, err := registrar.Publish(t.Context(), "reg.key.revoked", message); err != nil {
		t.Fatal(err)
	}
	signed := &registryv1.SignedUpdate{}
	if err := proto.Unmarshal(message, signed); err != nil {
		t.Fatal(err)
	}
	if _, err := w.log.State.Apply(1, "reg.key.revoked", message); err == nil {
		t.Fatal("the registry took it")
	}
	w.log.Next = 2
	w.submit(registrytest.Retire("XB", "border"), "root XB") // comes after it, and is enforced
	until(t, "the next update is enforced", func() bool { return !w.hasCredentials(stream.PublisherUser("XB", "border")) })
	if !publishes(dial(t, w.Hub, stream.PublisherUser("XA", "police")), "evt.region.XA.police.site.reported") {
		t.Error("another country's root revoked an agency at the broker")
	}
	if _, ok := w.log.State.Key(event.KeyIDOf(event.RolePublisher, registrytest.Public("publisher XA/police"))); !ok {
		t.Error("the key is gone")
	}
}
