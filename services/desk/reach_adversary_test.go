package desk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/publisher"
)

// office is a house in which XA's police has its real publisher, and XA's desk hands decisions to it.
type office struct {
	*house
	client publisherv1connect.PublisherServiceClient
	files  publisherv1connect.AttachmentServiceClient
	own    *running // XA's desk
}

// newOffice has desks of XA and XB, so that there is a quorum.
func newOffice(t testing.TB) *office {
	t.Helper()
	o := &office{house: newHouse(t)}
	o.enacts(registrytest.Form("south", "XA", "XC"), "root XA", "root XC")
	url := o.speaks("XA", "police")
	o.client, o.files = publisher.NewClient(url, officeToken), publisher.NewFileClient(url, officeToken)
	o.own = o.open("XA", t.TempDir(), today, func(c *Config) { c.Voice = func(string) Voice { return o.client } })
	o.open("XB", t.TempDir(), today, o.answers("XB"))
	return o
}

const officeToken = "a token for tests"

// today has a desk's opening keys, and the clock of this machine, as publishers have it.
func today(c *Config) { c.OpeningKeys = registrytest.OpeningsOf(c.Country) }

// silent cosigns nothing, so that it may lose its journal and begin again.
func silent(c *Config) { c.MirrorKey = registrytest.Key("mirror of nobody") }

// speaks starts an agency's publisher and returns the address of its API.
func (h *house) speaks(country, agency string) string {
	h.t.Helper()
	p, err := publisher.New(h.t.Context(), publisher.Config{
		Country: country, Agency: agency, Directory: h.t.TempDir(), Charter: h.charter, Key: registrytest.Key("publisher " + country + "/" + agency),
		Listen: "127.0.0.1:0", Token: officeToken, Stream: h.member(stream.PublisherUser(country, agency)),
	})
	must(h.t, err)
	live(h.t, p.Run)
	return p.URL()
}

// answers gives a country's desk a publisher for its receipts.
func (h *house) answers(country string) func(*Config) {
	client := publisher.NewClient(h.speaks(country, "border"), officeToken)
	return func(c *Config) { c.Publisher = client }
}

// enacts has an update of the registry published before anything else.
func (h *house) enacts(change *registryv1.Update, signers ...string) {
	h.t.Helper()
	h.book.Next = uint64(len(h.messages))
	subject, data := h.book.Message(h.t, change, signers...)
	m := stream.Message{Subject: subject, Data: data}
	until(h.t, "the hub takes the update", func() bool {
		_, err := h.as(stream.RegistrarUser("XA")).PublishBatch(h.t.Context(), []stream.Message{m})
		return err == nil
	})
	h.book.Take(h.t, subject, data)
	h.messages = append(h.messages, m)
}

// reports publishes a site's report to pair and returns its event, once it is in XA's own view.
func (o *office) reports(words string, more ...func(*caseworkv1.Report)) (id string, index uint64) {
	o.t.Helper()
	report := &caseworkv1.Report{IdempotencyKey: "report " + words, Audience: "pair", Retention: "case", Case: &caseworkv1.CaseSection{
		Occurred: "2025-02-12", Source: "invented, for a test",
		Marking: &caseworkv1.Marking{Purpose: "rescue", Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_AMBER},
		Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: "S-1", Name: words}},
	}}
	for _, change := range more {
		change(report)
	}
	response, err := o.client.Publish(o.t.Context(), &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{report}})
	must(o.t, err)
	id = response.GetAccepted()[0].GetEventId()
	until(o.t, "it is in its own desk's view", func() bool {
		var ok bool
		index, ok = o.own.indexOf(id)
		return ok
	})
	return id, index
}

// indexOf is where an event stands in a desk's view.
func (r *running) indexOf(id string) (uint64, bool) {
	r.w.t.Helper()
	for _, e := range r.entries() {
		if e.EventID == id {
			return e.Index, true
		}
	}
	return 0, false
}

// releases has an officer of XA release an event's case section to XC, once the mirror has it
// and the publisher knows that it is witnessed.
func (o *office) releases(index uint64, audience string) {
	o.t.Helper()
	var err error
	until(o.t, "it is released", func() bool {
		err = control{o.own.Desk}.Release(o.t.Context(), "police", console.Releasing{
			Key: "release to " + audience, Index: index, Compartments: []string{"case"}, To: "XC", Audience: audience,
			Marking: &caseworkv1.Marking{Purpose: "rescue", Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_AMBER},
		})
		return err == nil
	})
	o.quiet()
}

// quiet waits until XA's police has nothing more to say, or to erase.
func (o *office) quiet() {
	o.t.Helper()
	until(o.t, "the publisher has said all", func() bool {
		s, err := o.client.GetStatus(context.Background(), &publisherv1.GetStatusRequest{})
		must(o.t, err)
		return s.GetErasing() == 0 && s.GetWitnessed() == s.GetAccepted()
	})
}

