package publisher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// offline is the configuration of a publisher whose hub is never there.
func offline(t testing.TB) Config {
	return Config{
		Country: "XC", Agency: "police", Directory: t.TempDir(), Charter: registrytest.Charter(t),
		Key: registrytest.Key("publisher XC/police"), Listen: "127.0.0.1:0", Token: token,
		Stream: stream.Config{URL: "nats://127.0.0.1:1", User: "nobody"},
	}
}

// refused is an error as a client sees it: its code, and field: rule of each violation.
func refused(t testing.TB, err error) (connect.Code, []string) {
	t.Helper()
	var refusal *connect.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("error is %v, want one of Connect", err)
	}
	var fields []string
	for _, detail := range refusal.Details() {
		value, err := detail.Value()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range value.(*validate.Violations).GetViolations() {
			if v.GetMessage() == "" {
				t.Errorf("%s: no reason is given", v.GetRuleId())
			}
			fields = append(fields, protovalidate.FieldPathString(v.GetField()))
		}
	}
	return refusal.Code(), fields
}

func TestFaultyReportsAreRefusedByField(t *testing.T) {
	t.Parallel()
	p := run(t, offline(t))
	marking := func(change func(*caseworkv1.Marking)) func(*caseworkv1.Report) {
		return func(r *caseworkv1.Report) { change(r.Case.Marking) }
	}
	content := func(section *caseworkv1.CaseSection) func(*caseworkv1.Report) {
		return func(r *caseworkv1.Report) { r.Case.Content = section.Content }
	}
	const someID = "01950000-0000-7000-8000-000000000000"
	for _, c := range []struct {
		name   string
		change func(*caseworkv1.Report)
		code   connect.Code
		field  string
		says   string
	}{
		{"no key", func(r *caseworkv1.Report) { r.IdempotencyKey = "" }, connect.CodeInvalidArgument, "reports[1].idempotency_key", ""},
		{"no case", func(r *caseworkv1.Report) { r.Case = nil }, connect.CodeInvalidArgument, "reports[1].case", ""},
		{"no content", func(r *caseworkv1.Report) { r.Case.Content = nil }, connect.CodeInvalidArgument, "reports[1].case.content", ""},
		{"no day of the calendar", func(r *caseworkv1.Report) { r.Case.Occurred = "2025-02-30" }, connect.CodeInvalidArgument, "reports[1].case.occurred", "calendar"},
		{"no day, with a time", func(r *caseworkv1.Report) { r.Case.Occurred = "2023-02-29T10:00:00+07:00" }, connect.CodeInvalidArgument, "reports[1].case.occurred", "calendar"},
		{"no form of a date", func(r *caseworkv1.Report) { r.Case.Occurred = "12.2.2025" }, connect.CodeInvalidArgument, "reports[1].case.occurred", ""},
		{"no day to review", marking(func(m *caseworkv1.Marking) { m.ReviewDate = "2026-04-31" }), connect.CodeInvalidArgument, "reports[1].case.marking.review_date", "calendar"},
		{"no day for receipts", content(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
			RecallId: "R", EventIds: []string{someID}, Reason: "r", Deadline: "2025-02-30T10:00:00Z"}}}), connect.CodeInvalidArgument, "reports[1].case.control_recalled.deadline", "calendar"},
		{"no day of destruction", content(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReceipt{ControlReceipt: &caseworkv1.ControlReceipt{
			RecallId: "R", Country: "XB", Agency: "border", Destroyed: "2025-02-30T10:00:00Z"}}}), connect.CodeInvalidArgument, "reports[1].case.control_receipt.destroyed", "calendar"},
		{"no day of the next review", content(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReviewed{ControlReviewed: &caseworkv1.ControlReviewed{
			EventIds: []string{someID}, Reason: "r", ReviewDate: "2025-02-30"}}}), connect.CodeInvalidArgument, "reports[1].case.control_reviewed.review_date", "calendar"},
		{"no event id", content(&caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReviewed{ControlReviewed: &caseworkv1.ControlReviewed{
			EventIds: []string{"7"}, Reason: "r", ReviewDate: "2025-02-28"}}}), connect.CodeInvalidArgument, "reports[1].case.control_reviewed.event_ids[0]", "UUID"},
		{"unknown class", keep("forever"), connect.CodeInvalidArgument, "reports[1].retention", "its classes are: "},
		{"unknown audience", to("world"), connect.CodePermissionDenied, "reports[1].audience", "region"},
		{"closed audience", to("pair"), connect.CodePermissionDenied, "reports[1].audience", "region"},
		{"purpose of no audience", marking(func(m *caseworkv1.Marking) { m.Purpose = "advertising" }), connect.CodeInvalidArgument, "reports[1].case.marking.purpose", "rescue, prosecution"},
		{"too large", func(r *caseworkv1.Report) {
			r.Protection = &caseworkv1.ProtectionSection{}
			for i := range 400 {
				r.Protection.Screenings = append(r.Protection.Screenings, &caseworkv1.Screening{
					PersonId: fmt.Sprint("P-", i), Act: strings.Repeat("x", 1000), Means: strings.Repeat("x", 1000), Purpose: strings.Repeat("x", 1000),
				})
			}
		}, connect.CodeInvalidArgument, "reports[1]", "divide it"},
		{"field of another version", func(r *caseworkv1.Report) {
			r.Case.Marking.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 9000, protowire.VarintType), 1))
		}, connect.CodeInvalidArgument, "reports", "does not know"},
	} {
		t.Run(c.name, func(t *testing.T) {
			binary := binaryClient(p.URL()) // JSON carries no unknown fields
			_, err := binary.Publish(t.Context(), &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{report(c.name), report(c.name+" too", c.change)}})
			code, fields := refused(t, err)
			if code != c.code || fmt.Sprint(fields) != fmt.Sprint([]string{c.field}) {
				t.Errorf("refused with %v at %v, want %v at %s", code, fields, c.code, c.field)
			}
			if !strings.Contains(err.Error(), c.field) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("message %q does not name %q and %q", err, c.field, c.says)
			}
		})
	}
	if s := p.status(); s.GetAccepted() != 0 {
		t.Errorf("%d reports of refused requests were accepted", s.GetAccepted())
	}
}

