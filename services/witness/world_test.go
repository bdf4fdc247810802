package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/translog"
)

const (
	origin = "go.sum database tree" // a log of somebody else, with a key name of its own
	signer = "sum.example"
	name   = "witness.example/w1"
)

func testKey(what string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(what))
	return ed25519.NewKeyFromSeed(seed[:])
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testLog is a C2SP log in memory that signs whatever a test asks of it. It knows
// package note alone.
type testLog struct {
	t      testing.TB
	hashes []tlog.Hash
	size   uint64
	vkey   string
	signer note.Signer
}

// newLog makes a log whose leaves depend on salt.
func newLog(t testing.TB, salt string, size uint64) *testLog {
	t.Helper()
	l := &testLog{t: t, size: size}
	l.keep("log")
	for i := range size {
		more, err := translog.StoredHashes(i, sha256.Sum256(fmt.Appendf(nil, "%s %d", salt, i)), l)
		must(t, err)
		l.hashes = append(l.hashes, more...)
	}
	return l
}

// keep gives the log a key.
func (l *testLog) keep(what string) {
	l.t.Helper()
	key := testKey(what)
	l.vkey = translog.NotaryVKey(signer, key.Public().(ed25519.PublicKey)).String()
	verifier, err := note.NewVerifier(l.vkey)
	must(l.t, err)
	seed := base64.StdEncoding.EncodeToString(append([]byte{1}, key.Seed()...))
	l.signer, err = note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", signer, verifier.KeyHash(), seed))
	must(l.t, err)
}

func (l *testLog) ReadHashes(at []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(at))
	for i, position := range at {
		if position >= int64(len(l.hashes)) {
			return nil, fmt.Errorf("no hash %d", position)
		}
		found[i] = l.hashes[position]
	}
	return found, nil
}

// text is a checkpoint with an extension line, which our own log does not have.
func (l *testLog) text(size uint64) string {
	l.t.Helper()
	root, err := translog.TreeRoot(size, l)
	must(l.t, err)
	return fmt.Sprintf("%s\n%d\n%s\nextension\n", origin, size, root)
}

func (l *testLog) sign(text string) []byte {
	l.t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, l.signer)
	must(l.t, err)
	return signed
}

// submission is the honest one.
func (l *testLog) submission(old, size uint64) translog.Submission {
	l.t.Helper()
	proof, err := translog.ProveConsistency(old, size, l)
	must(l.t, err)
	return translog.Submission{Old: old, Proof: proof, Note: l.sign(l.text(size))}
}

// office is a witness that can be stopped and started again.
type office struct {
	t         testing.TB
	directory string
	logs      []Log
	*Witness
	stop func()
}

func newOffice(t testing.TB) *office {
	t.Helper()
	o := &office{t: t, directory: t.TempDir() + "/new/witness", logs: []Log{{Origin: origin, VKey: newLog(t, "", 0).vkey}}}
	o.start()
	return o
}

func (o *office) config() Config {
	return Config{Name: name, Key: testKey("witness"), Directory: o.directory, Listen: "127.0.0.1:0", Logs: slices.Clone(o.logs)}
}

func (o *office) start() {
	o.t.Helper()
	var err error
	o.Witness, err = New(o.config())
	must(o.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	o.stop = func() {
		cancel()
		if err, open := <-done; open && err != nil {
			o.t.Error(err)
		} else if open {
			close(done)
		}
	}
	o.t.Cleanup(o.stop)
}

func (o *office) restart() {
	o.t.Helper()
	o.stop()
	o.start()
}

// post hands a body in and returns what came back.
func (o *office) post(body []byte) (code int, kind, answer string) {
	o.t.Helper()
	response, err := http.Post(o.URL()+"/add-checkpoint", "", bytes.NewReader(body))
	must(o.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(o.t, err)
	return response.StatusCode, response.Header.Get("Content-Type"), string(text)
}

// cosigns hands in what must be cosigned.
func (o *office) cosigns(s translog.Submission) {
	o.t.Helper()
	code, _, answer := o.post(s.Bytes())
	if _, _, err := o.VKey().Cosignature(s.Note, []byte(answer)); code != http.StatusOK || err != nil {
		o.t.Fatalf("old %d: %d, %v: %s", s.Old, code, err, answer)
	}
}

// refuses hands in what must not be.
func (o *office) refuses(what string, body []byte, code int) {
	o.t.Helper()
	if got, _, answer := o.post(body); got != code || bytes.Contains([]byte(answer), []byte("— ")) {
		o.t.Errorf("%s: %d, want %d: %s", what, got, code, answer)
	}
}

// knows asks for the newest size as C2SP tlog-witness says: by an old size that is not it.
func (o *office) knows(l *testLog, size uint64) {
	o.t.Helper()
	s := l.submission(l.size, l.size)
	code, kind, answer := o.post(s.Bytes())
	if code != http.StatusConflict || kind != "text/x.tlog.size" || answer != fmt.Sprintf("%d\n", size) {
		o.t.Errorf("it knows %d %s %q, want size %d", code, kind, answer, size)
	}
}
