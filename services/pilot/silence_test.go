package pilot_test

import (
	"bytes"
	"context"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/stream"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/publisher"
)

// heard is what operators are told: logs, examinations, states.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(data []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(data)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// drawbridge is the way to the hub: what is on it is lost when it is drawn, and nobody gets over until it is let down.
type drawbridge struct {
	mu    sync.Mutex
	drawn bool
	on    []net.Conn
}

func (d *drawbridge) to(t *testing.T) func(string) string {
	ways := map[string]string{}
	return func(url string) string {
		if ways[url] == "" {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { listener.Close() })
			go d.serve(listener, strings.TrimPrefix(url, "nats://"))
			ways[url] = "nats://" + listener.Addr().String()
		}
		return ways[url]
	}
}

func (d *drawbridge) serve(listener net.Listener, target string) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", target)
		d.mu.Lock()
		if err != nil || d.drawn {
			near.Close()
			if err == nil {
				far.Close()
			}
		} else {
			d.on = append(d.on, near, far)
			go func() { _, _ = io.Copy(near, far); near.Close() }()
			go func() { _, _ = io.Copy(far, near); far.Close() }()
		}
		d.mu.Unlock()
	}
}

func (d *drawbridge) draw(drawn bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.drawn = drawn; drawn {
		for _, conn := range d.on {
			conn.Close()
		}
		d.on = nil
	}
}

// mark is part of every planted word: of names, texts, file names, reasons, ids and keys that a person has thought of.
const mark = "Planted-Invented"

// told is a report with the mark wherever a report has text.
func told(key string, attached *caseworkv1.Attachment) *caseworkv1.Report {
	r := report(mark + "-" + key)
	r.Case.Source, r.Case.Note = mark+" source", mark+" note"
	r.Case.GetTransferReleased().ReleasedBy = mark + " office"
	r.Identity = &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{PersonId: mark, Name: mark + " name", Transliteration: mark + " other name"}}}
	r.Protection = &caseworkv1.ProtectionSection{Screenings: []*caseworkv1.Screening{{PersonId: mark, Act: mark + " act", Means: mark + " means", Purpose: mark + " purpose"}}}
	r.Intelligence = &caseworkv1.IntelligenceSection{Text: mark + " method"}
	if attached != nil {
		r.Identity.Attachments = []*caseworkv1.Attachment{attached}
	}
	return r
}

// attaches hands over a file with the mark in its name and its text.
func (h *house) attaches(ctx context.Context, agency string) *caseworkv1.Attachment {
	h.t.Helper()
	text := []byte(mark + " text of a file")
	digest := sha256.Sum256(text)
	files := publisher.NewFileClient(h.urls[agency], "a token")
	_, err := files.BeginAttachment(ctx, &publisherv1.BeginAttachmentRequest{IdempotencyKey: mark, Audience: "region", Retention: "case",
		Name: mark + ".jpg", MediaType: "image/jpeg", Size: uint64(len(text)), Sha256: digest[:]})
	if err != nil {
		h.t.Fatal(err)
	}
	put, err := files.PutAttachment(ctx, &publisherv1.PutAttachmentRequest{IdempotencyKey: mark, Data: text})
	if err != nil {
		h.t.Fatal(err)
	}
	return put.GetState().GetAttachment()
}

// signedIn is an officer's browser who works everywhere.
func (h *house) signedIn(country string) *http.Client {
	h.t.Helper()
	officer, err := console.OfficerOf("supervisor", "case", "identity", "protection", "intelligence")
	if err != nil {
		h.t.Fatal(err)
	}
	link, err := h.consoles[country].SignInLink(officer)
	jar, wrong := cookiejar.New(nil)
	if err != nil || wrong != nil {
		h.t.Fatal(err, wrong)
	}
	client := &http.Client{Jar: jar}
	response, err := client.Get(h.desks[country].URL() + link)
	if err != nil {
		h.t.Fatal(err)
	}
	response.Body.Close()
	return client
}

// page asks a desk's console as such an officer; of what is refused too.
func (h *house) page(country string) func(path string) (status int, page string) {
	h.t.Helper()
	client := h.signedIn(country)
	return func(path string) (int, string) {
		response, err := client.Get(h.desks[country].URL() + path)
		if err != nil {
			h.t.Fatal(err)
		}
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		if err != nil {
			h.t.Fatal(err)
		}
		return response.StatusCode, string(page)
	}
}

