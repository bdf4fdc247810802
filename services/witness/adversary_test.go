package witness

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/translog"
)

// Sizes with which a tree's arithmetic would loop or overflow: correctly signed,
// and refused at once, wherever they stand.
func TestAdversary_L01_HugeSizesSubmitted(t *testing.T) {
	o, l := newOffice(t), newLog(t, "a", 9)
	o.cosigns(l.submission(0, 4))
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, size := range []uint64{1<<48 + 1, 1<<62 + 1, 1<<63 - 1, 1<<64 - 1} {
		huge := l.sign(fmt.Sprintf("%s\n%d\n%s\n", origin, size, root))
		o.refuses("a huge tree", translog.Submission{Old: 4, Note: huge}.Bytes(), http.StatusBadRequest)
		o.refuses("a huge old size", translog.Submission{Old: size, Note: l.submission(4, 9).Note}.Bytes(), http.StatusBadRequest)
		o.refuses("both", translog.Submission{Old: size, Note: huge}.Bytes(), http.StatusBadRequest)
	}
	largest := l.sign(fmt.Sprintf("%s\n%d\n%s\n", origin, uint64(1)<<48, root))
	o.refuses("2^48 without a proof", translog.Submission{Old: 4, Note: largest}.Bytes(), http.StatusUnprocessableEntity)
	o.refuses("2^48 with 63 hashes", translog.Submission{Old: 4, Proof: make([]translog.Hash, 63), Note: largest}.Bytes(), http.StatusUnprocessableEntity)
	o.knows(l, 4)
	o.cosigns(l.submission(4, 9))
}

// The log goes back to a smaller tree, correctly signed, and says so or not.
func TestAdversary_L02_SmallerTreeSubmitted(t *testing.T) {
	o, l := newOffice(t), newLog(t, "a", 9)
	o.cosigns(l.submission(0, 7))
	for size := range uint64(7) {
		for old := range size + 1 {
			o.refuses("a smaller tree", l.submission(old, size).Bytes(), http.StatusConflict)
		}
		s := l.submission(size, size)
		s.Old = 7
		o.refuses("a smaller tree after the newest", s.Bytes(), http.StatusBadRequest)
	}
	o.restart()
	o.knows(l, 7)
	o.cosigns(l.submission(7, 9))
}

// Two trees: at the size that was cosigned, above it with every proof that there
// is, and as a first tree without leaves. The proof of the fork is kept.
func TestAdversary_L03_OtherTreeSubmitted(t *testing.T) {
	o, l, evil := newOffice(t), newLog(t, "a", 20), newLog(t, "b", 20)
	empty := l.sign(origin + "\n0\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n")
	o.refuses("no leaves, another root", translog.Submission{Note: empty}.Bytes(), http.StatusUnprocessableEntity)
	o.cosigns(l.submission(0, 7))
	fork := evil.submission(7, 7)
	o.refuses("another root", fork.Bytes(), http.StatusConflict)
	if _, kind, _ := o.post(fork.Bytes()); kind == "text/x.tlog.size" {
		t.Error("a fork is answered as if another size would help")
	}
	proof, err := os.ReadFile(o.Witness.logs[origin].fork())
	must(t, err)
	first, second, _ := bytes.Cut(proof, []byte("\n\n"+origin)) // the notes, each with its text's own empty line
	for i, want := range []string{l.text(7), evil.text(7)} {
		head, err := translog.OpenTreeHead([][]byte{append(first, '\n'), append([]byte(origin), second...)}[i], o.Witness.logs[origin].keys)
		if err != nil || head.Text != want {
			t.Errorf("note %d of the proof: %q, %v", i+1, head.Text, err)
		}
	}
	for _, size := range []uint64{8, 14, 20} {
		for _, s := range []translog.Submission{
			evil.submission(7, size),
			{Old: 7, Proof: l.submission(7, size).Proof, Note: evil.submission(7, size).Note},
			{Old: 7, Note: evil.submission(7, size).Note},
			{Old: 7, Proof: make([]translog.Hash, 63), Note: evil.submission(7, size).Note},
		} {
			o.refuses("a tree that does not continue", s.Bytes(), http.StatusUnprocessableEntity)
		}
	}
	o.restart()
	o.knows(l, 7)
	o.cosigns(l.submission(7, 20))
}

