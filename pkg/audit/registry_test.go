package audit_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

var founders = []string{"root XA", "root XB", "root XC"}

// at the address of an audience now.
func (w *world) chain(country, agency, audience string) event.Chain {
	w.t.Helper()
	a, ok := w.registry.State.Audience(audience)
	if !ok {
		w.t.Fatalf("no audience %s", audience)
	}
	return event.Chain{Country: country, Agency: agency, Audience: a.Address()}
}

// heard says something soundly, and who is there to read it.
func (w *world) heard(chain event.Chain, id string, by ...string) {
	w.t.Helper()
	w.hears[w.say(chain, event.Seen{}, site(id))] = by
}

// join admits XD with its police, and takes it into region.
func (w *world) join() {
	w.t.Helper()
	w.update(registrytest.Admit("XD"), append(founders, "root XD", "mirror XD")...)
	w.update(registrytest.Enrol("XD", "police"), "root XD", "publisher XD/police")
	w.update(registrytest.Join("region", "XD"), append(founders, "root XD")...)
}

// tally is what a desk's summary counts.
func (w *world) tally(s audit.Summary, country string, index, events, sealed uint64) {
	w.t.Helper()
	got := s.Desks[country]
	if got.LogIndex != index || got.Events != events || got.Sealed != sealed {
		w.t.Errorf("the desk of %s: index %d, %d events, %d sealed; want %d, %d, %d", country, got.LogIndex, got.Events, got.Sealed, index, events, sealed)
	}
	same(w.t, "the view of "+country, w.digest(country), got.ViewDigest)
}

// A country that comes in reads the registry from its beginning, and of an
// audience what is said to it from then on.
func TestDeskOfACountryThatComesLater(t *testing.T) {
	for name, between := range map[string]func(*world){"": func(*world) {}, "under more checkpoints": func(w *world) { w.witness() }} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t) // 0 to 7
			for _, said := range w.said {
				w.hears[said.Index] = map[string][]string{"region": {"XA", "XB", "XC"}, "pair": {"XA", "XB"}}[said.Audience]
			}
			w.heard(police, "S-4", "XA", "XB", "XC") // 8, not under a checkpoint when XD comes
			between(w)
			w.join()                                                                  // 9, 10, 11
			w.heard(w.chain("XD", "police", "region"), "S-5", "XA", "XB", "XC", "XD") // 12
			between(w)
			w.heard(w.chain("XA", "police", "region"), "S-6", "XA", "XB", "XC", "XD") // 13
			w.heard(pair, "S-7", "XA", "XB")                                          // 14
			w.notarise()
			for _, country := range []string{"XA", "XB", "XC", "XD"} {
				w.cosign(country, w.tree.Size(), w.tree.Root())
			}
			summary := w.finds()
			w.tally(summary, "XA", 14, 15, 0)
			w.tally(summary, "XC", 13, 12, 3)
			w.tally(summary, "XD", 13, 6, 9)
			same(t, "cosigned by", []string{"XA", "XB", "XC", "XD"}, summary.CosignedBy)
		})
	}
}

// The old address is closed to everybody, and its readers are those it had.
func TestAddressOfBeforeIsClosed(t *testing.T) {
	w := newWorld(t)
	w.join() // 8, 9, 10
	signed, _ := w.sign("XA/police", police, w.heads[police], event.Seen{}, w.draft(site("S-9")))
	index := w.put(signed[0].Subject, signed[0].Data)
	w.say(w.chain("XA", "police", "region"), event.Seen{}, site("S-4"))
	w.witness()
	summary := w.finds(at("audience-closed", index))
	same(t, "events of XD", uint64(5), summary.Desks["XD"].Events) // the registry's four, and the last one
}

