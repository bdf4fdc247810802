package publisher

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// maxContent leaves room in an event for its header and its proof, in bytes.
const maxContent = event.MaxMessage - 16<<10

// checker decides what may be accepted. Whatever passes can be signed and is
// judged well formed by every reader: nothing that is accepted gets stuck.
type checker struct {
	validator protovalidate.Validator
	publisher *Publisher
}

func newChecker(p *Publisher) (*checker, error) {
	validator, err := protovalidate.New(protovalidate.WithMessages(
		&publisherv1.PublishRequest{}, &publisherv1.EraseRequest{}, &publisherv1.ReleaseRequest{}))
	if err != nil {
		return nil, fmt.Errorf("preparing the checks of reports: %w", err)
	}
	return &checker{validator: validator, publisher: p}, nil
}

// reports checks a request in two rounds, form and then rights, and names all
// faults of the round at once. It never repeats what a report says.
func (c *checker) reports(request *publisherv1.PublishRequest) ([]outbox.Report, error) {
	f := &faults{}
	if err := c.form(request, f); err != nil {
		return nil, err
	}
	if len(f.all) > 0 {
		return nil, f.refusal(connect.CodeInvalidArgument)
	}
	closed, view := false, c.publisher.log.Load()
	for i, report := range request.GetReports() {
		closed = c.rights(i, report, view, f) || closed
	}
	switch {
	case closed:
		return nil, f.refusal(connect.CodePermissionDenied)
	case len(f.all) > 0:
		return nil, f.refusal(connect.CodeInvalidArgument)
	}
	reports := make([]outbox.Report, len(request.GetReports()))
	for i, report := range request.GetReports() {
		var err error
		if reports[i], err = draft(report); err != nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("reports[%d]: %w", i, err))
		}
		spread(view.state, report, &reports[i])
		size := 0
		for _, section := range reports[i].Sections {
			size += len(section.Content)
		}
		if size > maxContent {
			f.add("report.max_bytes", fmt.Sprintf("holds %d bytes, at most %d: divide it", size, maxContent), "reports", i)
		}
	}
	if len(f.all) > 0 {
		return nil, f.refusal(connect.CodeInvalidArgument)
	}
	return reports, nil
}

// ownKeys begins the idempotency keys of what the publisher says by itself: erasures, releases, and recalls elsewhere.
// Somebody who had used one up before would keep that from ever being said.
const ownKeys = "tripoint "

// keys refuses reports that come in under the publisher's own keys.
func (c *checker) keys(request *publisherv1.PublishRequest) error {
	f := &faults{}
	for i, report := range request.GetReports() {
		if strings.HasPrefix(report.GetIdempotencyKey(), ownKeys) {
			f.add("report.own_key", fmt.Sprintf("begins with %q, as the keys of the publisher's own reports do: take another", ownKeys), "reports", i, "idempotency_key")
		}
	}
	if len(f.all) > 0 {
		return f.refusal(connect.CodeInvalidArgument)
	}
	return nil
}

// form checks what can be checked without the registry.
func (c *checker) form(request *publisherv1.PublishRequest, f *faults) error {
	var invalid *protovalidate.ValidationError
	if err := c.validator.Validate(request); errors.As(err, &invalid) {
		f.all = invalid.ToProto().GetViolations()
		teach(f.all)
	} else if err != nil {
		return connect.NewError(connect.CodeInternal, errors.New("the checks of reports could not be run"))
	}
	if event.HasUnknown(request) {
		f.add("unknown_fields", "holds fields that this publisher does not know, and would say less than its author meant", "reports")
	}
	for i, report := range request.GetReports() {
		section := report.GetCase()
		if !onCalendar(section.GetOccurred()) {
			f.add("date.calendar", "no such day in the calendar", "reports", i, "case", "occurred")
		}
		if !onCalendar(section.GetMarking().GetReviewDate()) {
			f.add("date.calendar", "no such day in the calendar", "reports", i, "case", "marking", "review_date")
		}
		if content, field, date := controlDate(section); !onCalendar(date) {
			f.add("date.calendar", "no such day in the calendar", "reports", i, "case", content, field)
		}
	}
	return nil
}

// controlDate is the one date in an event of control, and where it stands; empty where there is none.
func controlDate(section *caseworkv1.CaseSection) (content, field, date string) {
	switch c := section.GetContent().(type) {
	case *caseworkv1.CaseSection_ControlRecalled:
		return "control_recalled", "deadline", c.ControlRecalled.GetDeadline()
	case *caseworkv1.CaseSection_ControlReceipt:
		return "control_receipt", "destroyed", c.ControlReceipt.GetDestroyed()
	case *caseworkv1.CaseSection_ControlReviewed:
		return "control_reviewed", "review_date", c.ControlReviewed.GetReviewDate()
	}
	return "", "", ""
}

// message checks a request that is no reports.
func (c *checker) message(request proto.Message) error {
	f := &faults{}
	var invalid *protovalidate.ValidationError
	if err := c.validator.Validate(request); errors.As(err, &invalid) {
		f.all = invalid.ToProto().GetViolations()
		teach(f.all)
		return f.refusal(connect.CodeInvalidArgument)
	} else if err != nil {
		return connect.NewError(connect.CodeInternal, errors.New("the checks of requests could not be run"))
	}
	if event.HasUnknown(request) {
		return connect.NewError(connect.CodeInvalidArgument, errors.New("the request holds fields that this publisher does not know, and would do less than its author meant"))
	}
	return nil
}

