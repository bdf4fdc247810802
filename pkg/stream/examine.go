package stream

import (
	"context"
	"time"

	"github.com/tripoint/tripoint/pkg/checkup"
)

const (
	examineFor  = 4 * time.Second // how long the hub may take to answer
	examineAt   = 20 * time.Millisecond
	clocksApart = 2 * time.Minute // what two clocks may differ without anybody looking
)

// Examine connects as a role does and asks the hub for one thing that this user may
// ask: whether it is reached, admits the user, and has about this machine's time.
// It reads and acknowledges nothing, so the role may be connected meanwhile.
func Examine(ctx context.Context, config Config) []checkup.Check {
	conn, err := Dial(config)
	if err != nil {
		return []checkup.Check{checkup.Bad("hub", "correct the hub's address and the credentials in the configuration", "%v", err)}
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	ticker := time.NewTicker(examineAt)
	defer ticker.Stop()
	for !conn.Connected() {
		if refused := conn.Refused(); refused != nil {
			return []checkup.Check{checkup.Bad("hub", "ask who runs the hub whether these credentials are still good, and look up in the registry how this party stands",
				"%s is reached, and does not admit %s: %v", config.URL, config.User, refused)}
		}
		select {
		case <-ctx.Done():
			return []checkup.Check{checkup.Bad("hub", "see whether the hub runs and whether its address is right; what this role has accepted or received is safe meanwhile",
				"%s does not answer", config.URL)}
		case <-ticker.C:
		}
	}
	asked, err := conn.Reader(ctx, Events, config.User)
	if err != nil {
		return []checkup.Check{checkup.Bad("hub", "look up in the registry how this party stands; if it is a member in good standing, ask who runs the hub",
			"%s admits %s, and lends it no reader: %v", config.URL, config.User, err)}
	}
	checks := []checkup.Check{checkup.Good("hub", "%s admits %s", config.URL, config.User)}
	if hub := asked.handle.CachedInfo().TimeStamp; !hub.IsZero() {
		checks = append(checks, clock(hub, time.Now()))
	}
	return checks
}

// clock compares a hub's time with this machine's. Nobody in the log is judged by a
// clock; but what people read is dated by it.
func clock(hub, here time.Time) checkup.Check {
	apart := here.Sub(hub).Abs().Round(time.Second)
	if apart > clocksApart {
		return checkup.Bad("clock", "find out which of the two is wrong, and set it (chrony, ntpd)",
			"the hub says %s, this machine %s: %v apart", hub.UTC().Format(time.RFC3339), here.UTC().Format(time.RFC3339), apart)
	}
	return checkup.Good("clock", "within %v of the hub's", clocksApart)
}
