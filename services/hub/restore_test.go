package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/hub/salvage"
)

// logged is a stopped hub whose log of twelve leaves was signed, and what a desk that
// reads all of it holds.
type logged struct {
	directory string
	messages  []holding.Message // two more than leaves
	desk      salvage.Source
}

func newLogged(t *testing.T) logged {
	t.Helper()
	l := logged{directory: t.TempDir()}
	h, stop := start(t, l.directory)
	for _, m := range []struct{ user, subject string }{
		{stream.PublisherUser("XA", "police"), "evt.region.XA.police.site.reported"}, {stream.PublisherUser("XB", "border"), "evt.pair.XB.border.site.reported"},
		{stream.PublisherUser("XA", "police"), "evt.region.XA.police.site.reported"},
	} {
		if _, err := dial(t, h, m.user).PublishBatch(t.Context(), batch(m.subject, 4)); err != nil {
			t.Fatal(err)
		}
	}
	l.messages = readAll(t, h)
	leaves := signedLeaves(t, l.messages[:12])
	data, err := proto.Marshal(leaves)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, h, stream.NotaryUser).PublishAfter(t.Context(), 0, stream.LeavesSubject, data); err != nil {
		t.Fatal(err)
	}
	stop()
	l.desk = inMemory("desk XA", leaves, l.messages[:12])
	return l
}

