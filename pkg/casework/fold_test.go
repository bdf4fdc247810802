package casework

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	"google.golang.org/protobuf/proto"
)

// everyEvent is one event of each kind, from agencies of three countries.
func everyEvent() []Said {
	countries := []string{"TH", "MM", "CN"}
	var list []Said
	for i, content := range everyKind() {
		list = append(list, saidBy(uint64(i), countries[i%3], "agency", "2025-02-12T15:45:00+07:00", content))
	}
	return list
}

// fold folds events into an empty cabinet.
func fold(t testing.TB, events []Said) *Memory {
	t.Helper()
	c := new(Memory)
	for _, s := range events {
		if _, err := Fold(c, s); err != nil {
			t.Fatalf("Fold(%s): %v", s.Kind, err)
		}
	}
	return c
}

func digest(t testing.TB, m *Memory) [32]byte {
	t.Helper()
	d, err := m.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEveryKindHasASummaryAndAnEntity(t *testing.T) {
	seen := make(map[string]bool)
	c := new(Memory)
	for _, s := range everyEvent() {
		change, err := Fold(c, s)
		if err != nil {
			t.Fatal(err)
		}
		seen[change.Kind] = true
		if !strings.HasPrefix(change.Summary, s.Country+" agency ") {
			t.Errorf("%s: summary %q does not begin with who", s.Kind, change.Summary)
		}
		if len(change.Touched) == 0 || change.Touched[0].Type == TypeUnplaced || len(change.Breaches) != 0 {
			t.Errorf("%s: change %+v", s.Kind, change)
		}
	}
	for _, kind := range Kinds() {
		if !seen[kind] {
			t.Errorf("kind %s is in no test", kind)
		}
	}
}

func TestFoldIsDeterministic(t *testing.T) {
	once, again := fold(t, everyEvent()), fold(t, everyEvent())
	if digest(t, once) != digest(t, again) {
		t.Error("the same events gave two digests")
	}
	events := everyEvent()
	if digest(t, once) == digest(t, fold(t, events[:len(events)-1])) {
		t.Error("one event less gave the same digest")
	}
	streamed := NewDigestWriter()
	for ref, doc := range again.All() {
		if err := streamed.Add(ref, bytes.Clone(doc)); err != nil {
			t.Fatal(err)
		}
	}
	if streamed.Sum() != digest(t, once) {
		t.Error("the streamed digest differs")
	}
}

func TestDigestRefusesDisorder(t *testing.T) {
	w := NewDigestWriter()
	if err := w.Add(Ref{"site", "b"}, nil); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []Ref{{"site", "a"}, {"site", "b"}, {"person", "z"}} {
		if err := w.Add(ref, nil); err == nil {
			t.Errorf("%v was taken after site b", ref)
		}
	}
	if err := w.Add(Ref{"site", "c"}, nil); err != nil {
		t.Errorf("a refused document broke the writer: %v", err)
	}
}

// TestAnyOrder folds the events in many orders: none fails, and what was
// stated of the handover does not depend on who was heard first.
func TestAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 2))
	for range 200 {
		events := everyEvent()
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		for i := range events {
			events[i].Index = uint64(i)
		}
		c := fold(t, events)
		transfer, _, err := Load[Transfer](c, Ref{TypeTransfer, handover})
		if err != nil {
			t.Fatal(err)
		}
		s := transfer.Summary()
		if *s.Announced != 53 || *s.Departed != 261 || *s.Received != 260 || len(s.Discrepancies) != 2 {
			t.Fatalf("in another order the handover is %+v", s)
		}
	}
}

func TestClaimCarriesWhoAndMarking(t *testing.T) {
	s := newStory(t)
	s.says("TH", "police", "2025-02-12", announced53, func(e *Said) {
		e.Recorded = time.Date(2025, 2, 12, 16, 0, 0, 5, time.FixedZone("", 7*3600))
		e.Case.Note = "seen at the bridge"
		e.Identity, e.Closed = &caseworkv1.IdentitySection{}, []Closed{{"protection", "not-granted"}}
	})
	want := Claim{
		Index: 0, EventID: eventID(0), Country: "TH", Agency: "police", Audience: "mechanism", Kind: "transfer.announced",
		Retention: "standard", Source: "a spokesman", Occurred: "2025-02-12", Recorded: "2025-02-12T09:00:00.000000005Z",
		Note:         "seen at the bridge",
		Marking:      Marking{TLP: "AMBER+STRICT", PAP: "GREEN", Handling: []string{"H1"}, Scale: "admiralty", Grade: "B2", Purpose: "victim-protection"},
		Compartments: []string{"identity", "protection"},
	}
	if diff := cmp.Diff(want, s.transfer().Claims[0].Claim); diff != "" {
		t.Errorf("claim (-want +got):\n%s", diff)
	}
}

