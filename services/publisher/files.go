package publisher

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// files is the service that takes files. A file is encrypted as it comes: its text is
// never on disk here.
type files struct{ p *Publisher }

// BeginAttachment announces a file, or says how far it has come.
func (f files) BeginAttachment(ctx context.Context, request *publisherv1.BeginAttachmentRequest) (*publisherv1.BeginAttachmentResponse, error) {
	if err := f.refuse(request); err != nil {
		return nil, err
	}
	if err := attachment.CheckName(request.GetName()); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	if err := f.closed(request); err != nil {
		return nil, err
	}
	marshal := proto.MarshalOptions{Deterministic: true}.Marshal
	said, err := marshal(request)
	if err != nil {
		return nil, f.failed(err)
	}
	key := attachment.NewKey()
	entry, err := marshal(&caseworkv1.Attachment{
		Name: request.GetName(), MediaType: request.GetMediaType(), Size: request.GetSize(), Key: key[:],
	})
	if err != nil {
		return nil, f.failed(err)
	}
	s, err := f.p.outbox.Begin(ctx, outbox.File{
		Key: request.GetIdempotencyKey(), Request: event.DigestOf(said), Audience: request.GetAudience(), Retention: request.GetRetention(),
		Size: request.GetSize(), Digest: event.Digest(request.GetSha256()), Entry: entry,
	})
	if err == nil {
		s, err = f.finish(ctx, request.GetIdempotencyKey(), s)
	}
	if err != nil {
		return nil, f.failed(err)
	}
	state, err := f.state(ctx, s)
	if err != nil {
		return nil, f.failed(err)
	}
	return &publisherv1.BeginAttachmentResponse{State: state}, nil
}

// PutAttachment takes the whole chunks that follow on what is here.
func (f files) PutAttachment(ctx context.Context, request *publisherv1.PutAttachmentRequest) (*publisherv1.PutAttachmentResponse, error) {
	if err := f.refuse(request); err != nil {
		return nil, err
	}
	key := request.GetIdempotencyKey()
	s, err := f.p.outbox.Spooled(ctx, key)
	if err == nil && !s.Complete && request.GetOffset() == received(s) {
		s, err = f.take(ctx, key, s, request.GetData())
	}
	if err != nil {
		return nil, f.failed(err)
	}
	state, err := f.state(ctx, s)
	if err != nil {
		return nil, f.failed(err)
	}
	return &publisherv1.PutAttachmentResponse{State: state}, nil
}

// take encrypts and stores what of data makes whole chunks. Where another request
// was here first, that one's is kept.
func (f files) take(ctx context.Context, key string, s outbox.Spooled, data []byte) (outbox.Spooled, error) {
	entry, err := entryOf(s)
	if err != nil {
		return s, err
	}
	var chunks [][]byte
	for n := s.Received; n < s.Chunks; n++ {
		size := attachment.Piece(s.Size, n)
		if len(data) < size {
			break
		}
		chunk, err := attachment.Seal(attachment.Key(entry.GetKey()), s.Size, n, data[:size])
		if err != nil {
			return s, err
		}
		chunks, data = append(chunks, chunk), data[size:]
	}
	if len(chunks) == 0 {
		return s, nil
	}
	if err := f.p.outbox.PutChunks(ctx, s.ID, s.Received, chunks); err != nil && !errors.Is(err, outbox.ErrFileElsewhere) {
		return s, err
	}
	if s, err = f.p.outbox.Spooled(ctx, key); err != nil {
		return s, err
	}
	return f.finish(ctx, key, s)
}

// errOtherFile says that what was handed over is not what was announced.
var errOtherFile = errors.New("what was handed over does not come to the digest that was announced: nothing of it is kept, begin it again")

