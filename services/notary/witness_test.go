package notary_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/notary/outside"
	"github.com/tripoint/tripoint/services/witness"
)

// office starts a witness of the log, far away.
func office(t *testing.T) *witness.Witness {
	t.Helper()
	key := translog.NotaryVKey(registrytest.Origin, registrytest.Public("notary")).String()
	w, err := witness.New(witness.Config{
		Name: "witness.example/w", Key: registrytest.Key("witness"), Directory: t.TempDir(), Listen: "127.0.0.1:0",
		Logs: []witness.Log{{Origin: registrytest.Origin, VKey: key}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// watched runs a notary with a witness.
func (h *house) watched(w *witness.Witness) *notary.Notary {
	h.t.Helper()
	n, err := notary.New(notary.Config{
		Directory: h.directory, Charter: h.registry.Charter, Key: h.key, Listen: "127.0.0.1:0",
		Stream: h.config(stream.NotaryUser), Interval: time.Millisecond,
		Witnesses: []outside.Witness{{URL: w.URL(), VKey: w.VKey().String()}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	})
	return n
}

// A reader with an address and two public keys has the checkpoint, the tree, and an
// outside body's word that it is the one that it has seen grow.
func TestOutsideWitnessCosignsThePublishedLog(t *testing.T) {
	t.Parallel()
	h, w := newHouse(t), office(t)
	n := h.watched(w)
	for _, size := range []uint64{101, 601} {
		h.publish(int(size - h.registry.Next))
		h.followTo(size)
		client := &onTheWeb{t: t, url: n.URL()}
		client.root(size)
		var head translog.TreeHead
		wait(t, fmt.Sprintf("cosigned up to %d", size), func() bool {
			if note, status := client.ask("checkpoint"); status == http.StatusOK {
				if got, err := translog.OpenTreeHead(note, []translog.VKey{w.VKey()}); err == nil {
					head = got
				}
			}
			return head.Size >= size
		})
		if root, err := translog.TreeRoot(size, client); err != nil || root != head.Root {
			t.Errorf("the witness cosigned %s, the tiles have %s, %v", head.Root, root, err)
		}
	}
	if found := n.Findings(); len(found) != 0 {
		t.Errorf("findings: %+v", found)
	}
}

// Whoever has the notary's key shows the outside witness one tree and the countries
// another: the witness refuses theirs, the notary says so and keeps it; the
// countries' log goes on.
func TestAdversary_L04_OutsideWitnessSeesAnotherTree(t *testing.T) {
	t.Parallel()
	h, w := newHouse(t), office(t)
	lie := newHouse(t)
	lie.publish(7)
	deceiver := lie.watched(w)
	lie.followTo(8)
	client := &onTheWeb{t: t, url: deceiver.URL()}
	wait(t, "the lie is cosigned", func() bool {
		note, status := client.ask("checkpoint")
		_, err := translog.OpenTreeHead(note, []translog.VKey{w.VKey()})
		return status == http.StatusOK && err == nil
	})
	h.publish(3)
	n := h.watched(w)
	h.followTo(4)
	h.publish(20) // to another leaf 4
	h.followTo(24)
	wait(t, "the finding", func() bool { return len(n.Findings()) == 1 })
	found := n.Findings()[0]
	if found.Witness != "witness.example/w" || found.Status != http.StatusUnprocessableEntity && found.Status != http.StatusConflict || filepath.Dir(found.Path) != filepath.Join(h.directory, "findings") {
		t.Errorf("finding %+v", found)
	}
	if _, err := os.Stat(found.Path); err != nil {
		t.Error(err)
	}
	h.publish(5)
	h.followTo(29)
}
