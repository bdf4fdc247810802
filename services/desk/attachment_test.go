package desk

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tripoint/tripoint/internal/link"
	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/stream"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	"github.com/tripoint/tripoint/services/desk/console"
)

// planted is in every piece of the files of these tests.
const planted = "an invented person's photograph"

func photograph(size int) []byte {
	text := make([]byte, size)
	for i := range text {
		text[i] = byte(i*i + i>>9)
	}
	for i := 0; i+64 < size; i += 8 << 10 {
		copy(text[i:], planted)
	}
	return text
}

// withFiles gives the hub its fourth stream.
func (w *world) withFiles() *world {
	w.t.Helper()
	for _, config := range stream.Settings() {
		if config.Name == stream.Files {
			_, err := w.js.CreateOrUpdateStream(w.t.Context(), config)
			must(w.t, err)
		}
	}
	return w
}

// closes makes a file's entry and its chunks.
func closes(t testing.TB, name string, text []byte) (*caseworkv1.Attachment, [][]byte) {
	t.Helper()
	key, size := attachment.NewKey(), uint64(len(text))
	a := &caseworkv1.Attachment{Name: name, MediaType: "image/jpeg", Size: size, Key: key[:]}
	var all [][]byte
	for n := range attachment.Chunks(size) {
		chunk, err := attachment.Seal(key, size, n, text[n*attachment.PieceSize:][:attachment.Piece(size, n)])
		must(t, err)
		digest := attachment.NameOf(chunk)
		a.Chunks, all = append(a.Chunks, digest[:]), append(all, chunk)
	}
	return a, all
}

// subjectAt is where a file's chunk lies.
func subjectAt(chain event.Chain, a *caseworkv1.Attachment, n int) string {
	return stream.ChunkSubject(chain.Audience, chain.Country, chain.Agency, hex.EncodeToString(a.GetChunks()[n]))
}

// stores puts a file on the hub.
func (w *world) stores(chain event.Chain, a *caseworkv1.Attachment, chunks [][]byte) {
	w.t.Helper()
	for n, chunk := range chunks {
		_, err := w.js.Publish(w.t.Context(), subjectAt(chain, a, n), chunk)
		must(w.t, err)
	}
}

// siteWith is a draft about a site, with files in its case section.
func (w *world) siteWith(site string, files ...*caseworkv1.Attachment) event.Draft {
	w.t.Helper()
	return w.drafted("site.reported", &caseworkv1.CaseSection{Attachments: files,
		Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: site, Name: "invented"}}})
}

// files are what the console may show of an event.
func (r *running) attachments(index uint64) []console.Attachment {
	r.w.t.Helper()
	all, err := r.files.list(context.Background(), index)
	must(r.w.t, err)
	return all
}

// reads reads a file as an officer's browser does, to its end or to the first fault.
func (r *running) reads(index uint64, number int) ([]byte, error) {
	r.w.t.Helper()
	all := r.attachments(index)
	if number >= len(all) {
		return nil, fmt.Errorf("event %d has %d files", index, len(all))
	}
	return io.ReadAll(all[number].Open(context.Background()))
}

// cached is how many chunks a desk keeps.
func cached(t testing.TB, directory string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(directory, "attachments", "*", "*"))
	must(t, err)
	return len(found)
}

// A file is read where its section opens, kept as ciphertext, and nothing of it lies in any file of the desk.
func TestAttachmentIsReadWhereItsSectionOpens(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	directory := t.TempDir()
	d, closed := w.start("XB", directory, opening()), w.desk("XC")
	text := photograph(2*attachment.PieceSize + 99)
	a, chunks := closes(t, "invented-photograph-name.jpg", text)
	w.stores(police, a, chunks)
	b := w.tells(police, w.siteWith("S-1", a), w.site("S-2", "without"))
	d.shows(b.places[1], "")
	got, err := d.reads(b.places[0], 0)
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	same(t, "files of another event", 0, len(d.attachments(b.places[1])))
	same(t, "chunks kept", 3, cached(t, directory))
	closed.has(b.places[0])
	same(t, "files where the section is closed", 0, len(closed.attachments(b.places[0])))
	for name, secret := range map[string][]byte{"text": []byte(planted), "name": []byte("invented-photograph-name"), "key": a.GetKey()} {
		same(t, name+" in the desk's files", []string(nil), holds(t, directory, secret))
	}
	// Without the hub what has come is there; a damaged file is fetched again.
	paths, err := filepath.Glob(filepath.Join(directory, "attachments", "*", hex.EncodeToString(a.GetChunks()[1])))
	must(t, err)
	must(t, os.WriteFile(paths[0], []byte("damaged"), 0o600))
	if got, err := d.reads(b.places[0], 0); err != nil || !bytes.Equal(got, text) {
		t.Errorf("after damage: %d bytes, %v", len(got), err)
	}
	must(t, w.js.DeleteStream(t.Context(), stream.Files))
	if got, err := d.reads(b.places[0], 0); err != nil || !bytes.Equal(got, text) {
		t.Errorf("without the hub: %d bytes, %v", len(got), err)
	}
}