// TestCompartmentsStayApart looks for what was said in other compartments in
// every case document, and in the summary.
func TestCompartmentsStayApart(t *testing.T) {
	const name, act, method = "张伟民", "held in a locked room", "an informant"
	person := &caseworkv1.PersonReported{PersonId: "P-1", Nationality: "CN",
		Sex: caseworkv1.Sex_SEX_MALE, AgeBand: caseworkv1.AgeBand_AGE_BAND_ADULT}
	open := func(e *Said) {
		e.Identity = &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{PersonId: "P-1", Name: name}, {PersonId: "not an id", Name: name}}}
		e.Protection = &caseworkv1.ProtectionSection{Screenings: []*caseworkv1.Screening{{PersonId: "P-1", Act: act}}}
		e.Intelligence = &caseworkv1.IntelligenceSection{Text: method}
	}
	sealed := func(e *Said) {
		e.Closed = []Closed{{"protection", "not-granted"}, {"identity", "no-record"}, {"intelligence", "erased"}}
	}
	opened, closed := newStory(t), newStory(t)
	change := opened.says("TH", "protection", "2025-02-13", person, open)
	closed.says("TH", "protection", "2025-02-13", person, sealed)

	home := map[string]string{TypeIdentity: name, TypeScreening: act, TypeIntelligence: method}
	for ref, doc := range opened.cabinet.All() {
		for kind, secret := range home {
			if got, want := bytes.Contains(doc, []byte(secret)), ref.Type == kind; got != want {
				t.Errorf("document %v holds what was said in %s: %v, want %v", ref, kind, got, want)
			}
		}
	}
	if strings.Contains(change.Summary, "P-1") || strings.Contains(change.Summary, name) {
		t.Errorf("summary %q is about a person", change.Summary)
	}
	want := []Ref{{TypePerson, "P-1"}, {TypeIdentity, "P-1"}, {TypeIdentity, "@00000000000000000000"},
		{TypeScreening, "P-1"}, {TypeIntelligence, "00000000000000000000"}, {TypeEvent, eventID(0)}}
	if diff := cmp.Diff(want, change.Touched); diff != "" {
		t.Errorf("touched (-want +got):\n%s", diff)
	}
	a, _, _ := opened.cabinet.Get(Ref{TypePerson, "P-1"})
	b, _, _ := closed.cabinet.Get(Ref{TypePerson, "P-1"})
	if !bytes.Equal(a, b) {
		t.Errorf("the case document depends on what its reader may open:\n%s\n%s", a, b)
	}
}

