package publisher

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"connectrpc.com/connect"

	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// maxRequest is the largest request, in bytes, decompressed.
const maxRequest = 8 << 20

func (p *Publisher) server() *http.Server {
	path, handler := publisherv1connect.NewPublisherServiceHandler(api{p},
		connect.WithReadMaxBytes(maxRequest),
		connect.WithCodec(strictJSON{"json"}),
		connect.WithCodec(strictJSON{"json; charset=utf-8"}),
	)
	mux := http.NewServeMux()
	mux.Handle(path, authenticated(p.config.Token, handler))
	path, handler = publisherv1connect.NewAttachmentServiceHandler(files{p},
		connect.WithReadMaxBytes(maxRequest), connect.WithCodec(strictJSON{"json"}), connect.WithCodec(strictJSON{"json; charset=utf-8"}))
	mux.Handle(path, authenticated(p.config.Token, handler))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // for gRPC
	return &http.Server{
		Handler:           mux,
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// authenticated lets those through who present the token. Digests are compared,
// so that the time taken says nothing of the token, not even its length.
func authenticated(token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	writer := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, presented, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(strings.TrimSpace(presented)))
		if subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer") {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		refusal := connect.NewError(connect.CodeUnauthenticated,
			errors.New("present this publisher's token in the header Authorization: Bearer <token>"))
		if !writer.IsSupported(r) {
			http.Error(w, refusal.Message(), http.StatusUnauthorized)
			return
		}
		_ = writer.Write(w, r, refusal) // the client has gone: nothing to tell it
	})
}

// api is the service as its clients see it.
type api struct{ p *Publisher }

// Publish accepts all reports of a request or none.
func (a api) Publish(ctx context.Context, request *publisherv1.PublishRequest) (*publisherv1.PublishResponse, error) {
	if err := a.p.check.keys(request); err != nil {
		return nil, err
	}
	reports, err := a.p.check.reports(request)
	if err != nil {
		return nil, err
	}
	accepted, err := a.p.outbox.Accept(ctx, reports)
	if err != nil {
		return nil, a.notAccepted(err)
	}
	response := &publisherv1.PublishResponse{Accepted: make([]*publisherv1.Accepted, len(accepted))}
	audiences := map[string]bool{}
	for i, acceptance := range accepted {
		response.Accepted[i] = &publisherv1.Accepted{
			IdempotencyKey: reports[i].Key, EventId: acceptance.ID.String(), Repeated: acceptance.Repeated, Also: acceptance.Also,
		}
		for _, audience := range append(acceptance.Also, reports[i].Audience) {
			audiences[audience] = true
		}
	}
	for audience := range audiences {
		a.p.lanes.of(audience).signal()
	}
	return response, nil
}

func (a api) notAccepted(err error) error {
	var used *outbox.KeyUsed
	var unattached *outbox.NotAttached
	var unreleasable *outbox.Unreleasable
	switch {
	case errors.As(err, &unreleasable):
		return connect.NewError(connect.CodeFailedPrecondition, unreleasable)
	case errors.As(err, &unattached):
		f := &faults{}
		f.add("attachment.handed_over", "names a file that "+unattached.Reason, "reports", unattached.At)
		return f.refusal(connect.CodeInvalidArgument)
	case errors.As(err, &used):
		f := &faults{}
		f.add("idempotency_key.used", "was used for a report with other content: nothing of this request is accepted. "+
			"Send a corrected report under a key of its own", "reports", used.At, "idempotency_key")
		return f.refusal(connect.CodeAlreadyExists)
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, errors.New("the request was given up before it was answered: send it again with the same keys"))
	case errors.Is(err, context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, errors.New("the request was not answered in time: send it again with the same keys"))
	case errors.Is(err, outbox.ErrClosed):
		return connect.NewError(connect.CodeUnavailable, errors.New("the publisher is stopping: send the request again with the same keys"))
	}
	a.p.config.Logger.Error("reports were not accepted", "error", err)
	return connect.NewError(connect.CodeUnavailable,
		errors.New("the outbox could not store the request, see the publisher's log: send it again with the same keys"))
}

