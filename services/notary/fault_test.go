package notary_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/services/notary"
)

var errBroken = errors.New("the disk is broken")

// site is a kind of change to a kind of file.
type site struct {
	kind disk.Kind
	file string // its base name, a tile's as "tile", a partial one's as "partial"
}

func (h *house) site(c disk.Change) site {
	path, err := filepath.Rel(h.directory, c.Path)
	must(h.t, err)
	path = regexp.MustCompile(`^tiles/tile/[0-9]+/[0-9]+\.p/[0-9]+`).ReplaceAllString(filepath.ToSlash(path), "partial")
	path = regexp.MustCompile(`^tiles/tile/[0-9]+/[0-9]+`).ReplaceAllString(path, "tile")
	return site{c.Kind, regexp.MustCompile(`^tiles/tile/[0-9]+`).ReplaceAllString(path, "level")}
}

// sites are the changes that a notary makes from its first start on.
func (h *house) sites() []site {
	var found []site
	var mu sync.Mutex
	config := h.settings()
	config.Inject(func(c disk.Change, do func() error) error {
		mu.Lock()
		defer mu.Unlock()
		if s := h.site(c); !slices.Contains(found, s) {
			found = append(found, s)
		}
		return do()
	}, nil, nil)
	must(h.t, os.WriteFile(filepath.Join(h.directory, "hashes"), make([]byte, 45), 0o600)) // so that something is cut off
	h.stop = h.run(h.opened(config))
	h.grow()
	h.stopped()
	return found
}

// grow has a tile be completed and the registry change.
func (h *house) grow() {
	h.publish(200)
	h.days++
	h.update(registrytest.AmendRetention("case", h.days), "root XA", "root XB", "root XC")
	h.publish(100)
	h.followTo(h.registry.Next)
}

// once makes one change of a kind fail. torn tears what the change has written.
func (h *house) once(at site, how string, happened *bool) disk.Maker {
	var mu sync.Mutex
	return func(c disk.Change, do func() error) error {
		mu.Lock()
		defer mu.Unlock()
		if *happened || h.site(c) != at {
			return do()
		}
		*happened = true
		if how == "failed" {
			return errBroken
		}
		before := int64(0)
		if info, err := os.Stat(c.Path); err == nil {
			before = info.Size()
		}
		must(h.t, do())
		if strings.HasPrefix(how, "torn") {
			after, err := os.Stat(c.Path)
			must(h.t, err)
			must(h.t, os.Truncate(c.Path, (before+after.Size())/2+5))
			if how == "torn, zeros" { // the length reached the disk, and the bytes did not
				must(h.t, os.Truncate(c.Path, after.Size()))
			}
		}
		return errBroken
	}
}

// Every change that a notary makes on its disk fails: it is not made, it is made and
// reported as failed, it is made in part. The notary ends or goes on; the next one on
// the same directory goes on in any case, to a log that everybody finds clean and to
// tiles that lead to its root.
func TestEveryWriteFails(t *testing.T) {
	t.Parallel()
	first := newHouse(t)
	sites := first.sites()
	if len(sites) < 25 {
		t.Fatalf("only %d kinds of changes: %v", len(sites), sites)
	}
	byFile := map[string][]site{}
	for _, s := range sites {
		file := strings.TrimSuffix(s.file, ".new")
		byFile[file] = append(byFile[file], s)
	}
	for file, sites := range byFile {
		t.Run(strings.ReplaceAll(file, "/", " "), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			for _, s := range sites {
				for _, how := range []string{"failed", "persisted", "torn", "torn, zeros"} {
					if strings.HasPrefix(how, "torn") && s.kind != disk.Write {
						continue
					}
					if s.kind == disk.Create || s.kind == disk.SyncDirectory {
						h.directory = t.TempDir() // what was made once is not made again
					}
					h.fails(s, how)
				}
			}
			h.audits(h.registry.Next)
		})
	}
}

// leaves are how many it takes for a change to be made: a tile is made when it is full.
func (s site) leaves() int {
	switch s.file {
	case "registry", "registry.new", "published", "published.new", "tiles/checkpoint", "tiles/checkpoint.new":
		return 3
	}
	return 200
}

func (h *house) fails(at site, how string) {
	h.t.Helper()
	hashes, err := os.OpenFile(filepath.Join(h.directory, "hashes"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(h.t, err)
	_, err = hashes.Write(make([]byte, 45)) // left by some crash
	must(h.t, errors.Join(err, hashes.Close()))
	happened := false
	config := h.settings()
	config.Inject(h.once(at, how, &happened), nil, nil)
	if n, err := notary.New(config); err == nil {
		stop := h.run(n)
		h.publish(at.leaves())
		h.days++
		h.update(registrytest.AmendRetention("case", h.days), "root XA", "root XB", "root XC")
		h.publish(100)
		select {
		case err := <-h.ended:
			if !errors.Is(err, errBroken) && !strings.Contains(fmt.Sprint(err), errBroken.Error()) {
				h.t.Errorf("%v %s: the notary ended with %v", at, how, err)
			}
		case <-time.After(deadline):
			h.t.Errorf("%v %s: the notary goes on after a fault of its disk", at, how)
			stop()
		}
	} else if !strings.Contains(err.Error(), errBroken.Error()) {
		h.t.Errorf("%v %s: New = %v", at, how, err)
	}
	if !happened {
		h.t.Errorf("%v %s did not happen", at, how)
	}
	h.start()
	h.publish(1)
	h.followTo(h.registry.Next)
	h.shelvedTo(h.registry.Next)
}

// The publication of leaves fails, and what was sent is there or is not.
func TestPublicationFails(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 4 {
		for _, how := range []string{"failed", "persisted", "persisted, and then a crash"} {
			happened := make(chan struct{})
			once := sync.OnceFunc(func() { close(happened) })
			config := h.settings()
			config.Inject(nil, func(do func() error) error {
				select {
				case <-happened:
					return do()
				default:
				}
				defer once()
				if how != "failed" {
					must(t, do())
				}
				return errBroken
			}, func(string) error {
				select {
				case <-happened:
					if strings.HasSuffix(how, "crash") {
						return errBroken
					}
				default:
				}
				return nil
			})
			stop := h.run(h.opened(config))
			h.publish(3)
			<-happened
			if strings.HasSuffix(how, "crash") {
				if err := <-h.ended; !errors.Is(err, errBroken) {
					t.Errorf("the notary ended with %v", err)
				}
				h.start()
				h.publish(1)
				h.followTo(h.registry.Next)
				h.stopped()
				continue
			}
			h.publish(1)
			h.followTo(h.registry.Next) // the same notary tries again
			must(t, stop())
		}
	}
	h.audits(h.registry.Next)
	h.start()
	h.shelvedTo(h.registry.Next)
}
