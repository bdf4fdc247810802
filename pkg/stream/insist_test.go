package stream

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestLostAnswerIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		err := insist(t.Context(), func(ctx context.Context) error {
			if asked++; asked == 3 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if err != nil || asked != 3 {
			t.Errorf("asked %d times, error %v; want three times and an answer", asked, err)
		}
	})
}

func TestRefusalIsTakenAtOnce(t *testing.T) {
	refused, asked := errors.New("no"), 0
	err := insist(t.Context(), func(context.Context) error { asked++; return refused })
	if !errors.Is(err, refused) || asked != 1 {
		t.Errorf("asked %d times, error %v", asked, err)
	}
}

func TestInsistingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := insist(ctx, func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("insist = %v", err)
	}
}
