package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// json is content as JSON; nil where it is not what its compartment holds.
// unshown is how many bytes of it this leaves out: fields that this version does not
// know, or that stand there twice.
func (r reading) json() (shown json.RawMessage, unshown int) {
	var m proto.Message
	switch r.compartment {
	case eventv1.Compartment_COMPARTMENT_CASE:
		m = &caseworkv1.CaseSection{}
	case eventv1.Compartment_COMPARTMENT_IDENTITY:
		m = &caseworkv1.IdentitySection{}
	case eventv1.Compartment_COMPARTMENT_PROTECTION:
		m = &caseworkv1.ProtectionSection{}
	case eventv1.Compartment_COMPARTMENT_INTELLIGENCE:
		m = &caseworkv1.IntelligenceSection{}
	default:
		return nil, 0
	}
	if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(r.content, m) != nil {
		return nil, 0
	}
	data, err := protojson.Marshal(m)
	compact := &bytes.Buffer{}
	if err != nil || json.Compact(compact, data) != nil { // its spaces are not the same each time
		return nil, 0
	}
	return compact.Bytes(), len(r.content) - proto.Size(m)
}

// plain replaces what a terminal would act on, or what turns text around.
func plain(text string) string {
	out := &strings.Builder{}
	for _, r := range text {
		if unicode.IsPrint(r) {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(out, `\u%04x`, r)
		}
	}
	return out.String()
}

// proven says in plain words what the file proves.
func (r Report) proven() []string {
	e, c := r.Event, r.Checkpoint
	said := []string{
		fmt.Sprintf("%s/%s, an agency of %s that calls itself %q, said this: event %s, %s, SHA-256 of the message %s. It is signed with the agency's key %s, over exactly these bytes.",
			e.Country, e.Agency, e.Country, e.AgencyName, e.ID, e.kind(), e.Message, r.Key.ID),
		fmt.Sprintf("It lies in the log that its founders called %q (%s) at index %d. There it was addressed to %s, which %s could read, and the agency was allowed to publish to it.",
			r.Log.Name, plain(r.Log.Origin), e.Index, e.Address, list(e.Readers)),
		fmt.Sprintf("The key was valid at that index: the registry gives it to this agency from index %d on. %s", r.Key.From, r.Key.since()),
		fmt.Sprintf("The registry in this file is whole: it is all updates that applied below size %d, of which there are %d, and what the notary and the countries below have signed says that there was no other. No revocation, rotation or change of members up to there is left out.",
			c.Size, c.Updates),
		fmt.Sprintf("The log's first %d messages, this event among them, are fixed by one digest (%s), which the notary has signed. They cannot be altered, moved, left out or added to without another digest.", c.Size, c.Root),
		fmt.Sprintf("%s. It takes %d to witness this log. Each vouches that it has recomputed the digest, out of the messages that it may read and the digests of all others, and has never signed another one for as many.", r.cosigned(), r.Quorum),
	}
	for i, s := range e.Sections {
		if s.Opened {
			said = append(said, fmt.Sprintf("What is shown of the part %s (the event's part %d, which was published sealed) is what the agency sealed: it opens with the one key that the signed header commits to, and nothing else opens with it.", s.Compartment, i+1))
		}
	}
	return said
}

// sealed is the kind in the header of an event whose case section is sealed.
const sealed = "event.sealed"

func (e Event) kind() string {
	if e.Kind == sealed {
		return "of a kind that its sealed content alone says"
	}
	return "of the kind " + e.Kind
}

// since says what became of the key later.
func (k Key) since() string {
	switch {
	case k.Doubted:
		return "BUT: the key was revoked later, and its owner says that it does not vouch any more for what was signed with it at this index: somebody else may have had the key. Since then: " + plain(k.Ended) + "."
	case k.Ended != "":
		return "It is not valid any more (" + plain(k.Ended) + "); its owner does not doubt what it signed at this index."
	}
	return "Up to the end of what this file shows it was not revoked, and nobody doubts it."
}

func (r Report) cosigned() string {
	var all []string
	for _, w := range r.Witnesses {
		words := w.Country + " at " + w.Time
		if w.Size > r.Checkpoint.Size {
			words += fmt.Sprintf(" (a log of %d messages, which begins with these)", w.Size)
		}
		all = append(all, words)
	}
	return fmt.Sprintf("Countries that have witnessed that, each at a time by its own clock: %s", list(all))
}

// notProven says in plain words what nobody may read into the file.
func (r Report) notProven() []string {
	said := []string{
		"That what the event says is true. It is what the holder of the agency's key said.",
		fmt.Sprintf("When it was said. %s is what the publisher's own clock showed. By the witnesses' clocks it was in the log at %s at the latest.", r.Event.Recorded, r.latest()),
		fmt.Sprintf("That it was taken in by readers as event %d of the agency's chain at this address. A reader also refuses what comes twice, uses a number twice for different content, or follows something that is missing; that shows only in the whole log. Who made this file says that it was accepted; an audit replay of the log proves it.", r.Event.Counter),
		fmt.Sprintf("What came after the log's first %d messages: whether the agency corrected or withdrew this, or whether the key was found to be lost later.", r.newest()),
		"That the charter named above is the right one: compare its digest with what a founding member or a court holds.",
	}
	for i, s := range r.Event.Sections {
		if s.Sealed && !s.Opened {
			said = append(said, fmt.Sprintf("What %s says, or for whom in a country it is: only its ciphertext and its digest are here.", s.name(i)))
		}
	}
	return said
}

// latest is when a quorum had cosigned, by the clocks of those who had.
func (r Report) latest() string {
	var times []uint64
	for _, w := range r.Witnesses {
		times = append(times, w.Seconds)
	}
	slices.Sort(times)
	return moment(times[r.Quorum-1])
}

func (r Report) newest() uint64 { return r.Witnesses[len(r.Witnesses)-1].Size }

// list joins with commas and an "and".
func list(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}
