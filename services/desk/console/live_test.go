package console

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// message is one of a text/event-stream.
type message struct{ id, event, data string }

// follower reads a live feed over a real connection.
type follower struct {
	t        testing.TB
	messages chan message
	stop     context.CancelFunc
}

// listen opens a stream. lastID is what a browser that comes back sends.
func listen(t testing.TB, c *Console, b *browser, path, lastID string) *follower {
	t.Helper()
	server := httptest.NewServer(c)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() { stop(); server.Close() })
	request, err := http.NewRequestWithContext(ctx, "GET", server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.AddCookie(b.cookie)
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("GET %s: status %d, type %q", path, answer.StatusCode, answer.Header.Get("Content-Type"))
	}
	f := &follower{t: t, messages: make(chan message, 1000), stop: stop}
	go func() {
		defer close(f.messages)
		defer answer.Body.Close()
		parse(bufio.NewScanner(answer.Body), f.messages)
	}()
	return f
}

func parse(lines *bufio.Scanner, to chan<- message) {
	var one message
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			one.id = value
		case "event":
			one.event = value
		case "data":
			one.data = value
		case "":
			if one.data != "" {
				to <- one
			}
			one = message{}
		}
	}
}

// next waits for the next message; ok is false where the stream has ended.
func (f *follower) next() message {
	f.t.Helper()
	select {
	case one, ok := <-f.messages:
		if !ok {
			f.t.Fatal("the stream has ended")
		}
		return one
	case <-time.After(10 * time.Second):
		f.t.Fatal("nothing came over the stream for 10 s")
	}
	return message{}
}

func report(v *memoryView, country string) uint64 {
	return v.say(country+".police", &caseworkv1.CaseSection{Occurred: "2025-02-28", Content: &caseworkv1.CaseSection_SiteStatus{SiteStatus: &caseworkv1.SiteStatus{
		SiteId: "S-KK-PARK", State: caseworkv1.SiteState_SITE_STATE_RAIDED}}})
}

func TestStreamGivesTheLogAndGoesOn(t *testing.T) {
	v := february(newMemoryView(t))
	c := open(t, v, nil)
	f := listen(t, c, signIn(t, c, "officer"), "/feed/live", "")
	for i := range v.size() {
		if got := f.next(); got.id != fmt.Sprint(i) || got.event != "entry" {
			t.Fatalf("message %d: %+v", i, got)
		}
	}
	new := report(v, "MM")
	got := f.next()
	var entry liveEntry
	if err := json.Unmarshal([]byte(got.data), &entry); err != nil || got.id != fmt.Sprint(new) {
		t.Fatalf("new entry %+v: %v", got, err)
	}
	if entry.Index != new || entry.Country != "MM" || entry.Kind != "site.status" || entry.Verdict != "accepted" || entry.TLP != "AMBER" ||
		!slices.Contains(entry.Refs, liveRef{"site", "S-KK-PARK", "/sites/S-KK-PARK"}) {
		t.Errorf("new entry %+v", entry)
	}
	v.refuse("gap", "counter 9 after 7")
	if got := f.next(); !strings.Contains(got.data, `"verdict":"gap"`) || !strings.Contains(got.data, `"reason":"counter 9 after 7"`) {
		t.Errorf("refused entry %+v", got)
	}
}

func TestStreamResumesExactly(t *testing.T) {
	v := february(newMemoryView(t))
	c := open(t, v, nil)
	officer := signIn(t, c, "officer")
	for _, test := range []struct{ name, path, lastID, want string }{
		{"after the page's newest", "/feed/live?after=20", "", "21"},
		{"after the first of all", "/feed/live?after=0", "", "1"},
		{"a browser that comes back", "/feed/live?after=3", "21", "22"},
		{"filtered by family", "/feed/live?family=transfer&after=3", "", "10"},
		{"filtered by country", "/feed/live?country=MM&after=3", "6", "9"},
	} {
		if got := listen(t, c, officer, test.path, test.lastID).next(); got.id != test.want {
			t.Errorf("%s: begins with %s, want %s", test.name, got.id, test.want)
		}
	}
	for _, bad := range []string{"/feed/live?after=-1", "/feed/live?after=x", "/feed/live?family=x", "/feed/live?country=thailand", "/feed/live?after=99999999999999999999"} {
		if got := officer.do("GET", bad).Code; got != http.StatusBadRequest {
			t.Errorf("%s: status %d", bad, got)
		}
	}
}

