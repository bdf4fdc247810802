package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/translog"
)

func fresh(t *testing.T) (*Journal, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal 100%.db")
	return reopen(t, path), path
}

func reopen(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func message(index uint64, subject string) Message {
	return Message{Index: index, Subject: subject, Data: []byte{byte(index), 0, 0xff}}
}

func leaf(index uint64) Leaf {
	m := message(index, "s")
	if index == 0 {
		m = message(0, "reg.a") // as filled has it
	}
	return Leaf{Index: index, Hash: hashOf(m), Audience: "all"}
}

var alarms = []Alarm{
	{Number: 1, Raised: time.Unix(5, 0).UTC(), Code: "fork", Index: new(uint64(0)), What: "two roots", Have: []byte("a"), Got: []byte("b"),
		Settled: &Settled{When: time.Unix(7, 0).UTC(), Person: "the head of the desk", Reason: "a drill"}},
	{Number: 2, Raised: time.Unix(6, 0).UTC(), Code: "damaged", What: "a leaf"},
}

// filled has something in every table.
func filled(t *testing.T) (*Journal, string) {
	t.Helper()
	j, path := fresh(t)
	must(t, j.Append(t.Context(), []Message{message(0, "reg.a"), message(3, "evt.b"), message(4, "evt.\xff"), message(5, "evt.c")}))
	must(t, j.SetAside(t.Context(), 5, time.Unix(6, 0)))
	must(t, j.Mirror(t.Context(), []Leaf{leaf(0), leaf(1)}, []Checkpoint{{Size: 2, Note: []byte("two")}}, Place{Sequence: 9, Digest: event.Digest{7}, Compared: 1, Snapshot: []byte("s")}))
	must(t, j.Cosign(t.Context(), Cosigned{Size: 2, Root: translog.Hash{2}, Note: []byte("signed")}))
	for _, alarm := range alarms {
		number, err := j.Raise(t.Context(), alarm)
		must(t, err)
		if number != alarm.Number {
			t.Fatalf("alarm %d has number %d", alarm.Number, number)
		}
	}
	must(t, j.Settle(t.Context(), 1, *alarms[0].Settled))
	return j, path
}

func TestWhatWasWrittenIsThereAfterReopening(t *testing.T) {
	j, path := filled(t)
	must(t, j.Close())
	j = reopen(t, path)
	check := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	all, err := j.Messages(t.Context(), 0, 10)
	must(t, err)
	check("messages", []Message{message(0, "reg.a"), message(3, "evt.b"), message(4, "evt.\xff")}, all)
	some, err := j.Messages(t.Context(), 1, 1)
	must(t, err)
	check("one message from 1 on", []Message{message(3, "evt.b")}, some)
	registry, err := j.Registry(t.Context(), 0, 4)
	must(t, err)
	check("registry", []Message{message(0, "reg.a")}, registry)
	last, ok, err := j.Last(t.Context())
	must(t, err)
	check("last", message(4, "evt.\xff"), last)
	check("has a last", true, ok)
	third, _, err := j.At(t.Context(), 3)
	must(t, err)
	check("at index 3", message(3, "evt.b"), third)
	_, ok, err = j.At(t.Context(), 2)
	must(t, err)
	check("has an index 2", false, ok)
	place, err := j.Place(t.Context())
	must(t, err)
	check("place", Place{Sequence: 9, Digest: event.Digest{7}, Compared: 1, Snapshot: []byte("s")}, place)
	newest, _, err := j.Newest(t.Context())
	must(t, err)
	check("checkpoint", Checkpoint{Size: 2, Note: []byte("two")}, newest)
	cosigned, err := j.Cosigned(t.Context())
	must(t, err)
	check("cosigned", Cosigned{Size: 2, Root: translog.Hash{2}, Note: []byte("signed")}, cosigned)
	raised, err := j.Alarms(t.Context())
	must(t, err)
	check("alarms", alarms, raised)
	unlogged, err := j.Unlogged(t.Context())
	must(t, err)
	check("set aside", []Message{message(5, "evt.c")}, unlogged)
	tree, err := j.Tree(t.Context(), 1<<40)
	must(t, err)
	check("leaves", uint64(2), tree.Size())
}

func TestEmpty(t *testing.T) {
	j, _ := fresh(t)
	if _, ok, err := j.Last(t.Context()); ok || err != nil {
		t.Errorf("Last: %t, %v", ok, err)
	}
	if place, err := j.Place(t.Context()); place.Sequence != 0 || err != nil {
		t.Errorf("Place: %v, %v", place, err)
	}
	if cosigned, err := j.Cosigned(t.Context()); cosigned.Size != 0 || len(cosigned.Note) != 0 || err != nil {
		t.Errorf("Cosigned: %v, %v", cosigned, err)
	}
}

// No statement takes anything away from the journal or alters it, whoever runs it.
func TestNothingIsTakenAway(t *testing.T) {
	for _, statement := range []string{
		"UPDATE messages SET data = x'00' WHERE idx = 3",
		"UPDATE messages SET subject = subject",
		"DELETE FROM messages WHERE idx = 4",
		"DELETE FROM messages",
		"REPLACE INTO messages (idx, subject, data, registry) VALUES (3, x'00', x'00', 0)",
		"INSERT INTO messages (idx, subject, data, registry) VALUES (1, x'00', x'00', 0)",
		"DELETE FROM unlogged",
		"UPDATE unlogged SET idx = 0",
		"REPLACE INTO unlogged (number, since, idx, subject, data) VALUES (1, 0, 0, x'00', x'00')",
		"UPDATE leaves SET audience = 'few'",
		"DELETE FROM leaves WHERE idx = 1",
		"REPLACE INTO leaves (idx, hash, audience) VALUES (1, x'00', '')",
		"INSERT INTO leaves (idx, hash, audience) VALUES (3, x'00', '')",
		"UPDATE checkpoints SET note = x'00'",
		"DELETE FROM checkpoints",
		"REPLACE INTO checkpoints (size, note) VALUES (2, x'00')",
		"UPDATE cosigned SET size = 1",
		"UPDATE cosigned SET root = x'00'",
		"UPDATE cosigned SET only = NULL",
		"DELETE FROM cosigned",
		"REPLACE INTO cosigned (only, size, root, note) VALUES (1, 9, x'00', x'00')",
		"UPDATE alarms SET what = ''",
		"DELETE FROM alarms",
		"REPLACE INTO alarms (number, raised, code, what, have, got) VALUES (1, 0, '', '', x'', x'')",
		"UPDATE settled SET reason = ''",
		"DELETE FROM settled",
		"REPLACE INTO settled (alarm, settled, person, reason) VALUES (1, 0, '', '')",
		"INSERT INTO settled (alarm, settled, person, reason) VALUES (3, 0, '', '')",
	} {
		t.Run(statement, func(t *testing.T) {
			j, _ := filled(t)
			if _, err := j.writer.Exec(statement); err == nil {
				t.Error("the statement was carried out")
			}
		})
	}
}

// What has a leaf is in the log for good.
func TestOnlyWhatHasNoLeafIsSetAside(t *testing.T) {
	j, _ := filled(t)
	if err := j.SetAside(t.Context(), 0, time.Unix(7, 0)); err == nil {
		t.Error("message 0 was set aside, and it has a leaf")
	}
	must(t, j.SetAside(t.Context(), 4, time.Unix(7, 0)))
	must(t, j.Append(t.Context(), []Message{message(4, "evt.other")}))
	last, _, err := j.Last(t.Context())
	must(t, err)
	unlogged, err := j.Unlogged(t.Context())
	must(t, err)
	if diff := cmp.Diff([]Message{message(5, "evt.c"), message(4, "evt.\xff"), message(4, "evt.other")}, append(unlogged, last)); diff != "" {
		t.Errorf("set aside, and the last (-want +got):\n%s", diff)
	}
	if all, err := j.Messages(t.Context(), 0, 10); err != nil || len(all) != 3 {
		t.Errorf("%d messages (%v), want 3", len(all), err)
	}
}

func TestAppendIsAllOrNothing(t *testing.T) {
	j, _ := filled(t)
	err := j.Append(t.Context(), []Message{message(5, "evt.c"), message(4, "evt.d")})
	if err == nil || !strings.Contains(err.Error(), "message 4") {
		t.Errorf("appending message 4 again: %v", err)
	}
	if last, _, err := j.Last(t.Context()); err != nil || last.Index != 4 {
		t.Errorf("the last message is %d (%v), want 4", last.Index, err)
	}
}

func TestCosignedOnlyGrows(t *testing.T) {
	j, path := filled(t)
	for _, c := range []Cosigned{
		{Size: 1, Root: translog.Hash{1}, Note: []byte("smaller")},
		{Size: 2, Root: translog.Hash{9}, Note: []byte("second root")},
		{Size: 2, Root: translog.Hash{2}, Note: []byte("again")},
	} {
		if err := j.Cosign(t.Context(), c); err == nil {
			t.Errorf("%s was recorded", c.Note)
		}
	}
	must(t, j.Cosign(t.Context(), Cosigned{Size: 3, Root: translog.Hash{3}, Note: []byte("three")}))
	must(t, j.Close())
	if c, err := reopen(t, path).Cosigned(t.Context()); err != nil || c.Size != 3 {
		t.Errorf("after reopening size %d (%v) is cosigned, want 3", c.Size, err)
	}
}

func TestWritesAreFsynced(t *testing.T) {
	j, _ := fresh(t)
	const full = 2
	var mode int
	must(t, j.writer.QueryRow("PRAGMA synchronous").Scan(&mode))
	if mode != full {
		t.Errorf("synchronous is %d, want %d", mode, full)
	}
}

// A reader beside a desk sees what is written, and writes nothing itself.
func TestReadBesideAWriter(t *testing.T) {
	j, path := filled(t)
	beside, err := Read(t.Context(), path)
	must(t, err)
	defer beside.Close()
	must(t, j.Append(t.Context(), []Message{message(5, "evt.c")}))
	if last, _, err := beside.Last(t.Context()); err != nil || last.Index != 5 {
		t.Errorf("the last message is %d (%v), want 5", last.Index, err)
	}
	must(t, beside.Sound(t.Context()))
	if err := beside.Append(t.Context(), []Message{message(6, "evt.d")}); err == nil {
		t.Error("the reader has written")
	}
	must(t, j.Close())
	again, err := Read(t.Context(), path) // where nobody has it open
	must(t, err)
	defer again.Close()
	if last, _, err := again.Last(t.Context()); err != nil || last.Index != 5 {
		t.Errorf("the last message is %d (%v), want 5", last.Index, err)
	}
	if _, err := Read(t.Context(), path+".none"); err == nil {
		t.Error("a journal that is not there was read")
	}
}

func TestDamagedFileIsNotSound(t *testing.T) {
	j, path := filled(t)
	for i := range uint64(200) {
		must(t, j.Append(t.Context(), []Message{{Index: i + 10, Subject: "evt.b", Data: bytes.Repeat([]byte{7}, 3000)}}))
	}
	must(t, j.Close())
	file, err := os.ReadFile(path)
	must(t, err)
	for at := len(file) / 2; at < len(file)/2+8192; at++ {
		file[at] ^= 0x55
	}
	must(t, os.WriteFile(path, file, 0o600))
	damaged, err := Read(t.Context(), path)
	must(t, err)
	defer damaged.Close()
	if err := damaged.Sound(t.Context()); err == nil {
		t.Error("a file with two pages of noise is sound")
	}
}

func hashOf(m Message) translog.Hash { return translog.LeafHash(m.Index, m.Subject, m.Data) }

// A journal of another version is refused with what to do, and is not touched.
func TestOtherVersionsAreRefused(t *testing.T) {
	for found, want := range map[int]string{2: "schema 2, of an earlier version", 4: "schema 4, of a later version"} {
		j, path := filled(t)
		_, err := j.writer.ExecContext(t.Context(), fmt.Sprintf("PRAGMA user_version = %d", found))
		must(t, err)
		must(t, j.Close())
		before, err := os.ReadFile(path)
		must(t, err)
		for how, open := range map[string]func(context.Context, string) (*Journal, error){"opened": Open, "read": Read} {
			if _, err := open(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "run the version that made it") {
				t.Errorf("%s: %v", how, err)
			}
		}
		after, err := os.ReadFile(path)
		must(t, err)
		if !bytes.Equal(before, after) {
			t.Errorf("a journal of schema %d has changed", found)
		}
	}
}

// Whoever changes the schema gives it another version, and changes this with it.
func TestSchemaIsThatOfItsVersion(t *testing.T) {
	if digest := fmt.Sprintf("%d %x", version, sha256.Sum256([]byte(schema))); digest != "3 7429463e4e44744e5b3deffec75fe0795912c90a4617b7b386d810b733fe2a78" {
		t.Errorf("the schema has changed: version and digest are %s", digest)
	}
}
