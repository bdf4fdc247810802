package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/translog"
)

func TestWitnessFollowsALog(t *testing.T) {
	o, l := newOffice(t), newLog(t, "a", 40)
	o.cosigns(l.submission(0, 0))
	last := uint64(0)
	for _, size := range []uint64{1, 2, 7, 8, 8, 33} {
		o.cosigns(l.submission(last, size))
		o.knows(l, size)
		last = size
	}
	o.restart()
	o.knows(l, 33)
	o.cosigns(l.submission(33, 40))
}

// What a log cannot say is not what its witness looks at: signatures of strangers,
// and other witnesses' beside its own.
func TestStrangersSignaturesArePassedOver(t *testing.T) {
	o, l := newOffice(t), newLog(t, "a", 5)
	s := l.submission(0, 5)
	s.Note = append(s.Note, "— stranger.example AAAAAAAA\n"...)
	o.cosigns(s)
}

// A log that rotates its key stands twice in the configuration; what was seen under
// the old key still counts.
func TestLogRotatesItsKey(t *testing.T) {
	o, l := newOffice(t), newLog(t, "a", 5)
	o.cosigns(l.submission(0, 3))
	rotated := newLog(t, "a", 5)
	rotated.keep("next")
	o.refuses("an unknown key", rotated.submission(3, 5).Bytes(), http.StatusForbidden)
	o.logs = append(o.logs, Log{Origin: origin, VKey: rotated.vkey})
	o.restart()
	o.cosigns(rotated.submission(3, 4))
	o.cosigns(l.submission(4, 5))
	o.logs = o.logs[1:]
	o.restart()
	o.refuses("the old key", l.submission(5, 5).Bytes(), http.StatusForbidden)
	o.cosigns(rotated.submission(5, 5))
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	o := &office{t: t, directory: t.TempDir(), logs: []Log{{Origin: origin, VKey: newLog(t, "", 0).vkey}}}
	own := translog.NotaryVKey(signer, testKey("witness").Public().(ed25519.PublicKey)).String()
	for what, change := range map[string]func(*Config){
		"no logs":             func(c *Config) { c.Logs = nil },
		"no name":             func(c *Config) { c.Name = "" },
		"no key":              func(c *Config) { c.Key = nil },
		"no origin":           func(c *Config) { c.Logs[0].Origin = "" },
		"origin of two lines": func(c *Config) { c.Logs[0].Origin = "a\nb" },
		"bad vkey":            func(c *Config) { c.Logs[0].VKey += "x" },
		"a cosigner's vkey": func(c *Config) {
			c.Logs[0].VKey = translog.VKey{Name: "x", Key: make([]byte, 32), Cosigns: true}.String()
		},
		"its own vkey": func(c *Config) { c.Logs[0].VKey = own },
		"bad address":  func(c *Config) { c.Listen = "nowhere" },
	} {
		config := o.config()
		change(&config)
		if w, err := New(config); err == nil {
			t.Errorf("%s: accepted", what)
			w.close()
		}
	}
	w, err := New(o.config())
	must(t, err)
	if _, err := New(o.config()); !errors.Is(err, daemon.ErrInUse) {
		t.Errorf("a second witness in one directory: %v", err)
	}
	must(t, w.close())
}

// A flipped bit in what it has seen is noticed: it says so and does not start.
func TestDamagedStateIsNotBelieved(t *testing.T) {
	o, l := newOffice(t), newLog(t, "a", 5)
	o.cosigns(l.submission(0, 5))
	o.stop()
	heads, err := filepath.Glob(filepath.Join(o.directory, "*.head"))
	must(t, err)
	if len(heads) != 1 {
		t.Fatalf("state: %v", heads)
	}
	whole, err := os.ReadFile(heads[0])
	must(t, err)
	for at := range whole {
		bad := bytes.Clone(whole)
		bad[at] ^= 1
		must(t, os.WriteFile(heads[0], bad, 0o600))
		if w, err := New(o.config()); err == nil {
			t.Errorf("byte %d flipped: it starts", at)
			w.close()
		}
	}
	other := encode(translog.TreeHead{Note: bytes.Replace(whole[65:], []byte(origin), []byte("another log"), 1)})
	must(t, os.WriteFile(heads[0], other, 0o600))
	if w, err := New(o.config()); err == nil {
		t.Error("what was seen of another log: it starts")
		w.close()
	}
	for _, n := range []int{0, 1, 64, 65, len(whole) / 2, len(whole) - 1} {
		must(t, os.WriteFile(heads[0], whole[:n], 0o600))
		if w, err := New(o.config()); err == nil {
			t.Errorf("cut to %d bytes: it starts", n)
			w.close()
		}
	}
}

func TestOnlyPostsAreAnswered(t *testing.T) {
	o := newOffice(t)
	for path, want := range map[string]int{"/add-checkpoint": http.StatusMethodNotAllowed, "/": http.StatusNotFound} {
		response, err := http.Get(o.URL() + path)
		must(t, err)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("GET %s: %d", path, response.StatusCode)
		}
	}
}

