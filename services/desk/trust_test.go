package desk

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/verdict"
)

var roots = []string{"root XA", "root XB", "root XC"}

// ought is what a country's desk must have made of the log, by who might read
// each message when it was said: verdicts by log index, and the documents' digest.
func (w *world) ought(country string) (verdicts map[uint64]verdict.Code, digest event.Digest) {
	w.t.Helper()
	state, chains, cabinet := registry.New(w.charter.Digest), verdict.Memory{}, casework.Memory{}
	verdicts = map[uint64]verdict.Code{}
	for i, m := range w.messages {
		index := uint64(i)
		judged, err := verdict.Judge(state, &chains, &event.Roots{}, index, m.Subject, m.Data)
		must(w.t, err)
		state = judged.State
		event := judged.Code == verdict.Accepted && !judged.Update
		if event {
			chains.Take(judged.Event)
		}
		label := verdict.Label(m.Subject)
		if label != "" && !slices.Contains(state.Reads(country), label) {
			continue
		}
		verdicts[index] = judged.Code
		if event {
			audience, _ := state.Audience(registry.AudienceOf(label))
			_, err := casework.Fold(&cabinet, casework.Hear(index, judged.Event, casework.InClear(judged.Event), audience))
			must(w.t, err)
		}
	}
	digest, err := cabinet.Digest()
	must(w.t, err)
	return verdicts, digest
}

// isRight waits until a desk has all that its country may read, and compares.
func (w *world) isRight(d *running) {
	w.t.Helper()
	verdicts, digest := w.ought(d.config.Country)
	until(w.t, "the desk has what its country may read", func() bool { return len(d.verdicts()) >= len(verdicts) })
	same(w.t, "verdicts", verdicts, d.verdicts())
	same(w.t, "digest of the view", digest, d.digest())
	must(w.t, d.Rebuild(context.Background()))
	same(w.t, "digest of a view built again", digest, d.digest())
	same(w.t, "alarm", "", d.Status().Alarm)
	own, err := d.Audited(context.Background())
	must(w.t, err)
	same(w.t, "the desk's view beside an audit's", w.audited(d.config.Country), own)
}

// audited is what an audit says of a country's desk.
func (w *world) audited(country string) audit.Desk {
	w.t.Helper()
	replay, err := audit.New(w.charter)
	must(w.t, err)
	replay.Open(country, func(_ uint64, e event.Verified) ([]casework.Opened, error) { return casework.InClear(e), nil })
	feed := func(until uint64) {
		for i := replay.Fed(); i < until; i++ {
			m := w.messages[i]
			must(w.t, replay.Event(audit.Message{Sequence: i + 1, Subject: m.Subject, Data: m.Data}))
		}
	}
	for _, m := range w.logMessages() {
		if m.Subject == stream.LeavesSubject {
			feed(replay.Needs(m.Data))
			replay.Leaves(m.Data)
		}
	}
	feed(uint64(len(w.messages)))
	summary, err := replay.Finish()
	must(w.t, err)
	return summary.Desks[country]
}

// agrees notarises what there is, and waits until a desk has cosigned it.
func (w *world) agrees(d *running) {
	w.t.Helper()
	d.hasCosigned(w.notarise().Size)
}

// standsAs waits until a desk says each of some words of its standing; none: until
// it says nothing.
func (r *running) standsAs(words ...string) {
	r.w.t.Helper()
	var said string
	defer func() {
		if r.w.t.Failed() {
			r.w.t.Logf("the desk says: %q", said)
		}
	}()
	until(r.w.t, "the desk says how it stands: "+strings.Join(words, ", "), func() bool {
		said = r.Status().Standing
		for _, word := range words {
			if !strings.Contains(said, word) {
				return false
			}
		}
		return (said == "") == (len(words) == 0)
	})
}

// diary is a log that can be read while it is written.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) count(words string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Count(d.text.String(), words)
}

func at(chain event.Chain, address string) event.Chain {
	chain.Audience = address
	return chain
}

// address is the newest one of an audience.
func (w *world) address(id string) string {
	w.t.Helper()
	audience, ok := w.book.State.Audience(id)
	if !ok {
		w.t.Fatalf("there is no audience %s", id)
	}
	return audience.Address()
}

// again stops a desk and starts it on the same directory.
func (w *world) again(d *running, change ...func(*Config)) *running {
	w.t.Helper()
	must(w.t, d.stop())
	return w.start(d.config.Country, d.config.Directory, change...)
}

func TestACountryThatJoinsLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := &diary{}
	d := w.desk("XD", func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(said, nil)) })
	w.say(police)
	w.say(pair)
	before := w.notarise()
	d.standsAs("XD is not a member of this log yet", "follows by itself")
	until(t, "the desk's log says it", func() bool { return said.count("XD is not a member") == 1 })
	d = w.again(d)
	d.standsAs("not a member")

	w.amend(registrytest.Admit("XD"), append(roots, "root XD", "mirror XD")...)
	d.standsAs()
	w.agrees(d)
	same(t, "newest size that XD cosigned before its admission", false, slices.Contains(w.cosigned("XD"), before.Size))
	w.isRight(d) // the registry and nothing else

	w.amend(registrytest.Enrol("XD", "police"), "root XD", "publisher XD/police")
	w.say(police)
	w.amend(registrytest.Join("region", "XD"), append(roots, "root XD")...)
	w.say(at(police, w.address("region")))
	last := w.say(event.Chain{Country: "XD", Agency: "police", Audience: w.address("region")})
	d.has(last)
	same(t, "XD's own event", verdict.Accepted, d.verdicts()[last])
	closed := w.say(police) // to those who read region before XD came
	w.agrees(d)
	w.isRight(d)
	if _, ok := d.verdicts()[closed]; ok || len(d.verdicts()) >= len(w.messages) {
		t.Errorf("XD has messages from before it came: %v", d.verdicts())
	}
	d = w.again(d)
	w.say(at(border, w.address("region")))
	w.agrees(d)
	w.isRight(d)
}

// Every member's view is the same fold, however late its desk begins.
func TestAMemberThatJoinsChangesNothingForTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XC")
	w.say(police)
	w.amend(registrytest.Join("pair", "XC"), roots...)
	w.say(at(pair, w.address("pair")))
	stale := w.say(pair)
	w.say(border)
	w.agrees(d)
	w.isRight(d)
	other := w.desk("XA")
	w.agrees(other)
	w.isRight(other)
	same(t, "said to an address that is not the newest", verdict.AudienceClosed, other.verdicts()[stale])
}

func TestAMemberThatLeavesAnAudience(t *testing.T) {
	t.Parallel()
	t.Run("while its desk runs", func(t *testing.T) {
		w := newWorld(t)
		d := w.desk("XC", impatient)
		w.say(police)
		w.agrees(d)
		w.amend(registrytest.Quit("region", "XC"), "root XC")
		w.say(police)
		w.agrees(d)
		w.isRight(d)
		d.standsAs()
	})
	// The last message that it read is not sent to it any more, and it learns
	// why only from an update further on.
	t.Run("while its desk is down", func(t *testing.T) {
		w := newWorld(t)
		d := w.desk("XC", impatient)
		w.say(police)
		last := w.say(police)
		d.has(last)
		w.agrees(d)
		must(t, d.stop())
		held := d.config.Directory
		missed := w.say(police) // never fetched, and gone for good
		w.say(pair)
		w.amend(registrytest.Quit("region", "XC"), "root XC")
		w.say(border)
		d = w.start("XC", held, impatient)
		w.agrees(d)
		same(t, "alarm", "", d.Status().Alarm)
		if _, ok := d.verdicts()[missed]; ok {
			t.Error("the desk has a message that the hub could not send it")
		}
		d = w.again(d, impatient)
		w.amend(registrytest.AmendAudience("pair", "rescue", "care"), "root XA", "root XB")
		w.agrees(d)
		same(t, "alarm after a restart", "", d.Status().Alarm)
		// It comes back, and reads from then on.
		w.amend(registrytest.Join("region", "XC"), roots...)
		index := w.say(at(police, w.address("region")))
		d.has(index)
		w.agrees(d)
		d = w.again(d, impatient)
		d.has(w.say(at(police, w.address("region"))))
		w.agrees(d)
		same(t, "alarm at the end", "", d.Status().Alarm)
	})
}

func TestSuspendedAndReinstated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := &diary{}
	logged := func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(said, nil)) }
	d := w.desk("XC", logged)
	w.say(police)
	w.agrees(d)
	index := w.amend(registrytest.Suspend("XC"), roots...)
	w.say(police)
	size := w.notarise().Size
	d.standsAs("XC is suspended since index 2", "a reason made up for a test", "cosigns nothing", "The roots of 2 of the members XA, XB can reinstate it")
	until(t, "the log is followed", func() bool { return d.Status().LogSize == size })
	until(t, "the desk's log says it", func() bool { return said.count("XC is suspended since index 2") > 0 })
	same(t, "lines of the desk's log", 1, said.count("XC is suspended since index 2"))
	d = w.again(d)
	d.standsAs("suspended since")
	w.say(border)
	size = w.notarise().Size
	until(t, "the log is followed after a restart", func() bool { return d.Status().LogSize == size })
	if sizes := w.cosigned("XC"); slices.Max(sizes) > index {
		t.Errorf("sizes %v were cosigned, though XC was suspended at %d", sizes, index)
	}
	w.isRight(d)

	w.amend(registrytest.Reinstate("XC"), roots...)
	w.say(at(police, w.address("region")))
	d.standsAs()
	w.agrees(d)
	w.isRight(d)
	d = w.again(d)
	w.say(at(border, w.address("region")))
	w.agrees(d)
	w.isRight(d)
}

func TestAMemberThatHasLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XC")
	w.say(police)
	w.agrees(d)
	index := w.publish(w.left("XC"))
	d.has(index)
	w.admit()
	d.standsAs("XC has left this log, at index 2")
	d = w.again(d)
	d.standsAs("XC has left this log", "stays here to be read")
	w.say(police)
	w.notarise()
	entries := d.entries()
	same(t, "newest index that it has", index, entries[len(entries)-1].Index)
	same(t, "digest of the view", w.audited("XC").ViewDigest, d.digest().String())
	same(t, "alarm", "", d.Status().Alarm)
}

// left is a country's leave, which the hub has not followed yet.
func (w *world) left(country string) stream.Message {
	w.t.Helper()
	w.book.Next = uint64(len(w.messages))
	subject, message := w.book.Message(w.t, registrytest.Leave(country), "root "+country)
	w.book.Take(w.t, subject, message)
	return stream.Message{Subject: subject, Data: message}
}

func TestMirrorKeysComeAndGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := registrytest.MirrorOwner("XC")
	d := w.desk("XC")
	w.say(police)
	w.agrees(d)
	revoked := w.amend(registrytest.RevokeKey(owner, 0), "root XC")
	d.standsAs("mirror key of XC was revoked", "The root of XC can enrol another")
	w.say(police)
	w.notarise()
	d.has(uint64(len(w.messages)) - 1)

	w.amend(registrytest.EnrolKey(owner, "second XC"), "root XC", "second XC")
	w.notarise()
	d.standsAs("configured with another")
	with := func(key, next string) func(*Config) {
		return func(c *Config) {
			c.MirrorKey = registrytest.Key(key)
			if next != "" {
				c.NextMirrorKey = registrytest.Key(next)
			}
		}
	}
	// Both keys are there before the rotation, and the desk signs with each in its time.
	d = w.again(d, with("second XC", "next second XC"))
	d.standsAs()
	w.say(police)
	w.agrees(d)
	if sizes := w.cosigned("XC"); sizes[1] <= revoked+1 {
		t.Errorf("sizes %v were cosigned: one between revocation at %d and enrolment", sizes, revoked)
	}
	w.amend(registrytest.RotateKey(owner, "next second XC"), "next second XC")
	w.say(police)
	w.agrees(d)
	d.standsAs()
	d = w.again(d, with("next second XC", ""))
	w.say(police)
	w.agrees(d)
	same(t, "alarm", "", d.Status().Alarm)
	d = w.again(d, with("second XC", ""))
	d.standsAs("configured with another")
}

// A journal that was lost is lost for its key. With another one, enrolled for
// it, the country cosigns again.
func TestANewKeyForALostJournal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := registrytest.MirrorOwner("XC")
	d := w.desk("XC")
	w.say(police)
	w.agrees(d)
	must(t, d.stop())
	w.amend(registrytest.RevokeKey(owner, 0), "root XC")
	w.amend(registrytest.EnrolKey(owner, "second XC"), "root XC", "second XC")
	w.notarise()
	fresh := w.desk("XC", func(c *Config) { c.MirrorKey = registrytest.Key("second XC") })
	w.agrees(fresh)
	w.isRight(fresh)
	must(t, fresh.stop())
	w.desk("XC").alarmed(AlarmStateLost)
}

// The hub admits nobody without credentials: the desk says so, and what the
// registry as it has it says about that.
func TestADeskThatTheHubDoesNotAdmit(t *testing.T) {
	t.Parallel()
	closed, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: "a made-up token", NoLog: true, NoSigs: true})
	must(t, err)
	closed.Start()
	t.Cleanup(func() { closed.Shutdown(); closed.WaitForShutdown() })
	if !closed.ReadyForConnections(deadline) {
		t.Fatal("the server does not accept connections")
	}
	w := newWorld(t)
	d := w.desk("XC")
	d.has(w.say(police))
	must(t, d.stop())
	refused := func(want string) {
		t.Helper()
		said := &diary{}
		d := w.start("XC", d.config.Directory, func(c *Config) {
			c.Stream.URL, c.Logger = closed.ClientURL(), slog.New(slog.NewTextHandler(said, nil))
		})
		d.standsAs("The hub refuses this desk's connection", want)
		until(t, "the desk's log says it", func() bool { return said.count("The hub refuses") > 0 })
		must(t, d.stop())
		same(t, "lines of the desk's log", 1, said.count("The hub refuses"))
	}
	refused("Nothing in the registry as this desk has it, up to index 0, explains that")
	d = w.start("XC", d.config.Directory)
	d.has(w.amend(registrytest.Suspend("XC"), roots...))
	must(t, d.stop())
	refused("XC is suspended since index 2")
}

func TestKeysOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA")
	d.has(w.amend(registrytest.Admit("XD"), append(roots, "root XD", "mirror XD")...))
	must(t, d.stop())
	for name, want := range map[string]string{
		"mirror XB": "mirror key of XB", "notary": "notary's", "root XA": "root key of XA", "publisher XB/border": "publisher key of XB/border",
		"mirror XD": "mirror key of XD",
	} {
		config := d.config
		config.NextMirrorKey = registrytest.Key(name)
		opened, err := New(t.Context(), config)
		if err == nil {
			opened.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
