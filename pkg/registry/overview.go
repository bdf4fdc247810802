package registry

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/tripoint/tripoint/pkg/event"
)

// Overview is a State in a form to be shown: who may say what to whom. Its JSON
// form is what registry show prints, and is changed only by addition.
type Overview struct {
	Charter    string            `json:"charter"` // digest, hexadecimal
	Name       string            `json:"name"`
	Origin     string            `json:"origin"`
	Threshold  int               `json:"threshold"`               // roots that a change of the charter takes now
	Quorum     int               `json:"quorum"`                  // countries that witness a checkpoint now
	Notary     string            `json:"notary"`                  // public key, hexadecimal
	Second     string            `json:"notary_second,omitempty"` // SHA-256 of its second key; empty: it has none
	Members    []MemberView      `json:"members"`
	Agencies   []AgencyView      `json:"agencies"`
	Audiences  []AudienceView    `json:"audiences"`
	Retention  map[string]uint32 `json:"retention"` // days by class
	OpeningKey []OpeningView     `json:"opening_keys"`
}

// MemberView is one member.
type MemberView struct {
	Country string   `json:"country"`
	Status  Status   `json:"status"`
	Since   uint64   `json:"since"` // log index
	Reason  string   `json:"reason,omitempty"`
	Root    string   `json:"root"`
	Mirror  string   `json:"mirror,omitempty"` // empty: none is valid
	Reads   []string `json:"reads"`            // addresses
}

// AgencyView is one agency.
type AgencyView struct {
	Country string   `json:"country"`
	Agency  string   `json:"agency"`
	Name    string   `json:"name"`
	Key     string   `json:"key,omitempty"`        // public key; empty: none is valid
	Second  string   `json:"second_key,omitempty"` // SHA-256 of its second key; empty: it has none
	From    uint64   `json:"from,omitempty"`
	To      []string `json:"may_publish_to"`    // audiences
	Why     string   `json:"not_now,omitempty"` // why it may publish to none
}

// AudienceView is one audience.
type AudienceView struct {
	Audience string   `json:"audience"`
	Address  string   `json:"address"` // what an event to it names now
	Readers  []string `json:"read_by"`
	Writers  []string `json:"written_by"` // agencies, as country/agency
	Purposes []string `json:"purposes"`
	Classes  []string `json:"retention_classes"` // empty: all
}

// OpeningView is one opening key that is valid.
type OpeningView struct {
	Country     string `json:"country"`
	Compartment uint32 `json:"compartment"`
	Epoch       uint32 `json:"epoch"`
	Digest      string `json:"digest"` // SHA-256 of the public key, which is long
}

// Overview is everything that is valid in this state, in a fixed order.
func (s State) Overview() Overview {
	o := Overview{Charter: s.charter.String(), Members: []MemberView{}, Agencies: []AgencyView{},
		Audiences: []AudienceView{}, OpeningKey: []OpeningView{}, Retention: map[string]uint32{}}
	if s.book == nil {
		return o
	}
	policy := s.book.terms[len(s.book.terms)-1].Policy
	o.Name, o.Origin, o.Notary = s.book.name, s.book.origin, hex.EncodeToString(s.book.notary)
	o.Second = digestOf(s.book.notarySecond)
	o.Threshold, o.Quorum, o.Retention = s.book.required(), policy.Quorum, s.Retention()
	for _, m := range s.Members() {
		o.Members = append(o.Members, MemberView{
			Country: m.Country, Status: m.Status, Since: m.Since, Reason: m.Reason,
			Root: hex.EncodeToString(m.Root), Mirror: hex.EncodeToString(m.Mirror), Reads: orNone(s.Reads(m.Country)),
		})
	}
	writers := map[string][]string{}
	for _, a := range s.book.agencies {
		view := s.agencyView(a)
		for _, id := range view.To {
			writers[id] = append(writers[id], a.Country+"/"+a.ID)
		}
		o.Agencies = append(o.Agencies, view)
	}
	for _, a := range s.Audiences() {
		o.Audiences = append(o.Audiences, AudienceView{
			Audience: a.ID, Address: a.Address(), Readers: orNone(a.Members), Writers: orNone(writers[a.ID]),
			Purposes: a.Purposes, Classes: orNone(a.Retention),
		})
	}
	for _, key := range s.book.openings {
		if key.Until == math.MaxUint64 {
			o.OpeningKey = append(o.OpeningKey, OpeningView{key.Country, key.Compartment, key.Epoch, event.DigestOf(key.Public).String()})
		}
	}
	return o
}

