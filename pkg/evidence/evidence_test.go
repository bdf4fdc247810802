package evidence_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// storied is a log with two events, a refused and a repeated update, and a
// revocation that doubts the second event: index 1 and 5 are police's, 3 is border's.
func storied(t testing.TB) *world {
	w := newWorld(t)
	w.say(police)
	enrolled := w.amend(registrytest.Enrol("XA", "coast"), "root XA", "publisher XA/coast")
	w.say(border)
	w.store("reg.key.revoked", []byte("nothing"))
	w.say(police)
	again := w.messages[enrolled]
	w.store(again.Subject, again.Data)
	w.amend(registrytest.RevokeKey(registrytest.AgencyOwner("XA", "police"), 5), "root XA")
	w.say(border)
	return w
}

func TestReport(t *testing.T) {
	w := storied(t)
	report := w.holds(w.writes(w.parts(3, 9)))
	e := report.Event
	same(t, "who", "XB/border (border of XB)", e.Country+"/"+e.Agency+" ("+e.AgencyName+")")
	same(t, "where", uint64(3), e.Index)
	same(t, "message", event.DigestOf(w.messages[3].Data).String(), e.Message)
	same(t, "readers", []string{"XA", "XB", "XC"}, e.Readers)
	same(t, "recorded", "2025-02-12T09:30:02Z", e.Recorded)
	same(t, "content", `{"marking":{"purpose":"rescue"},"occurred":"2025-02-12","siteReported":{"siteId":"S-2","name":"invented"}}`, string(e.Sections[0].Content))
	same(t, "checkpoint", uint64(9), report.Checkpoint.Size)
	same(t, "updates: not the refused one, nor the repeated one", 3, report.Checkpoint.Updates)
	same(t, "quorum", 2, report.Quorum)
	same(t, "witnesses", []evidence.Witness{
		{Country: "XA", Size: 9, Seconds: 1739352660, Time: "2025-02-12T09:31:00Z"},
		{Country: "XB", Size: 9, Seconds: 1739352720, Time: "2025-02-12T09:32:00Z"},
		{Country: "XC", Size: 9, Seconds: 1739352780, Time: "2025-02-12T09:33:00Z"},
	}, report.Witnesses)
	text := report.String()
	for _, words := range []string{
		"This evidence holds.", w.charter().String(), `XB/border, an agency of XB that calls itself "border of XB", said this`, "index 3", "XA, XB and XC could read", "Up to the end of what this file shows it was not revoked",
		"Countries that have witnessed that", "XC at 2025-02-12T09:33:00Z", `"siteId":"S-2"`,
		"does not prove", "in the log at 2025-02-12T09:32:00Z at the latest", "as event 1 of the agency's chain",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("the report does not say %q:\n%s", words, text)
		}
	}
}

// What became of the key later stands in the report.
func TestReportOfARevokedKey(t *testing.T) {
	w := storied(t)
	for _, test := range []struct {
		index, size uint64
		doubted     bool
		ended       string
		words       string
	}{
		{5, 7, false, "", "it was not revoked"},
		{5, 9, true, "it was valid up to index 7, where it was rotated or revoked", "BUT: the key was revoked later"},
		{1, 9, false, "it was valid up to index 7, where it was rotated or revoked", "its owner does not doubt what it signed"},
	} {
		report := w.holds(w.writes(w.parts(test.index, test.size)))
		same(t, "doubted", test.doubted, report.Key.Doubted)
		same(t, "ended", test.ended, report.Key.Ended)
		if !strings.Contains(report.String(), test.words) {
			t.Errorf("index %d at size %d: the report does not say %q:\n%s", test.index, test.size, test.words, report)
		}
	}
}

// What keeps the key's owner from signing later stands there too.
func TestReportOfASuspendedCountry(t *testing.T) {
	w := newWorld(t)
	w.say(border)
	w.amend(registrytest.Suspend("XB"), founders...)
	report := w.holds(w.writes(w.parts(1, 3, func(p *evidence.Parts) {
		p.Cosignatures = [][]byte{p.Cosignatures[0], p.Cosignatures[2]}
	})))
	if !strings.HasPrefix(report.Key.Ended, "XB is suspended since index 2") || report.Key.Doubted {
		t.Errorf("key: %+v", report.Key)
	}
}