// refusals are requests with the mark in what is wrong about them.
func (h *house) refusals(ctx context.Context, to string) {
	h.t.Helper()
	client, stranger := h.clients[to], publisher.NewClient(h.urls[to], mark)
	purpose, retention, audience, again := told("purpose", nil), told("retention", nil), told("audience", nil), told("one", nil)
	purpose.Case.Marking.Purpose, retention.Retention, audience.Audience, again.Case.Note = mark, mark, mark, mark+" in other words"
	unnamed := told("file", &caseworkv1.Attachment{Name: mark + ".jpg", MediaType: "image/jpeg", Size: 5, Key: make([]byte, 32), Chunks: [][]byte{make([]byte, 32)}})
	for i, r := range []*caseworkv1.Report{purpose, retention, audience, again, unnamed} {
		if _, err := client.Publish(ctx, &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{r}}); err == nil {
			h.t.Errorf("report %d is accepted", i)
		}
	}
	if _, err := stranger.Publish(ctx, &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{told("stranger", nil)}}); err == nil {
		h.t.Error("a stranger's report is accepted")
	}
	for _, id := range []string{mark, "01956c1e-0000-7000-8000-000000000000"} {
		if _, err := client.Erase(ctx, &publisherv1.EraseRequest{EventIds: []string{id}, Reason: mark + " reason"}); err == nil {
			h.t.Errorf("%s is erased", id)
		}
	}
}

// rubbish puts bytes that nobody can use in an agency's name on every stream.
func (h *house) rubbish(ctx context.Context, country, agency string) {
	h.t.Helper()
	conn, err := stream.Dial(h.connection(stream.PublisherUser(country, agency)))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	h.until(ctx, "the agency is connected", conn.Connected)
	own := country + "." + agency + "."
	for _, subject := range []string{"evt.region." + own + "event.sealed", "key.region." + own + strings.Repeat("0f", 16), "file.region." + own + strings.Repeat("0f", 32)} {
		if _, err := conn.Publish(ctx, subject, []byte(mark+" rubbish")); err != nil {
			h.t.Fatal(err)
		}
	}
}

// examined adds what the examination and the publishers' states say.
func (h *house) examined(ctx context.Context, to io.Writer) {
	h.t.Helper()
	checks, err := pilot.Examine(ctx, h.data)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, c := range checks {
		fmt.Fprintf(to, "%+v\n", c)
	}
	for agency := range h.clients {
		if status, err := h.clients[agency].GetStatus(ctx, &publisherv1.GetStatusRequest{}); err == nil {
			data, _ := json.Marshal(status)
			fmt.Fprintf(to, "%s %s %+v\n", agency, data, status)
		}
	}
	for country, d := range h.desks {
		fmt.Fprintf(to, "%s %+v\n", country, d.Status())
	}
}

// keysIn are the private keys, secrets and tokens that lie in a directory, in every spelling.
func keysIn(t *testing.T, directory string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		name := filepath.Base(path)
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".key") && name != "token" && !strings.HasSuffix(name, ".creds") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSpace(line)
			if len(line) < 20 || strings.HasPrefix(line, "-----") || strings.Contains(line, " ") {
				continue
			}
			all = append(all, line)
			if raw, err := base64.StdEncoding.DecodeString(line); err == nil && len(raw) >= 32 {
				all = append(all, spellings(raw[len(raw)-32:])...)
			}
		}
		return nil
	})
	if err != nil || len(all) < 20 {
		t.Fatalf("%d keys in %s, error %v", len(all), directory, err)
	}
	return all
}

func spellings(key []byte) []string {
	return []string{string(key), hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key)), base64.StdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key), fmt.Sprint(key)}
}

