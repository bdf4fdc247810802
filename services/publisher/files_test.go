package publisher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/stream"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// photograph is a file of an invented person, that can be found again wherever it lies in clear.
func photograph(size int) []byte {
	source := rand.NewChaCha8([32]byte{1})
	made := make([]byte, size)
	_, _ = source.Read(made)
	for i := 0; i+64 < size; i += 4 << 10 {
		copy(made[i:], "an invented person's photograph")
	}
	return made
}

// withFiles gives the hub its fourth stream.
func (w *world) withFiles() *world {
	w.t.Helper()
	for _, config := range stream.Settings() {
		if config.Name == stream.Files {
			if _, err := w.hub.js.CreateOrUpdateStream(patient(w.t), config); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	return w
}

func (r *running) files() publisherv1connect.AttachmentServiceClient {
	return publisherv1connect.NewAttachmentServiceClient(&http.Client{Transport: bearer(token)}, r.URL())
}

func announce(key string, text []byte) *publisherv1.BeginAttachmentRequest {
	digest := sha256.Sum256(text)
	return &publisherv1.BeginAttachmentRequest{
		IdempotencyKey: key, Audience: "region", Retention: "case", Name: "photograph.jpg", MediaType: "image/jpeg",
		Size: uint64(len(text)), Sha256: digest[:],
	}
}

// begin announces a file and returns how far it has come.
func (r *running) begin(request *publisherv1.BeginAttachmentRequest) *publisherv1.AttachmentState {
	r.t.Helper()
	response, err := r.files().BeginAttachment(r.t.Context(), request)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.GetState()
}

// hand hands over up to so many bytes of what is missing, in parts that fit no chunk.
func (r *running) hand(request *publisherv1.BeginAttachmentRequest, text []byte, upTo int) *publisherv1.AttachmentState {
	r.t.Helper()
	state := r.begin(request)
	for state.GetReceived() < uint64(min(upTo, len(text))) {
		part := text[state.GetReceived():min(int(state.GetReceived())+300_000, len(text))]
		response, err := r.files().PutAttachment(r.t.Context(), &publisherv1.PutAttachmentRequest{
			IdempotencyKey: request.GetIdempotencyKey(), Offset: state.GetReceived(), Data: part,
		})
		if err != nil {
			r.t.Fatal(err)
		}
		if response.GetState().GetReceived() <= state.GetReceived() {
			r.t.Fatalf("nothing is taken of %d bytes from %d on", len(part), state.GetReceived())
		}
		state = response.GetState()
	}
	return state
}

func attached(files ...*caseworkv1.Attachment) func(*caseworkv1.Report) {
	return func(r *caseworkv1.Report) {
		r.Identity = &caseworkv1.IdentitySection{
			Persons: []*caseworkv1.Identity{{PersonId: "P-1", Name: "an invented person"}}, Attachments: files,
		}
	}
}

// fetched reads a file as the hub has it where the tests' events are said.
func (w *world) fetched(a *caseworkv1.Attachment) ([]byte, error) {
	w.t.Helper()
	return w.fetchedAt("region", a)
}

func (w *world) events() uint64 {
	w.t.Helper()
	s, err := w.hub.js.Stream(patient(w.t), stream.Events)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// A file is on the hub before the event that names it; nothing of it is in clear on any disk,
// and once the event is witnessed nothing of it is kept here.
func TestFileGoesBeforeItsEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	n := w.notary()
	n.checkpoint(1)
	text := photograph(5*attachment.PieceSize + 77)
	blocked := make(chan struct{})
	directory := t.TempDir()
	p := w.start(directory, withCourier(func(ctx context.Context, through courier, subject string, chunk []byte, life time.Duration) error {
		select {
		case <-blocked:
			return through.PutChunk(ctx, subject, chunk, life)
		case <-ctx.Done():
			return ctx.Err()
		}
	}))
	request := announce("photo", text)
	state := p.hand(request, text, len(text))
	promised := p.publish(report("before"), report("a", attached(state.GetAttachment())), report("after"))
	p.until("what needs no file is out", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 2 && s.GetStored() == 1 })
	if got := w.events(); got != 2 {
		t.Errorf("%d messages are on the hub, want the charter and one event", got)
	}
	close(blocked)
	p.untilStored(3)
	got, err := w.fetched(state.GetAttachment())
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	w.judge().check(t, promised...)
	if got := p.begin(request); got.GetEventId() != promised[1].GetEventId() || got.GetStored() != 6 {
		t.Errorf("the file is %v", got)
	}
	nowhere(t, "an invented person's photograph", directory, w.directory)
	w.cosign(n.checkpoint(4), "XA", "XB")
	p.untilWitnessed(3)
	eventually(t, func() string {
		if got := p.begin(request); got.GetAttachment() != nil || got.GetEventId() != promised[1].GetEventId() {
			return fmt.Sprintf("it is still here: %v", got)
		}
		return ""
	})
}

// nowhere fails where a file below the directories has what is planted.
func nowhere(t testing.TB, planted string, directories ...string) {
	t.Helper()
	read := 0
	for _, directory := range directories {
		err := filepath.Walk(directory, func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if err == nil && bytes.Contains(data, []byte(planted)) {
				t.Errorf("%s has it in clear", path)
			}
			read += len(data)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if read < 1<<20 {
		t.Errorf("only %d bytes were looked at", read)
	}
}

type couriered struct {
	courier
	put func(ctx context.Context, through courier, subject string, chunk []byte, life time.Duration) error
}

func (c couriered) PutChunk(ctx context.Context, subject string, chunk []byte, life time.Duration) error {
	return c.put(ctx, c.courier, subject, chunk, life)
}

func withCourier(put func(ctx context.Context, through courier, subject string, chunk []byte, life time.Duration) error) func(*Publisher) {
	return func(p *Publisher) { p.shipper.hub = couriered{p.shipper.hub, put} }
}

// A link that breaks again and again costs a chunk each time, not the file.
func TestUploadGoesOnOverABrokenLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	w.notary().checkpoint(1)
	const chunks, breaks = 16, 4
	text := photograph(chunks * attachment.PieceSize)
	var cuts []int
	for i := range breaks {
		cuts = append(cuts, (i+1)*len(text)/(breaks+1))
	}
	weak := weakLink(t, w.hub.address(), cuts...)
	config := w.config(t.TempDir())
	config.Stream = weak.through(config.Stream)
	p := run(t, config)
	request := announce("photo", text)
	state := p.hand(request, text, len(text))
	p.publish(report("a", attached(state.GetAttachment())))
	p.untilStored(1)
	if got, err := w.fetched(state.GetAttachment()); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	sent, left := weak.sent()
	if most := len(text) + (breaks+1)*attachment.ChunkSize + 200_000; left != 0 || sent < len(text) || sent > most {
		t.Errorf("%d bytes were sent for %d, with %d breaks to come: want at most %d", sent, len(text), left, most)
	}
	t.Logf("%d bytes were sent over a link that broke %d times, for a file of %d", sent, breaks, len(text))
}

// Killed between any two chunks, on the way in or on the way out, the publisher goes on
// from there, and the hub has the whole file before the event.
func TestAdversary_P01_KilledInTheMiddleOfAFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	w.notary().checkpoint(1)
	const chunks = 12
	text := photograph(chunks*attachment.PieceSize - 5)
	request := announce("photo", text)
	first := w.start(t.TempDir())
	if got := first.hand(request, text, 5*attachment.PieceSize); got.GetReceived() < 5*attachment.PieceSize || got.GetAttachment() != nil {
		t.Fatalf("handed over: %v", got)
	}
	copied := image(t, first.config.Directory) // as a kill -9 leaves it
	first.stop()

	var puts atomic.Int32
	died := make(chan struct{})
	second := w.start(copied, withCourier(func(ctx context.Context, through courier, subject string, chunk []byte, life time.Duration) error {
		if puts.Add(1) > 6 {
			<-ctx.Done()
			return ctx.Err()
		}
		err := through.PutChunk(ctx, subject, chunk, life)
		if puts.Load() == 6 {
			close(died)
			return errors.New("the answer is lost with the process") // the hub has it
		}
		return err
	}))
	before := second.begin(request)
	if before.GetReceived() < 5*attachment.PieceSize {
		t.Fatalf("after the kill %d bytes are here", before.GetReceived())
	}
	state := second.hand(request, text, len(text))
	promised := second.publish(report("a", attached(state.GetAttachment())))
	select {
	case <-died:
	case <-patient(t).Done():
		t.Fatal("the file does not go out")
	}
	copied = image(t, copied)
	if got := w.events(); got != 1 {
		t.Errorf("%d messages are on the hub before the file is", got)
	}
	second.stop()

	puts.Store(0)
	third := w.start(copied, withCourier(func(ctx context.Context, through courier, subject string, chunk []byte, life time.Duration) error {
		puts.Add(1)
		return through.PutChunk(ctx, subject, chunk, life)
	}))
	third.untilStored(1)
	if got, err := w.fetched(state.GetAttachment()); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if puts.Load() != chunks-5 {
		t.Errorf("%d chunks were sent after the kill, want %d", puts.Load(), chunks-5)
	}
	w.judge().check(t, promised...)
}

// An erased event's chunks are empty on the hub, and nothing of its file is here.
func TestAdversary_K07_ErasedFileIsGoneFromTheHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	w.notary().checkpoint(1)
	text := photograph(3 * attachment.PieceSize)
	p := w.start(t.TempDir())
	request := announce("photo", text)
	state := p.hand(request, text, len(text))
	kept := announce("another", text)
	other := p.hand(kept, text, len(text))
	promised := p.publish(report("a", attached(state.GetAttachment())), report("b", attached(other.GetAttachment())))
	p.untilStored(2)
	p.erase("an invented reason", promised[0].GetEventId())
	eventually(t, func() string {
		if _, err := w.fetched(state.GetAttachment()); attachment.ReasonOf(err) != attachment.Erased {
			return fmt.Sprintf("want erased: %v", err)
		}
		return ""
	})
	eventually(t, func() string {
		if _, open, err := p.outbox.Wiping(t.Context()); open || err != nil {
			return fmt.Sprintf("it is not done: %v", err)
		}
		return ""
	})
	file, err := attachment.Read(state.GetAttachment())
	if err != nil {
		t.Fatal(err)
	}
	files, err := w.hub.js.Stream(patient(t), stream.Files)
	if err != nil {
		t.Fatal(err)
	}
	for n, name := range file.Chunks {
		if m, err := files.GetLastMsgForSubject(patient(t), stream.ChunkSubject("region", "XA", "police", name.String())); err != nil || len(m.Data) != 0 {
			t.Errorf("chunk %d: %v", n, err)
		}
	}
	if got := p.begin(request); got.GetAttachment() != nil {
		t.Error("the publisher still has the key")
	}
	if got, err := w.fetched(other.GetAttachment()); err != nil || !bytes.Equal(got, text) {
		t.Errorf("the other event's file: %d bytes, %v", len(got), err)
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	p := run(t, offline(t))
	text := photograph(attachment.PieceSize + 10)
	for _, test := range []struct {
		name   string
		change func(r *publisherv1.BeginAttachmentRequest)
		code   connect.Code
		words  string
	}{
		{"too large", func(r *publisherv1.BeginAttachmentRequest) { r.Size = attachment.MaxSize + 1 }, connect.CodeInvalidArgument, "size"},
		{"nothing", func(r *publisherv1.BeginAttachmentRequest) { r.Size = 0 }, connect.CodeInvalidArgument, "size"},
		{"a path", func(r *publisherv1.BeginAttachmentRequest) { r.Name = "../secret-name" }, connect.CodeInvalidArgument, "name"},
		{"the directory", func(r *publisherv1.BeginAttachmentRequest) { r.Name = ".." }, connect.CodeInvalidArgument, "name"},
		{"a type with a line", func(r *publisherv1.BeginAttachmentRequest) { r.MediaType = "a/b\r\nc" }, connect.CodeInvalidArgument, "media_type"},
		{"a short digest", func(r *publisherv1.BeginAttachmentRequest) { r.Sha256 = r.Sha256[:4] }, connect.CodeInvalidArgument, "sha256"},
		{"an audience of others", func(r *publisherv1.BeginAttachmentRequest) { r.Audience = "nowhere" }, connect.CodePermissionDenied, "region"},
		{"a class that there is not", func(r *publisherv1.BeginAttachmentRequest) { r.Retention = "ages" }, connect.CodeInvalidArgument, "retention: no retention class of the charter; its classes are: "},
	} {
		request := announce("refused", text)
		test.change(request)
		_, err := p.files().BeginAttachment(t.Context(), request)
		if connect.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.words) || strings.Contains(err.Error(), "secret-name") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	put := func(key string, offset int, data []byte) (*publisherv1.AttachmentState, error) {
		response, err := p.files().PutAttachment(t.Context(), &publisherv1.PutAttachmentRequest{IdempotencyKey: key, Offset: uint64(offset), Data: data})
		return response.GetState(), err
	}
	if _, err := put("unknown", 0, text); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a file that nobody announced: %v", err)
	}
	p.begin(announce("photo", text))
	other := announce("photo", text)
	other.Name = "other.jpg"
	if _, err := p.files().BeginAttachment(t.Context(), other); connect.CodeOf(err) != connect.CodeAlreadyExists {
		t.Errorf("a key for another file: %v", err)
	}
	for _, test := range []struct {
		name         string
		offset, part int
		want         uint64
	}{
		{"less than a chunk", 0, 1000, 0},
		{"from the middle", 5, attachment.PieceSize, 0},
		{"a chunk and some", 0, attachment.PieceSize + 3, attachment.PieceSize},
		{"the same again", 0, attachment.PieceSize, attachment.PieceSize},
		{"behind the end", attachment.PieceSize + 10, 1, attachment.PieceSize},
		{"not the end", attachment.PieceSize, 9, attachment.PieceSize},
	} {
		end := min(test.offset+test.part, len(text))
		data := text[min(test.offset, end):end]
		if len(data) == 0 {
			data = []byte{1}
		}
		if state, err := put("photo", test.offset, data); err != nil || state.GetReceived() != test.want || state.GetAttachment() != nil {
			t.Errorf("%s: %v, %v", test.name, state, err)
		}
	}
	if _, err := put("photo", attachment.PieceSize, []byte("other text")); connect.CodeOf(err) != connect.CodeDataLoss {
		t.Errorf("a file that does not come to its digest: %v", err)
	}
	if state := p.hand(announce("photo", text), text, len(text)); state.GetAttachment() == nil || state.GetReceived() != uint64(len(text)) {
		t.Errorf("begun again: %v", state)
	}
}