// Countries cosign what they have come to: sizes differ, and larger ones count.
func TestLargerCosignatures(t *testing.T) {
	w := storied(t)
	file := w.writes(w.parts(3, 4, func(p *evidence.Parts) {
		p.Cosignatures = [][]byte{w.cosign("XC", w.at(9), 3), w.cosign("XB", w.at(6), 2), w.cosign("XA", w.at(9), 1)}
	}))
	report := w.holds(file)
	same(t, "witnesses", []evidence.Witness{
		{Country: "XB", Size: 6, Seconds: 1739352720, Time: "2025-02-12T09:32:00Z"},
		{Country: "XA", Size: 9, Seconds: 1739352660, Time: "2025-02-12T09:31:00Z"},
		{Country: "XC", Size: 9, Seconds: 1739352780, Time: "2025-02-12T09:33:00Z"},
	}, report.Witnesses)
	same(t, "updates below the checkpoint", 2, report.Checkpoint.Updates)
	if words := "(a log of 6 messages, which begins with these)"; !strings.Contains(report.String(), words) {
		t.Errorf("the report does not say %q:\n%s", words, report)
	}
}

// A batch of many, and a sealed part.
func TestEventInABatch(t *testing.T) {
	w := newWorld(t)
	key, err := event.NewSigningKey(registrytest.Key("publisher XA/police"))
	must(t, err)
	drafts := []event.Draft{w.draft(), w.draft(), w.draft()}
	drafts[1].Sections = append(drafts[1].Sections,
		event.Section{Compartment: 77, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: []byte("unheard of\x1b[2J")},
		event.Section{Form: eventv1.SectionForm_SECTION_FORM_SEALED, Commitment: make([]byte, 32), Content: []byte("ciphertext")})
	drafts[1].Parts = make([]byte, 32)
	signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, drafts)
	must(t, err)
	for _, s := range signed {
		w.store(s.Subject, s.Data)
	}
	text := w.holds(w.writes(w.parts(2, 4))).String()
	for _, words := range []string{"sealed: only ciphertext", "What sealed part 3 says", "compartment 77, 14 bytes", "cannot read"} {
		if !strings.Contains(text, words) {
			t.Errorf("the report does not say %q:\n%s", words, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("what the event says reaches the terminal: %q", text)
	}
}

// What does not hold is not written.
func TestWriteRefuses(t *testing.T) {
	w := storied(t)
	for name, test := range map[string]struct {
		change  func(*evidence.Parts)
		because string
	}{
		"too few countries":     {func(p *evidence.Parts) { p.Cosignatures = p.Cosignatures[:1] }, "it takes 2 to witness"},
		"a later event":         {func(p *evidence.Parts) { p.Event = w.messages[8] }, "index 8 is not below"},
		"another message there": {func(p *evidence.Parts) { p.Event.Data = w.messages[5].Data }, "event: "},
		"an update":             {func(p *evidence.Parts) { p.Event = w.messages[2] }, "not an event"},
		"the founding":          {func(p *evidence.Parts) { p.Event = w.messages[0] }, "index 0 is the founding's"},
		"a refused update":      {func(p *evidence.Parts) { p.Event = w.messages[4] }, "verdict undecodable"},
		"an update less":        {func(p *evidence.Parts) { p.Updates = p.Updates[:1] }, "make registry"},
		"no founding":           {func(p *evidence.Parts) { p.Updates = nil }, "no founding yet"},
		"another notary's note": {func(p *evidence.Parts) { p.Checkpoint = p.Cosignatures[0] }, "no valid signature"},
		"a stranger":            {func(p *evidence.Parts) { p.Cosignatures[2] = p.Checkpoint }, "no mirror of the policy"},
	} {
		if _, err := evidence.Write(w.charter(), w.parts(3, 7, test.change), w.leaves()); err == nil || !strings.Contains(err.Error(), test.because) {
			t.Errorf("%s: error = %v, want %q", name, err, test.because)
		}
	}
	broken := errors.New("the disk is gone")
	_, err := evidence.Write(w.charter(), w.parts(3, 7), func(yield func(translog.Hash, error) bool) { yield(translog.Hash{}, broken) })
	if !errors.Is(err, broken) {
		t.Errorf("error = %v, want %v", err, broken)
	}
	_, err = evidence.Write(w.charter(), w.parts(3, 7), func(func(translog.Hash, error) bool) {})
	if err == nil || !strings.Contains(err.Error(), "leaves of 7 are missing") {
		t.Errorf("error = %v, want that leaves are missing", err)
	}
}

func TestCharter(t *testing.T) {
	charter := registrytest.Charter(t)
	digest, err := evidence.Charter(charter.Message)
	must(t, err)
	same(t, "digest", charter.Digest, digest)
	parsed, err := evidence.ParseDigest(digest.String())
	must(t, err)
	same(t, "parsed", digest, parsed)
	for _, text := range []string{"", "00", digest.String() + "00", strings.Repeat("x", 64)} {
		if _, err := evidence.ParseDigest(text); err == nil {
			t.Errorf("%q was taken for a digest", text)
		}
	}
	if _, err := evidence.Charter(charter.Message[1:]); err == nil {
		t.Error("a broken charter was taken")
	}
}
