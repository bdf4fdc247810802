package notary_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/services/notary"
)

func TestEveryMessageIsALeaf(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(3)
	h.followTo(4)
	h.publish(700)
	if got := h.followTo(704).Size(); got != 704 {
		t.Errorf("the log has %d leaves, want the charter and 703", got)
	}
	if err := h.stop(); err != nil {
		t.Error(err)
	}
}

func TestRestartGoesOnWithTheSameTree(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(5)
	h.followTo(6)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	h.publish(5)
	h.start()
	h.followTo(11)
}

func TestTornTailOfTheLeafStoreIsDropped(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(5)
	h.followTo(6)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(h.directory, "hashes"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, 45)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	// One of the torn hashes is whole and looks like a stored leaf: the stream decides.
	h.start()
	h.publish(3)
	h.followTo(9)
}

func TestLostLeafStoreIsReadAgainAndCompared(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(5)
	h.followTo(6)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	h.directory = t.TempDir()
	h.start()
	h.publish(2)
	h.followTo(8)
}

// The hub has lost its disk and begins the log anew. A notary that went along
// would sign second roots for sizes that it has signed.
func TestLogThatBeginsAnewIsNeverSigned(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(5)
	h.followTo(6)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	anew := newHouse(t)
	anew.directory = h.directory
	anew.publish(3)
	anew.ends(notary.ErrAltered)
}

// ends runs the notary and expects it to end by itself, with these words.
func (h *house) ends(want error, words ...string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	err := h.notary().Run(ctx)
	if !errors.Is(err, want) {
		h.t.Fatalf("Run = %v, want %v", err, want)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			h.t.Errorf("Run = %v, want it to say %q", err, word)
		}
	}
}

func TestForeignKeyIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.key = registrytest.Key("somebody")
	h.publish(3)
	h.ends(notary.ErrReplaced)
	h.key = registrytest.Key("notary")
	h.start()
	h.followTo(4)
}
