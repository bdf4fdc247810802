package notary

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/services/notary/outside"
	"github.com/tripoint/tripoint/services/notary/tiles"
)

func (n *Notary) shelf() string { return filepath.Join(n.config.Directory, "tiles") }

// shelve writes the tiles of what is published: nobody finds a size there that
// the log stream has not. Tiles of another tree, under a checkpoint that the charter's
// notary has signed, are proof of a fork, and left as they are.
func (n *Notary) shelve(p *publication) error {
	if !n.settled {
		if err := n.matching(p); err != nil {
			return err
		}
	}
	if err := n.tiles.Publish(p.size, p.note, n.store); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	n.circle.Offer(p.size, p.note)
	return nil
}

// matching opens the tiles again, now that the registry is known as far as they can
// go, and holds them against the tree.
func (n *Notary) matching(p *publication) error {
	if err := n.tiles.Find(n.trust.policies()); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	if size, root := n.tiles.Newest(); size > 0 {
		own, err := n.store.frontier(size)
		if err != nil || own.Root() != root {
			return fmt.Errorf("%w: the tiles are of another tree of %d leaves than the published one of %d", ErrAltered, size, p.size)
		}
	}
	n.settled = true
	return nil
}

// sweep reads some tiles again.
func (n *Notary) sweep() error {
	if !n.settled {
		return nil
	}
	mended, err := n.tiles.Sweep(sweepAtOnce, n.store)
	if err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	for _, path := range mended {
		n.log.Warn("a tile was damaged and is written again", "path", path)
	}
	return nil
}

// witnesses are asked about what is on the shelf, and their signatures shown there.
func (n *Notary) witnesses() (*outside.Circle, error) {
	return outside.New(outside.Config{
		Witnesses: n.config.Witnesses, Shelf: n.tiles, Findings: filepath.Join(n.config.Directory, "findings"), Logger: n.log,
	})
}

// Findings are refusals by outside witnesses that have cosigned another tree of this
// log. Each is kept in the notary's directory too, under findings.
func (n *Notary) Findings() []outside.Finding { return n.circle.Findings() }

// URL is where the tiles are served; empty: nowhere.
func (n *Notary) URL() string {
	if n.listener == nil {
		return ""
	}
	return "http://" + n.listener.Addr().String()
}

// serve serves the tiles and asks the witnesses, until the function that it returns
// is called, or ctx ends.
func (n *Notary) serve(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { n.circle.Run(ctx) })
	if n.listener != nil {
		group.Go(func() {
			server := &http.Server{Handler: tiles.Handler(n.shelf()), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
			if err := daemon.Serve(ctx, server, n.listener); err != nil {
				n.log.Error("serving tiles", "error", err)
			}
		})
	}
	return func() {
		cancel()
		group.Wait()
	}
}