// A browser that loses its connection again and again, while entries come in,
// sees each of them once and in order.
func TestStreamLosesNothingOverReconnects(t *testing.T) {
	v := newMemoryView(t)
	c := open(t, v, nil)
	officer := signIn(t, c, "officer")
	const entries = 150
	var writing sync.WaitGroup
	writing.Go(func() {
		for range entries {
			report(v, "TH")
		}
	})
	seen, last := uint64(0), ""
	for seen <= entries {
		f := listen(t, c, officer, "/feed/live", last)
		for range 37 {
			got := f.next()
			if got.id != fmt.Sprint(seen) {
				t.Fatalf("entry %s where %d was due", got.id, seen)
			}
			seen, last = seen+1, got.id
			if seen > entries {
				break
			}
		}
		f.stop()
	}
	writing.Wait()
}

func TestStreamEndsWithTheSession(t *testing.T) {
	v := newMemoryView(t)
	c := open(t, v, nil)
	officer := signIn(t, c, "officer")
	f := listen(t, c, officer, "/feed/live", "")
	f.next()
	officer.do("POST", "/sign-out")
	report(v, "TH")
	select {
	case got, ok := <-f.messages:
		if ok {
			t.Errorf("after the sign-out came %+v", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("the stream goes on after the sign-out")
	}
}

func TestStreamsAreBounded(t *testing.T) {
	v := newMemoryView(t)
	c := open(t, v, nil)
	officer := signIn(t, c, "officer")
	var open []*follower
	for range streamsEach {
		open = append(open, listen(t, c, officer, "/feed/live", ""))
	}
	if got := officer.do("GET", "/feed/live").Code; got != http.StatusServiceUnavailable {
		t.Errorf("one stream too many: status %d", got)
	}
	for _, one := range open {
		one.next()
		one.stop()
	}
	deadline := time.After(10 * time.Second)
	for v.watched() > 0 || !c.streams.idle() {
		select {
		case <-deadline:
			t.Fatalf("%d streams still follow the view", v.watched())
		case <-time.After(time.Millisecond):
		}
	}
}

func (s *streams) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all == 0 && len(s.each) == 0
}

// written is a ResponseWriter that can stop taking anything.
type written struct {
	mu     sync.Mutex
	header http.Header
	text   strings.Builder
	broken bool
}

func (w *written) Header() http.Header { return w.header }
func (w *written) WriteHeader(int)     {}
func (w *written) Flush()              {}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return 0, context.DeadlineExceeded // as when the write deadline has passed
	}
	return w.text.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func TestHeartbeatAndSlowBrowsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newMemoryView(t)
		c := open(t, v, nil)
		officer := signIn(t, c, "officer")
		request := httptest.NewRequest("GET", "/feed/live", nil)
		request.AddCookie(officer.cookie)
		slow := &written{header: http.Header{}}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.ServeHTTP(slow, request)
		}()
		synctest.Wait()
		before := slow.String()
		if !strings.HasPrefix(before, "retry: 3000\n\n") || strings.Contains(before, "\n:") {
			t.Errorf("the stream begins %q", before)
		}
		<-time.After(heartbeat) // by the bubble's clock
		synctest.Wait()
		if got := strings.TrimPrefix(slow.String(), before); got != ": still here\n\n" {
			t.Errorf("after %s came %q", heartbeat, got)
		}
		slow.mu.Lock()
		slow.broken = true
		slow.mu.Unlock()
		report(v, "TH")
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("a browser that takes nothing is not cut off")
		}
		if v.watched() != 0 {
			t.Error("a browser that was cut off still follows the view")
		}
	})
}
