package publisher

import (
	"bytes"
	"context"
	"crypto/hpke"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	"github.com/tripoint/tripoint/pkg/stream"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// planted is what must be nowhere: an invented name.
const planted = "Somchai Invented-Name"

// person is a report of an invented person, with an identity section.
func person(name string) func(*caseworkv1.Report) {
	return func(r *caseworkv1.Report) {
		r.Case.Note = name + " was met"
		r.Identity = &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{PersonId: "P-1", Name: name}}}
	}
}

// noKeysOf checks that no record on the hub has an entry of an event.
func (w *world) noKeysOf(text string) {
	w.t.Helper()
	id, err := event.ParseID(text)
	if err != nil {
		w.t.Fatal(err)
	}
	for subject, r := range w.keys() {
		if r.Has(id) {
			w.t.Errorf("the record on %s has the erased event", subject)
		}
	}
}

// keys are the records on the hub, by subject, each checked.
func (w *world) keys() map[string]seal.Record {
	w.t.Helper()
	keys, err := w.hub.js.Stream(patient(w.t), stream.Keys)
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := keys.Info(patient(w.t), jetstream.WithSubjectFilter(">"))
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string]seal.Record{}
	for subject := range info.State.Subjects {
		m, err := keys.GetLastMsgForSubject(patient(w.t), subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // its time is over
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if at, err := stream.ParseUntil(m.Header.Get(stream.Until)); err == nil && !time.Now().Before(at) {
			continue // a hub overwrites it, this broker by itself does not
		}
		u, err := seal.Decode(m.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		key, ok := w.registry.State.Key(u.KeyID())
		if !ok {
			w.t.Fatalf("the record on %s is signed by nobody", subject)
		}
		if all[subject], err = u.Verify(key); err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}

// opensAs is what a country's desk makes of each accepted event: each section's
// content, or the reason why it is closed.
func (w *world) opensAs(country string) map[string][]string {
	w.t.Helper()
	var portions []seal.Portion
	for _, r := range w.keys() {
		portions = append(portions, r.Portion(country))
	}
	opener := seal.NewOpener(func(c eventv1.Compartment, _ uint32) hpke.PrivateKey {
		return registrytest.OpeningOf(country, uint32(c))
	})
	all := map[string][]string{}
	for _, e := range w.judge().accepted {
		var mine []seal.Portion
		for _, p := range portions {
			if p.Batch == e.Place.Batch {
				mine = append(mine, p)
			}
		}
		for _, section := range e.Sections() {
			if section.Form != eventv1.SectionForm_SECTION_FORM_SEALED || section.Compartment != 0 {
				w.t.Errorf("event %s: a section of %s is in clear", e.ID, section.Compartment)
			}
		}
		sections := opener.Open(e, time.Now(), mine...)
		slices.SortFunc(sections, func(a, b seal.Section) int { return int(a.Compartment) - int(b.Compartment) })
		for _, s := range sections {
			says := string(s.Content)
			if s.Err != nil {
				says = "closed: " + string(seal.ReasonOf(s.Err))
			}
			all[e.ID.String()] = append(all[e.ID.String()], says)
		}
	}
	return all
}

// said is the case section that an event's first content is.
func said(t testing.TB, content string) *caseworkv1.CaseSection {
	t.Helper()
	section := &caseworkv1.CaseSection{}
	if err := proto.Unmarshal([]byte(content), section); err != nil {
		t.Fatalf("%q is no case section: %v", content, err)
	}
	return section
}

// onDisk names the files under a directory that hold some bytes.
func onDisk(t testing.TB, directory string, what []byte) (names []string) {
	t.Helper()
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // it went meanwhile
		}
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, what) {
			names = append(names, filepath.Base(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// wrapOf is the bytes of an event's content key in a record, as they lie on disk.
func wrapOf(t testing.TB, r seal.Record, id string) []byte {
	t.Helper()
	for _, g := range r.Portion("XB").Grants {
		for _, piece := range g.Pieces {
			if piece.Event.String() == id {
				return piece.Wrapped
			}
		}
	}
	t.Fatalf("the record has no key of %s for XB", id)
	return nil
}

// record finds the batch's own record that has, or had, an event.
func (w *world) record(id string) seal.Record {
	w.t.Helper()
	for _, e := range w.judge().accepted {
		if e.ID.String() == id {
			r, ok := w.keys()[seal.Terms{Origin: e.Chain, Batch: e.Place.Batch}.Subject()]
			if !ok {
				w.t.Fatalf("no record of event %s", id)
			}
			return r
		}
	}
	w.t.Fatalf("event %s is not accepted", id)
	return seal.Record{}
}

// What is published is sealed, to every desk of the audience and to nobody else; its
// keys are on the hub before it is; and its plaintext is nowhere on the hub's disk.
func TestEverySectionIsSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	early := 0
	p := w.start(t.TempDir(), withHub(func(ctx context.Context, through hub, messages []stream.Message) (uint64, error) {
		keys := w.keys()
		for _, m := range messages {
			e, err := event.Decode(m.Data)
			if err != nil {
				return 0, err
			}
			has := false
			for _, r := range keys {
				has = has || r.Has(e.Claims().ID)
			}
			if !has {
				early++
			}
		}
		return through.PublishBatch(ctx, messages)
	}))
	promised := p.publish(append(reports("a", 3, person(planted)), reports("pair", 2, to("pair"), keep("brief"))...)...)
	p.untilStored(5)
	if early > 0 {
		t.Errorf("%d events were published before their keys", early)
	}
	for _, country := range []string{"XA", "XB"} {
		for i, says := range promised {
			got := w.opensAs(country)[says.GetEventId()]
			if len(got) == 0 || strings.HasPrefix(got[0], "closed") || i < 3 && (said(t, got[0]).GetNote() != planted+" was met" || !strings.Contains(got[1], planted)) {
				t.Errorf("%s reads event %d as %q", country, i, got)
			}
		}
	}
	for i, got := range w.opensAs("XC") {
		if want := len(got) == 2; strings.HasPrefix(got[0], "closed: not-granted") == want {
			t.Errorf("XC, who is not in pair, reads %s as %q", i, got)
		}
	}
	for what, secret := range map[string]string{"plaintext": planted, "kind of an event": "site.reported"} {
		if names := onDisk(t, w.directory, []byte(secret)); names != nil {
			t.Errorf("the %s is on the hub's disk: %v", what, names)
		}
	}
	for _, r := range w.keys() {
		days := map[string]int{"case": 365, "brief": 30}[r.Retention]
		if left := time.Until(r.Expires); left > time.Duration(days)*24*time.Hour || left < time.Duration(days)*24*time.Hour-time.Minute {
			t.Errorf("a record of class %s expires at %s", r.Retention, r.Expires)
		}
	}
}

// Content in clear is on the publisher's own disk until it is witnessed, and then nowhere.
func TestContentIsGoneOnceItIsWitnessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	p := w.start(directory)
	for i := range 3 {
		p.publish(reports(fmt.Sprint(i), 5, person(planted))...)
	}
	p.untilStored(15)
	if onDisk(t, directory, []byte(planted)) == nil {
		t.Fatal("what may have to be signed again is not there")
	}
	w.cosign(n.checkpoint(16), "XA", "XB")
	p.untilWitnessed(15)
	eventually(t, func() string {
		if names := onDisk(t, directory, []byte(planted)); names != nil {
			return fmt.Sprintf("the plaintext is in %v", names)
		}
		return ""
	})
}

// A compartment for which no reader has an opening key: nothing goes out in clear, and
// what comes after it waits behind it.
func TestSectionThatNobodyCouldOpenWaits(t *testing.T) {
	t.Parallel()
	w := worldOf(t, func(f *registryv1.Founding) { f.OpeningKeys = f.OpeningKeys[:0] })
	n := w.notary()
	w.change(registrytest.EnrolOpening("XB", 1, "opening XB/1"), "root XB")
	n.checkpoint(2)
	p := w.start(t.TempDir())
	promised := p.publish(report("a"), report("b", person(planted)), report("c"))
	p.until("it says what it waits for", halted("none of those who read region has an opening key for identity"))
	p.until("the first has gone out", halted("Have the root of XA or XB or XC enrol"))
	p.until("the others wait", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 2 && s.GetStored() == 1 })
	w.change(registrytest.EnrolOpening("XC", 2, "opening XC/2"), "root XC")
	n.checkpoint(4)
	p.untilStored(3)
	w.judge().check(t, promised...)
	if got := w.opensAs("XC")[promised[1].GetEventId()]; got[0] != "closed: not-granted" || !strings.Contains(got[1], planted) {
		t.Errorf("XC reads %q", got)
	}
	if got := w.opensAs("XB")[promised[1].GetEventId()]; got[1] != "closed: not-granted" {
		t.Errorf("XB reads %q", got)
	}
}
