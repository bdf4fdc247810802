package publisher

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/stream"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// chunksAt counts the chunks of a file that the hub has at an address, and those that are empty.
func (w *world) chunksAt(address string, a *caseworkv1.Attachment) (whole, empty int) {
	w.t.Helper()
	file, err := attachment.Read(a)
	if err != nil {
		w.t.Fatal(err)
	}
	kept, err := w.hub.js.Stream(patient(w.t), stream.Files)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range file.Chunks {
		m, err := kept.GetLastMsgForSubject(patient(w.t), stream.ChunkSubject(address, "XA", "police", name.String()))
		switch {
		case err != nil:
		case len(m.Data) == 0:
			empty++
		default:
			whole++
			if life, err := time.ParseDuration(m.Header.Get("Nats-TTL")); address == "region" && (err != nil || life < 364*24*time.Hour || life > 366*24*time.Hour) {
				w.t.Errorf("a chunk is kept for %q", m.Header.Get("Nats-TTL"))
			}
		}
	}
	return whole, empty
}

// A file of a section that is released is at the address of the release before that is said, each chunk sent once,
// also where the publisher is killed on the way. What is in other sections stays where it was.
func TestAdversary_P01_KilledWhileAFileIsReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	p := w.start(directory)
	const pieces = 6
	text := photograph(pieces * attachment.PieceSize)
	given, kept := announce("given", text), announce("kept", text)
	given.Audience, kept.Audience = "pair", "pair"
	inCase, inIdentity := p.hand(given, text, len(text)).GetAttachment(), p.hand(kept, text, len(text)).GetAttachment()
	promised := p.publish(report("a", to("pair"), attached(inIdentity), func(r *caseworkv1.Report) { r.Case.Attachments = []*caseworkv1.Attachment{inCase} }))
	p.untilStored(1)
	n.witness()
	p.untilWitnessed(1)
	eventually(t, func() string { // nothing is left of it here
		if p.begin(given).GetAttachment() != nil {
			return "the file is still here"
		}
		return ""
	})
	request := w.releaseTo("r-1", "region", promised[0].GetEventId())
	request.Events[0].Sections = request.Events[0].Sections[:1]
	p.stop()

	var put atomic.Int64
	reached := make(chan struct{})
	p = w.start(directory, withCourier(func(ctx context.Context, through courier, subject string, chunk []byte, life time.Duration) error {
		if put.Load() == 3 {
			if err := through.PutChunk(ctx, subject, chunk, life); err != nil { // it is there, and nobody says so
				return err
			}
			close(reached)
			<-ctx.Done()
			return ctx.Err()
		}
		put.Add(1)
		return through.PutChunk(ctx, subject, chunk, life)
	}))
	if _, err := p.client.Release(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	<-reached
	killed := image(t, directory)
	if s := p.status(); s.GetAccepted() != 1 {
		t.Errorf("it is said while the file is on its way")
	}
	p.stop()
	p = w.start(killed, withCourier(func(ctx context.Context, through courier, subject string, chunk []byte, life time.Duration) error {
		put.Add(1)
		return through.PutChunk(ctx, subject, chunk, life)
	}))
	p.until("it is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 2 && s.GetWaiting() == 0 })
	if put.Load() != pieces {
		t.Errorf("%d chunks were sent after the first three, want %d", put.Load()-3, pieces-3)
	}
	if whole, _ := w.chunksAt("region", inCase); whole != pieces {
		t.Errorf("%d chunks are where the release is", whole)
	}
	if whole, empty := w.chunksAt("region", inIdentity); whole+empty != 0 {
		t.Errorf("%d chunks of a section that is not released are there", whole)
	}
	if got, err := w.fetchedAt("region", inCase); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes are read there, %v", len(got), err)
	}
	p.erase("a mistake", promised[0].GetEventId())
	eventually(t, func() string {
		pair, emptied := w.chunksAt("pair", inCase)
		region, emptiedThere := w.chunksAt("region", inCase)
		if got := fmt.Sprint(pair, emptied, region, emptiedThere); got != "0 6 0 6" {
			return "chunks, emptied, chunks at the release, emptied there: " + got
		}
		return ""
	})
}