// Each change of the disk fails, or is made and said to have failed, or tears what
// it writes: nothing is signed. The witness goes on with what it has signed, or
// starts again with one of the two heads, whole, and the log asks again.
func TestNothingIsSignedThatTheDiskCouldForget(t *testing.T) {
	for _, how := range []string{"failed", "failed but persisted", "torn"} {
		for _, restarted := range []bool{false, true} {
			for nth, more := 0, true; more; nth++ {
				o, l := newOffice(t), newLog(t, "a", 9)
				o.cosigns(l.submission(0, 4))
				var failed disk.Kind
				var code int
				var answer string
				o.withDisk(faulty(t, nth, how, &failed), func() { code, _, answer = o.post(l.submission(4, 7).Bytes()) })
				if more = failed != ""; !more {
					if nth < 5 || code != http.StatusOK {
						t.Errorf("%d changes, then %d", nth, code)
					}
					continue
				}
				if code != http.StatusInternalServerError || strings.Contains(answer, "— ") {
					t.Errorf("%s %s: %d %q", failed, how, code, answer)
				}
				have := uint64(4)
				if restarted {
					o.restart()
					have = o.Witness.logs[origin].head.Size
				}
				if have != 4 && have != 7 || have == 7 && how == "failed" && failed != disk.SyncDirectory {
					t.Errorf("%s %s: it knows %d", failed, how, have)
				}
				o.cosigns(l.submission(have, 7))
				o.cosigns(l.submission(7, 9))
			}
		}
	}
}

// faulty fails at the change with a number.
func faulty(t *testing.T, nth int, how string, failed *disk.Kind) disk.Maker {
	count := 0
	return func(change disk.Change, do func() error) error {
		if count++; count != nth+1 {
			return do()
		}
		*failed = change.Kind
		if how == "failed" {
			return io.ErrShortWrite
		}
		must(t, do())
		if info, err := os.Stat(change.Path); how == "torn" && change.Kind == disk.Write && err == nil {
			must(t, os.Truncate(change.Path, info.Size()/2))
		}
		return io.ErrShortWrite
	}
}

// withDisk acts while the witness has a disk of the test's making.
func (o *office) withDisk(maker disk.Maker, act func()) {
	set := func(maker disk.Maker) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.disk = maker
	}
	set(maker)
	act()
	set(nil)
}

// The witness keeps a head and dies before its answer is out: the log asks again
// and has its signature.
func TestCrashBetweenKeepingAndAnswering(t *testing.T) {
	o, l := newOffice(t), newLog(t, "a", 9)
	if _, err := o.judge(o.Witness.logs[origin], l.submission(0, 4), openHead(t, o, l, 4)); err != nil { // its answer goes nowhere
		t.Fatal(err)
	}
	o.restart()
	o.refuses("the same again", l.submission(0, 4).Bytes(), http.StatusConflict)
	o.knows(l, 4)
	o.cosigns(l.submission(4, 4))
}

func openHead(t testing.TB, o *office, l *testLog, size uint64) translog.TreeHead {
	t.Helper()
	head, err := translog.OpenTreeHead(l.sign(l.text(size)), o.Witness.logs[origin].keys)
	must(t, err)
	return head
}

func FuzzAddCheckpoint(f *testing.F) {
	l := newLog(f, "a", 9)
	valid := map[string]bool{}
	for _, at := range [][2]uint64{{0, 0}, {0, 4}, {4, 4}, {4, 9}} {
		s := l.submission(at[0], at[1])
		valid[string(s.Note[:bytes.LastIndex(s.Note, []byte("\n\n"))+1])] = true
		f.Add(s.Bytes())
	}
	f.Add([]byte("old 4\n\n" + strings.Repeat("— stranger AAAAAAAA\n", 4)))
	w, err := New((&office{t: f, directory: f.TempDir(), logs: []Log{{Origin: origin, VKey: l.vkey}}}).config())
	must(f, err)
	f.Cleanup(func() { w.close() })
	verifiers := note.VerifierList(cosigner{w.VKey()})
	f.Fuzz(func(t *testing.T, body []byte) {
		w.mu.Lock()
		before := w.logs[origin].head.Size
		w.mu.Unlock()
		rw := httptest.NewRecorder()
		w.handler().ServeHTTP(rw, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(body)))
		if after := w.logs[origin].head.Size; after < before {
			t.Errorf("it went back from %d to %d", before, after)
		}
		if rw.Code != http.StatusOK {
			return
		}
		// Nobody has the log's key, so only what it signed is cosigned.
		submission, err := translog.ParseSubmission(body)
		must(t, err)
		text := string(submission.Note[:bytes.LastIndex(submission.Note, []byte("\n\n"))+1])
		if _, err := note.Open(append([]byte(text+"\n"), rw.Body.Bytes()...), verifiers); err != nil || !valid[text] {
			t.Errorf("cosigned %q: %v", text, err)
		}
	})
}

// cosigner verifies cosignatures as C2SP tlog-cosignature says, without our own code for it.
type cosigner struct{ translog.VKey }

func (c cosigner) Name() string { return c.VKey.Name }

func (c cosigner) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(c.VKey.Name+"\n\x04"), c.Key...))
	return binary.BigEndian.Uint32(sum[:])
}

func (c cosigner) Verify(text, signature []byte) bool {
	message := fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature), text)
	return ed25519.Verify(c.Key, message, signature[8:])
}
