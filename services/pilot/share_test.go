package pilot_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/keyfile"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/publisher"
)

// saysWithFile hands over a file of so many bytes and a report that names it, and returns its event.
func (h *house) saysWithFile(ctx context.Context, agency, key string, size int) string {
	h.t.Helper()
	text := make([]byte, size)
	rand.Read(text)
	digest := sha256.Sum256(text)
	files := publisher.NewFileClient(h.urls[agency], "a token")
	_, err := files.BeginAttachment(ctx, &publisherv1.BeginAttachmentRequest{
		IdempotencyKey: key, Audience: "region", Retention: "case", Name: "invented.bin", MediaType: "application/octet-stream", Size: uint64(size), Sha256: digest[:],
	})
	if err != nil {
		h.t.Fatal(err)
	}
	put, err := files.PutAttachment(ctx, &publisherv1.PutAttachmentRequest{IdempotencyKey: key, Data: text})
	if err != nil {
		h.t.Fatal(err)
	}
	said := report(key)
	said.Case.Attachments = []*caseworkv1.Attachment{put.GetState().GetAttachment()}
	response, err := h.clients[agency].Publish(ctx, &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{said}})
	if err != nil {
		h.t.Fatal(err)
	}
	return response.GetAccepted()[0].GetEventId()
}

func (h *house) status(ctx context.Context, agency string) *publisherv1.GetStatusResponse {
	h.t.Helper()
	status, err := h.clients[agency].GetStatus(ctx, &publisherv1.GetStatusRequest{})
	if err != nil {
		h.t.Fatal(err)
	}
	return status
}

// An agency whose files fill its share is told so by its publisher, which keeps what it has accepted; others go on. Once
// it has erased a file the next one goes out by itself.
func TestAdversary_T08_PublisherIsToldItsShare(t *testing.T) {
	data := t.TempDir()
	play(t, data, func(context.Context, *pilot.Pilot) {})
	h := houseOf(t, data)
	h.shares.AgencyFiles = 1 << 20
	h.with([]string{"TH/immigration", "MM/border"}, func(ctx context.Context, h *house) {
		first := h.saysWithFile(ctx, "TH/immigration", "files/1", 700<<10)
		h.until(ctx, "the first file is stored", func() bool { return h.status(ctx, "TH/immigration").GetWaiting() == 0 })
		h.saysWithFile(ctx, "TH/immigration", "files/2", 700<<10)
		h.until(ctx, "the publisher says why the second waits", func() bool {
			status := h.status(ctx, "TH/immigration")
			return status.GetWaiting() == 1 && strings.Contains(status.GetHalted(), "TH/immigration has used up its share of this hub, 1 MiB of files")
		})
		h.saysWithFile(ctx, "MM/border", "files/3", 700<<10)
		h.until(ctx, "another agency's is stored", func() bool { return h.status(ctx, "MM/border").GetWaiting() == 0 })
		h.until(ctx, "the examination names it", func() bool {
			checks, _ := hub.Examine(hub.Config{Directory: filepath.Join(data, "hub"), Lock: keyfile.Unsealed, Charter: h.charter})
			found := false
			for _, c := range checks {
				found = found || c.Name == "shares" && !c.OK && strings.HasPrefix(c.Detail, "TH/immigration has ")
			}
			return found && checkup.Wrong(checks) == 1
		})
		if _, err := h.clients["TH/immigration"].Erase(ctx, &publisherv1.EraseRequest{EventIds: []string{first}, Reason: "not needed any more"}); err != nil {
			t.Fatal(err)
		}
		h.until(ctx, "the second is stored", func() bool {
			status := h.status(ctx, "TH/immigration")
			return status.GetWaiting() == 0 && status.GetHalted() == ""
		})
	})
}
