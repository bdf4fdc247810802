package scrub

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/disk"
)

// What a Finding may be. The indices are those of the log.
const (
	Lost      = "lost"      // the hub cannot show them any more
	Altered   = "altered"   // the hub shows other bytes, or another subject, than were signed
	Regressed = "regressed" // the stream ends before the tree
	Regrown   = "regrown"   // other messages up to the end: the stream was set back, and its sequences used again
	Store     = "store"     // the notary's own leaf store is not the tree that it has signed
	Weakened  = "weakened"  // a stream is not kept as it must be; has no indices
)

// Finding is one fault that stands.
type Finding struct {
	Code string    `json:"code"`
	From uint64    `json:"from"` // log index
	To   uint64    `json:"to"`   // exclusive
	What string    `json:"what"` // in plain words, with what to do
	Seen time.Time `json:"seen"` // for the first time
}

func (f Finding) same(g Finding) bool {
	return f.Code == g.Code && f.From == g.From && f.To == g.To && f.What == g.What
}

// fileName is the file of findings in a notary's directory.
const fileName = "findings.json"

// Read returns the findings that stand, of a notary's directory; nil where nothing was
// ever found, or looked for. The notary may run meanwhile.
func Read(directory string) ([]Finding, error) {
	path := filepath.Join(directory, fileName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading findings: %w", err)
	}
	var findings []Finding
	if err := json.Unmarshal(data, &findings); err != nil {
		return nil, fmt.Errorf("reading findings: %s: %w", path, err)
	}
	return findings, nil
}

// book keeps the findings on disk. The file is replaced whole, so a crash leaves
// the ones before; what still is wrong is found again.
type book struct {
	directory string
	findings  []Finding
	log       *slog.Logger
}

// openBook begins with what stood when the notary ended. A file that cannot be
// read is said and begun anew: the next round finds again what is wrong.
func openBook(directory string, log *slog.Logger) *book {
	b := &book{directory: directory, log: log}
	var err error
	if b.findings, err = Read(directory); err != nil {
		log.Error("the findings so far are lost; the stream is read again", "error", err)
	}
	return b
}

// set makes found all the findings that have one of the codes.
func (b *book) set(found []Finding, codes ...string) error {
	next := slices.DeleteFunc(slices.Clone(b.findings), func(f Finding) bool { return slices.Contains(codes, f.Code) })
	for _, f := range b.findings {
		if slices.Contains(codes, f.Code) && !slices.ContainsFunc(found, f.same) {
			b.log.Info("the scrubber finds this no more", "code", f.Code, "from", f.From, "to", f.To, "what", f.What)
		}
	}
	return b.replace(append(next, b.dated(found)...))
}

// add lets further findings stand.
func (b *book) add(found ...Finding) error {
	fresh := slices.DeleteFunc(slices.Clone(found), func(f Finding) bool { return slices.ContainsFunc(b.findings, f.same) })
	return b.replace(append(slices.Clone(b.findings), b.dated(fresh)...))
}

// dated says since when each stands, and tells of the new ones.
func (b *book) dated(found []Finding) []Finding {
	dated := slices.Clone(found)
	for i, f := range dated {
		if at := slices.IndexFunc(b.findings, f.same); at >= 0 {
			dated[i].Seen = b.findings[at].Seen
			continue
		}
		dated[i].Seen = time.Now().UTC()
		b.log.Error("the scrubber found a fault", "code", f.Code, "from", f.From, "to", f.To, "what", f.What)
	}
	return dated
}

func (b *book) replace(next []Finding) error {
	slices.SortFunc(next, func(f, g Finding) int {
		return cmp.Or(cmp.Compare(f.From, g.From), cmp.Compare(f.To, g.To), cmp.Compare(f.Code, g.Code), cmp.Compare(f.What, g.What))
	})
	if slices.Equal(next, b.findings) {
		return nil
	}
	data, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return fmt.Errorf("keeping findings: %w", err)
	}
	if err := disk.Replace(filepath.Join(b.directory, fileName), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("keeping findings: %w", err)
	}
	b.findings = next
	return nil
}

// indices are a range in words.
func indices(from, to uint64) string {
	if to == from+1 {
		return fmt.Sprintf("index %d", from)
	}
	return fmt.Sprintf("indices %d to %d", from, to-1)
}

const (
	restore = "stop the hub, collect what desks, publishers and notary hold, and run `tripoint hub restore`"
	renew   = "start the notary again: it sees the damage, reads the stream again, and compares it with what is published"
)

// finding says a span in words.
func (s span) finding() Finding {
	f := Finding{Code: s.code, From: s.from, To: s.to}
	at := indices(s.from, s.to)
	switch s.code {
	case Lost:
		f.What = fmt.Sprintf("the stream has lost what was signed at %s: %s", at, restore)
	case Altered:
		f.What = fmt.Sprintf("the stream holds something else than was signed at %s: find out who had write access to the hub's disk, then %s", at, restore)
	case Regressed:
		f.What = fmt.Sprintf("the stream ends at %d messages, and has no more what was signed at %s: publish nothing, %s", s.from, at, restore)
	case Regrown:
		f.What = fmt.Sprintf("the stream was set back and has grown again: at %s it holds something else than was signed: publish nothing more, %s", at, restore)
	case Store:
		f.What = fmt.Sprintf("the notary's own leaf store is damaged at %s: %s", at, renew)
	}
	return f
}
