package notary

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/services/notary/tiles"
)

func (n *Notary) shelf() string { return filepath.Join(n.config.Directory, "tiles") }

// shelve writes the tiles of what is published: nobody finds a size there that
// the log stream has not.
func (n *Notary) shelve(p *publication) error {
	if err := n.tiles.Publish(p.size, p.note, n.store); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	return nil
}

// URL is where the tiles are served; empty: nowhere.
func (n *Notary) URL() string {
	if n.listener == nil {
		return ""
	}
	return "http://" + n.listener.Addr().String()
}

// serve serves the tiles until the function that it returns is called, or ctx ends.
func (n *Notary) serve(ctx context.Context) (stop func()) {
	if n.listener == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server := &http.Server{Handler: tiles.Handler(n.shelf()), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
		if err := daemon.Serve(ctx, server, n.listener); err != nil {
			n.log.Error("serving tiles", "error", err)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