// fetchedAt reads a file as the hub has it at an address.
func (w *world) fetchedAt(address string, a *caseworkv1.Attachment) ([]byte, error) {
	w.t.Helper()
	file, err := attachment.Read(a)
	if err != nil {
		w.t.Fatal(err)
	}
	kept, err := w.hub.js.Stream(patient(w.t), stream.Files)
	if err != nil {
		w.t.Fatal(err)
	}
	return io.ReadAll(attachment.NewReader(file, func(n int) ([]byte, error) {
		m, err := kept.GetLastMsgForSubject(patient(w.t), stream.ChunkSubject(address, "XA", "police", file.Chunks[n].String()))
		if err != nil {
			return nil, err
		}
		if life, err := time.ParseDuration(m.Header.Get("Nats-TTL")); err != nil || life < 8*24*time.Hour {
			w.t.Errorf("a chunk is kept for %q", m.Header.Get("Nats-TTL"))
		}
		return m.Data, nil
	}))
}

// K07: an erasure that comes while a file is brought to a release leaves nothing of it there, and nothing is said of the release.
func TestAdversary_K07_ErasedWhileItsFileIsReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	n := w.notary()
	n.checkpoint(1)
	reached, hold := make(chan struct{}), make(chan struct{})
	var put atomic.Int64
	p := w.start(t.TempDir(), withCourier(func(ctx context.Context, through courier, subject string, chunk []byte, life time.Duration) error {
		if strings.HasPrefix(subject, "file.region.") && len(chunk) > 0 && put.Add(1) == 3 {
			close(reached)
			<-hold
		}
		return through.PutChunk(ctx, subject, chunk, life)
	}))
	text := photograph(5 * attachment.PieceSize)
	announced := announce("given", text)
	announced.Audience = "pair"
	a := p.hand(announced, text, len(text)).GetAttachment()
	promised := p.publish(report("a", to("pair"), attached(a)))
	p.untilStored(1)
	n.witness()
	p.untilWitnessed(1)
	if _, err := p.client.Release(t.Context(), w.releaseTo("r-1", "region", promised[0].GetEventId())); err != nil {
		t.Fatal(err)
	}
	<-reached
	p.erase("a mistake", promised[0].GetEventId())
	close(hold)
	p.untilErased()
	p.until("the erasure is said, and nothing else", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 2 && s.GetWaiting() == 0 })
	eventually(t, func() string {
		if pair, _ := w.chunksAt("pair", a); pair > 0 {
			return fmt.Sprintf("%d chunks are at its own address", pair)
		}
		if region, _ := w.chunksAt("region", a); region > 0 {
			return fmt.Sprintf("%d chunks are at the release's", region)
		}
		if open, err := p.outbox.Unsettled(t.Context()); err != nil || open {
			return fmt.Sprintf("the file is not settled (%v)", err)
		}
		return ""
	})
	n.witness()
	p.untilWitnessed(2)
	if got := fmt.Sprint(w.told(promised[0].GetEventId(), releasedIn)); got != "map[]" {
		t.Errorf("the release was said: %s", got)
	}
}

// What the hub has lost of a file, or gives otherwise, holds up no release.
func TestReleaseGoesOnWithoutALostFile(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world, subject string) error{
		"lost": func(w *world, subject string) error {
			files, err := w.hub.js.Stream(patient(w.t), stream.Files)
			if err != nil {
				return err
			}
			return files.Purge(patient(w.t))
		},
		"altered": func(w *world, subject string) error {
			_, err := w.hub.js.Publish(patient(w.t), subject, []byte("other bytes"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).withFiles()
			n := w.notary()
			n.checkpoint(1)
			p := w.start(t.TempDir())
			text := photograph(2 * attachment.PieceSize)
			announced := announce("given", text)
			announced.Audience = "pair"
			a := p.hand(announced, text, len(text)).GetAttachment()
			promised := p.publish(report("a", to("pair"), attached(a)))
			p.untilStored(1)
			n.witness()
			p.untilWitnessed(1)
			eventually(t, func() string {
				if p.begin(announced).GetAttachment() != nil {
					return "the file is still here"
				}
				return ""
			})
			if err := spoil(w, stream.ChunkSubject("pair", "XA", "police", fmt.Sprintf("%x", a.GetChunks()[0]))); err != nil {
				t.Fatal(err)
			}
			if _, err := p.client.Release(t.Context(), w.releaseTo("r-1", "region", promised[0].GetEventId())); err != nil {
				t.Fatal(err)
			}
			p.until("it is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 2 && s.GetWaiting() == 0 })
			if whole, _ := w.chunksAt("region", a); whole != 0 {
				t.Errorf("%d chunks are there", whole)
			}
		})
	}
}
