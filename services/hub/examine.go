package hub

import (
	"os"

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
		if _, err := os.Stat(house{config.Directory}.restored()); err == nil {
			return append(checks, checkup.Good("streams", "restored: the hub's next start puts them in place")), running
		}
		if _, err := os.Stat(h.secret()); err == nil { // it is made at the first start, before the streams
			return append(checks, checkup.Bad("streams", "do not start the hub, it would begin the log anew: collect what desks, publishers and notary hold, and run tripoint hub restore (in a pilot: tripoint pilot restore)",
				"this hub has run, and there are none in %s", h.streams())), running
		}
		return append(checks, checkup.Good("streams", "none: this hub has not run yet")), running
	}
	return append(checks,
		keyfile.ExamineSecret("broker's secret", h.secret(), config.Lock),
		checkup.Good("streams", "in %s; whether they hold what was signed, the scrubber of the running notary finds", h.streams()),
		keyfile.ExamineAll("credentials", h.credentials())), running
}