// A hub that swaps, cuts, alters, empties or withholds a chunk: each has its reason, no byte of what
// came instead is shown or kept, and with the right chunk the rest is read.
func TestAdversary_K02_HubThatAltersAttachments(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	directory := t.TempDir()
	d := w.start("XB", directory, opening())
	text := photograph(3 * attachment.PieceSize)
	a, chunks := closes(t, "a.jpg", text)
	_, others := closes(t, "a.jpg", text)
	w.stores(police, a, chunks)
	b := w.tells(police, w.siteWith("S-1", a))
	d.shows(b.places[0], "")
	flipped := bytes.Clone(chunks[1])
	flipped[5000] ^= 1
	files, err := w.js.Stream(t.Context(), stream.Files)
	must(t, err)
	for _, attack := range []struct {
		name  string
		chunk []byte
		want  attachment.Reason
	}{
		{"swaps two", chunks[2], attachment.Moved}, {"cuts one", chunks[1][:1000], attachment.Cut}, {"flips a bit", flipped, attachment.Altered},
		{"gives another file's", others[1], attachment.Altered}, {"empties it", nil, attachment.Erased}, {"withholds it", nil, attachment.Missing},
	} {
		if attack.want == attachment.Missing {
			must(t, files.Purge(t.Context()))
			w.stores(police, a, chunks[:1])
		} else {
			_, err := w.js.Publish(t.Context(), subjectAt(police, a, 1), attack.chunk)
			must(t, err)
		}
		got, err := d.reads(b.places[0], 0)
		same(t, attack.name, attack.want, attachment.ReasonOf(err))
		if !bytes.Equal(got, text[:attachment.PieceSize]) {
			t.Errorf("%s: %d bytes were shown", attack.name, len(got))
		}
		same(t, "kept after it "+attack.name, 1, cached(t, directory))
	}
	w.stores(police, a, chunks)
	if got, err := d.reads(b.places[0], 0); err != nil || !bytes.Equal(got, text) {
		t.Errorf("with the right ones: %d bytes, %v", len(got), err)
	}
}

// An entry that its agency made wrongly is named so, and the files beside it are read.
func TestAttachmentThatIsNoFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	d := w.desk("XB", opening())
	good, chunks := closes(t, "good.jpg", photograph(100))
	bad, wrong := closes(t, "../../etc/passwd", photograph(100))
	w.stores(police, good, chunks)
	w.stores(police, bad, wrong)
	b := w.tells(police, w.siteWith("S-1", bad, good))
	d.shows(b.places[0], "")
	all := d.attachments(b.places[0])
	same(t, "files", 2, len(all))
	same(t, "the first", console.Attachment{Compartment: "case", Reason: "malformed"}, all[0])
	if got, err := d.reads(b.places[0], 1); err != nil || len(got) != 100 {
		t.Errorf("the second: %d bytes, %v", len(got), err)
	}
}

