package hub

import (
	"context"

	"github.com/tripoint/tripoint/services/hub/salvage"
)

// Remaining is what is left of a chunk's time.
var Remaining = remaining

// RestoreUntil is Restore, which crashes where fault says so.
func RestoreUntil(ctx context.Context, config Config, how Restoration, fault func(step string) error, sources ...salvage.Source) (Restored, error) {
	return restore(ctx, &restoring{config: config, how: how, sources: sources, fault: fault})
}