// P05: malformed rows 1, 130 and 261 of a manifest.
func TestAdversary_P05_AllFaultyRowsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	p := run(t, offline(t))
	rows := reports("row", 261)
	for _, at := range []int{0, 129, 260} {
		rows[at].Case.Occurred = "2025-02-30"
	}
	_, err := p.client.Publish(t.Context(), &publisherv1.PublishRequest{Reports: rows})
	code, fields := refused(t, err)
	want := []string{"reports[0].case.occurred", "reports[129].case.occurred", "reports[260].case.occurred"}
	if diff := cmp.Diff(want, fields); diff != "" || code != connect.CodeInvalidArgument {
		t.Errorf("refused with %v (-want +got):\n%s", code, diff)
	}
	if s := p.status(); s.GetAccepted() != 0 {
		t.Errorf("%d rows were accepted", s.GetAccepted())
	}
}

// P06: the same manifest twice, at once and later.
func TestAdversary_P06_SameManifestTwice(t *testing.T) {
	t.Parallel()
	p := run(t, offline(t))
	answers := make([][]*publisherv1.Accepted, 4)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() {
			response, err := p.client.Publish(context.Background(), &publisherv1.PublishRequest{Reports: reports("row", 261)})
			if err != nil {
				t.Error(err)
			}
			answers[i] = response.GetAccepted()
		})
	}
	wait.Wait()
	answers = append(answers, p.publish(reports("row", 261)...))
	first := make([]int, 261)
	for _, answer := range answers {
		for row, a := range answer {
			if a.GetEventId() != answers[0][row].GetEventId() {
				t.Fatalf("row %d has two event ids", row)
			}
			if !a.GetRepeated() {
				first[row]++
			}
		}
	}
	for row, n := range first {
		if n != 1 {
			t.Errorf("row %d was new %d times", row, n)
		}
	}
	if s := p.status(); s.GetAccepted() != 261 {
		t.Errorf("%d are accepted, want 261", s.GetAccepted())
	}
}

func TestKeyForOtherContentIsRefusedWhole(t *testing.T) {
	t.Parallel()
	p := run(t, offline(t))
	p.publish(report("used"))
	_, err := p.client.Publish(t.Context(), &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{report("new"), report("used", keep("case"), func(r *caseworkv1.Report) { r.Case.Note = "more" })}})
	code, fields := refused(t, err)
	if code != connect.CodeAlreadyExists || fmt.Sprint(fields) != "[reports[1].idempotency_key]" {
		t.Errorf("refused with %v at %v", code, fields)
	}
	if a := p.publish(report("new")); a[0].GetRepeated() {
		t.Error("a report of the refused request was accepted")
	}
}

