package pilot_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/pilot"
)

// A photograph of one agency is taken away at another country's desk, by who works in its section;
// nothing of it is in clear in any file of anybody.
func TestFileGoesFromAgencyToDesk(t *testing.T) {
	t.Parallel()
	data := played(t)
	text := append([]byte("\xff\xd8\xff\xe0"), bytes.Repeat([]byte("an invented person's photograph "), 9000)...)
	play(t, data, func(ctx context.Context, p *pilot.Pilot) {
		publishWithFile(t, ctx, data, text)
		if err := p.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		reader := as(t, p, "CN")
		page := fmt.Sprintf("/events/%d", summaryOf(t, ctx, p).LogSize-1)
		reader.sees(page, "invented-photograph.jpg").sees(page+"/attachments/identity/0", "image/jpeg").
			sees(page+"/attachments/identity/0", "does not begin like")
		response, err := reader.client.Get(reader.url + page + "/attachments/identity/0/file")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var got bytes.Buffer
		if _, err := got.ReadFrom(response.Body); err != nil || response.StatusCode != http.StatusOK || !bytes.Equal(got.Bytes(), text) {
			t.Errorf("%s, %d bytes, %v", response.Status, got.Len(), err)
		}
		if !strings.HasPrefix(response.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("it is shown: %v", response.Header)
		}
		as(t, p, "MM").sees(page+"/attachments/identity/0", "invented-photograph.jpg")
	})
	if anyFileHolds(t, data, "an invented person's photograph") {
		t.Error("a file of the pilot has it in clear")
	}
}

// publishWithFile hands over a file, and a report that names it.
func publishWithFile(t *testing.T, ctx context.Context, data string, text []byte) {
	t.Helper()
	files, err := pilot.DialFiles(data, "TH/immigration")
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(text)
	begun, err := files.BeginAttachment(ctx, &publisherv1.BeginAttachmentRequest{
		IdempotencyKey: "photo", Audience: "region", Retention: "identity", Name: "invented-photograph.jpg", MediaType: "image/png",
		Size: uint64(len(text)), Sha256: digest[:],
	})
	if err != nil {
		t.Fatal(err)
	}
	put, err := files.PutAttachment(ctx, &publisherv1.PutAttachmentRequest{IdempotencyKey: "photo", Offset: begun.GetState().GetReceived(), Data: text})
	if err != nil || put.GetState().GetAttachment() == nil {
		t.Fatalf("%v, %v", put, err)
	}
	client, err := pilot.Dial(data, "TH/immigration")
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Publish(ctx, &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{{
		IdempotencyKey: "with a photograph", Audience: "region", Retention: "identity",
		Case: &caseworkv1.CaseSection{
			Marking: &caseworkv1.Marking{Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_AMBER, Purpose: "rescue"}, Occurred: "2025-02-20",
			Content: &caseworkv1.CaseSection_PersonReported{PersonReported: &caseworkv1.PersonReported{PersonId: "P-INVENTED", Nationality: "unknown",
				Sex: caseworkv1.Sex_SEX_UNKNOWN, AgeBand: caseworkv1.AgeBand_AGE_BAND_ADULT}},
		},
		Identity: &caseworkv1.IdentitySection{
			Persons:     []*caseworkv1.Identity{{PersonId: "P-INVENTED", Name: "an invented name"}},
			Attachments: []*caseworkv1.Attachment{put.GetState().GetAttachment()},
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
}
