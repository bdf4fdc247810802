package outside_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary/outside"
)

func TestEveryWitnessCosignsTheNewestCheckpoint(t *testing.T) {
	h := newHouse(t, "a")
	one, two := body(t, "one.example/w"), body(t, "two.example/w")
	stop := h.ask(one, two)
	for _, size := range []uint64{1, 2, 255, 256, 257, 700} {
		h.publish(size)
		h.cosigned(size, one, two)
	}
	// After a restart what is shown stays, and the witnesses say where they are.
	stop()
	h.openTiles()
	h.ask(one, two)
	h.publish(700)
	h.cosigned(700, one, two)
	h.publish(701)
	h.cosigned(701, one, two)
	if found := h.Findings(); len(found) != 0 {
		t.Errorf("findings: %+v", found)
	}
}

// A busy log has gone on when the answer comes: the checkpoint stands with the
// notary's signature alone, and what the witness has said in a file of its own.
func TestLateCosignatureIsShown(t *testing.T) {
	h := newHouse(t, "a")
	real := body(t, "one.example/w")
	started, release := make(chan struct{}, 9), make(chan struct{})
	slow := proxy(t, real, func() { started <- struct{}{}; <-release })
	h.ask(slow)
	five := h.publish(5)
	<-started
	nine := h.publish(9)
	if note, err := os.ReadFile(filepath.Join(h.directory, "checkpoint")); err != nil || string(note) != string(nine) {
		t.Errorf("checkpoint %q, %v", note, err)
	}
	release <- struct{}{}
	h.until(func() string {
		if note := h.own(slow); !strings.HasPrefix(string(note), string(five)) || !h.shown(slow, note) {
			return "its own file: " + string(note)
		}
		return ""
	})
	close(release)
	h.cosigned(9, slow)
}

// proxy stands before a real witness; meanwhile runs before each request goes on.
func proxy(t *testing.T, real outside.Witness, meanwhile func()) outside.Witness {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		meanwhile()
		forward(t, real, rw, r)
	}))
	t.Cleanup(server.Close)
	return outside.Witness{URL: server.URL, VKey: real.VKey}
}

func forward(t *testing.T, real outside.Witness, rw http.ResponseWriter, r *http.Request) {
	response, err := http.Post(real.URL+r.URL.Path, "", r.Body)
	if err != nil {
		t.Error(err)
		return
	}
	defer response.Body.Close()
	rw.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	rw.WriteHeader(response.StatusCode)
	if _, err := io.Copy(rw, response.Body); err != nil {
		t.Error(err)
	}
}

// One witness never answers, another is not there: the log and the third do not notice.
func TestSlowAndDeadWitnessesCostNothing(t *testing.T) {
	h := newHouse(t, "a")
	var under, most, requests atomic.Int64
	stuck := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if n := under.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer under.Add(-1)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	}))
	defer stuck.Close()
	key := func(name string) string {
		return translog.VKey{Name: name, Key: publicKey(name), Cosigns: true}.String()
	}
	live := body(t, "live.example/w")
	stop := h.ask(outside.Witness{URL: stuck.URL, VKey: key("stuck")}, outside.Witness{URL: "http://127.0.0.1:1", VKey: key("dead")}, live)
	for size := uint64(1); size <= 20; size++ {
		h.publish(size)
	}
	note, began := h.note(20), time.Now()
	for range 10_000 {
		h.Offer(20, note)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("10,000 offers took %s", took)
	}
	h.cosigned(20, live)
	h.says("dead")
	h.until(func() string {
		if requests.Load() == 0 {
			return "the stuck one was not asked"
		}
		return ""
	})
	if most.Load() > 1 {
		t.Errorf("%d requests at one witness at a time", most.Load())
	}
	began = time.Now()
	stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
}

// A witness that was away is asked again, for what is newest by then.
func TestWitnessComesBack(t *testing.T) {
	h := newHouse(t, "a")
	real := body(t, "one.example/w")
	var state atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch state.Load() {
		case 0:
			http.Error(rw, "later", http.StatusServiceUnavailable)
		case 1:
			http.Redirect(rw, r, real.URL+r.URL.Path, http.StatusTemporaryRedirect)
		default:
			forward(t, real, rw, r)
		}
	}))
	t.Cleanup(server.Close)
	w := outside.Witness{URL: server.URL, VKey: real.VKey}
	h.ask(w)
	h.publish(3)
	h.says("it answers 503")
	h.publish(4)
	state.Store(1)
	h.says("it answers 307") // where to ask is not for the witness to say
	state.Store(2)
	h.cosigned(4, w)
	h.says("cosigns again")
}