// recordsFor are the key records that the hub has for a country whose desk is not at work.
func (h *house) recordsFor(country string) map[string][]byte {
	h.t.Helper()
	conn, err := stream.Dial(h.member(stream.DeskUser(country)))
	must(h.t, err)
	defer conn.Close()
	var r *stream.Reader
	until(h.t, "KEYS can be read", func() bool {
		r, err = conn.Reader(h.t.Context(), stream.Keys, stream.DeskUser(country))
		return err == nil
	})
	must(h.t, r.Reset(h.t.Context(), 1))
	all := map[string][]byte{}
	for {
		fetched, err := r.Fetch(h.t.Context(), 100, 200*time.Millisecond)
		must(h.t, err)
		if len(fetched) == 0 {
			return all
		}
		for _, m := range fetched {
			all[m.Subject] = m.Data
		}
	}
}

// K07: what was released and then erased is nowhere at its recipient, by the log alone, though the hub never
// shows it the record without the event, and goes on showing the one before, there and at another address.
func TestAdversary_K07_ReleasedThenErased(t *testing.T) {
	t.Parallel()
	o, directory := newOffice(t), t.TempDir()
	const planted = "planted words that are released and erased"
	id, index := o.reports(planted)
	o.releases(index, "region")
	var old stream.Message
	for subject, data := range o.recordsFor("XC") {
		if strings.HasSuffix(subject, "-XC") {
			old = stream.Message{Subject: subject, Data: data}
		}
	}
	abroad := o.open("XC", directory, today, silent)
	until(t, "XC reads what was released", func() bool {
		document, ok := abroad.siteDocument("S-1")
		return ok && strings.Contains(document, planted)
	})
	must(t, abroad.stop())
	must(t, control{o.own.Desk}.Erase(t.Context(), "police", id, "asked for by the person"))
	o.quiet()
	elsewhere := stream.Message{Subject: "key.south_1" + strings.TrimPrefix(old.Subject, "key.region"), Data: old.Data}
	if elsewhere.Subject == old.Subject {
		t.Fatalf("the record lay on %s", old.Subject)
	}
	for _, record := range []stream.Message{old, elsewhere} { // the hub takes no batch of key records
		o.store(police, []stream.Message{record})
	}
	for _, what := range []string{"nothing", "keys.db", "view", "everything"} {
		if what != "nothing" {
			dropFiles(t, directory, what)
		}
		abroad = o.open("XC", directory, today, silent)
		abroad.shows(index, "erased")
		if _, ok := abroad.siteDocument("S-1"); ok {
			t.Errorf("without %s the entity is there", what)
		}
		same(t, "files with the words, without "+what, []string(nil), holds(t, directory, []byte(planted)))
		if entry, _ := abroad.entryAt(index); entry.Released == 0 {
			t.Errorf("without %s the row is %+v", what, entry)
		}
		must(t, abroad.stop())
	}
}

// K08: one recall at the console reaches who reads the event and whom it was released to. Each is asked once,
// where it reads; each is named, as late or as confirmed, at the originator's desk.
func TestAdversary_K08_RecallReachesWhomItWasReleasedTo(t *testing.T) {
	t.Parallel()
	o, directory := newOffice(t), t.TempDir()
	const planted = "planted words that are released and recalled"
	id, index := o.reports(planted)
	o.releases(index, "region")
	abroad := o.open("XC", directory, today)
	until(t, "XC reads what was released", func() bool {
		document, ok := abroad.siteDocument("S-1")
		return ok && strings.Contains(document, planted)
	})
	must(t, control{o.own.Desk}.Say(t.Context(), "police", &caseworkv1.Report{
		IdempotencyKey: "recall", Audience: "pair", Retention: "case", Case: &caseworkv1.CaseSection{
			Occurred: "2025-02-12", Source: "invented, for a test",
			Marking: &caseworkv1.Marking{Purpose: "rescue", Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_AMBER},
			Content: &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
				RecallId: "R-1", EventIds: []string{id}, Reason: "the wrong place", Deadline: "2025-02-13T00:00:00Z"}},
		}}))
	for _, d := range []*running{o.own, abroad} {
		d.shows(index, "recalled")
	}
	same(t, "files of XC with the words", []string(nil), holds(t, directory, []byte(planted)))
	if _, ok := abroad.siteDocument("S-1"); ok {
		t.Error("XC still has the entity")
	}
	until(t, "XB has answered, and XC, which has no publisher here, is late", func() bool {
		r := o.own.recall("R-1")
		return slices.Equal(r.Confirmed(), []string{"XB"}) && slices.Equal(r.Late(time.Now()), []string{"XC"})
	})
	must(t, abroad.stop())
	abroad = o.open("XC", directory, today, o.answers("XC"))
	until(t, "both have answered", func() bool {
		r := o.own.recall("R-1")
		return slices.Equal(r.Confirmed(), []string{"XB", "XC"})
	})
	until(t, "XC has its own answer", func() bool { r := abroad.recall("R-1"); return len(r.Receipts) > 0 })
	for _, d := range []*running{o.own, abroad} {
		r := d.recall("R-1")
		same(t, "oddities at "+d.config.Country, 0, len(r.Oddities))
		answers := map[string]int{}
		for _, claim := range r.Claims {
			if claim.Receipt != nil {
				answers[claim.Country]++
				same(t, "events of the receipt", []string{id}, claim.Receipt.Events)
			}
		}
		want := map[string]int{"XB": 1, "XC": 1}
		if d == abroad {
			want = map[string]int{"XC": 1} // the other one was said in pair
		}
		same(t, "answers at "+d.config.Country, want, answers)
		d.asRebuilt()
	}
	err := control{o.own.Desk}.Release(t.Context(), "police", console.Releasing{Key: "again", Index: index, Compartments: []string{"case"}, To: "XC", Audience: "south"})
	if refused := (console.Refused{}); !errors.As(err, &refused) {
		t.Errorf("a release of what was recalled: %v", err)
	}
}

