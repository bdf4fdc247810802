package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
	"github.com/tripoint/tripoint/services/desk/chunks"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

// cachedFiles bounds what is kept of attachments, in bytes: it can be fetched again.
const cachedFiles = 4 << 30

// attachments are those of events. Neither the view nor any file here has their keys or names:
// each time the event is opened anew, so that what is erased, recalled or over is gone at once.
type attachments struct {
	desk  *Desk
	store *chunks.Store

	mu     sync.Mutex
	opener *keyring.Opener
}

func (d *Desk) openFilesOfEvents(ctx context.Context) error {
	store, err := chunks.Open(filepath.Join(d.config.Directory, "attachments"), cachedFiles)
	if err != nil {
		return err
	}
	d.files = &attachments{desk: d, store: store, opener: d.ring.Opener(d.config.OpeningKeys, d.registry)}
	return d.files.sweep(ctx) // a crash may have been between what has ended and its chunks
}

// attached is one file of an event, as it is named there.
type attached struct {
	compartment string
	number      int // in its section, from 0
	entry       attachment.File
	fault       error // it is not in its form
}

// of are the files in the sections of an accepted event that open now, and the event.
func (f *attachments) of(ctx context.Context, index uint64) (all []attached, e event.Verified, err error) {
	rows, err := f.desk.shelf.entries(ctx, view.Filter{After: index, Limit: 1})
	if err != nil || len(rows) == 0 || rows[0].Index != index || rows[0].Verdict != verdict.Accepted || rows[0].EventID == "" {
		return nil, e, err
	}
	m, ok, err := f.desk.journal.At(ctx, index)
	if err != nil || !ok {
		return nil, e, err
	}
	unverified, err := event.Decode(m.Data)
	if err != nil {
		return nil, e, nil // the journal has changed since the view was folded
	}
	key, ok := f.desk.registry().Key(unverified.KeyID()) // the journal's: the view's is told after its rows are there
	if !ok {
		return nil, e, nil
	}
	if e, err = unverified.Verify(key.Public, key.Second, &event.Roots{}); err != nil {
		return nil, e, nil
	}
	f.mu.Lock()
	sections, err := f.opener.Open(ctx, index, e, f.desk.now())
	f.mu.Unlock()
	if err != nil {
		return nil, e, err
	}
	for _, s := range sections {
		opened := casework.Opened{Compartment: s.Compartment, Content: s.Content, Closed: string(seal.ReasonOf(s.Err))}
		for n, named := range casework.Attachments(opened) {
			a := attached{compartment: event.CompartmentName(s.Compartment), number: n}
			if a.entry, a.fault = attachment.Read(named); n >= attachment.MaxFiles {
				break
			}
			all = append(all, a)
		}
	}
	return all, e, nil
}

// list is what the console shows of an event's files.
func (f *attachments) list(ctx context.Context, index uint64) ([]console.Attachment, error) {
	all, e, err := f.of(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("reading the attachments of event %d: %w", index, err)
	}
	shown := make([]console.Attachment, len(all))
	for i, a := range all {
		shown[i] = console.Attachment{Compartment: a.compartment, Number: a.number, Reason: string(attachment.ReasonOf(a.fault))}
		if a.fault != nil {
			continue
		}
		shown[i].Name, shown[i].MediaType, shown[i].Size, shown[i].Tag = a.entry.Name, a.entry.MediaType, a.entry.Size, a.entry.Chunks[0].String()
		shown[i].Open = func(ctx context.Context) console.File {
			return attachment.NewReader(a.entry, func(number int) ([]byte, error) { return f.fetch(ctx, index, e, a.entry, number) })
		}
		shown[i].Taken = func(ctx context.Context, person string) error {
			return f.desk.ring.Exported(ctx, keyring.Export{Made: f.desk.now(), Person: person, Form: "attachment", Events: []event.ID{e.ID}})
		}
	}
	return shown, nil
}

// errEnded says that a file's section was closed while it was read.
var errEnded = fmt.Errorf("its section was closed meanwhile: %w", attachment.Erased)

// fetch brings a chunk from here or from the hub, and keeps it if it is the right one. A
// download that broke off goes on with those that are not here.
func (f *attachments) fetch(ctx context.Context, index uint64, e event.Verified, file attachment.File, number int) ([]byte, error) {
	name := file.Chunks[number]
	wanted := func() (bool, error) {
		named, err := f.named(ctx, index)
		return named[name], err
	}
	if chunk := f.store.Get(index, name); chunk != nil {
		if open, err := wanted(); err != nil || !open {
			return nil, errors.Join(err, errEnded)
		}
		return chunk, nil
	}
	chunk, err := f.desk.conn.Chunk(ctx, stream.ChunkSubject(e.Chain.Audience, e.Chain.Country, e.Chain.Agency, name.String()))
	if errors.Is(err, stream.ErrNoChunk) {
		err = fmt.Errorf("chunk %d of %d: %w", number, len(file.Chunks), attachment.Missing)
	}
	if err == nil {
		err = file.Fits(number, chunk)
	}
	if err != nil {
		if reason := attachment.ReasonOf(err); reason != "" {
			f.desk.log.Warn("an attachment cannot be fetched", "event", index, "chunk", number, "reason", string(reason))
		}
		return nil, err
	}
	kept, err := f.store.Put(index, name, chunk, wanted)
	if err == nil && !kept {
		err = errEnded
	}
	return chunk, err
}

// named are the chunks of an event's files that may be here.
func (f *attachments) named(ctx context.Context, index uint64) (map[event.Digest]bool, error) {
	all, _, err := f.of(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("reading the attachments of event %d: %w", index, err)
	}
	named := map[event.Digest]bool{}
	for _, a := range all {
		for _, name := range a.entry.Chunks {
			named[name] = true
		}
	}
	return named, nil
}

// sweep removes the chunks of what does not open any more.
func (f *attachments) sweep(ctx context.Context) error {
	return f.store.Sweep(func(index uint64) (map[event.Digest]bool, error) { return f.named(ctx, index) })
}

var _ console.File = (*attachment.Reader)(nil)
var _ io.ReadSeeker = (console.File)(nil)
