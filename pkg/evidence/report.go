package evidence

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Report is what a file proves. Its JSON form is a contract: it changes only by
// addition. Digests, roots and keys are in hexadecimal.
type Report struct {
	Log        Log        `json:"log"`
	Event      Event      `json:"event"`
	Key        Key        `json:"key"`
	Checkpoint Checkpoint `json:"checkpoint"`
	Quorum     int        `json:"quorum"` // countries that it takes to witness that checkpoint
	Witnesses  []Witness  `json:"witnesses"`
	Proven     []string   `json:"proven"`     // in plain words
	NotProven  []string   `json:"not_proven"` // likewise: what the file cannot prove
}

// Log is the log that the event lies in.
type Log struct {
	Name    string `json:"name"`    // as its founders called it
	Origin  string `json:"origin"`  // as it is called in checkpoints
	Charter string `json:"charter"` // SHA-256 of the founding: what the reader brought along
}

// Event is what was said, and by whom.
type Event struct {
	ID         string    `json:"id"`
	Index      uint64    `json:"index"`   // log index
	Country    string    `json:"country"` // of the agency that says it
	Agency     string    `json:"agency"`
	AgencyName string    `json:"agency_name"`
	Kind       string    `json:"kind"`
	Address    string    `json:"address"` // of the audience
	Readers    []string  `json:"readers"` // countries that could read it then
	Counter    uint64    `json:"counter"` // its place in the agency's chain at this address
	Recorded   string    `json:"recorded"`
	Retention  string    `json:"retention"`
	Header     string    `json:"header"`  // SHA-256 of the header that was signed
	Message    string    `json:"message"` // SHA-256 of the message that lies in the log
	Sections   []Section `json:"sections"`
}

// Section is one part of an event's content.
type Section struct {
	Compartment string          `json:"compartment"` // empty of a sealed one that the file does not open
	Sealed      bool            `json:"sealed"`
	Opened      bool            `json:"opened,omitempty"` // it is sealed, and the file has its key
	Bytes       int             `json:"bytes"`
	Digest      string          `json:"digest"`            // SHA-256 of the section as it lies there
	Content     json.RawMessage `json:"content,omitempty"` // of one that is clear or opened, where this program can read it
	Unshown     int             `json:"unshown,omitempty"` // bytes of that one that Content leaves out
}

// Key is the key that the event was signed with.
type Key struct {
	ID      string `json:"id"`
	Public  string `json:"public"`
	From    uint64 `json:"from"`    // the first log index at which it is valid
	Ended   string `json:"ended"`   // why it would not be valid at the end of what the file shows; empty: it still is
	Doubted bool   `json:"doubted"` // its owner no longer vouches for what it signed at the event's index
}

// Checkpoint is the notary's.
type Checkpoint struct {
	Size     uint64 `json:"size"`
	Root     string `json:"root"`
	Registry string `json:"registry"` // head of the chain over the updates below size
	Updates  int    `json:"updates"`  // how many these are
}

// Witness is a country that has cosigned.
type Witness struct {
	Country string `json:"country"`
	Size    uint64 `json:"size"`
	Seconds uint64 `json:"seconds"` // since 1970, by its own clock
	Time    string `json:"time"`
}

// report gathers what the steps have found.
func (v *verification) report() (Report, error) {
	c, updates := v.statements[0], 0
	for _, m := range v.file.GetUpdates() {
		if m.GetIndex() < c.Size {
			updates++
		}
	}
	charter := v.now.Charter()
	r := Report{
		Log:        Log{Name: v.now.Name(), Origin: c.Origin, Charter: charter.String()},
		Event:      v.describe(),
		Key:        v.key(),
		Checkpoint: Checkpoint{Size: c.Size, Root: hex.EncodeToString(c.Root[:]), Registry: hex.EncodeToString(c.Registry[:]), Updates: updates},
		Quorum:     v.policy.Quorum,
	}
	for _, s := range v.statements[1:] {
		r.Witnesses = append(r.Witnesses, Witness{s.country, s.Size, s.time, moment(s.time)})
	}
	r.Proven, r.NotProven = r.proven(), r.notProven()
	return r, nil
}

