package publisher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/seal"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// Release decides that sections are given to one more country.
func (a api) Release(ctx context.Context, request *publisherv1.ReleaseRequest) (*publisherv1.ReleaseResponse, error) {
	if err := a.p.check.message(request); err != nil {
		return nil, err
	}
	r := &release{publisher: a.p, view: a.p.log.Load(), request: request}
	digest, err := digestOf(request)
	if err != nil {
		return nil, err
	}
	repeated, err := a.p.outbox.Released(ctx, request.GetIdempotencyKey(), digest)
	if used := (*outbox.KeyUsed)(nil); errors.As(err, &used) {
		return nil, connect.NewError(connect.CodeAlreadyExists, errors.New("idempotency_key: was used for another release: nothing of this request is released"))
	}
	if err != nil {
		return nil, a.notAccepted(err)
	}
	if repeated {
		return &publisherv1.ReleaseResponse{Repeated: true}, nil
	}
	made, err := r.make(ctx)
	if refused := (*connect.Error)(nil); errors.As(err, &refused) {
		return nil, err
	} else if err != nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, err)
	}
	made.Key, made.Request = request.GetIdempotencyKey(), digest
	err = a.p.outbox.PutRelease(ctx, made)
	if unreleasable := (*outbox.Unreleasable)(nil); errors.As(err, &unreleasable) {
		return nil, connect.NewError(connect.CodeFailedPrecondition, unreleasable)
	}
	if errors.Is(err, outbox.ErrOverlap) {
		return nil, connect.NewError(connect.CodeFailedPrecondition, outbox.ErrOverlap)
	}
	if err != nil {
		return nil, a.notAccepted(err)
	}
	a.p.tender.signal()
	a.p.shipper.signal()
	return &publisherv1.ReleaseResponse{RecordSubject: made.Record.Subject, Revision: made.Record.Revision, RecordDigest: made.Record.Digest[:]}, nil
}

// digestOf is of all that is asked for, content keys included: it stays on disk, and
// says nothing of them, which are random.
func digestOf(request *publisherv1.ReleaseRequest) (event.Digest, error) {
	whole, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return event.Digest{}, connect.NewError(connect.CodeInvalidArgument, errors.New("the request cannot be encoded"))
	}
	return event.DigestOf(whole), nil
}

// release is one that is being made.
type release struct {
	publisher *Publisher
	view      *logView
	request   *publisherv1.ReleaseRequest
	events    []event.Verified
	sections  []seal.Released
	expires   time.Time
}

// make checks a request and seals. Its errors teach, and hold no content and no key.
func (r *release) make(ctx context.Context) (outbox.Release, error) {
	for i, e := range r.request.GetEvents() {
		if err := r.add(ctx, e); err != nil {
			return outbox.Release{}, fmt.Errorf("events[%d]: %w", i, err)
		}
	}
	if !r.expires.After(r.publisher.outbox.Clock()) {
		return outbox.Release{}, errors.New("the keys of these events have expired: there is nothing left to release")
	}
	audience, ok := r.view.state.Audience(r.request.GetAudience())
	if !ok || !audience.Has(r.request.GetTo()) || !audience.Has(r.publisher.config.Country) {
		return outbox.Release{}, fmt.Errorf("audience: not one that both %s and %s are in", r.publisher.config.Country, r.request.GetTo())
	}
	key, err := r.publisher.signingKey(r.view)
	if err != nil {
		return outbox.Release{}, err
	}
	subject, revision, err := r.place(ctx, audience)
	if err != nil {
		return outbox.Release{}, err
	}
	record, err := seal.Release(key, r.openings(), revision, r.expires, r.sections)
	if err != nil {
		return outbox.Release{}, err
	}
	made := outbox.Release{Record: outbox.RecordOf(subject, record), Address: audience.Address()}
	for _, e := range r.events {
		made.Events = append(made.Events, e.ID)
	}
	for _, s := range r.sections {
		made.Files = append(made.Files, outbox.ReleasedFiles{Event: s.Event.ID, Compartment: s.Compartment})
	}
	made.Reports, err = r.reports(record.Digest)
	return made, err
}