// finish reads a file back once all of it is here, and opens it: what leaves this machine
// is what was announced, and can be opened. After a crash before, the next request finishes it.
func (f files) finish(ctx context.Context, key string, s outbox.Spooled) (outbox.Spooled, error) {
	if s.Complete || s.Received < s.Chunks || len(s.Entry) == 0 {
		return s, nil
	}
	entry, err := entryOf(s)
	if err != nil {
		return s, err
	}
	digest := sha256.New()
	for n := range s.Chunks {
		name, chunk, err := f.p.outbox.Chunk(ctx, s.ID, n)
		if err != nil {
			return s, err
		}
		entry.Chunks = append(entry.Chunks, name[:])
		piece, err := attachment.OpenOne(attachment.Key(entry.GetKey()), s.Size, n, name, chunk)
		if err != nil {
			return s, errors.Join(errOtherFile, f.p.outbox.Drop(ctx, s.ID))
		}
		digest.Write(piece)
	}
	if event.Digest(digest.Sum(nil)) != s.Digest {
		return s, errors.Join(errOtherFile, f.p.outbox.Drop(ctx, s.ID))
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(entry)
	if err != nil {
		return s, err
	}
	if err := f.p.outbox.Complete(ctx, s.ID, data); err != nil {
		return s, err
	}
	f.p.shipper.signal()
	return f.p.outbox.Spooled(ctx, key)
}

func entryOf(s outbox.Spooled) (*caseworkv1.Attachment, error) {
	entry := &caseworkv1.Attachment{}
	if err := proto.Unmarshal(s.Entry, entry); err != nil || len(entry.GetKey()) != len(attachment.Key{}) {
		return nil, errors.New("a file's entry is damaged")
	}
	return entry, nil
}

// received is how many bytes of a file are here.
func received(s outbox.Spooled) uint64 { return min(uint64(s.Received)*attachment.PieceSize, s.Size) }

func (f files) state(ctx context.Context, s outbox.Spooled) (*publisherv1.AttachmentState, error) {
	state := &publisherv1.AttachmentState{Received: received(s), Chunks: uint32(s.Chunks)}
	if s.Event != (event.ID{}) {
		state.EventId = s.Event.String()
	}
	if !s.Complete || len(s.Entry) == 0 {
		return state, nil
	}
	if audience, ok := f.p.log.Load().state.Audience(s.Audience); ok {
		stored, err := f.p.outbox.ShippedTo(ctx, s.ID, audience.Address())
		if err != nil {
			return nil, err
		}
		state.Stored = uint32(stored)
	}
	var err error
	state.Attachment, err = entryOf(s)
	return state, err
}

// refuse checks the form, without the registry.
func (f files) refuse(request proto.Message) error {
	var invalid *protovalidate.ValidationError
	switch err := f.p.check.validator.Validate(request); {
	case errors.As(err, &invalid):
		violations := &faults{all: invalid.ToProto().GetViolations()}
		teach(violations.all)
		return violations.refusal(connect.CodeInvalidArgument)
	case err != nil:
		return connect.NewError(connect.CodeInternal, errors.New("the checks of files could not be run"))
	case event.HasUnknown(request):
		return connect.NewError(connect.CodeInvalidArgument, errors.New("holds fields that this publisher does not know"))
	}
	return nil
}

// closed checks audience and retention class against the registry.
func (f files) closed(request *publisherv1.BeginAttachmentRequest) error {
	state, country := f.p.log.Load().state, f.p.config.Country
	audience, ok := state.Audience(request.GetAudience())
	switch {
	case !ok || !audience.Has(country):
		return connect.NewError(connect.CodePermissionDenied, fmt.Errorf("audience: no audience that is open to %s; open are: %v", country, state.AudiencesOf(country)))
	case !state.HasRetention(request.GetRetention()):
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("retention: no retention class of the charter; its classes are: %s", classes(state)))
	case !audience.Keeps(request.GetRetention()):
		return connect.NewError(connect.CodeInvalidArgument,
			fmt.Errorf("retention: no retention class of this audience; its classes are: %s", strings.Join(audience.Retention, ", ")))
	}
	return nil
}

func (f files) failed(err error) error {
	for cause, code := range map[error]connect.Code{
		outbox.ErrFileKeyUsed: connect.CodeAlreadyExists, outbox.ErrNoSuchFile: connect.CodeNotFound, outbox.ErrSpoolFull: connect.CodeResourceExhausted,
		errOtherFile: connect.CodeDataLoss, context.Canceled: connect.CodeCanceled, context.DeadlineExceeded: connect.CodeDeadlineExceeded,
	} {
		if errors.Is(err, cause) {
			return connect.NewError(code, cause)
		}
	}
	f.p.config.Logger.Error("a file was not taken", "error", err)
	return connect.NewError(connect.CodeUnavailable, errors.New("the outbox could not store it, see the publisher's log: send it again"))
}

// entries are the files that a report names.
func entries(report *caseworkv1.Report) ([]outbox.Attached, error) {
	var all []outbox.Attached
	for i, named := range [][]*caseworkv1.Attachment{report.GetCase().GetAttachments(), report.GetIdentity().GetAttachments(),
		report.GetProtection().GetAttachments(), report.GetIntelligence().GetAttachments()} {
		for _, a := range named {
			entry, err := proto.MarshalOptions{Deterministic: true}.Marshal(a)
			if err != nil {
				return nil, errors.New("an attachment cannot be encoded")
			}
			all = append(all, outbox.Attached{Compartment: eventv1.Compartment_COMPARTMENT_CASE + eventv1.Compartment(i), Entry: entry})
		}
	}
	return all, nil
}