// rights checks a report against the registry; closed says that its audience is
// not open to this country.
func (c *checker) rights(i int, report *caseworkv1.Report, view *logView, f *faults) (closed bool) {
	if !view.state.HasRetention(report.GetRetention()) {
		f.add("retention.exists", "no retention class of the charter; its classes are: "+classes(view.state), "reports", i, "retention")
	}
	country := c.publisher.config.Country
	audience, ok := view.state.Audience(report.GetAudience())
	if !ok || !audience.Has(country) {
		words := fmt.Sprintf("no audience that is open to %s; open are: %s", country, strings.Join(view.state.AudiencesOf(country), ", "))
		if barred := c.publisher.barred(view); barred != "" {
			words += "; " + barred
		}
		f.add("audience.open", words, "reports", i, "audience")
		return true
	}
	if view.state.HasRetention(report.GetRetention()) && !audience.Keeps(report.GetRetention()) {
		f.add("retention.of_audience", fmt.Sprintf("no retention class of this audience; its classes are: %s", strings.Join(audience.Retention, ", ")),
			"reports", i, "retention")
	}
	if !slices.Contains(audience.Purposes, report.GetCase().GetMarking().GetPurpose()) {
		f.add("purpose.of_audience", fmt.Sprintf("no purpose of this audience; its purposes are: %s", strings.Join(audience.Purposes, ", ")),
			"reports", i, "case", "marking", "purpose")
	}
	return false
}

// onCalendar refuses a day that has the form of a date and is none. What has not
// even the form is for others to refuse.
func onCalendar(date string) bool {
	day, _, _ := strings.Cut(date, "T")
	if len(day) != len(time.DateOnly) {
		return true
	}
	_, err := time.Parse(time.DateOnly, day)
	return err == nil
}

// draft makes of a report what the outbox holds: a section for each part, in
// rising order of compartment, and a digest of all that is said.
func draft(report *caseworkv1.Report) (outbox.Report, error) {
	if _, err := casework.KindOf(report.GetCase()); err != nil {
		return outbox.Report{}, err
	}
	marshal := proto.MarshalOptions{Deterministic: true}.Marshal
	said := proto.Clone(report).(*caseworkv1.Report)
	said.IdempotencyKey = ""
	whole, err := marshal(said)
	if err != nil {
		return outbox.Report{}, errors.New("cannot be encoded")
	}
	draft := outbox.Report{
		Key: report.GetIdempotencyKey(), Digest: event.DigestOf(whole),
		Audience: report.GetAudience(), Kind: casework.KindSealed, Retention: report.GetRetention(),
	}
	if draft.Attachments, err = entries(report); err != nil {
		return outbox.Report{}, err
	}
	if released := report.GetCase().GetControlReleased(); released != nil {
		if e, err := event.Decode(released.GetEnvelope()); err == nil {
			draft.Releases = e.Claims().ID
		}
	}
	for _, part := range []struct {
		compartment eventv1.Compartment
		message     proto.Message
	}{
		{eventv1.Compartment_COMPARTMENT_CASE, report.GetCase()},
		{eventv1.Compartment_COMPARTMENT_IDENTITY, report.GetIdentity()},
		{eventv1.Compartment_COMPARTMENT_PROTECTION, report.GetProtection()},
		{eventv1.Compartment_COMPARTMENT_INTELLIGENCE, report.GetIntelligence()},
	} {
		if !part.message.ProtoReflect().IsValid() {
			continue // not part of this report
		}
		content, err := marshal(part.message)
		if err != nil {
			return outbox.Report{}, errors.New("cannot be encoded")
		}
		draft.Sections = append(draft.Sections, event.Section{
			Compartment: part.compartment, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: content,
		})
	}
	return draft, nil
}

// faults are what is wrong with a request, in the form of protovalidate's violations.
type faults struct{ all []*validate.Violation }

// add names a fault at a path: field names from the request down, and places in lists.
func (f *faults) add(rule, message string, path ...any) {
	f.all = append(f.all, &validate.Violation{
		Field: fieldPath(path), RuleId: proto.String("tripoint." + rule), Message: proto.String(message),
	})
}

func fieldPath(path []any) *validate.FieldPath {
	var elements []*validate.FieldPathElement
	message := (&publisherv1.PublishRequest{}).ProtoReflect().Descriptor()
	for _, step := range path {
		switch step := step.(type) {
		case int:
			elements[len(elements)-1].Subscript = &validate.FieldPathElement_Index{Index: uint64(step)}
		case string:
			field := message.Fields().ByName(protoreflect.Name(step))
			elements = append(elements, &validate.FieldPathElement{
				FieldNumber: proto.Int32(int32(field.Number())),
				FieldName:   proto.String(string(field.Name())),
				FieldType:   descriptorpb.FieldDescriptorProto_Type(field.Kind()).Enum(),
			})
			message = field.Message()
		}
	}
	return &validate.FieldPath{Elements: elements}
}

func describe(v *validate.Violation) string {
	return protovalidate.FieldPathString(v.GetField()) + ": " + v.GetMessage()
}

// classes names the retention classes of a charter.
func classes(state registry.State) string {
	return strings.Join(slices.Sorted(maps.Keys(state.Retention())), ", ")
}
