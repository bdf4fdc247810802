package notary

import (
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/services/notary/scrub"
)

// examineFindings says what the scrubber has found and still stands.
func examineFindings(directory string) []checkup.Check {
	findings, err := scrub.Read(directory)
	if err != nil {
		return []checkup.Check{checkup.Bad("scrubber", "start the notary again: it reads the stream again, and finds again what is wrong", "%v", err)}
	}
	if findings == nil {
		return []checkup.Check{checkup.Good("scrubber", "it has found nothing, or has not looked yet")}
	}
	if len(findings) == 0 {
		return []checkup.Check{checkup.Good("scrubber", "no finding stands")}
	}
	var checks []checkup.Check
	for i, f := range findings {
		where := ""
		if f.To > f.From {
			where = fmt.Sprintf(" at indices %d to %d", f.From, f.To-1)
		}
		checks = append(checks, checkup.Bad(fmt.Sprintf("finding %d", i+1), "the detail says what to do; a finding stays until the scrubber finds it no more",
			"%s%s since %s: %s", f.Code, where, f.Seen.Format(time.RFC3339), f.What))
	}
	return checks
}
