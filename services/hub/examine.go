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
	checks = append(checks, house{config.Directory}.examineBefore()...)
	checks = append(checks, examineShares(config.Directory)...)
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

// examineBefore looks at the streams that restorations have kept.
func (h house) examineBefore() (checks []checkup.Check) {
	kept, _ := below(h.directory, "streams.damaged-*") // it fails for a bad pattern alone
	for _, path := range kept {
		if found, err := erasable(path); err != nil || len(found) > 0 {
			checks = append(checks, checkup.Bad("streams of before", "once every publisher has published its key records again and readers have the files that they need, delete "+path,
				"%s holds key records and files that could not be read when the hub was restored: what is erased or expires stays there", path))
			continue
		}
		checks = append(checks, checkup.Good("streams of before", "%s is kept for whoever looks into the damage; there are no key records in it, and no files", path))
	}
	return checks
}