func (s State) agencyView(a Agency) AgencyView {
	view := AgencyView{Country: a.Country, Agency: a.ID, Name: a.Name, To: []string{}}
	member := s.book.members[a.Country]
	key, ok := s.book.keys[a.Key]
	if ok {
		view.Key, view.Second, view.From = hex.EncodeToString(key.Public), digestOf(key.Second), key.From
	}
	switch {
	case member.Status == Left:
		view.Why = fmt.Sprintf("%s left at index %d", a.Country, member.Since)
	case a.Retired != 0:
		view.Why = fmt.Sprintf("retired at index %d", a.Retired)
	case member.Status == Suspended:
		view.Why = fmt.Sprintf("%s is suspended since index %d", a.Country, member.Since)
	case !ok:
		view.Why = "its key was revoked, and no other is enrolled"
	default:
		view.To = orNone(s.AudiencesOf(a.Country))
		if len(view.To) == 0 {
			view.Why = a.Country + " is in no audience"
		}
	}
	return view
}

// digestOf stands for a key that is too long to be shown; empty where there is none.
func digestOf(key []byte) string {
	if len(key) == 0 {
		return ""
	}
	return event.DigestOf(key).String()
}

func orNone(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// Facts are an overview as sentences, one for each thing that can change by itself, sorted.
func (o Overview) Facts() []string {
	facts := []string{
		fmt.Sprintf("the charter: a change takes %d roots", o.Threshold),
		fmt.Sprintf("the charter: a checkpoint is witnessed by %d countries", o.Quorum),
		fmt.Sprintf("the charter: the notary signs with %s", o.Notary),
	}
	if o.Second != "" {
		facts = append(facts, fmt.Sprintf("the charter: the notary signs with a second key too, of digest %s", o.Second))
	}
	for _, m := range o.Members {
		facts = append(facts, fmt.Sprintf("member %s: %s since index %d", m.Country, m.Status, m.Since),
			fmt.Sprintf("member %s: root %s", m.Country, m.Root))
		if m.Mirror != "" {
			facts = append(facts, fmt.Sprintf("member %s: cosigns with %s", m.Country, m.Mirror))
		}
		for _, address := range m.Reads {
			facts = append(facts, fmt.Sprintf("member %s: reads %s", m.Country, address))
		}
	}
	for _, a := range o.Agencies {
		who := "agency " + a.Country + "/" + a.Agency
		facts = append(facts, fmt.Sprintf("%s: calls itself %q", who, a.Name))
		if a.Key != "" {
			facts = append(facts, fmt.Sprintf("%s: signs with %s, from index %d", who, a.Key, a.From))
		}
		if a.Second != "" {
			facts = append(facts, fmt.Sprintf("%s: signs with a second key too, of digest %s", who, a.Second))
		}
		for _, id := range a.To {
			facts = append(facts, fmt.Sprintf("%s: may publish to %s", who, id))
		}
		if a.Why != "" {
			facts = append(facts, fmt.Sprintf("%s: publishes nowhere, since %s", who, a.Why))
		}
	}
	for _, a := range o.Audiences {
		facts = append(facts, fmt.Sprintf("audience %s: has the address %s", a.Audience, a.Address),
			fmt.Sprintf("audience %s: is for %s", a.Audience, join(a.Purposes)),
			fmt.Sprintf("audience %s: %s", a.Audience, retentionWords(a.Classes)))
	}
	for _, class := range slices.Sorted(maps.Keys(o.Retention)) {
		facts = append(facts, fmt.Sprintf("retention class %s: %d days", class, o.Retention[class]))
	}
	for _, k := range o.OpeningKey {
		facts = append(facts, fmt.Sprintf("desk %s: compartment %d is sealed to key %s (epoch %d)", k.Country, k.Compartment, k.Digest, k.Epoch))
	}
	slices.Sort(facts)
	return facts
}

// Diff is what holds in one overview and not in the other, in both directions.
func Diff(before, after Overview) (gone, come []string) {
	old, now := before.Facts(), after.Facts()
	only := func(these, others []string) []string {
		return slices.DeleteFunc(slices.Clone(these), func(fact string) bool {
			_, found := slices.BinarySearch(others, fact)
			return found
		})
	}
	return only(old, now), only(now, old)
}
