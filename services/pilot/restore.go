package pilot

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
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
	// What a restoration that was broken off has left is of no use: all may hold more by now.
	if err := os.RemoveAll(layout.holdings()); err != nil {
		return hub.Restored{}, err
	}
	defer os.RemoveAll(layout.holdings())
	files, err := layout.export(ctx, charter)
	if err != nil {
		return hub.Restored{}, err
	}
	var sources []salvage.Source
	for _, file := range files {
		sources = append(sources, salvage.File(file, charter))
	}
	if how.Time.IsZero() {
		how.Time = time.Now()
	}
	return hub.Restore(ctx, hub.Config{Directory: layout.hub(), Lock: keyfile.Unsealed, Charter: charter, Logger: log}, how, sources...)
}

// export has every party hand over what it holds, each in a file.
func (l Layout) export(ctx context.Context, charter registry.Charter) (files []string, err error) {
	if err := os.MkdirAll(l.holdings(), 0o700); err != nil {
		return nil, err
	}
	add := func(name string, export func(io.Writer) error) {
		path := filepath.Join(l.holdings(), name)
		failed := exportFile(path, export)
		if errors.Is(failed, fs.ErrNotExist) {
			return // it has never run
		}
		err, files = errors.Join(err, failed), append(files, path)
	}
	add("notary", func(to io.Writer) error {
		return notary.Export(ctx, notary.Config{Directory: l.notary(), Charter: charter}, to)
	})
	for _, country := range l.countries() {
		add("desk-"+country, func(to io.Writer) error {
			return desk.Export(ctx, desk.Config{Country: country, Directory: l.desk(country), Charter: charter}, to)
		})
	}
	for _, v := range l.voices() {
		add("publisher-"+v.Country+"-"+v.Agency, func(to io.Writer) error {
			return publisher.Export(ctx, publisher.Config{Country: v.Country, Agency: v.Agency, Directory: l.publisher(v), Charter: charter}, to)
		})
	}
	return files, err
}

func exportFile(path string, export func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(export(file), file.Close())
}
