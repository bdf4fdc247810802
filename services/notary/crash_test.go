package notary_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/notary"
)

var errKilled = errors.New("killed")

// L12: the notary is killed between every two steps of append, fsync, sign, publish,
// note and tiles: at its n-th change of the disk or its n-th step, for every n until
// it has nothing left to do.
func TestAdversary_L12_KilledBetweenEveryTwoSteps(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	named := map[string]bool{}
	for n := 1; ; n++ {
		h.publish(2)
		h.days++
		h.update(registrytest.AmendRetention("case", h.days), "root XA", "root XB", "root XC")
		h.publish(1)
		died := h.dies(int64(n), named)
		h.start()
		if h.followTo(h.registry.Next); h.t.Failed() {
			t.Fatalf("after a crash at step %d", n)
		}
		h.shelvedTo(h.registry.Next)
		if !died {
			t.Logf("%d steps", n-1)
			break
		}
	}
	for _, name := range []string{"registry", "leaves", "signed", "published", "noted", "tiles", "acknowledged"} {
		if !named[name] {
			t.Errorf("no crash after the step %q", name)
		}
	}
	h.audits(h.registry.Next)
}

// dies runs the notary until its n-th change or step, and reports whether it came to that.
func (h *house) dies(n int64, named map[string]bool) bool {
	h.t.Helper()
	var steps atomic.Int64
	at := func(name string, do func() error) error {
		switch now := steps.Add(1); {
		case now > n: // nothing happens after a crash
			return errKilled
		case now == n:
			named[name] = true
			return errKilled
		}
		return do()
	}
	config := h.settings()
	config.Inject(func(c disk.Change, do func() error) error { return at(string(c.Kind), do) }, nil,
		func(name string) error { return at(name, func() error { return nil }) })
	opened, err := notary.New(config)
	if err != nil {
		if steps.Load() < n {
			h.t.Fatal(err)
		}
		return true
	}
	stop := h.run(opened)
	followed, size := make(chan struct{}), h.registry.Next
	go func() {
		defer close(followed)
		within(deadline, func() bool { return steps.Load() >= n || h.noted() >= size })
	}()
	select {
	case err = <-h.ended:
	case <-followed:
		if steps.Load() < n {
			// It is idle, but for reading tiles again.
			must(h.t, stop())
			return steps.Load() >= n
		}
		err = <-h.ended
	}
	if err == nil {
		h.t.Errorf("step %d: the notary ended without an error", n)
	}
	return true
}

// noted is the size that the tiles are of.
func (h *house) noted() (size uint64) {
	data, err := os.ReadFile(filepath.Join(h.directory, "tiles", "checkpoint"))
	if err == nil {
		fmt.Sscanf(string(data), registrytest.Origin+"\n%d\n", &size)
	}
	return size
}

const childEnvironment = "TRIPOINT_TEST_NOTARY"

// TestMain also is a notary as a process of its own.
func TestMain(m *testing.M) {
	if directory := os.Getenv(childEnvironment); directory != "" {
		fmt.Fprintln(os.Stderr, child(directory))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func child(directory string) error {
	message, err := os.ReadFile(os.Getenv(childEnvironment + "_CHARTER"))
	if err != nil {
		return err
	}
	charter, err := registry.OpenCharter(message)
	if err != nil {
		return err
	}
	n, err := notary.New(notary.Config{Directory: directory, Charter: charter, Key: registrytest.Key("notary"), Interval: time.Millisecond,
		Stream: stream.Config{URL: os.Getenv(childEnvironment + "_HUB"), Credentials: os.Getenv(childEnvironment + "_CREDENTIALS"), User: stream.NotaryUser}})
	if err != nil {
		return err
	}
	return n.Run(context.Background())
}

// L12: a notary in a process of its own, killed with kill -9 at any moment.
func TestAdversary_L12_KilledAtAnyMoment(t *testing.T) { // not beside others: a process that is being started has their locks
	h := newHouse(t)
	charter := filepath.Join(t.TempDir(), "charter")
	must(t, os.WriteFile(charter, h.registry.Charter.Message, 0o600))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	moments := rand.New(rand.NewPCG(seed, 0))
	reached := uint64(0)
	for round := range 15 {
		process := exec.Command(os.Args[0])
		process.Env = append(os.Environ(), childEnvironment+"="+h.directory, childEnvironment+"_CHARTER="+charter,
			childEnvironment+"_HUB="+h.hub.URL(), childEnvironment+"_CREDENTIALS="+h.hub.Credentials(stream.NotaryUser))
		process.Stderr = t.Output()
		must(t, process.Start())
		t.Cleanup(func() { _ = process.Process.Kill() }) // if the test ends before
		h.publish(1)
		if round%2 == 1 { // half of the kills fall into the start
			wait(t, "something is published", func() bool { return h.noted() > reached })
		}
		for end := time.Now().Add(time.Duration(moments.IntN(400)) * time.Millisecond); time.Now().Before(end); {
			h.publish(1 + moments.IntN(40))
		}
		must(t, process.Process.Kill())
		if err := process.Wait(); err == nil || process.ProcessState.ExitCode() >= 0 {
			t.Errorf("the notary ended by itself: %v", err)
		}
		reached = max(reached, h.noted())
	}
	t.Logf("%d of %d leaves were shelved before the last kill", reached, h.registry.Next)
	h.start()
	h.followTo(h.registry.Next)
	h.shelvedTo(h.registry.Next)
	h.audits(h.registry.Next)
}
