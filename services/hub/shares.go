package hub

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/stream"
)

// Shares bound what may lie on the hub at once of one agency, and of all agencies of one country: a
// country enrols as many as it likes. In bytes; 0: the default. A message counts with its data, its
// headers, its subject and messageCost.
type Shares struct {
	AgencyKeys   uint64 // of key records, 1 GiB
	AgencyFiles  uint64 // of chunks of attachments, 16 GiB
	CountryKeys  uint64 // 4 GiB
	CountryFiles uint64 // 64 GiB
}

// messageCost is what a message takes beside its bytes: its place in the broker's indices and memory.
const messageCost = 512

func (s Shares) withDefaults() Shares {
	return Shares{
		AgencyKeys: cmp.Or(s.AgencyKeys, 1<<30), AgencyFiles: cmp.Or(s.AgencyFiles, 16<<30),
		CountryKeys: cmp.Or(s.CountryKeys, 4<<30), CountryFiles: cmp.Or(s.CountryFiles, 64<<30),
	}
}

// of is the share of an agency, or of a country where agency is empty.
func (s Shares) of(streamName string, h holder) uint64 {
	switch {
	case streamName == stream.Keys && h.agency != "":
		return s.AgencyKeys
	case streamName == stream.Keys:
		return s.CountryKeys
	case h.agency != "":
		return s.AgencyFiles
	}
	return s.CountryFiles
}

// holder is an agency; without one, its country.
type holder struct{ country, agency string }

func (h holder) String() string { return strings.TrimSuffix(h.country+"/"+h.agency, "/") }

// holderOf reads KIND.ADDRESS.COUNTRY.AGENCY.REST; ok is false for any other subject.
func holderOf(subject string) (h holder, ok bool) {
	tokens := strings.SplitN(subject, ".", 5)
	if len(tokens) < 5 {
		return holder{}, false
	}
	return holder{tokens[2], tokens[3]}, true
}

// standings are what holders have, and whom the hub had to refuse. They lie in a file for the
// examination, which asks no running hub.
type standings struct {
	mu      sync.Mutex
	refused map[string]bool      // by stream and holder: since when it was let in last
	told    map[string]time.Time // likewise: when the log was last told that this is otherwise than before
}

// tellAgain is how often at most the log is told of one holder: who sends what fits and what does not by
// turns would fill the disk with that.
const tellAgain = time.Minute

// Standing is what a holder has of one stream.
type Standing struct {
	Holder  string `json:"holder"` // COUNTRY/AGENCY, or COUNTRY for all of it
	Stream  string `json:"stream"`
	Bytes   uint64 `json:"bytes"`
	Share   uint64 `json:"share"`
	Refused bool   `json:"refused"` // its newest message was
}

// note remembers what became of a holder's newest message; news is whether that was otherwise before, and
// the log has not been told of this holder lately.
func (s *standings) note(streamName string, h holder, refused bool, now time.Time) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := streamName + " " + h.String()
	if s.refused[key] == refused {
		return false
	}
	if refused {
		s.refused[key] = true
	} else {
		delete(s.refused, key)
	}
	if told, ok := s.told[key]; ok && now.Sub(told) < tellAgain {
		return false
	}
	s.told[key] = now
	return true
}

func (s *standings) of(streamName string, h holder) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused[streamName+" "+h.String()]
}

const sharesFile = "shares.json"

// lookAtShares is how often the file is written, where something has changed.
const lookAtShares = 2 * time.Second

func writeStandings(directory string, all []Standing) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return disk.Replace(filepath.Join(directory, sharesFile), append(text, '\n'), 0o600)
}

// examineShares says who has reached a share, and who has most of his.
func examineShares(directory string) []checkup.Check {
	text, err := os.ReadFile(filepath.Join(directory, sharesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return []checkup.Check{checkup.Good("shares", "nobody has key records or files here yet")}
	}
	var all []Standing
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return []checkup.Check{checkup.Bad("shares", "start the hub: it writes the file anew", "%s: %v", sharesFile, err)}
	}
	var checks []checkup.Check
	for _, s := range all {
		if s.Refused {
			checks = append(checks, checkup.Bad("shares", "raise its share under shares in the hub's configuration, or have it erase what it does not need; it goes on by itself. Nothing that it accepted is lost",
				"%s has %s, and the hub refuses more", s.Holder, s.says()))
		}
	}
	if len(checks) > 0 || len(all) == 0 {
		return append(checks, checkup.Good("shares", "%d holders are counted", len(all)))
	}
	most := slices.MaxFunc(all, func(a, b Standing) int {
		return cmp.Compare(float64(a.Bytes)/float64(a.Share), float64(b.Bytes)/float64(b.Share))
	})
	return []checkup.Check{checkup.Good("shares", "nobody is refused; nearest to its share is %s with %s", most.Holder, most.says())}
}

func (s Standing) says() string {
	return fmt.Sprintf("%s of the %s of %s that it may have here", mebibytes(s.Bytes), mebibytes(s.Share), contents[s.Stream])
}

// contents names for people what lies on a stream.
var contents = map[string]string{stream.Keys: "key records", stream.Files: "files"}

// mebibytes writes a number of bytes for people.
func mebibytes(n uint64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", (n+1<<10-1)>>10)
	}
	return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20)
}
