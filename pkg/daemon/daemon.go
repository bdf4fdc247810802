// Package daemon is what every long-running role needs from its process:
// a context that ends with a signal, a logger, and a group of roles that live
// and stop together.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"syscall"
)

// Context ends at the first interrupt or termination signal. A second one ends
// the process at once, as if nothing caught it.
func Context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := signal.NotifyContext(parent, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, cancel)
	return ctx, cancel
}

// Logger writes lines of text, warnings and worse; verbose adds the rest.
func Logger(to io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))
}

// Role is something that runs until its context ends.
type Role struct {
	Name string
	Run  func(context.Context) error
}

// Run runs the roles together until ctx ends or one of them fails; then it stops
// all and waits for them. It returns what failed, nil where nothing did.
func Run(ctx context.Context, roles ...Role) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error)
	for _, role := range roles {
		go func() {
			err := role.Run(ctx)
			if err == nil && ctx.Err() == nil {
				err = errors.New("ended by itself")
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", role.Name, err)
			}
			results <- err
		}()
	}
	var failures []error
	for range roles {
		err := <-results
		if err != nil {
			failures = append(failures, err)
		}
		cancel()
	}
	return errors.Join(failures...)
}
