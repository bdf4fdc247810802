package notary_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
	"github.com/tripoint/tripoint/services/notary"
)

// update puts a change of the registry on the stream, and takes it in.
func (h *house) update(change *registryv1.Update, signers ...string) {
	h.t.Helper()
	subject, message := h.registry.Message(h.t, change, signers...)
	h.put(subject, message)
	h.registry.Take(h.t, subject, message)
}

// put stores any message on a subject of the registry.
func (h *house) put(subject string, data []byte) {
	h.t.Helper()
	conn, err := stream.Dial(h.config(stream.RegistrarUser("XA")))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Publish(h.t.Context(), subject, data); err != nil {
		h.t.Fatal(err)
	}
}

// replace has the charter name another notary's key.
func (h *house) replace(key string) {
	h.t.Helper()
	change := &registryv1.Update{Change: &registryv1.Update_CharterAmended{CharterAmended: &registryv1.CharterAmended{NotaryKey: registrytest.Public(key)}}}
	h.update(change, "root XA", "root XB", "root XC", key)
}

func (h *house) stopped() {
	h.t.Helper()
	if err := h.stop(); err != nil {
		h.t.Fatal(err)
	}
}

// One process that holds both keys goes on without a pause, and later with the
// new one alone.
func TestNextKeyTakesOver(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.next = registrytest.Key("notary 2")
	h.start()
	h.publish(3)
	h.followTo(4)
	h.replace("notary 2")
	h.publish(2)
	h.followTo(7)
	h.stopped()
	h.key, h.next = registrytest.Key("notary 2"), nil
	h.publish(1)
	h.start()
	h.followTo(8)
	h.stopped()
}

// The old key signs what is its own, and no more; a standby goes on, also one that
// has to read everything first.
func TestReplacedNotaryStopsAndAStandbyGoesOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	old := h.directory
	h.publish(5)
	h.replace("notary 2") // at index 6: sizes up to 6 are the old key's
	h.publish(2)
	h.ends(notary.ErrReplaced)
	if got := h.followTo(6).Size(); got != 6 {
		t.Fatalf("the old notary signed %d leaves, want 6", got)
	}
	h.ends(notary.ErrReplaced) // again, from its own disk

	h.directory, h.key = t.TempDir(), registrytest.Key("notary 2")
	h.start()
	h.followTo(9)
	h.publish(1)
	h.followTo(10)
	h.stopped()

	h.directory, h.key = old, registrytest.Key("notary")
	h.ends(notary.ErrReplaced) // also when it is far behind
}

// The old key was lost, and with it the sizes that only it may sign: the first
// checkpoint of the new key covers them.
func TestNewKeyCoversWhatTheLostOneLeft(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(2)
	h.followTo(3)
	h.stopped()
	for range 5 {
		h.publish(1000) // more than one portion
	}
	h.replace("notary 2")
	h.publish(1)
	h.directory, h.key = t.TempDir(), registrytest.Key("notary 2")
	h.start()
	h.followTo(5005)
	h.stopped()
}

// A key that is not the charter's yet signs nothing.
func TestNextNotaryTooEarlySignsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(2)
	h.followTo(3)
	h.stopped()
	h.publish(1)
	h.key = registrytest.Key("notary 2")
	h.ends(notary.ErrReplaced)
	if got := h.followTo(3).Size(); got != 3 {
		t.Errorf("the log has %d leaves, want 3", got)
	}
	h.replace("notary 2")
	h.start()
	h.followTo(5)
}

// What does not apply names no notary, whoever put it there.
func TestUpdateThatDoesNotApplyNamesNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	change := &registryv1.Update{Change: &registryv1.Update_CharterAmended{CharterAmended: &registryv1.CharterAmended{NotaryKey: registrytest.Public("notary 2")}}}
	h.put(h.registry.Message(t, change, "root XA", "root XB", "notary 2"))
	h.registry.Next++
	h.put("reg.charter.founded", []byte("garbage"))
	h.registry.Next++
	h.start()
	h.publish(1)
	h.followTo(4)
}

// The kept registry is a copy: whatever becomes of the file, the stream decides.
func TestKeptRegistry(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, directory string){
		"as it was": func(*testing.T, string) {},
		"lost":      func(t *testing.T, d string) { must(t, os.Remove(filepath.Join(d, "registry"))) },
		"emptied":   func(t *testing.T, d string) { must(t, os.Truncate(filepath.Join(d, "registry"), 0)) },
		"torn":      func(t *testing.T, d string) { must(t, os.Truncate(filepath.Join(d, "registry"), 300)) },
		"one bit of an update": func(t *testing.T, d string) {
			data, err := os.ReadFile(filepath.Join(d, "registry"))
			must(t, err)
			data[len(data)-20] ^= 1
			must(t, os.WriteFile(filepath.Join(d, "registry"), data, 0o600))
		},
		"ahead of the leaves": func(t *testing.T, d string) { must(t, os.Truncate(filepath.Join(d, "hashes"), 4*32)) },
		"one bit of the founding's leaf": func(t *testing.T, d string) {
			data, err := os.ReadFile(filepath.Join(d, "hashes"))
			must(t, err)
			data[0] ^= 1
			must(t, os.WriteFile(filepath.Join(d, "hashes"), data, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.next = registrytest.Key("notary 2")
			h.publish(2)
			h.replace("notary 2")
			h.publish(1)
			h.start()
			h.followTo(5)
			h.stopped()
			damage(t, h.directory)
			h.key, h.next = registrytest.Key("notary 2"), nil
			h.publish(1)
			h.start()
			h.followTo(6)
			h.stopped()
		})
	}
}

// A checkpoint names the registry at the size that it is of, wherever the notary has
// read to, and however the update came: folded, restored from its disk, or read anew.
func TestCheckpointsNameTheRegistry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.next = registrytest.Key("notary 2")
	h.publish(1)
	h.update(registrytest.RevokeKey(registrytest.AgencyOwner("XC", "border"), 0), "root XC")
	h.replace("notary 2") // sizes up to 3 are the old key's: signed when 5 are read
	h.publish(1)
	h.start()
	h.followTo(5)
	h.stopped()
	h.update(registrytest.RevokeKey(registrytest.AgencyOwner("XB", "border"), 0), "root XB")
	h.start()
	h.followTo(6)
	h.stopped()
	must(t, os.RemoveAll(h.directory))
	h.update(registrytest.AmendRetention("case", 7), "root XA", "root XB", "root XC")
	h.start()
	policies, err := h.registry.State.Policies()
	must(t, err)
	if c, ok := h.followTo(7).Checkpoint(); !ok || c.Registry != policies.At(7).Registry || c.Registry == policies.At(6).Registry {
		t.Errorf("the checkpoint of 7 leaves names registry %s", c.Registry)
	}
	h.stopped()
}