// Whatever a witness answers, nothing is shown that is not its signature of this very checkpoint.
func TestAnswersThatAreRefused(t *testing.T) {
	name := "one.example/w"
	signer, err := translog.NewWitness(name, testKey(name))
	must(t, err)
	other, err := translog.NewWitness(name, testKey("other"))
	must(t, err)
	line := func(w *translog.Witness, text string) string {
		signed, err := w.Cosign(translog.TreeHead{Text: text}, 1)
		must(t, err)
		return string(signed)
	}
	h := newHouse(t, "a")
	text, _, _ := strings.Cut(string(h.note(5)), "\n\n")
	text += "\n"
	smaller, _, _ := strings.Cut(string(h.note(4)), "\n\n")
	size := map[string]string{"Content-Type": "text/x.tlog.size"}
	for what, test := range map[string]struct {
		status int
		header map[string]string
		body   string
		says   string
	}{
		"nothing":           {200, nil, "", "not signature lines"},
		"a page":            {200, nil, "<html>\n", "its answer"},
		"another key":       {200, nil, line(other, text), "no valid signature"},
		"another size":      {200, nil, line(signer, smaller+"\n"), "no valid signature"},
		"no line end":       {200, nil, strings.TrimSuffix(line(signer, text), "\n"), "not signature lines"},
		"twice":             {200, nil, line(signer, text) + line(signer, text), "twice"},
		"longer text":       {200, nil, "— x AAAAAAAA\n\n" + line(signer, text+"\n— x AAAAAAAA\n"), "not signature lines"},
		"endless":           {200, nil, line(signer, text) + strings.Repeat("— x AAAAAAAA\n", 4000), "above 16384 bytes"},
		"another status":    {204, nil, "", "answers 204"},
		"unknown log":       {404, nil, "who\n", "answers 404"},
		"size with zero":    {409, size, "05\n", "names no size"},
		"size with plus":    {409, size, "+3\n", "names no size"},
		"size without end":  {409, size, "3", "names no size"},
		"size of two lines": {409, size, "3\n3\n", "names no size"},
		"huge size":         {409, size, "281474976710657\n", "names no size"},
		"size above 64 bit": {409, size, "18446744073709551616\n", "names no size"},
		"a larger size":     {409, size, "6\n", "6 leaves, and 5 are published"},
		"the same again":    {409, size, "3\n", "another size each time"},
	} {
		h := newHouse(t, "a")
		var requests atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			for name, value := range test.header {
				rw.Header().Set(name, value)
			}
			rw.WriteHeader(test.status)
			_, _ = io.WriteString(rw, test.body)
		}))
		w := outside.Witness{URL: server.URL + "/", VKey: signer.VKey().String()}
		stop := h.ask(w)
		published := h.publish(5)
		h.says(test.says)
		stop()
		server.Close()
		if tries := int64(strings.Count(h.log.String(), "does not cosign")); requests.Load() > 2*tries+2 {
			t.Errorf("%s: %d requests in %d tries", what, requests.Load(), tries)
		}
		note, err := os.ReadFile(filepath.Join(h.directory, "checkpoint"))
		if err != nil || string(note) != string(published) || h.own(w) != nil || len(h.Findings()) != 0 {
			t.Errorf("%s: it was shown, or a finding: %q, %v", what, note, err)
		}
	}
}

// What the own disk does not hold any more is not submitted: the fault is here, and
// no witness is made to look as if it had another tree.
func TestDamagedTilesAreNotSubmitted(t *testing.T) {
	h := newHouse(t, "a")
	real := body(t, "one.example/w")
	var requests atomic.Int64
	counted := proxy(t, real, func() { requests.Add(1) })
	stop := h.ask(counted)
	h.publish(300)
	h.cosigned(300, counted)
	stop()
	path := filepath.Join(h.directory, "tile", "1", "000.p", "1") // the first 256 leaves
	data, err := os.ReadFile(path)
	must(t, err)
	data[7] ^= 1
	must(t, os.WriteFile(path, data, 0o644))
	h.ask(counted)
	before := requests.Load()
	h.publish(301)
	h.says("the published tree")
	if requests.Load() > before || len(h.Findings()) != 0 {
		t.Errorf("%d requests, findings %v", requests.Load()-before, h.Findings())
	}
}

func TestWitnessesThatCannotBeAsked(t *testing.T) {
	key := func(name string) string {
		return translog.VKey{Name: name, Key: publicKey(name), Cosigns: true}.String()
	}
	good := outside.Witness{URL: "https://witness.example/x", VKey: key("a")}
	many := make([]outside.Witness, 17)
	for i := range many {
		many[i] = outside.Witness{URL: fmt.Sprintf("http://w%d.example", i), VKey: key(fmt.Sprint(i))}
	}
	sameKey := translog.VKey{Name: "b", Key: publicKey("a"), Cosigns: true}.String()
	for what, witnesses := range map[string][]outside.Witness{
		"too many":         many,
		"a log's key":      {{URL: good.URL, VKey: translog.NotaryVKey("a", publicKey("a")).String()}},
		"no key":           {{URL: good.URL}},
		"no address":       {{VKey: good.VKey}},
		"a file":           {{URL: "file:///etc/passwd", VKey: good.VKey}},
		"a password":       {{URL: "https://u:p@witness.example", VKey: good.VKey}},
		"a query":          {{URL: "https://witness.example/?a=b", VKey: good.VKey}},
		"no host":          {{URL: "https:///x", VKey: good.VKey}},
		"one twice":        {good, good},
		"one address":      {good, {URL: good.URL + "/", VKey: key("b")}},
		"one key, renamed": {good, {URL: "https://other.example", VKey: sameKey}},
	} {
		if _, err := outside.New(outside.Config{Witnesses: witnesses}); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	c, err := outside.New(outside.Config{})
	must(t, err)
	c.Offer(1, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.Run(ctx)
}
