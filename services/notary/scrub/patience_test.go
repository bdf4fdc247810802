package scrub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
)

// A hub that is slow, away, or loses messages on the way has lost nothing.
func TestNothingIsFoundInASlowHub(t *testing.T) {
	for name, harm := range map[string]func(*world){
		"away":                       func(w *world) { w.away = errors.New("away") },
		"messages lost on the way":   func(w *world) { w.missed = 15 },
		"and more of them":           func(w *world) { w.missed = 300 },
		"shows nothing, for a while": func(w *world) { w.mute = until(3*time.Second, func(uint64) bool { return true }) },
		"shows nothing from a place, for a while": func(w *world) {
			w.mute = until(12*time.Second, func(s uint64) bool { return s > 500 })
		},
		"one message takes long": func(w *world) {
			w.mute = until(8*time.Second, func(s uint64) bool { return s == 500 })
		},
		"other bytes, the first time":        func(w *world) { w.change = once(500, []byte("other")) },
		"passed over, the first time":        func(w *world) { w.change = once(500, nil) },
		"the last one other, the first time": func(w *world) { w.change = once(1000, []byte("other")) },
		"other bytes, then others elsewhere": func(w *world) {
			first, second, looks := once(500, []byte("other")), once(510, []byte("other")), 0
			w.change = func(m stream.Message) stream.Message {
				if m.Sequence == 500 {
					looks++
				}
				if looks < 2 {
					return first(m)
				}
				return second(m)
			}
		},
		"shows nothing from anywhere, for longer": func(w *world) { w.mute = until(80*time.Second, func(uint64) bool { return true }) },
		"ends early, once":                        func(w *world) { w.short = 2 },
		"it is back by the second look": func(w *world) {
			asked := 0
			w.mute = func(s uint64) bool {
				if s == 500 {
					asked++
				}
				return s == 500 && asked == 1
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, directory := newWorld(t, 1000), t.TempDir()
				harm(w)
				rounds(t, w.scrubber(directory), 10*time.Minute)
				found(t, directory)
				if n := w.said("level=ERROR"); n != 0 {
					t.Errorf("%d faults were logged:\n%s", n, w.lines.String())
				}
			})
		})
	}
}

// once shows other data than a message has, where it is asked for the first time.
func once(sequence uint64, data []byte) func(stream.Message) stream.Message {
	asked := false
	return func(m stream.Message) stream.Message {
		if m.Sequence == sequence && !asked {
			asked, m.Data = true, data
		}
		return m
	}
}

// until is a fault of the hub that passes.
func until(d time.Duration, fault func(uint64) bool) func(uint64) bool {
	end := time.Now().Add(d)
	return func(s uint64) bool { return time.Now().Before(end) && fault(s) }
}

// A finding stays over restarts until a round sees the message again, and is told once.
func TestFindingsStayUntilTheyAreRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, directory := newWorld(t, 100), t.TempDir()
		sound := w.messages[7]
		w.messages[7].Data = nil
		s := w.standing[stream.Keys]
		s.Weak = []stream.Weakness{{Stream: stream.Keys, Setting: "max_age", Is: "1", Must: "unset", Why: "why"}}
		w.standing[stream.Keys] = s
		stand := []Finding{{Code: Weakened}, {Code: Lost, From: 7, To: 8}}
		rounds(t, w.scrubber(directory), 5*time.Minute)
		found(t, directory, stand...)
		before, _ := Read(directory)
		w.away = errors.New("away")
		rounds(t, w.scrubber(directory), 5*time.Minute)
		found(t, directory, stand...)
		w.away = nil
		rounds(t, w.scrubber(directory), 5*time.Minute)
		found(t, directory, stand...)
		after, _ := Read(directory)
		for i, f := range after {
			if !f.same(before[i]) || !f.Seen.Equal(before[i].Seen) || f.Seen.IsZero() {
				t.Errorf("%+v became %+v", before[i], f)
			}
		}
		if n := w.said("level=ERROR"); n != 2 {
			t.Errorf("%d faults were logged, want 2:\n%s", n, w.lines.String())
		}
		w.messages[7], w.standing[stream.Keys] = sound, stream.Standing{}
		rounds(t, w.scrubber(directory), 5*time.Minute)
		found(t, directory)
		if n := w.said("finds this no more"); n != 2 {
			t.Errorf("%d were taken back, want 2", n)
		}
	})
}