func TestSuspendedCountryReadsTheRegistryAlone(t *testing.T) {
	w := newWorld(t)
	w.update(registrytest.Suspend("XC"), founders...) // 8
	signed, _ := w.sign("XC/border", lone, w.heads[lone], event.Seen{}, w.draft(site("S-8")))
	w.put(signed[0].Subject, signed[0].Data) // 9: refused
	w.heard(police, "S-4", "XA", "XB")       // 10
	w.notarise()
	w.cosign("XC", w.tree.Size(), w.tree.Root()) // counts for nobody
	w.cosign("XA", w.tree.Size(), w.tree.Root())
	w.cosign("XB", w.tree.Size(), w.tree.Root())
	w.update(registrytest.Reinstate("XC"), founders...) // 11: a new circle
	w.heard(w.chain("XA", "police", "region"), "S-5", "XA", "XB", "XC")
	w.witness()
	summary := w.finds(at("key-not-valid", 9), at(audit.FindingCosignature, 11))
	w.tally(summary, "XB", 12, 13, 0)
	w.tally(summary, "XC", 12, 9, 4)
	same(t, "cosigned by", []string{"XA", "XB", "XC"}, summary.CosignedBy)
}

// A country that left reads nothing more. Should it come back, it catches up
// with the registry, and not with what was said.
func TestDeskOfACountryThatLeft(t *testing.T) {
	w := newWorld(t)
	w.update(registrytest.Leave("XC"), "root XC")                   // 8
	w.heard(police, "S-4", "XA", "XB")                              // 9
	w.update(registrytest.AmendCharter(2, 1), "root XA", "root XB") // 10
	w.notarise()
	w.cosign("XA", w.tree.Size(), w.tree.Root())
	w.tally(w.finds(), "XC", 6, 6, 2)

	w.back("root XA", "root XB")       // 11
	w.heard(police, "S-5", "XA", "XB") // 12: region is the others' own
	w.notarise()
	w.cosign("XC", w.tree.Size(), w.tree.Root())
	summary := w.finds()
	w.tally(summary, "XC", 11, 9, 4)
	same(t, "cosigned by", []string{"XC"}, summary.CosignedBy)
}

// back admits XC again, with new keys.
func (w *world) back(others ...string) {
	w.t.Helper()
	next := registry.CommitmentOf(registrytest.Public("next"))
	change := &registryv1.Update{Change: &registryv1.Update_MemberAdmitted{MemberAdmitted: &registryv1.MemberAdmitted{Member: &registryv1.Member{
		Country: "XC", RootKey: registrytest.Public("XC's second root"), RootNext: next[:],
		MirrorKey: registrytest.Public("XC's second mirror"), MirrorNext: next[:],
	}}}}
	w.registry.Next = uint64(len(w.events))
	signed := w.registry.Signed(w.t, change, append(others, "XC's second mirror")...)
	consent, err := registry.SignRoot("XC", registrytest.Key("XC's second root"), signed.GetUpdate())
	must(w.t, err)
	signed.Signatures = append(signed.Signatures, consent)
	message, err := proto.Marshal(signed)
	must(w.t, err)
	w.registry.Take(w.t, registry.SubjectOf(change), message)
	w.put(registry.SubjectOf(change), message)
	w.mirrors["XC"] = "XC's second mirror"
}

// Whose signatures count depends on the size that they are of.
func TestCosignaturesUnderTheKeysOfTheirSize(t *testing.T) {
	w := newWorld(t)
	w.update(registrytest.RevokeKey(registrytest.MirrorOwner("XB"), 0), "root XB")                           // 8
	w.update(registrytest.EnrolKey(registrytest.MirrorOwner("XB"), "mirror XB 2"), "root XB", "mirror XB 2") // 9
	w.say(police, event.Seen{}, site("S-4"))
	w.notarise()
	w.cosign("XB", w.tree.Size(), w.tree.Root()) // with the key that was revoked
	w.mirrors["XB"] = "mirror XB 2"
	w.cosign("XB", w.tree.Size(), w.tree.Root())
	w.cosign("XA", w.tree.Size(), w.tree.Root())
	summary := w.finds(at(audit.FindingCosignature, 11))
	same(t, "cosigned by", []string{"XA", "XB"}, summary.CosignedBy)
}

