package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// noon is the fixture's clock.
var noon = time.Date(2025, 3, 3, 12, 0, 0, 0, time.UTC)

// memoryView is view.Reader over a real fold in memory, and Changes. It is what
// a desk is without its stream and its disk.
type memoryView struct {
	mu       sync.Mutex
	t        testing.TB
	registry registry.State
	updates  []Update
	alarms   []Alarm
	ring     *ring
	hidden   map[casework.Ref]bool // being folded again
	cabinet  casework.Memory
	entries  []view.Entry
	touched  map[casework.Ref]uint64
	watchers map[chan struct{}]bool
}

func newMemoryView(t testing.TB) *memoryView {
	v := &memoryView{t: t, registry: charter(t), touched: map[casework.Ref]uint64{}, ring: &ring{}, watchers: map[chan struct{}]bool{}}
	v.take(view.Entry{Subject: registry.FoundingSubject, Verdict: verdict.Accepted})
	return v
}

func seededKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func charter(t testing.TB) registry.State {
	t.Helper()
	seed := byte(0)
	key := func() ed25519.PrivateKey {
		seed++
		return seededKey(seed)
	}
	public := func(k ed25519.PrivateKey) []byte { return k.Public().(ed25519.PublicKey) }
	founding := &registryv1.Founding{
		Name: "Test charter", Origin: "tripoint.example/test", Threshold: 2, Quorum: 2, NotaryKey: public(key()),
		Audiences: []*registryv1.Audience{
			{Audience: "border", Members: []string{"CN", "MM", "TH"}, Purposes: []string{"anti-trafficking", "online-fraud"}},
			{Audience: "mm-th", Members: []string{"MM", "TH"}, Purposes: []string{"handover"}},
		},
		RetentionClasses: []*registryv1.RetentionClass{{Retention: "case", Days: 3650}},
	}
	roots := map[string]ed25519.PrivateKey{}
	for _, country := range []string{"CN", "MM", "TH"} {
		roots[country] = key()
		founding.Members = append(founding.Members, &registryv1.Member{Country: country, RootKey: public(roots[country]), MirrorKey: public(key())})
		for _, agency := range []string{"police", "protection"} {
			founding.Agencies = append(founding.Agencies, &registryv1.Agency{
				Country: country, Agency: agency, Name: country + " " + agency + " (test)", PublisherKey: public(key())})
		}
	}
	update, err := registry.Draft(founding)
	if err != nil {
		t.Fatal(err)
	}
	var signatures []*registryv1.RootSignature
	for _, member := range founding.Members {
		signature, err := registry.SignRoot(member.Country, roots[member.Country], update)
		if err != nil {
			t.Fatal(err)
		}
		signatures = append(signatures, signature)
	}
	sealed, err := registry.Seal(update, signatures)
	if err != nil {
		t.Fatal(err)
	}
	state, err := sealed.State()
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// take appends an entry at the next log index and tells those who follow.
func (v *memoryView) take(entry view.Entry) uint64 {
	entry.Index = uint64(len(v.entries))
	entry.Sequence = entry.Index + 1
	v.entries = append(v.entries, entry)
	for watcher := range v.watchers {
		select {
		case watcher <- struct{}{}:
		default: // it has one to come already
		}
	}
	return entry.Index
}

// refuse takes in a message that got another verdict.
func (v *memoryView) refuse(code verdict.Code, reason string) uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.take(view.Entry{Verdict: code, Reason: reason, Subject: "evt.border.TH.police.transfer.received"})
}

// say folds a report of country.agency as an accepted event.
func (v *memoryView) say(by string, section *caseworkv1.CaseSection, identity ...*caseworkv1.Identity) uint64 {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if section.Marking == nil {
		section.Marking = marking("anti-trafficking")
	}
	kind, err := casework.KindOf(section)
	if err != nil {
		v.t.Fatal(err)
	}
	told := v.told(by, kind)
	told.Case = section
	if len(identity) > 0 {
		told.Identity = &caseworkv1.IdentitySection{Persons: identity}
	}
	return v.hear(told)
}

// hear folds an accepted event. The caller holds the lock.
func (v *memoryView) hear(told casework.Said) uint64 {
	change, err := casework.Fold(&v.cabinet, told)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, ref := range change.Touched {
		v.touched[ref] = told.Index
	}
	return v.take(view.Entry{
		Subject: "evt.border." + told.Country + "." + told.Agency + "." + told.Kind, Verdict: verdict.Accepted, EventID: told.EventID,
		HeaderDigest: event.DigestOf([]byte(told.EventID)), Country: told.Country, Agency: told.Agency, Audience: "border", Kind: told.Kind,
		Counter: told.Index, Retention: "case", Recorded: told.Recorded, Occurred: told.Case.GetOccurred(), Source: told.Case.GetSource(),
		Marking: change.Marking, Summary: change.Summary, Refs: change.Touched, Breaches: change.Breaches, Open: told.Open(), Closed: change.Closed,
	})
}

