package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
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

// eventFiles is an accepted event with what is known of its files.
type eventFiles struct {
	event.Verified
	addresses []string // where its chunks lie, the likeliest first
	files     []attached
}

// of are the files in the sections of an accepted event that open now, and the event.
func (f *attachments) of(ctx context.Context, index uint64) (of eventFiles, err error) {
	rows, err := f.desk.shelf.entries(ctx, view.Filter{After: index, Limit: 1})
	if err != nil || len(rows) == 0 || rows[0].Index != index || rows[0].Verdict != verdict.Accepted || rows[0].EventID == "" {
		return of, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var ok bool
	if rows[0].Released > 0 {
		of, ok, err = f.released(ctx, rows[0])
	} else if of.Verified, ok, err = f.at(ctx, index); ok {
		of.addresses = []string{of.Chain.Audience}
	}
	if err != nil || !ok {
		return eventFiles{}, err
	}
	sections, err := f.opener.Open(ctx, index, of.Verified, f.desk.now())
	if err != nil {
		return eventFiles{}, err
	}
	for _, opened := range openedOf(sections) {
		for n, named := range casework.Attachments(opened) {
			a := attached{compartment: event.CompartmentName(opened.Compartment), number: n}
			if a.entry, a.fault = attachment.Read(named); n >= attachment.MaxFiles {
				break
			}
			of.files = append(of.files, a)
		}
	}
	return of, nil
}

// at is the event that the journal has at a log index.
func (f *attachments) at(ctx context.Context, index uint64) (e event.Verified, ok bool, err error) {
	m, ok, err := f.desk.journal.At(ctx, index)
	if err != nil || !ok {
		return e, false, err
	}
	e, ok = f.verified(m.Data)
	return e, ok, nil
}

// verified is not ok where the journal has changed since the view was folded.
func (f *attachments) verified(data []byte) (e event.Verified, ok bool) {
	unverified, err := event.Decode(data)
	if err != nil {
		return e, false
	}
	key, ok := f.desk.registry().Key(unverified.KeyID()) // the journal's: the view's is told after its rows are there
	if !ok {
		return e, false
	}
	e, err = unverified.Verify(key.Public, key.Second, &event.Roots{})
	return e, err == nil
}

// released is an event that its notice alone brings here: the fold has held it against the log. Its chunks lie
// where releases of it to this country were announced.
func (f *attachments) released(ctx context.Context, row view.Entry) (of eventFiles, ok bool, err error) {
	notice, ok, err := f.at(ctx, row.Released)
	if err != nil || !ok {
		return of, false, err
	}
	sections, err := f.opener.Open(ctx, row.Released, notice, f.desk.now())
	if err != nil {
		return of, false, err
	}
	said, ok := casework.ReleasedBy(casework.Hear(row.Released, notice, openedOf(sections), registry.Audience{}))
	if !ok || said.Index != row.Index {
		return of, false, nil
	}
	if of.Verified, ok = f.verified(said.Envelope); !ok {
		return of, false, nil
	}
	of.addresses, err = f.announced(ctx, said.Event)
	return of, true, err
}

// announced are the addresses to which releases of an event to this country were said, the newest first.
func (f *attachments) announced(ctx context.Context, of casework.EventRef) (addresses []string, err error) {
	document, ok, err := f.desk.shelf.documentOf(ctx, of.In(casework.TypeRelease))
	if err != nil || !ok {
		return nil, err
	}
	var release casework.Release
	if err := json.Unmarshal(document.Data, &release); err != nil {
		return nil, fmt.Errorf("reading the releases of event %s: %w", of.ID, err)
	}
	for _, claim := range slices.Backward(release.Claims) {
		if claim.To != f.desk.config.Country {
			continue
		}
		notice, ok, err := f.at(ctx, claim.Index)
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(addresses, notice.Chain.Audience) {
			addresses = append(addresses, notice.Chain.Audience)
		}
	}
	return addresses, nil
}

// list is what the console shows of an event's files.
func (f *attachments) list(ctx context.Context, index uint64) ([]console.Attachment, error) {
	of, err := f.of(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("reading the attachments of event %d: %w", index, err)
	}
	shown := make([]console.Attachment, len(of.files))
	for i, a := range of.files {
		shown[i] = console.Attachment{Compartment: a.compartment, Number: a.number, Reason: string(attachment.ReasonOf(a.fault))}
		if a.fault != nil {
			continue
		}
		shown[i].Name, shown[i].MediaType, shown[i].Size, shown[i].Tag = a.entry.Name, a.entry.MediaType, a.entry.Size, a.entry.Chunks[0].String()
		shown[i].Open = func(ctx context.Context) console.File {
			return attachment.NewReader(a.entry, func(number int) ([]byte, error) { return f.fetch(ctx, index, of, a.entry, number) })
		}
		shown[i].Taken = func(ctx context.Context, person string) error {
			return f.desk.ring.Exported(ctx, keyring.Export{Made: f.desk.now(), Person: person, Form: "attachment", Events: []event.ID{of.ID}})
		}
	}
	return shown, nil
}

// errEnded says that a file's section was closed while it was read.
var errEnded = fmt.Errorf("its section was closed meanwhile: %w", attachment.Erased)

// fetch brings a chunk from here or from the hub, and keeps it if it is the right one. A
// download that broke off goes on with those that are not here.
func (f *attachments) fetch(ctx context.Context, index uint64, of eventFiles, file attachment.File, number int) ([]byte, error) {
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
	chunk, err := f.fetchFrom(ctx, of, file, number)
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

// fetchFrom asks the hub for a chunk, at each address where it may be. Its error is of the last one, unless
// the link is to blame.
func (f *attachments) fetchFrom(ctx context.Context, of eventFiles, file attachment.File, number int) (chunk []byte, err error) {
	err = fmt.Errorf("chunk %d of %d: %w", number, len(file.Chunks), attachment.Missing)
	for _, address := range of.addresses {
		chunk, got := f.desk.conn.Chunk(ctx, stream.ChunkSubject(address, of.Chain.Country, of.Chain.Agency, file.Chunks[number].String()))
		switch {
		case errors.Is(got, stream.ErrNoChunk):
			continue
		case got != nil:
			return nil, got
		}
		if err = file.Fits(number, chunk); err == nil {
			return chunk, nil
		}
	}
	return nil, err
}

// named are the chunks of an event's files that may be here.
func (f *attachments) named(ctx context.Context, index uint64) (map[event.Digest]bool, error) {
	of, err := f.of(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("reading the attachments of event %d: %w", index, err)
	}
	named := map[event.Digest]bool{}
	for _, a := range of.files {
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