// add takes an event that this agency said, and that the log has.
func (r *release) add(ctx context.Context, e *publisherv1.ReleasedEvent) error {
	unverified, err := event.Decode(e.GetEnvelope())
	if err != nil {
		return errors.New("envelope: not an event")
	}
	key, ok := r.view.state.Key(unverified.KeyID())
	if !ok || !r.publisher.ours(key) || !r.publisher.owns(e.GetSubject()) {
		return errors.New("envelope: not an event of this agency: only its originator may release it")
	}
	verified, err := unverified.Verify(key.Public, key.Second, &event.Roots{})
	if err != nil {
		return errors.New("envelope: its signature is not this agency's")
	}
	verified.Chain.Renewal = key.Renewal
	if accepted, err := r.publisher.outbox.HeaderAt(ctx, verified.Chain, verified.Counter); err != nil || accepted != verified.HeaderDigest {
		return errors.New("envelope: this publisher has not seen it in the log: only what was accepted there can be released")
	}
	if len(r.events) > 0 && verified.Place.Batch != r.events[0].Place.Batch {
		return errors.New("envelope: of another batch than the first: release it by a request of its own")
	}
	r.events = append(r.events, verified)
	r.expires = later(r.expires, expiry([]event.Draft{{Recorded: verified.Recorded}}, r.view.state.Retention()[verified.Retention]))
	for _, s := range e.GetSections() {
		r.sections = append(r.sections, seal.Released{Event: verified, Compartment: s.GetCompartment(), Key: seal.ContentKey(s.GetContentKey())})
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// openings are the recipient's, of every compartment: the record does not tell which are released.
func (r *release) openings() []registry.Opening {
	return seal.Recipients(r.view.state, registry.Audience{Members: []string{r.request.GetTo()}}, r.view.size)
}

// place is where the release's record lies, and its revision. Of one batch and country there is
// one record, where it was first put, for as long as both countries read it there: an old one,
// shown at another address, is outdated to its recipient. It refuses to drop what was released before.
func (r *release) place(ctx context.Context, audience registry.Audience) (subject string, revision uint64, err error) {
	terms := seal.Terms{Origin: r.events[0].Chain, Batch: r.events[0].Place.Batch, Recipient: r.request.GetTo()}
	subject = terms.SubjectAt(audience.Address())
	all, err := r.publisher.outbox.ReleaseRecords(ctx, subject)
	if err != nil || len(all) == 0 {
		return subject, 1, err
	}
	record, err := openRecord(r.view.state, all[0])
	if err != nil {
		return "", 0, err
	}
	var missing []string
	for _, id := range record.Events() {
		err := r.publisher.outbox.Releasable(ctx, id)
		if taken := (*outbox.Unreleasable)(nil); errors.As(err, &taken) {
			continue // it is taken back
		}
		if err != nil {
			return "", 0, err
		}
		if !slices.ContainsFunc(r.events, func(e event.Verified) bool { return e.ID == id }) {
			missing = append(missing, id.String())
		}
	}
	if len(missing) > 0 {
		return "", 0, fmt.Errorf("events: of this batch were released to %s before, and have to be named again, or they are taken back: %s",
			r.request.GetTo(), strings.Join(missing, ", "))
	}
	theirs := r.view.state.Reads(r.request.GetTo())
	for _, address := range r.view.state.Reads(r.publisher.config.Country) {
		if slices.Contains(theirs, address) && terms.SubjectAt(address) == all[0].Subject {
			subject = all[0].Subject
		}
	}
	return subject, all[0].Revision + 1, nil
}

// reports say of each event that it was released.
func (r *release) reports(digest event.Digest) ([]byte, error) {
	said := &publisherv1.PublishRequest{}
	for i, e := range r.request.GetEvents() {
		released := &caseworkv1.ControlReleased{
			To: r.request.GetTo(), Index: e.GetIndex(), Subject: e.GetSubject(), Envelope: e.GetEnvelope(), RecordDigest: digest[:],
		}
		for _, s := range e.GetSections() {
			released.Compartments = append(released.Compartments, s.GetCompartment())
		}
		said.Reports = append(said.Reports, &caseworkv1.Report{
			IdempotencyKey: ownKeys + "released " + r.request.GetIdempotencyKey() + " " + r.events[i].ID.String(), Audience: r.request.GetAudience(), Retention: r.events[i].Retention,
			Case: &caseworkv1.CaseSection{
				Marking: r.request.GetMarking(), Occurred: r.publisher.outbox.Clock().UTC().Format(time.RFC3339),
				Content: &caseworkv1.CaseSection_ControlReleased{ControlReleased: released},
			},
		})
	}
	if _, err := r.publisher.check.reports(said); err != nil {
		return nil, err
	}
	return proto.Marshal(said)
}

// sayReleased says of releases that they are done, once the hub has their records. An event that
// was erased or recalled since is not named: it leaves the record.
func (t *tender) sayReleased(ctx context.Context, _ *logView) (moved bool, err error) {
	unsaid, err := t.publisher.outbox.UnsaidReleases(ctx, tendAtOnce)
	if err != nil {
		return false, err
	}
	for _, u := range unsaid {
		said := &publisherv1.PublishRequest{}
		if err := proto.Unmarshal(u.Reports, said); err != nil {
			return moved, fmt.Errorf("the release %q is damaged", u.Key)
		}
		for _, report := range said.GetReports() {
			err := t.say(ctx, report)
			if unreleasable := (*outbox.Unreleasable)(nil); errors.As(err, &unreleasable) {
				err = t.publisher.outbox.Withdraw(ctx, u.Record, unreleasable.ID)
			}
			if err != nil {
				return moved, err
			}
		}
		if err := t.publisher.outbox.PutSaid(ctx, u.Key); err != nil {
			return moved, err
		}
		moved = true
	}
	return moved, nil
}