func TestCheckpointsUnderTheKeyOfTheirSize(t *testing.T) {
	amend := &registryv1.Update{Change: &registryv1.Update_CharterAmended{CharterAmended: &registryv1.CharterAmended{NotaryKey: registrytest.Public("notary 2")}}}
	t.Run("the new one from its size on", func(t *testing.T) {
		w := newWorld(t)
		w.witness()
		w.update(amend, append(founders, "notary 2")...)
		w.notary = "notary 2"
		w.goOn()
		w.finds()
	})
	t.Run("the old one beyond", func(t *testing.T) {
		w := newWorld(t)
		index := w.update(amend, append(founders, "notary 2")...)
		leaves := w.leaves()
		data, err := proto.Marshal(leaves)
		must(t, err)
		w.log = append(w.log, noted{leavesSubject, data})
		w.notary = "notary 2"
		w.goOn()
		w.finds(at(audit.FindingLeaves, index))
	})
	t.Run("the new one before", func(t *testing.T) {
		w := newWorld(t)
		w.say(police, event.Seen{}, site("S-4"))
		w.notary = "notary 2"
		data, err := proto.Marshal(w.leaves())
		must(t, err)
		w.log = append(w.log, noted{leavesSubject, data})
		w.update(amend, append(founders, "notary 2")...)
		w.goOn()
		w.finds(at(audit.FindingLeaves, 8))
	})
}

// An update that the hub kept back until its leaf was judged changes nothing of
// what is judged already, and is named.
func TestUpdateThatComesTooLate(t *testing.T) {
	w := newWorld(t)
	index := w.update(registrytest.AmendCharter(2, 3), founders...)
	w.witness()
	replay, err := audit.New(registrytest.Charter(t))
	must(t, err)
	for _, m := range w.events[:index] {
		must(t, replay.Event(m))
	}
	for _, n := range w.log {
		if n.subject == leavesSubject {
			replay.Leaves(n.data)
		}
	}
	must(t, replay.Event(w.events[index]))
	summary, err := replay.Finish()
	must(t, err)
	got := []audit.Finding{}
	for _, f := range summary.Findings {
		got = append(got, at(f.Code, f.Index))
	}
	same(t, "findings", []audit.Finding{at(audit.FindingRegistry, index+1), at(audit.FindingMissing, index), at(audit.FindingMissing, index)}, got)
	same(t, "log size", index+1, summary.LogSize)
}

// The notary leaves an update out of what it signs, from one checkpoint on. That is
// said once, and all the rest is still looked at.
func TestAdversary_R05_NotarySignsAnotherRegistry(t *testing.T) {
	w := newWorld(t)
	w.update(registrytest.AmendCharter(2, 3), founders...)
	before := w.checkpoint(8, translog.Hash{}).Registry
	lie := func(l *logv1.Leaves) { l.Checkpoint = w.noteOf(w.tree.Size(), w.tree.Root(), before) }
	w.notarise(lie)
	w.say(police, event.Seen{}, site("S-4"))
	w.notarise(lie)
	w.log = append(w.log, noted{leavesSubject, []byte("no leaves")})
	w.goOn()
	w.finds(at(audit.FindingRegistry, 9), at(audit.FindingLeaves, 10))
}

// A mirror that cosigns another registry over the true root was shown another log,
// or lies.
func TestMirrorCosignsAnotherRegistry(t *testing.T) {
	w := newWorld(t)
	mirror, err := translog.NewMirror(registrytest.Origin, "XB", registrytest.Key("mirror XB"))
	must(t, err)
	for _, size := range []uint64{4, 8} { // forgotten by the follower, and not
		c := w.checkpoint(size, w.rootAt(size))
		c.Registry[3] ^= 1
		note, err := mirror.Cosign(c, 1_700_000_000)
		must(t, err)
		w.log = append(w.log, noted{cosignPrefix + "XB", note})
	}
	w.goOn()
	w.finds(at(audit.FindingRegistry, 4), at(audit.FindingRegistry, 8))
}
