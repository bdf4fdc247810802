package notary_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/services/notary"
)

func (h *house) examine() []checkup.Check {
	return notary.Examine(h.t.Context(), notary.Config{Directory: h.directory, Charter: h.registry.Charter, Key: h.key, NextKey: h.next})
}

// says wants a row of the examination to be as given, and to hold a word.
func (h *house) says(name string, ok bool, word string) {
	h.t.Helper()
	for _, c := range h.examine() {
		if c.Name == name {
			if c.OK != ok || !strings.Contains(c.Detail, word) || !ok && c.Hint == "" {
				h.t.Errorf("row %q is %+v, want %t with %q", name, c, ok, word)
			}
			return
		}
	}
	h.t.Errorf("no row %q", name)
}

func TestExamineTheLeafStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.says("leaves", true, "nothing yet")
	h.start()
	h.publish(4)
	h.followTo(5)
	h.says("process", true, "running")
	h.says("leaves", true, "stored") // the newest may not be noted as published yet
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	h.says("process", true, "stopped")
	h.says("leaves", true, "5 stored, 5 published")
	h.says("tiles", true, "5 leaves, with the root of the stored tree")
	h.says("key", true, "for the next size, 6")
	h.key = registrytest.Key("somebody's")
	h.says("key", false, "and it is not here")

	store := filepath.Join(h.directory, "hashes")
	whole, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	put := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(store, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(whole[:4*32]) // three leaves
	h.says("leaves", false, "3 are stored, and 5 were published")
	h.says("tiles", false, "of 5 leaves, and 3 are stored")
	altered := append([]byte{}, whole...)
	altered[len(altered)-1] ^= 1
	put(altered)
	h.says("tiles", false, "another root")
	altered = append([]byte{}, whole...)
	altered[0] ^= 1 // the founding's leaf
	put(altered)
	h.says("registry", false, "not what was stored there")
	altered = append([]byte{}, whole...)
	altered[3*32] ^= 1 // a leaf that no root on the edge is made of anew
	put(altered)
	h.says("leaves", false, "is not that of its halves")
	put(whole)
	h.says("tiles", true, "5 leaves")
	if err := os.Chmod(h.directory, 0o755); err != nil {
		t.Fatal(err)
	}
	h.says("directory", false, "others than its owner")
}

func TestExamineNamesFindings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.says("scrubber", true, "has found nothing")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(h.directory, "findings.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(`[{"code":"lost","from":3,"to":5,"what":"the stream has lost what was signed","seen":"2025-03-03T12:00:00Z"},{"code":"weakened","from":0,"to":0,"what":"deny_delete is unset","seen":"2025-03-03T12:00:00Z"}]`)
	h.says("finding 1", false, "lost at indices 3 to 4 since 2025-03-03T12:00:00Z: the stream has lost")
	h.says("finding 2", false, "weakened since 2025-03-03T12:00:00Z: deny_delete is unset")
	put("[]")
	h.says("scrubber", true, "no finding stands")
	put("[")
	h.says("scrubber", false, "findings.json")
}