// moment is a time in words. Of 8 bytes that anybody may fill it makes no error.
func moment(seconds uint64) string { return time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339) }

func (v *verification) describe() Event {
	e, m := v.event, v.file.GetEvent()
	agency, _ := v.then.Agency(e.Chain.Country, e.Chain.Agency)
	audience, _ := v.then.Audience(registry.AudienceOf(e.Chain.Audience))
	described := Event{
		ID: e.ID.String(), Index: m.GetIndex(), Country: e.Chain.Country, Agency: e.Chain.Agency, AgencyName: agency.Name,
		Kind: e.Kind, Address: e.Chain.Audience, Readers: audience.Members, Counter: e.Counter,
		Recorded: e.Recorded.UTC().Format(time.RFC3339Nano), Retention: e.Retention,
		Header: e.HeaderDigest.String(), Message: event.DigestOf(m.GetData()).String(),
	}
	for i, s := range e.Sections() {
		described.Sections = append(described.Sections, v.section(i, s))
	}
	return described
}

func (v *verification) section(at int, s event.Section) Section {
	section := Section{
		Sealed: s.Form == eventv1.SectionForm_SECTION_FORM_SEALED, Bytes: len(s.Content), Digest: event.DigestOf(s.Content).String(),
	}
	shown := reading{s.Compartment, s.Content}
	if section.Sealed {
		if shown, section.Opened = v.opened[at]; !section.Opened {
			return section
		}
	}
	if section.Compartment = event.CompartmentName(shown.compartment); !slices.Contains(event.Compartments(), shown.compartment) {
		section.Compartment = "compartment " + section.Compartment
	}
	section.Content, section.Unshown = shown.json()
	return section
}

func (v *verification) key() Key {
	key, _ := v.now.Key(v.event.KeyID)
	end := v.statements[len(v.statements)-1].Size
	k := Key{
		ID: v.event.KeyID.String(), Public: hex.EncodeToString(key.Public), From: key.From,
		Doubted: v.now.Doubted(v.event.Chain.Country, v.event.Chain.Agency, v.index),
	}
	if err := v.now.Invalid(key, end); err != nil {
		k.Ended = err.Error()
	}
	return k
}

// name is how the section at a place, from 0, is called.
func (s Section) name(at int) string {
	if s.Sealed && !s.Opened {
		return fmt.Sprintf("sealed part %d", at+1)
	}
	return s.Compartment
}

// String is the report as text, for a person.
func (r Report) String() string {
	text := &strings.Builder{}
	fmt.Fprintf(text, "This evidence holds.\n\nWhat it proves, to whoever knows that the log's charter is %s:\n", r.Log.Charter)
	for i, words := range r.Proven {
		fmt.Fprintf(text, "%3d. %s\n", i+1, words)
	}
	fmt.Fprintf(text, "\nThe event says, part by part:\n")
	for i, s := range r.Event.Sections {
		fmt.Fprintf(text, "  -  %s, %d bytes, SHA-256 %s\n", s.name(i), s.Bytes, s.Digest)
		switch {
		case s.Sealed && !s.Opened:
			fmt.Fprintf(text, "     sealed: only ciphertext is here\n")
		case s.Content == nil:
			fmt.Fprintf(text, "     in a form that this program cannot read\n")
		default:
			fmt.Fprintf(text, "     %s\n", plain(string(s.Content)))
			if s.Unshown != 0 {
				fmt.Fprintf(text, "     BUT: %d bytes of it are not shown: fields that this program does not know, or that stand there twice\n", s.Unshown)
			}
		}
	}
	fmt.Fprintf(text, "\nWhat it does not prove:\n")
	for _, words := range r.NotProven {
		fmt.Fprintf(text, "  -  %s\n", words)
	}
	return text.String()
}
