package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
)

const (
	heartbeat      = 15 * time.Second
	writePatience  = 10 * time.Second // a browser that takes longer for one write is cut off
	streamBatch    = 100              // entries read at once: what a stream holds in memory
	streamsAtMost  = 256
	streamsEach    = 8 // of one session: browsers themselves stall at six or seven a host
	reconnectAfter = 3 * time.Second
)

// liveEntry is the data of one "entry" message of /feed/live: one message of
// the log as this desk sees it. Fields are added, never changed.
//
// The stream is text/event-stream (WHATWG HTML, section 9.2). The id of each
// message is its log index, so Last-Event-ID resumes exactly after it; the
// first request says where it stands with ?after=INDEX, and without that gets
// the log from its beginning. ?family= and ?country= filter. A comment comes
// every 15 seconds when nothing else does.
type liveEntry struct {
	Index    uint64       `json:"index"`
	Verdict  verdict.Code `json:"verdict"`
	Reason   string       `json:"reason"` // of a refusal, in words
	EventID  string       `json:"event_id"`
	Country  string       `json:"country"`
	Agency   string       `json:"agency"`
	Audience string       `json:"audience"`
	Kind     string       `json:"kind"`
	Occurred string       `json:"occurred"` // as the originator stated it
	Recorded string       `json:"recorded"` // RFC 3339, UTC; empty where it could not be read
	Source   string       `json:"source"`
	TLP      string       `json:"tlp"`
	PAP      string       `json:"pap"`
	Grade    string       `json:"grade"` // on its originator's scale
	Purpose  string       `json:"purpose"`
	Summary  string       `json:"summary"`
	Refs     []liveRef    `json:"refs"`     // entities that it touched and that have a page
	Breaches []string     `json:"breaches"` // gates that it broke, in words

	// Sections are those that the event has. Where the case section is not open to the
	// reader, what comes out of it (occurred, source, grade, purpose, refs, most breaches) is
	// empty, and summary says who said something of which kind.
	Sections []liveSection `json:"sections"`

	// The same for people, in the page's language.
	KindText    string `json:"kind_text"`
	VerdictText string `json:"verdict_text"`
	TimeText    string `json:"time_text"`
	DoubtedText string `json:"doubted_text"` // empty: its agency vouches for it
}

// Refused says whether the message was not taken in as an event.
func (e liveEntry) Refused() bool { return e.Verdict != verdict.Accepted && e.Verdict != "" }

type liveRef struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Path string `json:"path"`
}