// A report names only files that are here, whole, for its audience and class, each once.
func TestReportNamesWhatIsHere(t *testing.T) {
	t.Parallel()
	p := newWorld(t).start(t.TempDir())
	text := photograph(100)
	a := p.hand(announce("a", text), text, len(text)).GetAttachment()
	changed := proto.CloneOf(a)
	changed.Name = "another name.jpg"
	strange := proto.CloneOf(a)
	strange.Key = bytes.Repeat([]byte{9}, 32)
	for _, test := range []struct {
		name string
		said []*caseworkv1.Report
	}{
		{"another name", []*caseworkv1.Report{report("1", attached(changed))}},
		{"another key", []*caseworkv1.Report{report("2", attached(strange))}},
		{"another class", []*caseworkv1.Report{report("3", attached(a), keep("brief"))}},
		{"another audience", []*caseworkv1.Report{report("4", attached(a), to("pair"))}},
		{"twice in one report", []*caseworkv1.Report{report("5", attached(a, a))}},
		{"twice in one request", []*caseworkv1.Report{report("6", attached(a)), report("7", attached(a))}},
		{"after a sound one", []*caseworkv1.Report{report("8"), report("9", attached(changed))}},
	} {
		_, err := p.client.Publish(t.Context(), &publisherv1.PublishRequest{Reports: test.said})
		if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), "names a file that") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	first := p.publish(report("10", attached(a)))
	again := p.publish(report("10", attached(a)))
	if !again[0].GetRepeated() || again[0].GetEventId() != first[0].GetEventId() {
		t.Errorf("the same report again: %v", again)
	}
	if _, err := p.client.Publish(t.Context(), &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{report("11", attached(a))}}); err == nil {
		t.Error("one file in two reports")
	}
	if s := p.status(); s.GetAccepted() != 1 {
		t.Errorf("%d are accepted", s.GetAccepted())
	}
}

// A file that no report names is let go in time, here and on the hub.
func TestFileThatNobodyNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withFiles()
	w.notary().checkpoint(1)
	var late atomic.Int64
	text := photograph(2 * attachment.PieceSize)
	p := w.start(t.TempDir(), func(p *Publisher) {
		p.outbox.Clock = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	})
	request := announce("photo", text)
	state := p.hand(request, text, len(text))
	eventually(t, func() string {
		if got := p.begin(request); got.GetStored() != 2 {
			return fmt.Sprint(got)
		}
		return ""
	})
	late.Store(int64(outbox.Unnamed + time.Hour))
	eventually(t, func() string {
		if _, err := w.fetched(state.GetAttachment()); attachment.ReasonOf(err) != attachment.Erased {
			return fmt.Sprintf("want erased: %v", err)
		}
		return ""
	})
	eventually(t, func() string {
		if _, err := p.outbox.Spooled(t.Context(), "photo"); !errors.Is(err, outbox.ErrNoSuchFile) {
			return fmt.Sprintf("it is still here: %v", err)
		}
		return ""
	})
}
