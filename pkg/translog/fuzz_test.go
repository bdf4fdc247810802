package translog

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"google.golang.org/protobuf/proto"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

func FuzzParseCheckpoint(f *testing.F) {
	l := newLog(f)
	l.add(3)
	f.Add(l.at(0).Text())
	f.Add(l.at(3).Text())
	f.Add("o\n281474976710657\nAAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCheckpoint(text)
		if err != nil {
			return
		}
		if c.Text() != text {
			t.Errorf("%q is also spelt %q", c.Text(), text)
		}
		if c.Size > MaxSize {
			t.Errorf("size %d", c.Size)
		}
	})
}

func FuzzOpenNotes(f *testing.F) {
	l := newLog(f)
	l.policies = testTerms()
	l.add(6)
	at3, at6 := l.at(3), l.at(6)
	signed, cosigned := l.sign(at3), l.cosign("AA", at3, 7)
	f.Add(signed)
	f.Add(cosigned)
	f.Add(append(bytes.Clone(cosigned), "— stranger AAAAAAAA\n"...))
	f.Add(l.sign(at6)) // with the key of the term before
	l.newNotary(11)
	l.newMirror("AA", 12)
	f.Add(l.sign(at6))
	f.Add(l.cosign("AA", at6, 7))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Nobody has the keys, so whatever opens says what was signed.
		if c, err := l.policies.OpenCheckpoint(data); err == nil && c != at3 && c != at6 {
			t.Errorf("forged checkpoint %+v", c)
		}
		country, c, at, err := l.policies.OpenCosignature(data)
		if err == nil && (country != "AA" || c != at3 && c != at6 || at != 7) {
			t.Errorf("forged cosignature of %s over %+v at %d", country, c, at)
		}
	})
}

func FuzzFollowerLeaves(f *testing.F) {
	l := newLog(f)
	first, second := l.add(3), l.add(2)
	repeat := l.add(0)
	for _, m := range []*logv1.Leaves{first, second, repeat, {}, {Start: MaxSize + 1}} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	start := l.follow(first).Snapshot()
	signed := map[uint64]Hash{3: l.at(3).Root, 5: l.at(5).Root}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m logv1.Leaves
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		follower, err := NewFollowerAt(l.policies, start)
		if err != nil {
			t.Fatal(err)
		}
		batch, err := follower.Leaves(&m)
		if err != nil {
			if !bytes.Equal(start, follower.Snapshot()) {
				t.Error("a refused message changed the follower")
			}
			return
		}
		if follower.Size() != batch.Checkpoint.Size || follower.frontier.Root() != signed[follower.Size()] {
			t.Errorf("a tree of %d leaves that the notary did not sign", follower.Size())
		}
	})
}

func FuzzUnmarshalFrontier(f *testing.F) {
	l := newLog(f)
	follower := l.follow(l.add(7))
	data, err := follower.frontier.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(make([]byte, 8))
	f.Fuzz(func(t *testing.T, data []byte) {
		var frontier Frontier
		if frontier.UnmarshalBinary(data) != nil {
			return
		}
		again, err := frontier.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x is also spelt %x, %v", data, again, err)
		}
		frontier.Root()
	})
}

func FuzzNewFollowerAt(f *testing.F) {
	l, busy := busyLog(f)
	for _, follower := range []*Follower{busy, l.follow()} {
		data := follower.Snapshot()
		f.Add(data[:len(data)-sha256.Size])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		digest := sha256.Sum256(data) // else nothing would come past the digest
		follower, err := NewFollowerAt(l.policies, append(bytes.Clone(data), digest[:]...))
		if err != nil {
			return
		}
		if c, ok := follower.Checkpoint(); ok && c.Root != follower.frontier.Root() {
			t.Errorf("the tree is not that of checkpoint %d", c.Size)
		}
		again, err := NewFollowerAt(l.policies, follower.Snapshot())
		if err != nil || !bytes.Equal(again.Snapshot(), follower.Snapshot()) {
			t.Errorf("a follower does not survive a restart: %v", err)
		}
	})
}