// The tree grew over a stream that had been set back: what was found to be regrown is
// named through to the round that has read it all.
func TestRegrownAndGoneOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, directory := newWorld(t, 5000), t.TempDir()
		for i := 3000; i < 5000; i++ {
			w.messages[i].Data = []byte("other")
		}
		s := w.scrubber(directory)
		if err := s.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		found(t, directory, Finding{Code: Regrown, From: 3000, To: 5000})
		w.say(10)
		if err := s.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		found(t, directory, Finding{Code: Regrown, From: 3000, To: 5000})
		rounds(t, s, 5*time.Minute)
		found(t, directory, Finding{Code: Altered, From: 3000, To: 5000})
	})
}

// A hub that is slow where it is asked for one message does not move the place from
// which the stream was set back: a notary that ends looks no second time.
func TestRegrownInASlowHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, directory := newWorld(t, 1000), t.TempDir()
		for i := 300; i < 1000; i++ {
			w.messages[i].Data = []byte("other")
		}
		asked := map[uint64]int{}
		w.mute = func(s uint64) bool { asked[s]++; return asked[s] == 1 }
		if err := w.scrubber(directory).Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		found(t, directory, Finding{Code: Regrown, From: 300, To: 1000})
	})
}

// The leaf store is damaged, and the stream is not: whichever it is, what was signed decides.
func TestDamagedStoreIsNotTheStreamsFault(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(*world)
		stand []Finding
	}{
		"one leaf":    {func(w *world) { w.hashes[0][3] ^= 1 }, []Finding{{Code: Store, From: 0, To: 1}}},
		"one subtree": {func(w *world) { w.hashes[2][3] ^= 1 }, []Finding{{Code: Store, From: 1, To: 2}}},
		"its tail":    {func(w *world) { w.hashes = w.hashes[:len(w.hashes)-1] }, []Finding{{Code: Store, From: 63, To: 64}}},
		"and a message lost": {func(w *world) { w.hashes[2][3] ^= 1; w.messages[9].Data = nil },
			[]Finding{{Code: Store, From: 1, To: 2}, {Code: Lost, From: 9, To: 10}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, directory := newWorld(t, 64), t.TempDir()
				size, root := w.Published()
				c.harm(w)
				s := w.scrubber(directory)
				s.tree = signedBefore{w, size, root}
				rounds(t, s, 5*time.Minute)
				found(t, directory, c.stand...)
			})
		})
	}
}

// signedBefore is a tree whose root is known from before its store was damaged.
type signedBefore struct {
	*world
	size uint64
	root translog.Hash
}

func (s signedBefore) Published() (uint64, translog.Hash) { return s.size, s.root }

// Both the stream and the store were changed, to fit each other: not to fit what was signed.
func TestStoreThatFitsAnotherStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signed, directory := newWorld(t, 50), t.TempDir()
		size, root := signed.Published()
		other := newWorld(t, 50)
		other.messages[3].Data = []byte("other")
		other.rehash()
		s := other.scrubber(directory)
		s.tree = signedBefore{other, size, root}
		rounds(t, s, 5*time.Minute)
		found(t, directory, Finding{Code: Store, From: 0, To: 50})
	})
}

// The pace holds, by count and by bytes, and every round rests.
func TestPace(t *testing.T) {
	for name, c := range map[string]struct {
		messages, bytes int
		want            time.Duration
	}{
		"by count": {100, 1 << 30, 20 * time.Second},
		"by bytes": {1 << 20, 2000, 16 * time.Second}, // 2,000 messages of 16 bytes
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2000)
				s := w.scrubber(t.TempDir())
				s.pace.Messages, s.pace.Bytes = c.messages, c.bytes
				began := time.Now()
				if err := s.round(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < c.want*9/10 || took > c.want*12/10 {
					t.Errorf("a round took %v, want about %v", took, c.want)
				}
			})
		})
	}
}

