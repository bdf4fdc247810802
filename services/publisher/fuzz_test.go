package publisher

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// FuzzPublish sends any bytes as JSON and as protobuf: the answer is always the
// API's own, what is accepted can be signed, and a repetition changes nothing.
func FuzzPublish(f *testing.F) {
	for _, reports := range [][]*caseworkv1.Report{
		{report("a")}, {report("b", to("pair"))}, {report("c", keep("brief")), report("c")},
		{report("d", func(r *caseworkv1.Report) {
			r.Identity = &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{PersonId: "P-1", Name: "an invented person"}}}
			r.Protection = &caseworkv1.ProtectionSection{Screenings: []*caseworkv1.Screening{{PersonId: "P-1", Act: "an act"}}}
			r.Intelligence = &caseworkv1.IntelligenceSection{Text: "a text"}
		})},
	} {
		request := &publisherv1.PublishRequest{Reports: reports}
		text, err := protojson.Marshal(request)
		if err != nil {
			f.Fatal(err)
		}
		binary, err := proto.Marshal(request)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(true, text)
		f.Add(false, binary)
	}
	for _, text := range []string{"", "{}", "[]", "null", `{"reports":null}`, `{"reports":[{}]}`, `{"reports":[{"case":{"occurred":"2025-02-30"}}]}`, `{"x":1}`} {
		f.Add(true, []byte(text))
	}
	p := run(f, offline(f))
	handler := p.server().Handler
	send := func(kind string, body []byte) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodPost, "/tripoint.publisher.v1.PublisherService/Publish", strings.NewReader(string(body)))
		request.Header.Set("Content-Type", kind)
		request.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer
	}
	f.Fuzz(func(t *testing.T, text bool, body []byte) {
		kind := "application/proto"
		if text {
			kind = "application/json"
		}
		answer := send(kind, body)
		switch answer.Code {
		case http.StatusOK:
			if again := send(kind, body); again.Code != http.StatusOK {
				t.Errorf("accepted, and refused when repeated: %s", again.Body)
			}
			signable(t, p.Publisher, text, body)
		case http.StatusBadRequest, http.StatusForbidden, http.StatusConflict:
			var refusal struct{ Code, Message string }
			if err := json.Unmarshal(answer.Body.Bytes(), &refusal); err != nil || refusal.Code == "" || refusal.Message == "" {
				t.Errorf("a refusal without code or reason: %s", answer.Body)
			}
		default:
			t.Errorf("answer %d: %s", answer.Code, answer.Body)
		}
	})
}

// signable signs what was accepted, and reads it as everybody will.
func signable(t *testing.T, p *Publisher, text bool, body []byte) {
	t.Helper()
	request := &publisherv1.PublishRequest{}
	unmarshal := proto.Unmarshal
	if text {
		unmarshal = protojson.Unmarshal
	}
	if err := unmarshal(body, request); err != nil {
		t.Fatal(err)
	}
	reports, err := p.check.reports(request)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		signed, _, err := event.SignBatch(p.keys[0], event.Chain{Country: "XC", Agency: "police", Audience: r.Audience}, event.Head{}, event.Seen{},
			[]event.Draft{{ID: event.NextID(time.Now(), [10]byte{}, event.ID{}), Kind: r.Kind, Retention: r.Retention, Recorded: time.Now(), Sections: r.Sections}})
		if err != nil {
			t.Fatalf("accepted, and cannot be signed: %v", err)
		}
		if _, err := event.Decode(signed[0].Data); err != nil {
			t.Fatalf("accepted, and nobody can read it: %v", err)
		}
	}
}