// copied is the same with a directory of its own.
func (l logged) copied(t *testing.T) logged {
	t.Helper()
	directory := t.TempDir()
	if err := os.CopyFS(directory, os.DirFS(l.directory)); err != nil {
		t.Fatal(err)
	}
	// The copy is for all to read, and such a key is refused.
	if err := os.Chmod(filepath.Join(directory, "keys", "broker.key"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.directory = directory
	return l
}

// readAll reads the events stream of a running hub.
func readAll(t *testing.T, h *hub.Hub) []holding.Message {
	t.Helper()
	r := reader(t, dial(t, h, stream.AuditUser), stream.Events, stream.AuditUser)
	if err := r.Reset(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	pending, err := r.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []holding.Message
	for uint64(len(all)) < pending {
		messages, err := r.Fetch(t.Context(), 100, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			all = append(all, holding.Message{Index: m.Sequence - 1, Known: true, Subject: m.Subject, Data: m.Data})
		}
	}
	return all
}

func signedLeaves(t *testing.T, messages []holding.Message) *logv1.Leaves {
	t.Helper()
	leaves := &logv1.Leaves{Audiences: []string{"", "region", "pair"}}
	var tree translog.Frontier
	for _, m := range messages {
		hash := translog.LeafHash(m.Index, m.Subject, m.Data)
		if err := tree.Append(hash); err != nil {
			t.Fatal(err)
		}
		leaves.Hashes = append(leaves.Hashes, hash[:]...)
		leaves.Labels = append(leaves.Labels, uint32(slices.Index(leaves.Audiences, verdict.Label(m.Subject))))
	}
	notary, err := translog.NewNotary(registrytest.Origin, registrytest.Key("notary"))
	if err != nil {
		t.Fatal(err)
	}
	state := registry.New(registrytest.Charter(t).Digest)
	for _, m := range messages {
		if next, err := state.Apply(m.Index, m.Subject, m.Data); err == nil {
			state = next
		}
	}
	policies, err := state.Policies()
	if err != nil {
		t.Fatal(err)
	}
	c := translog.Checkpoint{Origin: registrytest.Origin, Size: tree.Size(), Root: tree.Root(), Registry: policies.At(tree.Size()).Registry}
	if leaves.Checkpoint, err = notary.Sign(c); err != nil {
		t.Fatal(err)
	}
	return leaves
}

func inMemory(name string, leaves *logv1.Leaves, messages []holding.Message) salvage.Source {
	return salvage.Source{Name: name, Open: func(context.Context) (salvage.Records, error) {
		all := memory{{Leaves: leaves}}
		for _, m := range messages {
			all = append(all, holding.Record{Message: &m})
		}
		return &all, nil
	}}
}

type memory []holding.Record

func (m *memory) Next() (holding.Record, error) {
	if len(*m) == 0 {
		return holding.Record{}, io.EOF
	}
	first := (*m)[0]
	*m = (*m)[1:]
	return first, nil
}

func (m *memory) Close() error { return nil }

func configOf(t *testing.T, directory string) hub.Config {
	t.Helper()
	return hub.Config{Directory: directory, Lock: keyfile.Unsealed, Charter: registrytest.Charter(t)}
}

var restoredAt = time.Unix(1_700_000_000, 0)

// holdsLog starts a hub and compares what is in its streams with the log as it was,
// but for lost indices, with the message that says so behind it.
func (l logged) holdsLog(t *testing.T, lost ...translog.Range) (h *hub.Hub, stop func()) {
	t.Helper()
	h, stop = start(t, l.directory)
	got := readAll(t, h)
	var want []holding.Message
	for _, m := range l.messages[:12] {
		if !slices.ContainsFunc(lost, func(r translog.Range) bool { return r.Has(m.Index) }) {
			want = append(want, m)
		}
	}
	if len(got) <= len(want) {
		t.Fatalf("there are %d messages, want more than %d", len(got), len(want))
	}
	if diff := cmp.Diff(want, got[:len(want)]); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	said := got[len(want)]
	restoration, err := translog.ParseRestoration(said.Index, said.Data)
	if err != nil || said.Index != 12 || said.Subject != translog.RestoredSubject || !restoration.At.Equal(restoredAt) {
		t.Fatalf("message %d on %s says %+v, error %v", said.Index, said.Subject, restoration, err)
	}
	if diff := cmp.Diff(lost, restoration.Lost); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	follower := l.follow(t, h)
	if follower.Size() != 12 {
		t.Errorf("the log stream has %d leaves", follower.Size())
	}
	return h, stop
}

func (l logged) follow(t *testing.T, h *hub.Hub) *translog.Follower {
	t.Helper()
	state, err := registrytest.Charter(t).State()
	if err != nil {
		t.Fatal(err)
	}
	policies, err := state.Policies()
	if err != nil {
		t.Fatal(err)
	}
	follower, err := translog.NewFollower(policies)
	if err != nil {
		t.Fatal(err)
	}
	newest, ok, err := dial(t, h, stream.NotaryUser).Newest(t.Context(), stream.Log, stream.LeavesSubject)
	if err != nil || !ok {
		t.Fatalf("leaves on the log stream: %t, %v", ok, err)
	}
	leaves := &logv1.Leaves{}
	if err := proto.Unmarshal(newest.Data, leaves); err != nil {
		t.Fatal(err)
	}
	if _, err := follower.Leaves(leaves); err != nil {
		t.Fatal(err)
	}
	return follower
}

func listing(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// The streams are gone, or what is there is not readable, or the broker's secret is.
func TestStreamsAreBuiltAgain(t *testing.T) {
	t.Parallel()
	sound := newLogged(t)
	for name, c := range map[string]struct {
		break_  func(t *testing.T, l logged)
		unread  string // part of why the old streams were not read
		kept    bool   // the old streams
		carried uint64
	}{
		"nothing is left": {func(t *testing.T, l logged) { remove(t, filepath.Join(l.directory, "streams")) }, "", false, 0},
		"an empty directory": {func(t *testing.T, l logged) {
			remove(t, filepath.Join(l.directory, "streams"))
			if err := os.Mkdir(filepath.Join(l.directory, "streams"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "", false, 0},
		"nothing is broken":   {func(*testing.T, logged) {}, "", true, 0},
		"the secret is gone":  {func(t *testing.T, l logged) { remove(t, filepath.Join(l.directory, "keys")) }, "secret", true, 0},
		"a file in its place": {func(t *testing.T, l logged) { spoilStore(t, l) }, "JetStream", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := sound.copied(t)
			c.break_(t, l)
			how := hub.Restoration{Time: restoredAt}
			done, err := hub.Restore(t.Context(), configOf(t, l.directory), how, l.desk)
			if err != nil {
				t.Fatal(err)
			}
			if done.Size != 12 || len(done.Lost) != 0 || !strings.Contains(done.Unread, c.unread) || (done.Unread == "") != (c.unread == "") || (done.Damaged != "") != c.kept {
				t.Errorf("%+v", done)
			}
			if _, err := os.Stat(filepath.Join(l.directory, "streams.damaged-1")); (err == nil) != c.kept {
				t.Errorf("the streams of before: %v", err)
			}
			l.holdsLog(t)
		})
	}
}

// Whatever of the events' file is damaged, what the broker loses with it is brought
// by a desk, and the rest need not be.
func TestAdversary_S02_DamagedBlocksAreRepaired(t *testing.T) {
	t.Parallel()
	sound := newLogged(t)
	for name, damage := range map[string]func(path string, block []byte) error{
		"a flipped bit in the first header": func(path string, block []byte) error { block[2] ^= 1; return os.WriteFile(path, block, 0o600) },
		"a flipped bit in the middle": func(path string, block []byte) error {
			block[len(block)/2] ^= 1
			return os.WriteFile(path, block, 0o600)
		},
		"a flipped bit at the end": func(path string, block []byte) error {
			block[len(block)-3] ^= 1
			return os.WriteFile(path, block, 0o600)
		},
		"truncated":                func(path string, block []byte) error { return os.Truncate(path, int64(len(block)/2)) },
		"emptied":                  func(path string, _ []byte) error { return os.Truncate(path, 0) },
		"deleted":                  func(path string, _ []byte) error { return os.Remove(path) },
		"the whole stream deleted": func(path string, _ []byte) error { return os.RemoveAll(filepath.Dir(filepath.Dir(path))) },
	} {
		t.Run(name, func(t *testing.T) {
			l := sound.copied(t)
			blocks, err := filepath.Glob(filepath.Join(l.directory, "streams", "jetstream", "*", "streams", "EVENTS", "msgs", "*.blk"))
			if err != nil || len(blocks) != 1 {
				t.Fatalf("%d blocks of the stream, error %v", len(blocks), err)
			}
			block, err := os.ReadFile(blocks[0])
			if err == nil {
				err = damage(blocks[0], block)
			}
			if err != nil {
				t.Fatal(err)
			}
			done, err := hub.Restore(t.Context(), configOf(t, l.directory), hub.Restoration{Time: restoredAt}, l.desk)
			if err != nil || done.Survived+done.Recovered != 12 || done.Unread != "" {
				t.Errorf("%+v, error %v", done, err)
			}
			t.Logf("%d of 12 were left", done.Survived)
			l.holdsLog(t)
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// spoilStore puts a file where the server wants its directory.
func spoilStore(t *testing.T, l logged) {
	t.Helper()
	store := filepath.Join(l.directory, "streams", "jetstream")
	remove(t, store)
	if err := os.WriteFile(store, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whatever step a restoration is broken off at, another one, or the hub's next start,
// ends with the old streams or with the new ones, whole; and what was there is kept.
func TestRestorationThatIsBrokenOff(t *testing.T) {
	t.Parallel()
	crash, sound := errors.New("crash"), newLogged(t)
	for _, step := range []string{"before build", "before check", "before seal", "before exchange", "in the exchange"} {
		for _, then := range []string{"restored again", "started"} {
			t.Run(step+", "+then, func(t *testing.T) {
				l := sound.copied(t)
				how := hub.Restoration{Time: restoredAt}
				_, err := hub.RestoreUntil(t.Context(), configOf(t, l.directory), how, func(at string) error {
					if at == strings.Replace(step, "in the", "before", 1) {
						return crash
					}
					return nil
				}, l.desk)
				if !errors.Is(err, crash) {
					t.Fatal(err)
				}
				at := func(name string) string { return filepath.Join(l.directory, name) }
				if step == "in the exchange" {
					if err := os.Rename(at("streams"), at("streams.damaged-1")); err != nil {
						t.Fatal(err)
					}
				}
				exchanged := strings.HasSuffix(step, "exchange")
				if then == "started" && !exchanged {
					h, stop := start(t, l.directory)
					if diff := cmp.Diff(l.messages, readAll(t, h)); diff != "" {
						t.Errorf("the old streams (-want +got):\n%s", diff)
					}
					stop()
				}
				if then == "restored again" {
					if _, err := hub.Restore(t.Context(), configOf(t, l.directory), how, l.desk); err != nil {
						t.Fatal(err)
					}
				}
				if exchanged || then == "restored again" {
					l.holdsLog(t)
					if diff := cmp.Diff([]string{"credentials", "keys", "streams", "streams.damaged-1"}, listing(t, l.directory)); diff != "" {
						t.Errorf("in the hub's directory (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

// What was built is read back from the disk before it takes the place of anything.
func TestWhatWasBuiltIsReadBack(t *testing.T) {
	t.Parallel()
	sound := newLogged(t)
	for name, content := range map[string]string{stream.Events: "evt.pair.XB.border.site.reported 2", stream.Log: registrytest.Origin} {
		l := sound.copied(t)
		_, err := hub.RestoreUntil(t.Context(), configOf(t, l.directory), hub.Restoration{Time: restoredAt}, func(step string) error {
			if step != "before check" {
				return nil
			}
			blocks, err := filepath.Glob(filepath.Join(l.directory, "streams.restoring", "jetstream", "*", "streams", name, "msgs", "*.blk"))
			if err != nil || len(blocks) != 1 {
				return fmt.Errorf("%d blocks, error %w", len(blocks), err)
			}
			block, err := os.ReadFile(blocks[0])
			if err != nil {
				return err
			}
			block[bytes.Index(block, []byte(content))+len(content)-1] ^= 1
			return os.WriteFile(blocks[0], block, 0o600)
		}, l.desk)
		if err == nil || !strings.Contains(err.Error(), "reading back: ") {
			t.Errorf("%s: %v", name, err)
		}
		h, stop := start(t, l.directory)
		if diff := cmp.Diff(l.messages, readAll(t, h)); diff != "" {
			t.Errorf("the old streams (-want +got):\n%s", diff)
		}
		stop()
	}
}

// What nobody has brought is said with who would have it, and nothing is touched.
// With the loss accepted, its place stays empty, and everybody reads past it.
func TestLossIsAcceptedOnlyWhenSaid(t *testing.T) {
	t.Parallel()
	l := newLogged(t)
	remove(t, filepath.Join(l.directory, "streams"))
	before := listing(t, l.directory)
	poor := inMemory("desk XC", signedLeaves(t, l.messages[:12]), slices.Concat(l.messages[:5], l.messages[9:12]))
	_, err := hub.Restore(t.Context(), configOf(t, l.directory), hub.Restoration{Time: restoredAt}, poor)
	if loss := (*hub.Loss)(nil); !errors.As(err, &loss) || !strings.Contains(err.Error(), `5 to 8 (for "pair": desks of XA, XB)`) {
		t.Fatalf("%v", err)
	}
	if diff := cmp.Diff(before, listing(t, l.directory)); diff != "" {
		t.Errorf("a restoration that was refused has changed (-want +got):\n%s", diff)
	}
	done, err := hub.Restore(t.Context(), configOf(t, l.directory), hub.Restoration{Time: restoredAt, DryRun: true}, poor)
	if diff := cmp.Diff([]hub.Lost{{From: 5, To: 9, Label: "pair"}}, done.Lost); err != nil || diff != "" {
		t.Errorf("a dry run says %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(before, listing(t, l.directory)); diff != "" {
		t.Errorf("a dry run has changed (-want +got):\n%s", diff)
	}
	if _, err := hub.Restore(t.Context(), configOf(t, l.directory), hub.Restoration{Time: restoredAt, AcceptLoss: true}, poor); err != nil {
		t.Fatal(err)
	}
	h, stop := l.holdsLog(t, translog.Range{From: 5, To: 9})
	if weak := weaknesses(t, h); len(weak) > 0 {
		t.Errorf("the streams are left open: %v", weak)
	}
	// Who finds them later brings them back.
	stop()
	if _, err := hub.Restore(t.Context(), configOf(t, l.directory), hub.Restoration{Time: restoredAt}, l.desk); err != nil {
		t.Fatal(err)
	}
	l.holdsLog(t)
}

func weaknesses(t *testing.T, h *hub.Hub) []stream.Weakness {
	t.Helper()
	nc, err := nats.Connect(h.URL(), nats.UserCredentials(h.Credentials("hub")), nats.CustomInboxPrefix(stream.InboxPrefix("hub")))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var all []stream.Weakness
	for _, name := range []string{stream.Events, stream.Log, stream.Keys, stream.Files} {
		answer, err := nc.Request("$JS.API.STREAM.INFO."+name, nil, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		_, config, ok := strings.Cut(string(answer.Data), `"config":`)
		if !ok {
			t.Fatalf("%s", answer.Data)
		}
		weak, err := stream.Weaknesses(name, []byte(config), 1)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, weak...)
	}
	return all
}

// Key records and chunks that were left come along, and are kept no longer than they said.
func TestKeyRecordsComeAlong(t *testing.T) {
	t.Parallel()
	l := newLogged(t)
	h, stop := start(t, l.directory)
	js := administer(t, h)
	hour := stream.FormatUntil(time.Now().Add(time.Hour))
	for _, c := range []struct{ subject, header, value string }{
		{"key.region.XA.police.1", "", ""}, {"key.region.XA.police.2", stream.Until, hour},
		{"file.region.XA.police.aa", "Nats-TTL", "1h"}, {"file.region.XA.police.bb", "", ""}, {"file.region.XA.police.cc", "Nats-TTL", "never"},
	} {
		m := nats.NewMsg(c.subject)
		m.Data = []byte("a key record")
		if c.header != "" {
			m.Header.Set(c.header, c.value)
		}
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	done, err := hub.Restore(t.Context(), configOf(t, l.directory), hub.Restoration{Time: restoredAt}, l.desk)
	if err != nil || done.Keys != 2 || done.Files != 3 {
		t.Fatalf("%d key records, %d chunks, error %v", done.Keys, done.Files, err)
	}
	h, _ = l.holdsLog(t)
	js = administer(t, h)
	for subject, want := range map[string]string{
		"key.region.XA.police.1": "", "key.region.XA.police.2": hour,
		"file.region.XA.police.aa": "1h", "file.region.XA.police.bb": "", "file.region.XA.police.cc": "never",
	} {
		name, header := stream.Keys, stream.Until
		if strings.HasPrefix(subject, "file.") {
			name, header = stream.Files, "Nats-TTL"
		}
		kept, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := kept.GetLastMsgForSubject(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		got := m.Header.Get(header)
		if kept, err := time.ParseDuration(got); err == nil && kept <= time.Hour && kept > 50*time.Minute {
			got = "1h"
		}
		if got != want || string(m.Data) != "a key record" {
			t.Errorf("%s: kept for %q, want %q: %q", subject, got, want, m.Data)
		}
	}
}

func TestTimeOfAChunkGoesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ttl  string
		age  time.Duration
		want string
	}{
		{"", time.Hour, ""}, {"never", time.Hour, "never"}, {"1h", 59 * time.Minute, "1m1s"}, {"3600", time.Minute + 1, "59m0s"},
		{"1h", time.Hour, "0s"}, {"1h", 2 * time.Hour, "0s"}, {"5s", 4500 * time.Millisecond, "1s"},
	} {
		if got, err := hub.Remaining(c.ttl, c.age); err != nil || got != c.want {
			t.Errorf("of %q after %s are left %q, want %q, error %v", c.ttl, c.age, got, c.want, err)
		}
	}
	if got, err := hub.Remaining("soon", 0); err == nil {
		t.Errorf("%q", got)
	}
}

func administer(t *testing.T, h *hub.Hub) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(h.URL(), nats.UserCredentials(h.Credentials("hub")), nats.CustomInboxPrefix(stream.InboxPrefix("hub")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestRestoreLeavesARunningHubAlone(t *testing.T) {
	t.Parallel()
	l := newLogged(t)
	start(t, l.directory)
	if _, err := hub.Restore(t.Context(), configOf(t, l.directory), hub.Restoration{}, l.desk); !errors.Is(err, daemon.ErrInUse) {
		t.Errorf("%v", err)
	}
}

func TestNothingIsRestoredFromNothing(t *testing.T) {
	t.Parallel()
	l := newLogged(t)
	remove(t, filepath.Join(l.directory, "streams"))
	empty := salvage.Source{Name: "desk XC", Open: func(context.Context) (salvage.Records, error) { return &memory{}, nil }}
	if _, err := hub.Restore(t.Context(), configOf(t, l.directory), hub.Restoration{}, empty); err == nil || !strings.Contains(err.Error(), "holds a leaf") {
		t.Errorf("%v", err)
	}
}