func TestReadFindings(t *testing.T) {
	directory := t.TempDir()
	found(t, directory)
	if err := os.WriteFile(filepath.Join(directory, fileName), []byte(`[{"code":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(directory); err == nil || !strings.Contains(err.Error(), fileName) {
		t.Errorf("a torn file: %v", err)
	}
	synctest.Test(t, func(t *testing.T) { // it is written anew
		w := newWorld(t, 10)
		w.messages[3].Data = nil
		rounds(t, w.scrubber(directory), time.Minute)
		found(t, directory, Finding{Code: Lost, From: 3, To: 4})
	})
}

// A stream with damage everywhere has a bounded number of findings.
func TestFindingsAreBounded(t *testing.T) {
	var s spans
	for i := range uint64(5000) {
		s.add(Lost, 2*i, 2*i+1)
		s.add(Altered, 2*i, 2*i+1)
	}
	if len(s) != 2*maxSpans || s[len(s)-1].to != 9999 {
		t.Errorf("%d spans, the last ends at %d", len(s), s[len(s)-1].to)
	}
}

// What a restoration says is lost for good is said to everybody: no finding of this
// notary's stays for it. What it does not say does, and so does what only claims to be one.
func TestRestorationSettlesALoss(t *testing.T) {
	for name, c := range map[string]struct {
		subject string
		lost    []translog.Range
		stand   []Finding
	}{
		"all of it":       {translog.RestoredSubject, []translog.Range{{From: 10, To: 20}}, nil},
		"a part":          {translog.RestoredSubject, []translog.Range{{From: 11, To: 12}, {From: 18, To: 25}}, []Finding{{Code: Lost, From: 10, To: 11}, {Code: Lost, From: 12, To: 18}}},
		"something else":  {translog.RestoredSubject, []translog.Range{{From: 30, To: 40}}, []Finding{{Code: Lost, From: 10, To: 20}}},
		"what is to come": {translog.RestoredSubject, []translog.Range{{From: 10, To: translog.MaxSize}}, []Finding{{Code: Lost, From: 10, To: 20}}},
		"not the hub":     {"evt.x", []translog.Range{{From: 10, To: 20}}, []Finding{{Code: Lost, From: 10, To: 20}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, directory := newWorld(t, 100), t.TempDir()
				for i := 10; i < 20; i++ {
					w.messages[i].Data = nil
				}
				restored, err := translog.Restoration{Lost: c.lost, At: time.Unix(1_700_000_000, 0)}.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				w.put(c.subject, restored)
				w.say(10)
				rounds(t, w.scrubber(directory), 5*time.Minute)
				found(t, directory, c.stand...)
				if n := w.said("level=ERROR"); n != len(c.stand) {
					t.Errorf("%d faults were logged, want %d:\n%s", n, len(c.stand), w.lines.String())
				}
			})
		})
	}
}

// A round goes on where the hub went away, and does not begin again.
func TestRoundOutlivesTheHubsAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, directory := newWorld(t, 10_000), t.TempDir()
		w.messages[20].Data = nil
		went := uint64(0)
		w.mute = func(s uint64) bool { // it goes away at three places, for a minute each
			if s == 3000*(went+1) && went < 3 {
				went, w.until = went+1, time.Now().Add(time.Minute)
			}
			return time.Now().Before(w.until)
		}
		s := w.scrubber(directory)
		s.pace.Pause = time.Hour
		rounds(t, s, 10*time.Minute)
		found(t, directory, Finding{Code: Lost, From: 20, To: 21})
		if went != 3 || w.shown > 15_000 {
			t.Errorf("%d messages were read in a round of 10,000", w.shown)
		}
	})
}

// The notary begins its leaf store anew under a round: what is read there meanwhile
// says nothing.
func TestStoreIsBegunAnewUnderARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, directory := newWorld(t, 1000), t.TempDir()
		s := w.scrubber(directory)
		size, root := w.Published()
		tree := &begunAnew{signedBefore: signedBefore{w, size, root}, at: time.Now().Add(300 * time.Millisecond), whole: time.Now().Add(time.Minute)}
		s.tree = tree
		rounds(t, s, 10*time.Minute)
		found(t, directory)
		if n := w.said("level=ERROR"); n != 0 || !tree.read {
			t.Errorf("%d faults were logged; read meanwhile: %t\n%s", n, tree.read, w.lines.String())
		}
	})
}

// begunAnew is a store that is gone for a while.
type begunAnew struct {
	signedBefore
	at, whole time.Time
	read      bool // while it was gone
}

func (b *begunAnew) gone() bool { return time.Now().After(b.at) && time.Now().Before(b.whole) }

func (b *begunAnew) Published() (uint64, translog.Hash) {
	if b.gone() {
		return 0, translog.Hash{}
	}
	return b.signedBefore.Published()
}

func (b *begunAnew) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	if b.gone() {
		b.read = true
		return nil, errors.New("not there")
	}
	return b.world.ReadHashes(positions)
}