func TestAdversary_G07_PurposeThatTheAudienceDoesNotHave(t *testing.T) {
	tests := []struct {
		name   string
		alter  func(*Said)
		breach string
	}{
		{"a purpose that it has", func(*Said) {}, ""},
		{"another purpose", func(e *Said) { e.Case.Marking.Purpose = "immigration-control" },
			`marked for "immigration-control", which is no purpose of audience "mechanism"`},
		{"no purpose", func(e *Said) { e.Case.Marking.Purpose = "" }, `marked for no purpose; audience "mechanism" needs one`},
		{"no purpose, and an audience that allows the empty one", func(e *Said) { e.Case.Marking.Purpose, e.Purposes = "", []string{""} },
			`marked for no purpose; audience "mechanism" needs one`},
		{"no marking", func(e *Said) { e.Case.Marking = nil }, `marked for no purpose; audience "mechanism" needs one`},
		{"an audience without purposes", func(e *Said) { e.Purposes = nil },
			`marked for "victim-protection", which is no purpose of audience "mechanism"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t)
			change := s.says("TH", "ministry", "2025-02-11", announced53, test.alter)
			doc, found, err := Load[Breaches](&s.cabinet, Ref{TypeBreach, "00000000000000000000"})
			if err != nil || found != (test.breach != "") {
				t.Fatalf("breach document found %v, %v", found, err)
			}
			if got := s.transfer(); len(got.Claims) != 1 {
				t.Errorf("the event was not kept: %+v", got)
			}
			if test.breach == "" {
				return
			}
			want := []Breach{{Code: BreachPurpose, Index: 0, What: test.breach}}
			if diff := cmp.Diff(want, change.Breaches); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, doc.Breaches); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetentionClassThatTheAudienceDoesNotHave(t *testing.T) {
	breach := `of retention class "standard", which audience "mechanism" does not have`
	sealed := func(e *Said) { e.Case, e.Closed = nil, []Closed{{"case", "expired"}} }
	for name, test := range map[string]struct {
		classes []string
		alter   func(*Said)
		breach  bool
	}{
		"any class":                  {nil, func(*Said) {}, false},
		"one that it has":            {[]string{"notice", "standard"}, func(*Said) {}, false},
		"another":                    {[]string{"notice"}, func(*Said) {}, true},
		"another, of a sealed event": {[]string{"notice"}, sealed, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			change := s.says("TH", "ministry", "2025-02-11", announced53, test.alter, func(e *Said) { e.Classes = test.classes })
			var want []Breach
			if test.breach {
				want = []Breach{{Code: BreachRetention, Index: 0, What: breach}}
			}
			if diff := cmp.Diff(want, change.Breaches); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeaderThatAnnouncesAnotherKind(t *testing.T) {
	s := newStory(t)
	change := s.says("TH", "ministry", "2025-02-11", announced53, func(e *Said) { e.Kind = "site.reported" })
	if len(change.Breaches) != 1 || change.Breaches[0].Code != BreachKind || change.Kind != "transfer.announced" {
		t.Errorf("change %+v, want one breach of code kind", change)
	}
}

// The kind in the header of a sealed event says nothing; its content does, to who opens it.
func TestHeaderThatAnnouncesNoKind(t *testing.T) {
	s := newStory(t)
	change := s.says("TH", "ministry", "2025-02-11", announced53, func(e *Said) { e.Kind = KindSealed })
	if len(change.Breaches) != 0 || change.Kind != "transfer.announced" || read[Event](s, TypeEvent, eventID(0)).Origins[0].Kind != "transfer.announced" {
		t.Errorf("change %+v", change)
	}
	change = s.says("TH", "ministry", "2025-02-11", announced53, func(e *Said) { e.Kind = KindSealed; shut(e, "not-granted") })
	if !strings.HasPrefix(change.Summary, "TH ministry said something; sealed: case (not-granted), ") || read[Event](s, TypeEvent, eventID(1)).Origins[0].Kind != KindSealed {
		t.Errorf("closed: change %+v", change)
	}
	if slices.Contains(Kinds(), KindSealed) {
		t.Error("a content has the kind that says nothing")
	}
}

func TestUnplaced(t *testing.T) {
	section := func(raw string) *caseworkv1.CaseSection {
		s := new(caseworkv1.CaseSection)
		if err := proto.Unmarshal([]byte(raw), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	bad := func(id string) *caseworkv1.CaseSection {
		s := new(caseworkv1.CaseSection)
		setContent(s, &caseworkv1.SiteStatus{SiteId: id})
		return s
	}
	tests := []struct {
		name string
		said Said
		why  string
	}{
		{"no case section", Said{}, "there is no case section"},
		{"an empty one", Said{Case: section("")}, ErrNoContent.Error()},
		{"a kind of a later version", Said{Case: section("\x82\x7d\x02hi")}, ErrNoContent.Error()},
		{"no identifier", Said{Case: bad("")}, "the identifier of the site is not one"},
		{"an identifier that breaks out", Said{Case: bad("a\nTH police lied")}, "the identifier of the site is not one"},
		{"a long one", Said{Case: bad(strings.Repeat("a", 65))}, "the identifier of the site is not one"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := new(Memory)
			test.said.Index = 7
			change, err := Fold(c, test.said)
			if err != nil {
				t.Fatal(err)
			}
			doc, found, err := Load[Unplaced](c, Ref{TypeUnplaced, "00000000000000000007"})
			if err != nil || !found {
				t.Fatalf("found %v, %v", found, err)
			}
			if slices.Contains(doc.Compartments, "case") {
				t.Errorf("compartments beside the case section: %v", doc.Compartments)
			}
			if !cmp.Equal(doc.Why, []string{test.why}) {
				t.Errorf("unplaced %+v, want %q", doc, test.why)
			}
			if change.Summary == "" || strings.ContainsAny(change.Summary, "\n") || strings.Contains(change.Summary, "lied") {
				t.Errorf("summary %q", change.Summary)
			}
		})
	}
}

func TestSummaryIsOneLine(t *testing.T) {
	s := newStory(t)
	change := s.says("TH", "police", "2025-02-12", &caseworkv1.SiteReported{
		SiteId: "S-1", Name: "KK\nPark\u202e\u2028" + strings.Repeat("x", 500)})
	if strings.ContainsAny(change.Summary, "\n\u202e\u2028") || len([]rune(change.Summary)) > 300 {
		t.Errorf("summary %q", change.Summary)
	}
	change = s.says("TH", "police", "2025-02-12", &caseworkv1.TransferAnnounced{TransferId: "T", From: "free text", To: "TH"})
	if want := "TH police announced transfer T of an unstated number of people from ? to TH"; change.Summary != want {
		t.Errorf("summary %q, want %q", change.Summary, want)
	}
}

func TestClockThatSaysAnything(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(math.MaxInt32*1000, 0), time.Unix(-1<<55, 999), time.Unix(1<<55, 0)} {
		s := newStory(t)
		s.says("TH", "ministry", "2025-02-11", announced53, func(e *Said) { e.Recorded = at })
	}
}

// failing is a cabinet whose nth write or read fails.
type failing struct {
	Memory
	left int
}

var errDisk = errors.New("disk full")

func (f *failing) Get(ref Ref) ([]byte, bool, error) {
	if f.left--; f.left < 0 {
		return nil, false, errDisk
	}
	return f.Memory.Get(ref)
}

func (f *failing) Put(ref Ref, doc []byte) error {
	if f.left--; f.left < 0 {
		return errDisk
	}
	return f.Memory.Put(ref, doc)
}

func TestFoldReportsACabinetThatFails(t *testing.T) {
	said := saidBy(3, "CN", "police", "2025-02-16", everyKind()[1]) // a commitment: two documents
	said.Purposes = nil                                             // and a breach
	steps := 0
	for {
		_, err := Fold(&failing{left: steps}, said)
		if err == nil {
			break
		}
		if !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "folding event 3") {
			t.Fatalf("after %d steps: %v", steps, err)
		}
		steps++
	}
	if steps != 8 {
		t.Errorf("%d reads and writes can fail, want 8", steps)
	}
	damaged := new(Memory)
	if err := damaged.Put(Ref{TypeMeeting, "M-1"}, []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := Fold(damaged, said); err == nil {
		t.Error("a damaged document was taken for none")
	}
}

// canonical fails where a document does not come out of its type as it went in:
// an incremental fold would then differ from a rebuild.
func canonical(t testing.TB, c *Memory) {
	t.Helper()
	empty := map[string]func() any{
		TypeTransfer: func() any { return new(Transfer) }, TypeSite: func() any { return new(Site) },
		TypeMeasure: func() any { return new(Measure) }, TypeCommitment: func() any { return new(Commitment) },
		TypeMeeting: func() any { return new(Meeting) }, TypeGroup: func() any { return new(Group) },
		TypePerson: func() any { return new(Person) }, TypeRepatriation: func() any { return new(Repatriation) },
		TypeBreach: func() any { return new(Breaches) }, TypeUnplaced: func() any { return new(Unplaced) },
		TypeIdentity: func() any { return new(IdentityRecord) }, TypeScreening: func() any { return new(ScreeningRecord) },
		TypeIntelligence: func() any { return new(IntelligenceRecord) }, TypeEvent: func() any { return new(Event) },
		TypeRecall: func() any { return new(Recall) }, TypeReview: func() any { return new(Review) },
		TypeErasure: func() any { return new(Erasure) }, TypeRelease: func() any { return new(Release) },
	}
	for ref, doc := range c.All() {
		value := empty[ref.Type]()
		if err := json.Unmarshal(doc, value); err != nil {
			t.Fatalf("%v: %v", ref, err)
		}
		again, err := json.Marshal(value)
		if err != nil || !bytes.Equal(doc, again) {
			t.Fatalf("%v is not canonical (%v):\n%s\n%s", ref, err, doc, again)
		}
	}
}

func TestDocumentsAreCanonical(t *testing.T) {
	canonical(t, fold(t, everyEvent()))
}

func FuzzFold(f *testing.F) {
	for _, s := range everyEvent() {
		raw, err := proto.Marshal(s.Case)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, "TH", "P-1")
	}
	f.Add([]byte("\x82\x7d\x02hi"), "", "no id")
	f.Fuzz(func(t *testing.T, raw []byte, country, person string) {
		section := new(caseworkv1.CaseSection)
		if proto.Unmarshal(raw, section) != nil {
			return
		}
		country, person = strings.ToValidUTF8(country, "?"), strings.ToValidUTF8(person, "?")
		events := everyEvent()
		for i, by := range []string{country, "MM", country} {
			events = append(events, Said{
				Index: uint64(1000 + i), Country: by, Agency: "a", Audience: "mechanism", Case: section,
				Identity: &caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{PersonId: person, Name: person}}},
			})
		}
		c := fold(t, events)
		canonical(t, c)
		if digest(t, c) != digest(t, fold(t, events)) {
			t.Error("the same events gave two digests")
		}
	})
}