// Two logs, or two notaries with one key, race for one size: exactly one tree is
// cosigned, whoever comes first, and never a smaller one after a larger.
func TestAdversary_L05_RacingSubmissions(t *testing.T) {
	o := newOffice(t)
	trees := []*testLog{newLog(t, "a", 64), newLog(t, "b", 64)}
	o.cosigns(trees[0].submission(0, 0))
	o.mu.Lock()
	o.disk = func(_ disk.Change, do func() error) error {
		if o.mu.TryLock() {
			t.Error("two judgements at one time")
			o.mu.Unlock()
		}
		return do()
	}
	o.mu.Unlock()
	var mu sync.Mutex
	signed := map[uint64][]string{} // texts by size
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			l, old := trees[i%2], uint64(0)
			for size := uint64(i/2 + 1); size <= 60; size += 3 {
				s := l.submission(old, size)
				code, kind, answer := o.post(s.Bytes())
				switch {
				case code == http.StatusOK:
					old = size
					mu.Lock()
					signed[size] = append(signed[size], l.text(size))
					mu.Unlock()
				case kind == "text/x.tlog.size":
					if _, err := fmt.Sscan(answer, &old); err != nil {
						t.Errorf("%q: %v", answer, err)
					}
					old = min(old, size)
				}
			}
		})
	}
	group.Wait()
	both := []bool{false, false}
	for size, texts := range signed {
		if size == 0 {
			continue
		}
		for i, l := range trees {
			both[i] = both[i] || slices.Contains(texts, l.text(size))
		}
	}
	if both[0] == both[1] {
		t.Errorf("trees cosigned: %v", both)
	}
}

// Whatever is not in the one accepted form is refused, in bounded time and space.
func TestAdversary_L09_OtherSpellingsSubmitted(t *testing.T) {
	o, l := newOffice(t), newLog(t, "a", 9)
	o.cosigns(l.submission(0, 4))
	s := l.submission(4, 9)
	good, hash := string(s.Bytes()), base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n"
	line := good[strings.Index(good, "— "):]
	root := strings.Split(l.text(9), "\n")[2]
	for what, test := range map[string]struct {
		body string
		code int
	}{
		"nothing":             {"", 400},
		"leading zero":        {strings.Replace(good, "old 4", "old 04", 1), 400},
		"plus":                {strings.Replace(good, "old 4", "old +4", 1), 400},
		"CRLF":                {strings.ReplaceAll(good, "\n", "\r\n"), 400},
		"64 proof lines":      {"old 4\n" + strings.Repeat(hash, 64) + "\n" + string(s.Note), 400},
		"a signature twice":   {good + line, 400},
		"no signature":        {good[:strings.Index(good, "— ")], 400},
		"no last end":         {strings.TrimSuffix(good, "\n"), 400},
		"another log":         {strings.Replace(good, origin, "other.example/log", 1), 404},
		"longer origin":       {strings.Replace(good, origin, origin+" ", 1), 404},
		"stranger's key":      {strings.Replace(good, line, "— stranger.example AAAAAAAA\n", 1), 403},
		"altered size":        {strings.Replace(good, "\n9\n", "\n8\n", 1), 403},
		"another root":        {strings.Replace(good, root, strings.TrimSpace(hash), 1), 403},
		"signed size 09":      {"old 4\n\n" + string(l.sign(origin+"\n09\n"+root+"\n")), 400},
		"signed size +9":      {"old 4\n\n" + string(l.sign(origin+"\n+9\n"+root+"\n")), 400},
		"signed, two lines":   {"old 4\n\n" + string(l.sign(origin+"\n9\n")), 400},
		"signed empty line":   {"old 4\n\n" + string(l.sign(origin+"\n9\n"+root+"\n\n")), 400},
		"too large":           {good + strings.Repeat("— stranger.example AAAAAAAA\n", 4000), 413},
		"endless proof":       {"old 4\n" + strings.Repeat(hash, 4000) + "\n" + string(s.Note), 413},
		"a note above 64 KiB": {"old 4\n\n" + string(s.Note) + strings.Repeat("— s.example AAAAAAAA\n", 2900), 400},
	} {
		o.refuses(what, []byte(test.body), test.code)
	}
	for i := range s.Proof {
		bad := s
		bad.Proof = slices.Clone(s.Proof)
		bad.Proof[i] = sha256.Sum256([]byte("no"))
		o.refuses("a wrong proof", bad.Bytes(), http.StatusUnprocessableEntity)
	}
	o.knows(l, 4)
	o.cosigns(s)
}
