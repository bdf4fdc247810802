package pilot_test

import (
	"context"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/keyfile"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/publisher"
)

// BenchmarkSmallFiles takes so many files of 4 KiB from an agency through its publisher and the hub to a desk, where each is taken away
// once. It says the time for one file at each part, and what the process holds at the end, all parts together: for
// four times the files the first stays as it is.
func BenchmarkSmallFiles(b *testing.B) {
	for _, files := range []int{500, 2000} {
		b.Run(fmt.Sprint(files), func(b *testing.B) {
			for b.Loop() {
				carryFiles(b, files)
			}
		})
	}
}

func carryFiles(b *testing.B, files int) {
	data := b.TempDir()
	play(b, data, func(context.Context, *pilot.Pilot) {})
	opening, err := keyfile.LoadOpenings(filepath.Join(data, "desks", "MM", "opening"), keyfile.Unsealed)
	if err != nil {
		b.Fatal(err)
	}
	h := houseOf(b, data)
	h.open, h.patience = map[string][]hpke.PrivateKey{"MM": opening}, 4*time.Minute
	h.with([]string{"notary", "TH/immigration", "MM", "CN"}, func(ctx context.Context, h *house) {
		start := time.Now()
		var attached []*caseworkv1.Attachment // all before their reports
		for n := range files {
			attached = append(attached, h.smallFile(ctx, fmt.Sprint("file/", n)))
		}
		handed := time.Now()
		var events []string
		for some := range slices.Chunk(attached, 16) {
			said := report(fmt.Sprint("files/", len(events)))
			said.Case.Attachments = some
			events = append(events, h.tells(ctx, said)...)
		}
		h.until(ctx, "all is stored", func() bool { return h.status(ctx, "TH/immigration").GetWaiting() == 0 })
		stored := time.Now()
		h.until(ctx, "all is witnessed", func() bool { return h.status(ctx, "TH/immigration").GetStored() == 0 })
		last := h.status(ctx, "TH/immigration").GetLogSize() - 1
		h.has(ctx, "MM", last)
		folded := time.Now()
		taken := h.takeAway(last+1-uint64(len(events)), len(events))
		if taken != files {
			b.Fatalf("%d files of %d were taken away", taken, files)
		}
		each := func(from, to time.Time, unit string) {
			b.ReportMetric(float64(to.Sub(from).Microseconds())/1000/float64(files), unit)
		}
		each(start, handed, "ms-handed/file")
		each(handed, stored, "ms-stored/file")
		each(stored, folded, "ms-folded/file")
		each(folded, time.Now(), "ms-taken/file")
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.HeapInuse)/(1<<20), "MiB-heap")
		b.ReportMetric(float64(memory.Sys)/(1<<20), "MiB-system")
	})
}

func (h *house) smallFile(ctx context.Context, key string) *caseworkv1.Attachment {
	text := make([]byte, 4<<10)
	rand.Read(text)
	digest := sha256.Sum256(text)
	files := publisher.NewFileClient(h.urls["TH/immigration"], "a token")
	_, err := files.BeginAttachment(ctx, &publisherv1.BeginAttachmentRequest{
		IdempotencyKey: key, Audience: "region", Retention: "case", Name: "invented.bin", MediaType: "application/octet-stream", Size: uint64(len(text)), Sha256: digest[:],
	})
	if err != nil {
		h.t.Fatal(err)
	}
	put, err := files.PutAttachment(ctx, &publisherv1.PutAttachmentRequest{IdempotencyKey: key, Data: text})
	if err != nil {
		h.t.Fatal(err)
	}
	return put.GetState().GetAttachment()
}

// takeAway fetches each file of so many events through the console, and counts them.
func (h *house) takeAway(first uint64, events int) (taken int) {
	client := h.signedIn("MM")
	for index := first; index < first+uint64(events); index++ {
		for n := range 16 {
			response, err := client.Get(fmt.Sprintf("%s/events/%d/attachments/case/%d/file", h.desks["MM"].URL(), index, n))
			if err != nil {
				h.t.Fatal(err)
			}
			size, err := io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if err == nil && response.StatusCode == http.StatusOK && size == 4<<10 {
				taken++
			}
		}
	}
	return taken
}