func TestErrorsRepeatNothingOfAPerson(t *testing.T) {
	t.Parallel()
	p := run(t, offline(t))
	const secret = "Somebody-Invented"
	for name, body := range map[string]string{
		"value of a wrong type":  `{"reports":[{"idempotencyKey":{"name":"` + secret + `"}}]}`,
		"unknown enum value":     `{"reports":[{"case":{"marking":{"tlp":"` + secret + `"}}}]}`,
		"number":                 `{"reports":[{"case":{"content":1,"note":["` + secret + `"]}}]}`,
		"unknown field":          `{"reports":[{"` + secret + `":1}]}`,
		"broken JSON":            `{"reports":[{"case": ` + secret + `}]}`,
		"wrong form":             `{"reports":[{"idempotencyKey":"k","audience":"` + secret + `","retention":"` + secret + `","case":{"occurred":"` + secret + `"},"identity":{"persons":[{"personId":"` + secret + `!","name":"` + secret + `","dateOfBirth":"` + secret + `"}]}}]}`,
		"name of a field inside": `{"reports":[{"case":{"note": "unknown field \"` + secret + `\"", "note": 1}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := post(t, p.URL(), token, body)
			if status != http.StatusBadRequest || strings.Contains(answer, secret) {
				t.Errorf("answer %d: %s", status, answer)
			}
		})
	}
}

func TestMisspeltFieldIsRefused(t *testing.T) {
	t.Parallel()
	p := run(t, offline(t))
	status, answer := post(t, p.URL(), token, "{\"reports\":[\n {\"idempotencyKey\":\"a\", \"identitty\":{}}]}")
	if status != http.StatusBadRequest || !strings.Contains(answer, "line 2") || !strings.Contains(answer, "identitty") {
		t.Errorf("answer %d: %s", status, answer)
	}
}

func TestOnlyTheTokenOpens(t *testing.T) {
	t.Parallel()
	p := run(t, offline(t))
	for _, wrong := range []string{"", "x", token + "x", token[:len(token)-1], strings.ToUpper(token)} {
		_, err := client(p.URL(), wrong).GetStatus(t.Context(), &publisherv1.GetStatusRequest{})
		if connect.CodeOf(err) != connect.CodeUnauthenticated || strings.Contains(err.Error(), token) {
			t.Errorf("token %q: %v", wrong, err)
		}
	}
	if status, _ := post(t, p.URL(), "", "{}"); status != http.StatusUnauthorized {
		t.Errorf("without a token the status is %d", status)
	}
}

func TestRequestHasALimit(t *testing.T) {
	t.Parallel()
	p := run(t, offline(t))
	status, answer := post(t, p.URL(), token, `{"reports":[{"case":{"note":"`+strings.Repeat("x", maxRequest)+`"}}]}`)
	if status == http.StatusOK || !strings.Contains(answer, "resource_exhausted") {
		t.Errorf("answer %d: %.200s", status, answer)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"no token", func(c *Config) { c.Token = "" }, "no token"},
		{"no key", func(c *Config) { c.Key = nil }, "no signing key"},
		{"a mirror's key", func(c *Config) { c.Key = registrytest.Key("mirror XC") }, "that of XC's mirror"},
		{"a root's key", func(c *Config) { c.Key = registrytest.Key("root XC") }, "that of XC's root"},
		{"the notary's key", func(c *Config) { c.Key = registrytest.Key("notary") }, "that of the notary"},
		{"another agency's next key", func(c *Config) { c.NextKey = registrytest.Key("publisher XC/border") }, "that of XC/border"},
		{"one key twice", func(c *Config) { c.NextKey = c.Key }, "are the same"},
		{"another agency's key", func(c *Config) { c.Key = registrytest.Key("publisher XC/border") }, "that of XC/border"},
		{"another country's key", func(c *Config) { c.Country = "XA" }, "that of XC/police"},
		{"no charter", func(c *Config) { c.Charter.Message = nil }, "does not know"},
		{"no address", func(c *Config) { c.Listen = "nowhere" }, "listening"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := offline(t)
			c.change(&config)
			if _, err := New(t.Context(), config); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v, want %q", err, c.says)
			}
		})
	}
}

func TestStatusSaysWhyNothingGoesOut(t *testing.T) {
	t.Parallel()
	p := run(t, offline(t))
	p.publish(reports("a", 3)...)
	s := p.status()
	if s.GetConnected() || s.GetWaiting() != 3 || s.GetCountry() != "XC" || s.GetAgency() != "police" || !strings.Contains(s.GetHalted(), "no connection to the hub") {
		t.Errorf("status is %v", s)
	}
}

func post(t testing.TB, url, token, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/tripoint.publisher.v1.PublisherService/Publish", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Transport: bearer(token)}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}
