package pilot

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/hub/salvage"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/publisher"
)

// Restore builds the hub's streams in a data directory again, from what the notary
// and all desks and publishers there hold. The pilot must not run.
func Restore(ctx context.Context, data string, how hub.Restoration, log *slog.Logger) (hub.Restored, error) {
	layout := Layout(data)
	charter, err := readCharter(layout)
	if err != nil {
		return hub.Restored{}, err
	}
	lock, err := daemon.Lock(data)
	if err != nil {
		return hub.Restored{}, err
	}
	defer lock.Close()
	holdings := layout.holdings()
	if how.DryRun {
		holdings, err = os.MkdirTemp(data, "holdings-dry-run-")
	} else { // what a restoration that was broken off has left is of no use: all may hold more by now
		err = errors.Join(os.RemoveAll(holdings), os.MkdirAll(holdings, 0o700))
	}
	if err != nil {
		return hub.Restored{}, err
	}
	defer os.RemoveAll(holdings)
	brought, err := layout.export(ctx, charter, holdings)
	if err != nil {
		return hub.Restored{}, err
	}
	how.Absent, how.Unsound = brought.absent, brought.unsound
	if how.Time.IsZero() {
		how.Time = time.Now()
	}
	for {
		done, err := hub.Restore(ctx, hub.Config{Directory: layout.hub(), Lock: keyfile.Unsealed, Charter: charter, Logger: log}, how, brought.sources...)
		unsound := (*salvage.Unsound)(nil)
		if !errors.As(err, &unsound) || !brought.has(unsound.Source) {
			return done, err
		}
		brought.sources = slices.DeleteFunc(brought.sources, func(s salvage.Source) bool { return s.Name == unsound.Source })
		how.Unsound = append(how.Unsound, unsound.Error())
	}
}

// brought is what the parties have handed over. Absent are those that have nothing
// here: they have never run, or what they had is gone. Unsound are those whose files
// are damaged, and how: the others may have all that they had.
type brought struct {
	sources         []salvage.Source // named after the parties
	absent, unsound []string
}

func (b brought) has(party string) bool {
	return slices.ContainsFunc(b.sources, func(s salvage.Source) bool { return s.Name == party })
}

// export has every party hand over what it holds, each in a file.
func (l Layout) export(ctx context.Context, charter registry.Charter, to string) (all brought, err error) {
	voices, countries, err := l.everybody(charter)
	if err != nil {
		return all, err
	}
	add := func(party, holds string, export func(io.Writer) error) {
		if _, missing := os.Stat(holds); errors.Is(missing, fs.ErrNotExist) {
			all.absent = append(all.absent, party)
			return
		}
		path := filepath.Join(to, strings.NewReplacer(" ", "-", "/", "-").Replace(party))
		if failed := exportFile(path, export); failed != nil {
			all.unsound = append(all.unsound, party+": "+failed.Error())
			return
		}
		source := salvage.File(path, charter)
		source.Name = party
		all.sources = append(all.sources, source)
	}
	add("notary", l.leaves(), func(to io.Writer) error {
		return notary.Export(ctx, notary.Config{Directory: l.notary(), Charter: charter}, to)
	})
	for _, country := range countries {
		add("desk "+country, l.journal(country), func(to io.Writer) error {
			return desk.Export(ctx, desk.Config{Country: country, Directory: l.desk(country), Charter: charter}, to)
		})
	}
	for _, v := range voices {
		add("publisher "+v.String(), l.outbox(v), func(to io.Writer) error {
			return publisher.Export(ctx, publisher.Config{Country: v.Country, Agency: v.Agency, Directory: l.publisher(v), Charter: charter}, to)
		})
	}
	return all, ctx.Err()
}

func exportFile(path string, export func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(export(file), file.Close())
}
