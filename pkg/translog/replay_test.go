package translog

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// The order of Adopt and of what is taken in makes no difference, as long as the
// terms for a size are adopted before anything of that size comes; nor does a
// restart. What is witnessed is what the definition says, counted from the beginning.
func TestAdoptInAnyOrder(t *testing.T) {
	witnessed, rotated := 0, 0
	for seed := range int64(30) {
		r := rand.New(rand.NewSource(seed))
		story := randomStory(t, r)
		knowing := newTally(t, story.terms) // has all terms from the start
		learning, err := NewFollower(story.terms[:1])
		if err != nil {
			t.Fatal(err)
		}
		known := 1
		for i, m := range story.messages {
			for known < len(story.terms) && (story.terms[known].From <= m.size || r.Intn(4) == 0) {
				known++
				if r.Intn(2) == 0 {
					continue // two at once
				}
				if err := learning.Adopt(story.mistaken(r, known, i)); err != nil {
					t.Fatalf("seed %d, message %d: %v", seed, i, err)
				}
			}
			if err := learning.Adopt(story.terms[:known]); err != nil {
				t.Fatalf("seed %d, message %d: %v", seed, i, err)
			}
			if r.Intn(5) == 0 {
				if learning, err = NewFollowerAt(story.terms[:known], learning.Snapshot()); err != nil {
					t.Fatalf("seed %d, message %d: %v", seed, i, err)
				}
			}
			want, got := deliver(knowing.Follower, m), deliver(learning, m)
			if want.text != got.text {
				t.Fatalf("seed %d, message %d: %s, not %s", seed, i, got.text, want.text)
			}
			if !bytes.Equal(knowing.Snapshot(), learning.Snapshot()) {
				t.Fatalf("seed %d, message %d: the followers differ", seed, i)
			}
			knowing.note(m, want)
			knowing.check(fmt.Sprintf("seed %d, message %d", seed, i))
		}
		if _, _, ok := learning.Witnessed(); ok {
			witnessed++
		}
		if len(story.terms) > 2 {
			rotated++
		}
	}
	if witnessed < 15 || rotated < 15 {
		t.Errorf("%d of 30 stories end witnessed and %d rotate: too few to show anything", witnessed, rotated)
	}
}

// story is a log with its terms and what lies on its log stream.
type story struct {
	terms    Policies
	messages []told
}

// told is one message: the notary's leaves, or a cosignature.
type told struct {
	size     uint64
	leaves   *logv1.Leaves
	cosigned []byte
}

// mistaken is the first known terms and, now and then, one above all sizes told
// of up to message i that will turn out otherwise.
func (s story) mistaken(r *rand.Rand, known, i int) Policies {
	terms := slices.Clone(s.terms[:known])
	above := terms[known-1].From
	for _, m := range s.messages[:i+1] {
		above = max(above, m.size)
	}
	if r.Intn(2) == 0 {
		terms = append(terms, Term{above + 1, amended(terms[0].Policy, func(p *Policy) { p.Notary, p.Registry = publicOf(testKey(250)), Hash{0xee} })})
	}
	return terms
}

// randomKeys are the seeds of one term's keys; 0 where a country has no mirror.
type randomKeys struct {
	notary  byte
	mirrors [4]byte
	quorum  int
}

func (k randomKeys) policy() Policy {
	p := Policy{Origin: origin, Notary: publicOf(testKey(k.notary)), Mirrors: map[string]ed25519.PublicKey{}}
	for i, seed := range k.mirrors {
		if seed != 0 {
			p.Mirrors[randomCountry(i)] = publicOf(testKey(seed))
		}
	}
	p.Quorum = min(k.quorum, len(p.Mirrors))
	return p
}

func randomCountry(i int) string { return string(rune('A'+i)) + string(rune('A'+i)) }

// next changes one or two things: a key, a membership, the quorum.
func (k randomKeys) next(r *rand.Rand) randomKeys {
	for range 1 + r.Intn(2) {
		i := r.Intn(len(k.mirrors))
		switch r.Intn(4) {
		case 0:
			k.notary = byte(100 + r.Intn(3))
		case 1:
			k.mirrors[i] = byte(10*(i+1) + r.Intn(3)) // perhaps one that it had before
		case 2:
			if i > 0 {
				k.mirrors[i] = 0
			}
		default:
			k.quorum = 1 + r.Intn(3)
		}
	}
	return k
}