func (c *Console) liveEntryOf(e view.Entry, current session) liveEntry {
	texts := c.pages.texts
	live := liveEntry{
		Index: e.Index, Verdict: e.Verdict, Reason: e.Reason, EventID: e.EventID, Country: e.Country, Agency: e.Agency,
		Audience: registry.AudienceOf(e.Audience), Kind: e.Kind, Occurred: e.Occurred, Source: e.Source, TLP: e.Marking.TLP, PAP: e.Marking.PAP,
		Grade: e.Marking.Grade, Purpose: e.Marking.Purpose, Summary: e.Summary, Refs: []liveRef{}, Breaches: []string{},
		KindText: texts.word("kind", e.Kind), VerdictText: texts.word("verdict", string(e.Verdict)), TimeText: stated(e.Occurred),
		Sections: c.sections(e, current),
	}
	if closedCase(live.Sections) || e.EventID != "" && e.Verdict == verdict.Accepted && !current.works(inCase) {
		live.Summary = fmt.Sprintf(texts["section.summary"], e.Country, e.Agency, live.KindText)
		live.TimeText = fmt.Sprintf(texts["section.recorded"], e.Recorded.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if e.Kind == "" && e.Verdict == verdict.Accepted {
		live.KindText = texts["kind.registry"]
	}
	if e.Verdict == verdict.Accepted && c.config.State().Doubted(e.Country, e.Agency, e.Index) {
		live.DoubtedText = texts["doubted"]
	}
	if !e.Recorded.IsZero() {
		live.Recorded = e.Recorded.UTC().Format(time.RFC3339)
	}
	for _, ref := range e.Refs {
		if path := hrefOf(ref); path != "" {
			live.Refs = append(live.Refs, liveRef{ref.Type, ref.ID, path})
		}
	}
	for _, breach := range e.Breaches {
		live.Breaches = append(live.Breaches, breach.What)
	}
	return live
}

func (c *Console) liveEntries(all []view.Entry, current session) []liveEntry {
	live := make([]liveEntry, len(all))
	for i, e := range all {
		live[i] = c.liveEntryOf(e, current)
	}
	return live
}

// streams counts the open ones, so that no browser and no script can hold more
// than a desk can carry.
type streams struct {
	mu   sync.Mutex
	all  int
	each map[secretKey]int
}

func newStreams() *streams { return &streams{each: map[secretKey]int{}} }

func (s *streams) enter(key secretKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= streamsAtMost || s.each[key] >= streamsEach {
		return false
	}
	s.all++
	s.each[key]++
	return true
}

func (s *streams) leave(key secretKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.each[key]--; s.each[key] == 0 {
		delete(s.each, key)
	}
}

// live serves the feed as a stream. It reads the view by log index and uses
// notifications only to know when to look, so nothing is lost or repeated
// however slow the browser is or however often it comes back.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	current, ok := c.sessions.of(r)
	if !ok {
		c.askToSignIn(w, r)
		return
	}
	filter, err := feedFilter(r.URL.Query())
	if err == nil {
		filter.After, err = resumeAt(r)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !c.streams.enter(current.key) {
		w.Header().Set("Retry-After", "60")
		http.Error(w, c.pages.texts["live.too-many"], http.StatusServiceUnavailable)
		return
	}
	defer c.streams.leave(current.key)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	stream := &stream{console: c, session: current, filter: filter, w: w, control: http.NewResponseController(w)}
	if err := stream.run(r.Context()); err != nil && r.Context().Err() == nil {
		c.config.Logger.Info("live feed ended", "error", err)
	}
}

// resumeAt is the first log index that a browser has not seen. Last-Event-ID
// wins: a browser that reconnects sends it beside the address it began with.
func resumeAt(r *http.Request) (uint64, error) {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	if last == "" {
		return 0, nil
	}
	seen, err := index(last)
	return seen + 1, err
}

// stream is one browser that follows the feed.
type stream struct {
	console *Console
	session session
	filter  view.Filter // After is the next index to send
	w       http.ResponseWriter
	control *http.ResponseController
}

var errSignedOut = errors.New("the session has ended")

func (s *stream) run(ctx context.Context) error {
	changed, cancel := s.console.config.Changes.Subscribe()
	defer cancel()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	if err := s.write(fmt.Appendf(nil, "retry: %d\n\n", reconnectAfter.Milliseconds())); err != nil {
		return err
	}
	for {
		if err := s.catchUp(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, open := <-changed:
			if !open {
				return errors.New("the desk is closing")
			}
		case <-beat.C:
			if err := s.write([]byte(": still here\n\n")); err != nil {
				return err
			}
		}
	}
}

// catchUp sends what the view has from s.filter.After on.
func (s *stream) catchUp(ctx context.Context) error {
	s.filter.Limit = streamBatch
	for {
		entries, err := s.console.reader(s.session).Entries(ctx, s.filter)
		if err != nil {
			return fmt.Errorf("reading entries from %d: %w", s.filter.After, err)
		}
		var out []byte
		for _, e := range entries {
			data, err := json.Marshal(s.console.liveEntryOf(e, s.session))
			if err != nil {
				return fmt.Errorf("encoding entry %d: %w", e.Index, err)
			}
			out = fmt.Appendf(out, "id: %d\nevent: entry\ndata: %s\n\n", e.Index, revealControls(data))
			s.filter.After = e.Index + 1
		}
		if len(out) > 0 {
			if err := s.write(out); err != nil {
				return err
			}
		}
		if len(entries) < streamBatch {
			return nil
		}
	}
}

// write sends to the browser, for a session that still stands. A deadline that
// the server cannot set (a test's recorder) is no reason to stop.
func (s *stream) write(data []byte) error {
	if _, ok := s.console.sessions.find(s.session.key); !ok {
		return errSignedOut
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(writePatience))
	if _, err := s.w.Write(data); err != nil {
		return fmt.Errorf("writing to a browser: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("writing to a browser: %w", err)
	}
	return nil
}
