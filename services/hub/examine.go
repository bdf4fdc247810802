package hub

import (
	"os"
	"path/filepath"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
)

// Examine looks at a hub's directory, which may be in use: the broker's secret, the
// streams, and the credentials that it has written. Of config it reads Directory,
// Lock and Charter. What the streams hold is the scrubber's to judge.
func Examine(config Config) (checks []checkup.Check, running bool) {
	checks, running = daemon.Examine(config.Directory)
	h := &Hub{config: config}
	checks = append(checks, checkup.Good("charter", "digest %s", config.Charter.Digest))
	streams, err := os.ReadDir(h.streams())
	if err != nil || len(streams) == 0 {
		return append(checks, checkup.Good("streams", "none: this hub has not run yet")), running
	}
	return append(checks,
		keyfile.ExamineSecret("broker's secret", filepath.Join(config.Directory, "keys", "broker.key"), config.Lock),
		checkup.Good("streams", "in %s", h.streams()),
		keyfile.ExamineAll("credentials", h.credentials())), running
}