// told is the header of the event that comes next. The caller holds the lock.
func (v *memoryView) told(by, kind string) casework.Said {
	country, agency, _ := strings.Cut(by, ".")
	index := uint64(len(v.entries))
	audience, _ := v.registry.Audience("border")
	return casework.Said{
		Index: index, EventID: idAt(index), Country: country, Agency: agency, Audience: "border", Kind: kind, Retention: "case",
		Recorded: noon.Add(time.Duration(index) * time.Minute), Purposes: audience.Purposes, Members: audience.Members,
	}
}

// idAt is the identifier of the event at a log index.
func idAt(index uint64) string { return fmt.Sprintf("0195%04x-0000-7000-8000-%012x", index, index) }

func marking(purpose string) *caseworkv1.Marking {
	return &caseworkv1.Marking{
		Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_AMBER, Handling: []caseworkv1.Handling{caseworkv1.Handling_HANDLING_H1}, Purpose: purpose,
		Grade: &caseworkv1.Marking_Admiralty{Admiralty: &caseworkv1.Admiralty{Source: caseworkv1.AdmiraltySource_ADMIRALTY_SOURCE_B, Information: 2}},
	}
}

func (v *memoryView) Cursor(context.Context) (view.Cursor, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return view.Cursor{Sequence: uint64(len(v.entries)), Index: uint64(len(v.entries)) - 1}, nil
}

func (v *memoryView) Entries(ctx context.Context, f view.Filter) ([]view.Entry, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := slices.DeleteFunc(slices.Clone(v.entries), func(e view.Entry) bool {
		family, _, _ := strings.Cut(e.Kind, ".")
		return e.Index < f.After || f.Family != "" && family != f.Family || f.Country != "" && e.Country != f.Country ||
			f.Verdict != "" && e.Verdict != f.Verdict || f.Ref != (casework.Ref{}) && !slices.Contains(e.Refs, f.Ref)
	})
	if f.Newest {
		slices.Reverse(found)
	}
	return found[:min(len(found), cmp.Or(f.Limit, 100))], ctx.Err()
}

func (v *memoryView) Document(_ context.Context, ref casework.Ref) (view.Document, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.hidden[ref] {
		return view.Document{}, false, view.ErrFolding
	}
	data, ok, err := v.cabinet.Get(ref)
	return view.Document{Ref: ref, Data: data, Index: v.touched[ref]}, ok, err
}

func (v *memoryView) Documents(_ context.Context, entityType string) ([]view.Document, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var found []view.Document
	for ref, data := range v.cabinet.All() {
		if ref.Type == entityType {
			found = append(found, view.Document{Ref: ref, Data: data, Index: v.touched[ref]})
		}
	}
	return found, nil
}

func (v *memoryView) Counts(context.Context) (map[verdict.Code]uint64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	counts := map[verdict.Code]uint64{}
	for _, e := range v.entries {
		counts[e.Verdict]++
	}
	return counts, nil
}

func (v *memoryView) Digest(ctx context.Context) (event.Digest, view.Cursor, error) {
	cursor, _ := v.Cursor(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	digest, err := v.cabinet.Digest()
	return digest, cursor, err
}

func (v *memoryView) Subscribe() (<-chan struct{}, func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	watcher := make(chan struct{}, 1)
	v.watchers[watcher] = true
	return watcher, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.watchers, watcher)
	}
}

// watched is how many streams follow the view.
func (v *memoryView) watched() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.watchers)
}

func (v *memoryView) size() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return uint64(len(v.entries))
}

func (v *memoryView) status() Status {
	status := Status{LogSize: v.size(), WitnessedSize: v.size(), CosignedBy: []string{"MM", "TH"}, WitnessedAt: noon.Add(-time.Hour), Connected: true, LastSync: noon}
	for _, alarm := range v.alarms {
		if alarm.Ended == nil {
			status.Alarm, status.AlarmCode = alarm.What, alarm.Code
		}
	}
	return status
}

// noted is the ring that a view has at the moment.
type noted struct{ view *memoryView }

func (n noted) Refusals(ctx context.Context) ([]Refusal, error) { return n.view.ring.Refusals(ctx) }
func (n noted) Exports(ctx context.Context) ([]Export, error)   { return n.view.ring.Exports(ctx) }
func (n noted) Owed(ctx context.Context) ([]Owed, error)        { return n.view.ring.Owed(ctx) }

func (v *memoryView) history(context.Context) ([]Update, error) { return v.updates, nil }

func (v *memoryView) alarmed(context.Context) ([]Alarm, error) { return v.alarms, nil }
