package desk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	headerTimeout   = 10 * time.Second
	shutdownTimeout = 5 * time.Second
)

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
		return nil
	}
	server := &http.Server{
		Handler: d.handler, ReadHeaderTimeout: headerTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(d.listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		err = errors.Join(err, server.Close())
		d.log.Warn("the console did not stop in time", "error", err)
	}
	<-ended
	return nil
}
