package notary

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tripoint/tripoint/pkg/checkup"
)

// finding is a fault of the streams that stands, as the file findings.json in a
// notary's directory has it.
type finding struct {
	Code string    `json:"code"`
	From uint64    `json:"from"` // log index
	To   uint64    `json:"to"`   // exclusive
	What string    `json:"what"` // in plain words, with what to do
	Seen time.Time `json:"seen"` // for the first time
}

// examineFindings says what the scrubber has found and still stands.
func examineFindings(directory string) []checkup.Check {
	path := filepath.Join(directory, "findings.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return []checkup.Check{checkup.Good("scrubber", "it has found nothing, or has not looked yet")}
	}
	var findings []finding
	if err == nil {
		err = json.Unmarshal(data, &findings)
	}
	if err != nil {
		return []checkup.Check{checkup.Bad("scrubber", "start the notary again: it reads the stream again, and finds again what is wrong", "%s: %v", path, err)}
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