// What is erased, recalled or over has no files any more: not in the cache, not for who reads at that
// moment, and not after a start.
func TestAdversary_K07_AttachmentsEndWithTheirEvent(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"erased", "recalled", "expired"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t).withFiles()
			directory := t.TempDir()
			var mu sync.Mutex
			now := spoken
			d := w.start("XB", directory, opening(), func(c *Config) {
				c.clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
			})
			text := photograph(3 * attachment.PieceSize)
			a, chunks := closes(t, "a.jpg", text)
			other, rest := closes(t, "b.jpg", text)
			w.stores(police, a, chunks)
			w.stores(police, other, rest)
			b := w.tells(police, w.siteWith("S-1", a))
			kept := w.tells(police, w.siteWith("S-2", other))
			d.shows(kept.places[0], "")
			for _, index := range []uint64{b.places[0], kept.places[0]} {
				if got, err := d.reads(index, 0); err != nil || len(got) != len(text) {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
			}
			same(t, "chunks kept", 6, cached(t, directory))
			reading := d.attachments(b.places[0])[0].Open(t.Context()) // half read when it ends
			_, err := io.CopyN(io.Discard, reading, attachment.PieceSize)
			must(t, err)
			want := 3
			switch how {
			case "erased":
				record, said := w.erases(b, keyOf(t, "XA", "police"), b.events...)
				w.keyRecord(record.Subject(), record.Data)
				w.tells(police, said)
			case "recalled":
				w.tells(police, w.recalls("R-1", b.events...))
			case "expired":
				mu.Lock()
				now = spoken.AddDate(3, 0, 0)
				mu.Unlock()
				want = 0
			}
			until(t, "the cache is empty of it", func() bool { return cached(t, directory) == want })
			same(t, "its files", 0, len(d.attachments(b.places[0])))
			// Also where a chunk is in the cache still, or again.
			at := filepath.Join(directory, "attachments", fmt.Sprintf("%020d", b.places[0]))
			must(t, os.MkdirAll(at, 0o700))
			again := filepath.Join(at, hex.EncodeToString(a.GetChunks()[1]))
			must(t, os.WriteFile(again, chunks[1], 0o600))
			for range 2 {
				if part, err := io.ReadAll(reading); !errors.Is(err, attachment.Erased) || len(part) > 0 {
					t.Errorf("who reads it goes on: %d bytes, %v", len(part), err)
				}
				must(t, os.RemoveAll(at))
			}
			same(t, "kept after that", want, cached(t, directory))
			if how == "expired" {
				return
			}
			if got, err := d.reads(kept.places[0], 0); err != nil || len(got) != len(text) {
				t.Errorf("the other event's: %d bytes, %v", len(got), err)
			}
			// A crash between the end of the keys and that of the cache.
			must(t, d.stop())
			must(t, os.MkdirAll(at, 0o700))
			must(t, os.WriteFile(filepath.Join(at, hex.EncodeToString(a.GetChunks()[0])), chunks[0], 0o600))
			w.start("XB", directory, opening())
			same(t, "after a start", want, cached(t, directory))
		})
	}
}

// A link that breaks again and again costs a chunk each time: what has come is kept, and asked for once.
func TestDownloadGoesOnOverABrokenLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	const pieces, breaks = 16, 4
	text := photograph(pieces * attachment.PieceSize)
	a, chunks := closes(t, "a.jpg", text)
	w.stores(police, a, chunks)
	road := link.Down(t, strings.TrimPrefix(w.url, "nats://"), len(text)/(breaks+1), breaks)
	d := w.desk("XB", opening(), func(c *Config) { c.Stream.URL = "nats://" + road.Address() })
	b := w.tells(police, w.siteWith("S-1", a))
	d.shows(b.places[0], "")
	before, broken := road.Passed(), 0
	var got []byte
	until(t, "the whole file has come", func() bool {
		file := d.attachments(b.places[0])[0].Open(t.Context())
		_, err := file.Seek(int64(len(got)), io.SeekStart)
		must(t, err)
		part, err := io.ReadAll(file)
		got = append(got, part...)
		if err != nil {
			broken++
			if attachment.ReasonOf(err) != "" {
				t.Fatalf("a link that broke is taken for the hub's fault: %v", err)
			}
		}
		return err == nil
	})
	if !bytes.Equal(got, text) || broken < breaks-1 {
		t.Errorf("%d bytes of %d, broken %d times", len(got), len(text), broken)
	}
	if came, most := road.Passed()-before, len(text)+(breaks+1)*attachment.ChunkSize+300_000; came > most {
		t.Errorf("%d bytes came down for %d, want at most %d", came, len(text), most)
	}
	t.Logf("%d bytes came down over a link that broke %d times, for a file of %d", road.Passed()-before, breaks, len(text))
}

// With everybody's own credentials: an agency's publisher stores, a desk of its audience reads.
func TestAttachmentThroughTheRealHub(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.open("XB", t.TempDir())
	text := photograph(2*attachment.PieceSize + 5)
	a, chunks := closes(t, "a.jpg", text)
	agency := h.as(stream.PublisherUser("XA", "police"))
	for n, chunk := range chunks {
		until(t, "the hub takes a chunk", func() bool { return agency.PutChunk(t.Context(), subjectAt(police, a, n), chunk, time.Hour) == nil })
	}
	messages, _ := h.sign(police, event.Head{}, h.siteWith("S-1", a))
	_, err := agency.PublishBatch(t.Context(), messages)
	must(t, err)
	d.has(1)
	if got, err := d.reads(1, 0); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second) // what is refused is not answered
	defer cancel()
	if _, err := h.as(stream.PublisherUser("XA", "border")).Chunk(short, subjectAt(police, a, 0)); err == nil {
		t.Error("a publisher fetches another agency's chunk")
	}
	if err := agency.PutChunk(short, subjectAt(event.Chain{Country: "XB", Agency: "police", Audience: "region"}, a, 0), nil, time.Hour); err == nil {
		t.Error("a publisher empties another agency's chunk")
	}
}