// GetStatus says how far everything has come, and what is wrong.
func (a api) GetStatus(ctx context.Context, _ *publisherv1.GetStatusRequest) (*publisherv1.GetStatusResponse, error) {
	p := a.p
	counts, err := p.outbox.Count(ctx)
	if err != nil {
		p.config.Logger.Error("status", "error", err)
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("the outbox cannot be read, see the publisher's log"))
	}
	waiting, err := p.outbox.Waiting(ctx)
	if err != nil {
		p.config.Logger.Error("status", "error", err)
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("the outbox cannot be read, see the publisher's log"))
	}
	erasing, err := p.outbox.Undone(ctx)
	if err != nil {
		p.config.Logger.Error("status", "error", err)
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("the outbox cannot be read, see the publisher's log"))
	}
	view := p.log.Load()
	away := p.hub.Away()
	return &publisherv1.GetStatusResponse{
		Country: p.config.Country, Agency: p.config.Agency,
		Accepted: counts.Accepted, Waiting: counts.Waiting, Stored: counts.Stored, Witnessed: counts.Witnessed,
		LogSize: view.size, WitnessedSize: view.witnessed, WitnessedAt: view.at, Connected: away == nil, Erasing: erasing,
		Halted: say(slices.Concat(p.distant(view, away), p.reasons(ctx, counts, waiting, view), p.troubles.list())),
	}, nil
}

// distant says why the hub cannot be spoken to.
func (p *Publisher) distant(view *logView, away error) []string {
	refused := (*refusal)(nil)
	switch {
	case away == nil:
		return nil
	case !errors.As(away, &refused):
		return []string{away.Error() + ": what is accepted waits here and goes out when the hub is back"}
	}
	says := p.standing(view)
	if says == "" {
		says = "that it may publish, so that what ended it is not known here: ask the hub's operator"
	}
	return []string{fmt.Sprintf("%v any more; its registry as last seen, at size %d of the log, says: %s. What is accepted waits here", away, view.size, says)}
}

// reasons are those why something that was accepted does not go on.
func (p *Publisher) reasons(ctx context.Context, counts outbox.Counts, waiting map[string]uint64, view *logView) []string {
	reasons := p.waits(view, waiting)
	if view.size == 0 && p.hub.Away() == nil {
		reasons = append(reasons, "no checkpoint of the log was seen yet: nothing is published before the log is known to be this charter's")
	}
	if view.size > 0 && !p.awake.Load() && p.hub.Away() == nil {
		reasons = append(reasons, "the log is read up to its end: nothing is signed before it is known that nobody else signs in this agency's name")
	}
	if view.size > 0 && p.awake.Load() && p.caughtUp.Load() != p.hub.Reconnects() && p.hub.Away() == nil {
		reasons = append(reasons, "the log is read up to its end, since the hub was away: nothing is sent before it is known whose keys are valid still")
	}
	for _, audience := range slices.Sorted(maps.Keys(waiting)) {
		if oldest, ok, err := p.outbox.Oldest(ctx, audience); err == nil && ok && view.ended(oldest.Key, oldest.Address) != nil {
			reasons = append(reasons, fmt.Sprintf("audience %s: what was signed before its key or its address ended, "+
				"and is not in the log by then, is signed again once that change is witnessed", audience))
		}
	}
	if counts.Returned > 0 {
		reasons = append(reasons, fmt.Sprintf("%d events were not in the log where the hub said: they are published again", counts.Returned))
	}
	return reasons
}

// refusal is the error for a request with faults: the first few in words, all of
// them as a detail, as far as there is room.
func (f *faults) refusal(code connect.Code) error {
	const said, told = 5, 200
	var words []string
	for _, v := range f.all[:min(len(f.all), said)] {
		words = append(words, describe(v))
	}
	if more := len(f.all) - said; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	refusal := connect.NewError(code, errors.New(strings.Join(words, "; ")))
	detail, err := connect.NewErrorDetail(&validate.Violations{Violations: f.all[:min(len(f.all), told)]})
	if err == nil {
		refusal.AddDetail(detail)
	}
	return refusal
}
