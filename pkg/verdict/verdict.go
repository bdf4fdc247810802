// Package verdict decides what a message on the stream is. There is one
// function, Judge, total over (registry state, publisher chains, message), and
// every consumer uses it unchanged: a message accepted by one is accepted by
// all, and one refused is refused by all for the same named reason.
package verdict

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
)

// Code names a verdict. Codes are part of read models and reports, and stable.
type Code string

// The verdicts, in the order in which they are tried.
const (
	Undecodable    Code = "undecodable"     // not an envelope of this format
	UnknownKey     Code = "unknown-key"     // no such key in the registry
	KeyNotValid    Code = "key-not-valid"   // known, but not valid at this log index
	WrongAgency    Code = "wrong-agency"    // the key speaks for another agency, or the subject is not the header's
	AudienceClosed Code = "audience-closed" // no such audience, not open to this country, or not this address any more
	BadSignature   Code = "bad-signature"   // signature or batch path does not verify
	BadBody        Code = "bad-body"        // signed, but the body is not the one that was signed
	Duplicate      Code = "duplicate"       // the same header, or the same update, is in the log already
	Equivocation   Code = "equivocation"    // the counter was used for another header: both are proof
	Gap            Code = "gap"             // an earlier event of the chain is missing
	Broken         Code = "broken-chain"    // the next counter, but not the header that it should follow, or an id used before
	NotUpdate      Code = "bad-update"      // a registry update that does not apply
	Accepted       Code = "accepted"
)

// Refused reports whether the code is neither accepted nor a harmless duplicate.
func (c Code) Refused() bool { return c != Accepted && c != Duplicate }

// Chains is what a consumer remembers of the publishers' chains. Head and
// HeaderAt speak of accepted events only.
type Chains interface {
	// Head is where a chain stands; the zero Head for a chain without events.
	Head(event.Chain) (event.Head, error)
	// HeaderAt is the digest of the chain's header with that counter. Judge asks
	// only for counters up to the head's.
	HeaderAt(chain event.Chain, counter uint64) (event.Digest, error)
}

// Judged is a verdict with what it was given on.
type Judged struct {
	Code   Code
	Reason string // in plain words; empty where Code says it all

	Event    event.Verified        // set where Code is Accepted, Duplicate, Equivocation, Gap or Broken, of an event
	Update   bool                  // accepted as a registry update: State is the new registry
	State    registry.State        // the registry after this message
	Restored *translog.Restoration // accepted as the hub's word that the stream was restored; nil: it is none
}

// Said reports whether the message is an event, and accepted.
func (j Judged) Said() bool { return j.Code == Accepted && j.Event.ID != event.ID{} }

// Head is the head of the event's chain once an accepted event has been taken in.
func (j Judged) Head() event.Head {
	return event.Head{Counter: j.Event.Counter, Digest: j.Event.HeaderDigest, LastID: j.Event.ID}
}

// Judge gives the verdict on the message at a log index. An error is never about
// the message: chains could not be read, and the message must be judged again.
func Judge(state registry.State, chains Chains, roots *event.Roots, index uint64, subject string, data []byte) (Judged, error) {
	switch {
	case registry.IsSubject(subject):
		return judgeUpdate(state, index, subject, data), nil
	case subject == translog.RestoredSubject:
		return judgeRestored(state, index, data), nil
	}
	refuse := func(code Code, format string, args ...any) (Judged, error) {
		return Judged{Code: code, Reason: fmt.Sprintf(format, args...), State: state}, nil
	}
	envelope, err := event.Decode(data)
	if err != nil {
		return refuse(Undecodable, "%v", err)
	}
	claims := envelope.Claims()
	key, ok := state.Key(envelope.KeyID())
	switch {
	case !ok:
		return refuse(UnknownKey, "key %s is not in the registry", envelope.KeyID())
	case state.Invalid(key, index) != nil:
		return refuse(KeyNotValid, "key %s is not valid at index %d: %v", envelope.KeyID(), index, state.Invalid(key, index))
	case key.Country != claims.Chain.Country || key.Agency != claims.Chain.Agency:
		return refuse(WrongAgency, "signed with the key of %s/%s", key.Country, key.Agency)
	case subject != claims.Subject():
		return refuse(WrongAgency, "lies on a subject that its header does not call for")
	}
	if _, err := state.Open(claims.Chain.Country, claims.Chain.Audience); err != nil {
		return refuse(AudienceClosed, "%v", err)
	}
	verified, err := envelope.Verify(key.Public, key.Second, roots)
	switch {
	case errors.Is(err, event.ErrBody):
		return refuse(BadBody, "%v", err)
	case err != nil:
		return refuse(BadSignature, "%v", err)
	}
	verified.Chain.Renewal = key.Renewal // the header does not say it
	judged, err := judgeChain(chains, verified)
	judged.State = state
	return judged, err
}

func judgeUpdate(state registry.State, index uint64, subject string, data []byte) Judged {
	next, err := state.Apply(index, subject, data)
	switch {
	case errors.Is(err, registry.ErrApplied):
		return Judged{Code: Duplicate, State: state}
	case err != nil:
		return Judged{Code: NotUpdate, Reason: err.Error(), State: state}
	}
	return Judged{Code: Accepted, Update: true, State: next}
}

func judgeRestored(state registry.State, index uint64, data []byte) Judged {
	restored, err := translog.ParseRestoration(index, data)
	if err != nil {
		return Judged{Code: Undecodable, Reason: err.Error(), State: state}
	}
	return Judged{Code: Accepted, Restored: &restored, State: state}
}

func judgeChain(chains Chains, v event.Verified) (Judged, error) {
	head, err := chains.Head(v.Chain)
	if err != nil {
		return Judged{}, fmt.Errorf("judging event %s: %w", v.ID, err)
	}
	judged := Judged{Code: Accepted, Event: v}
	switch {
	case v.Counter > head.Counter+1:
		judged.Code = Gap
		judged.Reason = fmt.Sprintf("counter %d after %d", v.Counter, head.Counter)
	case v.Counter == head.Counter+1 && v.Previous != head.Digest:
		judged.Code = Broken
		judged.Reason = fmt.Sprintf("follows header %s where the chain has %s", v.Previous, head.Digest)
	case v.Counter == head.Counter+1 && head.Counter > 0 && !head.LastID.Less(v.ID):
		judged.Code = Broken
		judged.Reason = fmt.Sprintf("event id %s does not come after %s: an id is used once", v.ID, head.LastID)
	case v.Counter <= head.Counter:
		known, err := chains.HeaderAt(v.Chain, v.Counter)
		if err != nil {
			return Judged{}, fmt.Errorf("judging event %s: %w", v.ID, err)
		}
		if known == v.HeaderDigest {
			judged.Code = Duplicate
		} else {
			judged.Code = Equivocation
			judged.Reason = fmt.Sprintf("counter %d was used for header %s, now for %s", v.Counter, known, v.HeaderDigest)
		}
	}
	return judged, nil
}

// Label is the audience's address that a subject names: the empty label for the registry,
// the hub's own word and what lies on no event subject: everybody reads those. The notary labels leaves with it.
func Label(subject string) string {
	rest, ok := strings.CutPrefix(subject, "evt.")
	if !ok {
		return ""
	}
	audience, _, _ := strings.Cut(rest, ".")
	return audience
}