func randomStory(t *testing.T, r *rand.Rand) story {
	keys := []randomKeys{{notary: 100, mirrors: [4]byte{10, 20, 30, 0}, quorum: 2}}
	s := story{terms: Policies{{0, keys[0].policy()}}}
	for from := uint64(1 + r.Intn(8)); from < 30; from += uint64(1 + r.Intn(8)) {
		next := keys[len(keys)-1]
		if r.Intn(3) > 0 { // else an update that changes no signer
			next = next.next(r)
		}
		keys = append(keys, next)
		policy := next.policy()
		policy.Registry = Hash{byte(len(keys))}
		s.terms = append(s.terms, Term{from, policy})
	}
	l := newLog(t)
	l.policies = s.terms
	published := []uint64{}
	for size := uint64(r.Intn(3)); size < 30; size += uint64(1 + r.Intn(3)) {
		l.newNotary(keys[s.terms.term(size)].notary)
		leaves := l.add(int(size) - len(l.leaves))
		s.messages = append(s.messages, told{size: size, leaves: leaves})
		published = append(published, size)
	}
	// Cosignatures anywhere, of any size, mostly of published ones and under the right key.
	for range 40 {
		i, size := r.Intn(4), published[r.Intn(len(published))]
		if r.Intn(10) == 0 {
			size = uint64(r.Intn(len(l.leaves)))
		}
		seed := keys[s.terms.term(size)].mirrors[i]
		if seed == 0 || r.Intn(10) == 0 {
			seed = byte(10*(i+1) + r.Intn(3))
		}
		l.newMirror(randomCountry(i), seed)
		c := l.at(size)
		if r.Intn(20) == 0 {
			c = l.forged(size)
		}
		m := told{size: size, cosigned: l.cosign(randomCountry(i), c, uint64(r.Intn(3)))}
		s.messages = slices.Insert(s.messages, r.Intn(len(s.messages)+1), m)
	}
	return s
}

// outcome is what a follower made of a message.
type outcome struct {
	text    string // all of it
	counted []Cosigned
	ok      bool
}

func deliver(f *Follower, m told) outcome {
	if m.leaves != nil {
		batch, err := f.Leaves(proto.Clone(m.leaves).(*logv1.Leaves))
		return outcome{fmt.Sprint(batch, err), batch.Counted, err == nil}
	}
	c, err := f.Cosignature(m.cosigned)
	o := outcome{text: fmt.Sprint(c, err), ok: err == nil}
	if err == nil && !c.Pending {
		o.counted = []Cosigned{c}
	}
	return o
}

// tally counts by the definition of a witnessed checkpoint, from all that was ever taken in.
type tally struct {
	*Follower
	t         *testing.T
	terms     Policies
	published []uint64
	reached   map[seat]uint64 // the largest size of each mirror under each key
}

func newTally(t *testing.T, terms Policies) *tally {
	t.Helper()
	f, err := NewFollower(terms)
	if err != nil {
		t.Fatal(err)
	}
	return &tally{Follower: f, t: t, terms: terms, reached: map[seat]uint64{}}
}

func (y *tally) note(m told, o outcome) {
	if m.leaves != nil {
		if !o.ok {
			y.t.Errorf("true leaves up to %d were refused: %s", m.size, o.text)
		}
		y.published = append(y.published, m.size)
	}
	for _, c := range o.counted {
		at := seat{c.Country, string(y.terms.At(c.Checkpoint.Size).Mirrors[c.Country])}
		y.reached[at] = max(y.reached[at], c.Checkpoint.Size)
	}
}

func (y *tally) check(when string) {
	y.t.Helper()
	var want uint64
	var by []string
	found := false
	for _, size := range y.published {
		var countries []string
		for country, key := range y.terms.At(size).Mirrors {
			if reached, ok := y.reached[seat{country, string(key)}]; ok && reached >= size {
				countries = append(countries, country)
			}
		}
		if len(countries) >= y.terms.At(size).Quorum {
			slices.Sort(countries)
			want, by, found = size, countries, true
		}
	}
	c, countries, ok := y.Witnessed()
	if ok != found || c.Size != want || !slices.Equal(countries, by) {
		y.t.Fatalf("%s: witnessed %d by %v, %v, want %d by %v, %v", when, c.Size, countries, ok, want, by, found)
	}
}