// Whatever goes wrong, what operators are told, at the most talkative, has no word of a report, no file's name, no reason,
// no key: with the link cut, keys that do not fit, records and events that are rubbish, requests that are refused, erasures, recalls,
// and a view that is built anew.
func TestAdversary_K04_OperatorsAreToldNothingOfContent(t *testing.T) {
	t.Parallel()
	data, said, bridge := played(t), &heard{}, &drawbridge{}
	h := houseOf(t, data)
	h.log, h.way = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug})), bridge.to(t)
	opening, err := keyfile.LoadOpenings(filepath.Join(data, "desks", "MM", "opening"), keyfile.Unsealed)
	if err != nil {
		t.Fatal(err)
	}
	h.open = map[string][]hpke.PrivateKey{"MM": opening} // CN has none that fits
	parties := []string{"notary", "TH/immigration", "MM", "CN"}
	secrets := keysIn(t, data)
	h.with(parties, func(ctx context.Context, h *house) {
		attached := h.attaches(ctx, "TH/immigration")
		secrets = append(secrets, spellings(attached.GetKey())...)
		ids := h.tells(ctx, told("one", attached), told("two", nil), told("three", nil))
		h.sees(ctx, "MM", mark+" source")
		h.refusals(ctx, "TH/immigration")
		h.rubbish(ctx, "TH", "immigration")
		bridge.draw(true)
		h.until(ctx, "the publisher has noticed", func() bool { return !h.status(ctx, "TH/immigration").GetConnected() })
		ids = append(ids, h.tells(ctx, told("four", nil))...)
		h.examined(ctx, said)
		bridge.draw(false)
		h.until(ctx, "what waited is stored", func() bool { return h.status(ctx, "TH/immigration").GetWaiting() == 0 })
		for _, path := range []string{"/people/" + mark, "/sites/" + mark, "/sign-in?key=" + mark, "/feed?q=" + mark, "/" + mark, "/events/" + mark} {
			for _, country := range []string{"MM", "CN"} {
				h.page(country)(path)
			}
		}
		if _, err := h.clients["TH/immigration"].Erase(ctx, &publisherv1.EraseRequest{EventIds: ids[:1], Reason: mark + " reason"}); err != nil {
			t.Fatal(err)
		}
		h.tells(ctx, recalling(ids[1]))
		h.shownNothing(ctx, "CN")
		h.until(ctx, "the erasure is done", func() bool {
			return h.status(ctx, "TH/immigration").GetErasing() == 0 && h.status(ctx, "TH/immigration").GetWaiting() == 0
		})
		h.examined(ctx, said)
	})
	views, err := filepath.Glob(filepath.Join(data, "desks", "*", "view-*"))
	if err != nil || len(views) == 0 {
		t.Fatalf("%d views, error %v", len(views), err)
	}
	for _, view := range views {
		if err := os.Remove(view); err != nil {
			t.Fatal(err)
		}
	}
	h.with(parties, func(ctx context.Context, h *house) {
		h.sees(ctx, "MM", mark+" source")
		h.examined(ctx, said)
	})
	h.examined(t.Context(), said)
	text := said.String()
	for _, fault := range []string{"hub is away", "hub is back", "no connection to the hub", "the view was built again", "level=DEBUG", "shares"} {
		if !strings.Contains(text, fault) {
			t.Errorf("nothing is said of %q: the test would prove less", fault)
		}
	}
	for line := range strings.Lines(text) {
		if strings.Contains(strings.ToLower(line), strings.ToLower(mark)) {
			t.Errorf("an operator is told: %.300s", line)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("an operator is told a secret of %d characters", len(secret))
		}
	}
	t.Logf("%d bytes were said; %d secrets were looked for", len(text), len(secrets))
}

// shownNothing says that no page of a desk shows the mark, where none of its keys fits: not of what is sealed, nor of what is rubbish.
func (h *house) shownNothing(ctx context.Context, country string) {
	h.t.Helper()
	page := h.page(country)
	h.until(ctx, country+" has rubbish and what is sealed", func() bool {
		_, feed := page("/feed")
		return strings.Contains(feed, "TH")
	})
	for _, path := range append([]string{"/protection/records", "/protection/releases", "/protection/recalls", "/protection/erasures", "/alarms"}, everyPage...) {
		if _, shown := page(path); strings.Contains(shown, mark) {
			h.t.Errorf("%s shows at %s what it has no key to", country, path)
		}
	}
}

// tells hands reports of the Thai agency over and returns their events.
func (h *house) tells(ctx context.Context, reports ...*caseworkv1.Report) (ids []string) {
	h.t.Helper()
	response, err := h.clients["TH/immigration"].Publish(ctx, &publisherv1.PublishRequest{Reports: reports})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, accepted := range response.GetAccepted() {
		ids = append(ids, accepted.GetEventId())
	}
	return ids
}

// recalling asks all for an event back.
func recalling(id string) *caseworkv1.Report {
	r := report("recall " + mark)
	r.Case.Content = &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
		RecallId: mark, EventIds: []string{id}, Reason: mark + " reason", Deadline: time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}}
	return r
}

// sees waits until a page of people of a desk shows a text.
func (h *house) sees(ctx context.Context, country, text string) {
	h.t.Helper()
	page := h.page(country)
	h.until(ctx, country+" shows "+text, func() bool {
		for _, path := range []string{"/feed", "/people", "/people/" + mark} {
			if _, shown := page(path); strings.Contains(shown, text) {
				return true
			}
		}
		return false
	})
}
