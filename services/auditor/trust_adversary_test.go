package auditor_test

import (
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// The attacks on trust, played by members over their own connections to a real
// hub, and judged by an audit that knows the charter alone.

// hand gives any message to the hub as a country's registrar.
func (h *house) hand(country, subject string, message []byte) {
	h.t.Helper()
	_, err := h.as(stream.RegistrarUser(country)).Publish(h.t.Context(), subject, message)
	must(h.t, err)
	h.next++
}

// attempt hands in a change that must not apply.
func (h *house) attempt(country string, change *registryv1.Update, signers ...string) {
	h.t.Helper()
	h.registry.Next = h.next
	subject, message := h.registry.Message(h.t, change, signers...)
	h.hand(country, subject, message)
}

// with signs as XA's police, with a key of that name, and publishes over XA's own connection.
func (h *house) with(name string, head event.Head) {
	h.t.Helper()
	h.keys["XA/police"] = name
	messages, _ := h.sign("XA/police", police, head, event.Seen{}, 1)
	h.publish(police, messages...)
}

// reconnected waits until the hub lets XA's police in with the credentials of its newest key.
func (h *house) reconnected() {
	h.t.Helper()
	user := stream.PublisherUser("XA", "police")
	h.conns[user].Close()
	delete(h.conns, user)
	h.admitted(user)
}

// E07: a key before its enrolment, after its rotation, and enrolled once more after its revocation.
func TestAdversary_E07_KeysOnTheWire(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	h.with("second key", event.Head{})                                                                    // 1: not enrolled yet
	h.update(RevokeKey(AgencyOwner("XA", "police"), 0), "root XA")                                        // 2
	h.update(EnrolKey(AgencyOwner("XA", "police"), "second key"), "root XA", "second key")                // 3
	h.reconnected()                                                                                       // the hub shuts the lost key's credentials out
	h.with("publisher XA/police", event.Head{})                                                           // 4: revoked
	h.keys["XA/police"] = "second key"                                                                    //
	h.say(police, event.Seen{}, 1)                                                                        // 5
	h.update(RotateKey(AgencyOwner("XA", "police"), "next second key"), "next second key")                // 6
	h.with("second key", h.heads[police])                                                                 // 7: rotated away
	h.keys["XA/police"] = "next second key"                                                               //
	h.say(police, event.Seen{}, 1)                                                                        // 8
	h.update(RevokeKey(AgencyOwner("XA", "border"), 0), "root XA")                                        // 9
	h.hand("XA", "reg.key.enrolled", h.withKey(EnrolKey(AgencyOwner("XA", "border"), "x"), "second key")) // 10: a key that was somebody's
	h.witness(11)
	summary := h.finds(at("unknown-key", 1), at("key-not-valid", 4), at("key-not-valid", 7), at("bad-update", 10))
	same(t, "accepted", uint64(7), summary.Accepted)
	h.because(summary, 10, "is also that of XA/police")
}

// withKey is an enrolment signed by everybody, in which another key was put.
func (h *house) withKey(change *registryv1.Update, name string) []byte {
	h.t.Helper()
	return h.forged(change, func(u *registryv1.Update) { u.GetKeyEnrolled().PublicKey = Public(name) }, "root XA", name)
}

// because checks the words of a finding.
func (h *house) because(summary audit.Summary, index uint64, want string) {
	h.t.Helper()
	for _, finding := range summary.Findings {
		if finding.Index == index && !strings.Contains(finding.What, want) {
			h.t.Errorf("%d: %q, want words about %q", index, finding.What, want)
		}
	}
}

// forged is a change in its place, altered where no proposal would let it be, and then signed.
func (h *house) forged(change *registryv1.Update, alter func(*registryv1.Update), signers ...string) []byte {
	h.t.Helper()
	update, err := h.registry.State.Propose(change, h.next+1000)
	must(h.t, err)
	decoded := &registryv1.Update{}
	must(h.t, proto.Unmarshal(update, decoded))
	alter(decoded)
	update, err = proto.Marshal(decoded)
	must(h.t, err)
	data, err := proto.Marshal(SignUpdate(h.t, update, signers...))
	must(h.t, err)
	return data
}

// E08: a signature spelled otherwise (S plus the group's order), and a key of small order.
func TestAdversary_E08_SpellingsOnTheWire(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	messages, next := h.sign("XA/police", police, event.Head{}, event.Seen{}, 1)
	h.publish(police, stream.Message{Subject: messages[0].Subject, Data: h.altered(messages[0].Data, addOrder)}) // 1
	h.publish(police, messages...)                                                                               // 2
	h.heads[police] = next
	h.update(RevokeKey(AgencyOwner("XA", "border"), 0), "root XA")                                                     // 3
	h.hand("XA", "reg.key.enrolled", h.forged(EnrolKey(AgencyOwner("XA", "border"), "x"), func(u *registryv1.Update) { // 4
		u.GetKeyEnrolled().PublicKey = append([]byte{1}, make([]byte, 31)...)
	}, "root XA"))
	h.witness(5)
	h.because(h.finds(at("bad-signature", 1), at("bad-update", 4)), 4, "small order")
}

func (h *house) altered(data []byte, alter func(*eventv1.Envelope)) []byte {
	h.t.Helper()
	envelope := &eventv1.Envelope{}
	must(h.t, proto.Unmarshal(data, envelope))
	alter(envelope)
	out, err := proto.Marshal(envelope)
	must(h.t, err)
	return out
}

// addOrder makes of a signature's S the number S + L, which fits as well where S is not bounded.
func addOrder(e *eventv1.Envelope) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(e.Proof.Signature[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	copy(e.Proof.Signature[32:], sum)
}

// E10: a signature that was given for one thing, offered as one for another.
func TestAdversary_E10_SignaturesOnTheWire(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	h.registry.Next = h.next
	change := Retire("XA", "border")
	update, err := h.registry.State.Propose(change, 1000)
	must(t, err)
	possession, err := registry.SignPossession(Key("root XA"), update)
	must(t, err)
	data, err := proto.Marshal(&registryv1.SignedUpdate{Update: update,
		Signatures: []*registryv1.RootSignature{{Country: "XA", Signature: possession.GetSignature()}}})
	must(t, err)
	h.hand("XA", "reg.agency.retired", data) // 1: a possession as a consent
	messages, _ := h.sign("XA/police", police, event.Head{}, event.Seen{}, 1)
	h.publish(police, stream.Message{Subject: messages[0].Subject, Data: h.altered(messages[0].Data, func(e *eventv1.Envelope) { // 2: a consent as a batch's
		consent, err := registry.SignRoot("XA", Key("publisher XA/police"), e.GetHeader())
		must(t, err)
		e.Proof.Signature = consent.GetSignature()
	})})
	h.witness(3)
	h.finds(at("bad-update", 1), at("bad-signature", 2))
}

// E11: the same event with fields that nobody knows beside what is signed: one event, one hash.
func TestAdversary_E11_SpellingsOnTheWire(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	messages, _ := h.sign("XA/police", police, event.Head{}, event.Seen{}, 1)
	unknown := protowire.AppendBytes(protowire.AppendTag(slices.Clone(messages[0].Data), 99, protowire.BytesType), []byte("beside"))
	h.publish(police, stream.Message{Subject: messages[0].Subject, Data: unknown}) // 1
	h.publish(police, messages...)                                                 // 2: the same
	subject, message := h.registry.Message(t, Retire("XA", "border"), "root XA")
	h.hand("XA", subject, protowire.AppendBytes(protowire.AppendTag(slices.Clone(message), 99, protowire.BytesType), []byte("beside"))) // 3
	h.hand("XB", subject, message)                                                                                                      // 4: the same
	h.witness(5)
	summary := h.finds()
	same(t, "verdicts", map[string]uint64{"accepted": 3, "duplicate": 2}, summary.Verdicts)
}

// E12: a clock in the future, and one that went back: nobody is judged by it.
func TestAdversary_E12_ClocksOnTheWire(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	key, err := event.NewSigningKey(Key("publisher XA/police"))
	must(t, err)
	head := event.Head{}
	for _, year := range []int{2099, 1971, 2025} {
		draft := h.draft()
		draft.Recorded = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		signed, next, err := event.SignBatch(key, police, head, event.Seen{}, []event.Draft{draft})
		must(t, err)
		h.publish(police, stream.Message{Subject: signed[0].Subject, Data: signed[0].Data})
		head = next
	}
	h.witness(4)
	same(t, "accepted", uint64(4), h.finds().Accepted)
}

// R02: the threshold as it was agrees to a higher one, which does not.
func TestAdversary_R02_ThresholdsOnTheWire(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	h.update(AmendCharter(2, 2), founders...)                       // 1
	h.attempt("XA", AmendCharter(3, 2), "root XA", "root XB")       // 2: the old threshold only
	h.attempt("XA", Admit("XD"), "root XA", "root XD", "mirror XD") // 3: the new one only, with the newcomer
	h.update(Suspend("XC"), "root XA", "root XB")                   // 4
	h.attempt("XC", Reinstate("XC"), "root XA", "root XC")          // 5: a suspended member's root does not count
	h.say(border, event.Seen{}, 1)                                  // 6
	newest := h.checkpoint(7)
	h.cosign("XA", newest)
	h.cosign("XB", newest)
	summary := h.finds(at("bad-update", 2), at("bad-update", 3), at("bad-update", 5))
	same(t, "accepted", uint64(4), summary.Accepted)
}

// R04: XB enrols an agency of XA, with its own root, and speaks for it.
func TestAdversary_R04_AnothersAgencyOnTheWire(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	h.attempt("XB", Enrol("XA", "navy"), "root XB", "publisher XA/navy")  // 1
	h.attempt("XB", RevokeKey(AgencyOwner("XA", "police"), 0), "root XB") // 2
	h.keys["XB/border"] = "publisher XA/navy"                             //
	navy, _ := h.sign("XB/border", event.Chain{Country: "XA", Agency: "navy", Audience: "region"}, event.Head{}, event.Seen{}, 1)
	h.publish(border, stream.Message{Subject: "evt.region.XB.border.site.reported", Data: navy[0].Data}) // 3
	h.say(police, event.Seen{}, 1)                                                                       // 4: not revoked
	h.witness(5)
	summary := h.finds(at("bad-update", 1), at("bad-update", 2), at("unknown-key", 3))
	same(t, "accepted", uint64(2), summary.Accepted)
}
