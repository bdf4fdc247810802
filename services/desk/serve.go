package desk

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tripoint/tripoint/pkg/daemon"
)

const headerTimeout = 10 * time.Second

func (d *Desk) openConsole(context.Context) error {
	if d.config.Console == nil {
		return nil
	}
	var err error
	if d.handler, err = d.config.Console(d); err != nil {
		return fmt.Errorf("making the console: %w", err)
	}
	if d.listener, err = net.Listen("tcp", d.config.Listen); err != nil {
		return fmt.Errorf("opening the console's port: %w", err)
	}
	return nil
}

// URL is where the console is; empty without one.
func (d *Desk) URL() string {
	if d.listener == nil {
		return ""
	}
	return "http://" + d.listener.Addr().String()
}

// serve serves the console until ctx ends. Streams that are open then end with
// it: their requests' contexts come from ctx.
func (d *Desk) serve(ctx context.Context) error {
	if d.listener == nil {
		<-ctx.Done()
		return nil
	}
	return daemon.Serve(ctx, &http.Server{
		Handler: d.handler, ReadHeaderTimeout: headerTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}, d.listener)
}
