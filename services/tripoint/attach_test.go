package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/internal/link"
	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/publisher"
)

// An agency's file reaches its publisher over a line that breaks, in little more than its size; given again it is there.
func TestAttachGoesOnOverABrokenLine(t *testing.T) {
	p, err := publisher.New(t.Context(), publisher.Config{
		Country: "XA", Agency: "police", Directory: t.TempDir(), Charter: registrytest.Sign(t, registrytest.Founding()),
		Key: registrytest.Key("publisher XA/police"), Listen: "127.0.0.1:0", Token: "a token for tests",
		Stream: stream.Config{URL: "nats://127.0.0.1:1", User: stream.PublisherUser("XA", "police")},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	text := bytes.Repeat([]byte("an invented file. "), 450_000) // 8.1 MB
	path := filepath.Join(t.TempDir(), "list of an invented group.csv")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	request := &publisherv1.BeginAttachmentRequest{Audience: "region", Retention: "case"}
	if err := describeFile(request, file, ""); err != nil || request.GetName() != "list of an invented group.csv" || request.GetMediaType() != "text/csv" {
		t.Fatalf("%v, %v", request, err)
	}
	const breaks = 3
	line := link.Up(t, p.URL()[len("http://"):], 2_500_000, breaks)
	url, sent := "http://"+line.Address(), line.Passed
	state, err := handOver(t.Context(), publisher.NewFileClient(url, "a token for tests"), request, file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := attachment.Read(state.GetAttachment())
	if err != nil || got.Size != uint64(len(text)) {
		t.Fatalf("%v, %v", got, err)
	}
	if most := len(text) + (breaks+1)*partSize; sent() < len(text) || sent() > most {
		t.Errorf("%d bytes were sent for %d, want at most %d", sent(), len(text), most)
	}
	t.Logf("%d bytes were sent over a line that broke %d times, for a file of %d", sent(), breaks, len(text))
	before := sent()
	if again, err := handOver(t.Context(), publisher.NewFileClient(url, "a token for tests"), request, file); err != nil || again.GetAttachment() == nil || sent()-before > 10_000 {
		t.Errorf("again: %d bytes, %v, %v", sent()-before, again.GetReceived(), err)
	}
}
