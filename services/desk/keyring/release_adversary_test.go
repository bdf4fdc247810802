package keyring

import (
	"crypto/hpke"
	"strings"
	"testing"

	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// K07: a release's record without an erased event is the newest, wherever it lies. The hub
// shows the one from before again, on the subject of another address.
func TestAdversary_K07_OldReleaseAtAnotherAddress(t *testing.T) {
	w := newWorld(t)
	audience, _ := w.book.State.Audience("pair")
	audience.Members = []string{"XA"}
	b := w.says(2, seal.Recipients(w.book.State, audience, w.book.Next)...)
	opener := seal.NewOpener(func(c eventv1.Compartment, _ uint32) hpke.PrivateKey { return OpeningOf("XA", uint32(c)) })
	var sections []seal.Released
	for _, e := range b.events {
		sections = append(sections, seal.Released{Event: e, Compartment: theCase, Key: caseKey(opener.Open(e, start, b.record.Portion("XA")))})
	}
	before, err := seal.Release(signer(t, "XA/police"), w.book.State.Openings("XB", uint32(theCase)), 1, b.record.Expires, sections)
	must(t, err)
	after, err := seal.Erase(signer(t, "XA/police"), before, b.events[0].ID)
	must(t, err)
	at := func(address string, r seal.Record) Offered {
		return Offered{Subject: "key." + address + strings.TrimPrefix(r.Subject(), "key.pair"), Data: r.Data}
	}
	r := w.ring(t.TempDir())
	for _, offered := range [][]Offered{
		{at("region", before)}, {at("region", after)}, {at("region", before), at("other", before), at("region", after), at("pair", before), at("other", after)},
	} {
		_, err := r.Take(t.Context(), w.known(start), offered)
		must(t, err)
	}
	o := w.opener(r)
	same(t, "the erased event", "erased", reads(t, o, b.events[0], start)[0])
	same(t, "the other one", text(int(b.events[1].Counter), theCase), reads(t, o, b.events[1], start)[0])
	refusals, err := r.Refusals(t.Context())
	must(t, err)
	var refused []string
	for _, one := range refusals {
		address, _, _ := strings.Cut(strings.TrimPrefix(one.Subject, "key."), ".")
		refused = append(refused, address+" "+string(one.Reason))
	}
	same(t, "refused", []string{"region outdated-record", "other outdated-record", "pair outdated-record"}, refused)
}