// hands hands a file over to XA's police, for a report to pair.
func (o *office) hands(key string, text []byte) *caseworkv1.Attachment {
	o.t.Helper()
	digest := sha256.Sum256(text)
	begun, err := o.files.BeginAttachment(o.t.Context(), &publisherv1.BeginAttachmentRequest{
		IdempotencyKey: key, Audience: "pair", Retention: "case", Name: "photograph.jpg", MediaType: "image/jpeg", Size: uint64(len(text)), Sha256: digest[:]})
	must(o.t, err)
	state := begun.GetState()
	for state.GetAttachment() == nil {
		put, err := o.files.PutAttachment(o.t.Context(), &publisherv1.PutAttachmentRequest{IdempotencyKey: key, Offset: state.GetReceived(), Data: text[state.GetReceived():]})
		must(o.t, err)
		state = put.GetState()
	}
	return state.GetAttachment()
}

// K07: what is released has its files, which its recipient fetches where the release was announced; once it is
// erased they are gone at both addresses, and at the desks.
func TestAdversary_K07_FilesOfWhatWasReleased(t *testing.T) {
	t.Parallel()
	o, directory := newOffice(t), t.TempDir()
	text := photograph(3*attachment.PieceSize + 99)
	a, other := o.hands("a", text), o.hands("b", text)
	id, index := o.reports("with a photograph", func(r *caseworkv1.Report) {
		r.Case.Attachments = []*caseworkv1.Attachment{a}
		r.Identity = &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{PersonId: "P-1", Name: "an invented person"}}, Attachments: []*caseworkv1.Attachment{other}}
	})
	o.releases(index, "region")
	o.releases(index, "south") // once more: what is there already is enough
	abroad := o.open("XC", directory, today)
	until(t, "XC reads what was released", func() bool { _, ok := abroad.siteDocument("S-1"); return ok })
	same(t, "files at XC, of the section that was released", 1, len(abroad.attachments(index)))
	if got, err := abroad.reads(index, 0); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	same(t, "chunks kept", 4, cached(t, directory))
	for name, secret := range map[string][]byte{"text": []byte(planted), "key": a.GetKey()} {
		same(t, name+" in the desk's files", []string(nil), holds(t, directory, secret))
	}
	chunk := func(user, address string, of *caseworkv1.Attachment) ([]byte, error) {
		return o.as(user).Chunk(t.Context(), subjectAt(event.Chain{Country: "XA", Agency: "police", Audience: address}, of, 0))
	}
	until(t, "both are connected", func() bool {
		own, err := chunk(stream.DeskUser("XA"), "pair", a)
		released, other := chunk(stream.DeskUser("XC"), "region", a)
		return err == nil && other == nil && len(own) > 0 && bytes.Equal(own, released)
	})
	if _, err := chunk(stream.DeskUser("XC"), "region", other); !errors.Is(err, stream.ErrNoChunk) {
		t.Errorf("a file of a section that was not released: %v", err)
	}
	reading := abroad.attachments(index)[0].Open(t.Context())
	_, err := io.CopyN(io.Discard, reading, attachment.PieceSize)
	must(t, err)
	must(t, control{o.own.Desk}.Erase(t.Context(), "police", id, "asked for by the person"))
	abroad.shows(index, "erased")
	until(t, "the cache is empty", func() bool { return cached(t, directory) == 0 })
	same(t, "files at XC", 0, len(abroad.attachments(index)))
	if part, err := io.ReadAll(reading); !errors.Is(err, attachment.Erased) || len(part) > 0 {
		t.Errorf("who reads it goes on: %d bytes, %v", len(part), err)
	}
	for user, address := range map[string]string{stream.DeskUser("XA"): "pair", stream.DeskUser("XC"): "region"} {
		until(t, "its chunks are empty in "+address, func() bool { left, err := chunk(user, address, a); return err == nil && len(left) == 0 })
	}
	until(t, "its chunks are empty in south", func() bool {
		left, err := chunk(stream.DeskUser("XC"), o.address("south"), a)
		return err == nil && len(left) == 0
	})
}
