package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func waits(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestRunStopsAllWhenOneFails(t *testing.T) {
	broken := errors.New("broken")
	err := Run(t.Context(), Role{"one", waits}, Role{"two", func(context.Context) error { return broken }}, Role{"three", waits})
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "two: ") {
		t.Errorf("Run = %v, want the failure of two alone", err)
	}
}

func TestRunEndsQuietlyWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, Role{"one", waits}, Role{"two", waits}); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

func TestRoleThatEndsByItselfIsAFailure(t *testing.T) {
	err := Run(t.Context(), Role{"one", waits}, Role{"two", func(context.Context) error { return nil }})
	if err == nil || !strings.Contains(err.Error(), "two: ended by itself") {
		t.Errorf("Run = %v", err)
	}
}
