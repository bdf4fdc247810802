package hub

import (
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
)

// opened is a hub that follows nothing.
func opened(t *testing.T, directory string) *Hub {
	t.Helper()
	h, err := New(t.Context(), Config{Directory: directory, Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: registrytest.Charter(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.stop()
		if err := h.lock.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// A directory may be called what it likes, also what would be a pattern.
func TestDirectoryIsNoPattern(t *testing.T) {
	opened(t, filepath.Join(t.TempDir(), "hub [1"))
}

// The server's default of 1,000 consumers a stream would be used up by one
// member's agencies, and then nobody's updates be enforced.
func TestConsumersAreNotLimited(t *testing.T) {
	status, err := opened(t, t.TempDir()).server.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	if limits := status.JetStream.Limits; limits.DefaultMaxConsumers != -1 {
		t.Errorf("%d consumers a stream, want no limit", limits.DefaultMaxConsumers)
	}
}
