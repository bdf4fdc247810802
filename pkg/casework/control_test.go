package casework

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

func erased(ids ...string) *caseworkv1.ControlErased {
	m := &caseworkv1.ControlErased{Reason: "the case is closed"}
	for _, id := range ids {
		m.Erasures = append(m.Erasures, &caseworkv1.Erasure{
			EventId: id, Batch: bytes.Repeat([]byte{1}, 32), Revision: 2, RecordDigest: bytes.Repeat([]byte{2}, 32)})
	}
	return m
}

func recalled(id string, ids ...string) *caseworkv1.ControlRecalled {
	return &caseworkv1.ControlRecalled{RecallId: id, EventIds: ids, Reason: "consent was withdrawn", Deadline: "2025-03-01T12:00:00+07:00"}
}

func receipt(id, country, agency string, ids ...string) *caseworkv1.ControlReceipt {
	return &caseworkv1.ControlReceipt{
		RecallId: id, Country: country, Agency: agency, EventIds: ids, Destroyed: "2025-02-20T08:00:00Z", Exports: 1}
}

func reviewed(date string, ids ...string) *caseworkv1.ControlReviewed {
	return &caseworkv1.ControlReviewed{EventIds: ids, ReviewDate: date, Reason: "still needed"}
}

func released(to string, data []byte) *caseworkv1.ControlReleased {
	return &caseworkv1.ControlReleased{
		To: to, Index: 4, Subject: "evt.pair.CN.agency.site.reported", Envelope: data,
		Compartments: []eventv1.Compartment{1, 2}, RecordDigest: bytes.Repeat([]byte{3}, 32)}
}

// releasedID is the identifier of every envelope's event.
var releasedID = event.NextID(time.Date(2025, 2, 12, 0, 0, 0, 0, time.UTC), [10]byte{}, event.ID{})

// envelope is an event as it lies in the log, said to audience pair.
func envelope(country, agency string) []byte {
	key, err := event.NewSigningKey(registrytest.Key("publisher " + country + "/" + agency))
	if err != nil {
		panic(err) // of a key made up here
	}
	signed, _, err := event.SignBatch(key, event.Chain{Country: country, Agency: agency, Audience: "pair"}, event.Head{}, event.Seen{}, []event.Draft{{
		ID: releasedID, Kind: "site.reported", Retention: "case", Recorded: time.Date(2025, 2, 12, 0, 0, 0, 0, time.UTC),
		Sections: []event.Section{{Form: eventv1.SectionForm_SECTION_FORM_SEALED, Commitment: make([]byte, 32), Content: []byte("ciphertext")}},
		Parts:    make([]byte, 32),
	}})
	if err != nil {
		panic(err)
	}
	return signed[0].Data
}

// about reads a document that belongs to an event that TH police said at an index.
func about[D any](s *story, kind string, index uint64) *D {
	s.t.Helper()
	ref := EventRef{"TH", "police", eventID(index)}.In(kind)
	return read[D](s, kind, ref.ID)
}

func TestRecall(t *testing.T) {
	s := newStory(t)
	site := &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"}
	s.says("TH", "police", "2025-02-12", site)
	s.says("TH", "police", "2025-02-12", site)
	change := s.says("TH", "police", "2025-02-13", recalled("RC-1", eventID(0)))
	if change.Summary != "TH police recalled 1 event" || len(change.Breaches) > 0 {
		t.Errorf("change %+v", change)
	}
	for index, want := range []bool{true, false} {
		got, err := Recalled(&s.cabinet, EventRef{"TH", "police", eventID(uint64(index))})
		if err != nil || got != want {
			t.Errorf("event %d is recalled: %v (%v), want %v", index, got, err, want)
		}
	}
	before, after := time.Date(2025, 3, 1, 5, 0, 0, 0, time.UTC), time.Date(2025, 3, 1, 5, 0, 1, 0, time.UTC)
	stands := func(confirmed, waiting, late []string, oddities int) {
		t.Helper()
		r := read[Recall](s, TypeRecall, "TH.police.RC-1")
		if diff := cmp.Diff([][]string{confirmed, waiting, late, nil}, [][]string{r.Confirmed(), r.Waiting(), r.Late(after), r.Late(before)}, emptyIsNil); diff != "" {
			t.Errorf("confirmed, waiting, late, and late in time (-want +got):\n%s", diff)
		}
		if len(r.Oddities) != oddities {
			t.Errorf("oddities %+v, want %d", r.Oddities, oddities)
		}
	}
	stands(nil, []string{"CN", "MM"}, []string{"CN", "MM"}, 0)
	s.says("CN", "border", "2025-02-14", receipt("RC-1", "TH", "police", eventID(0)))
	stands([]string{"CN"}, []string{"MM"}, []string{"MM"}, 0)
	// Of another recall with the same identifier; and of a country that was not asked.
	s.says("MM", "border", "2025-02-14", receipt("RC-1", "TH", "ministry", eventID(0)))
	s.says("KH", "police", "2025-02-14", receipt("RC-1", "TH", "police"))
	stands([]string{"CN"}, []string{"MM"}, []string{"MM"}, 1)
	s.says("MM", "border", "2025-02-14", receipt("RC-1", "TH", "police", eventID(0)))
	stands([]string{"CN", "MM"}, nil, nil, 1)
	// More is recalled: what was answered before does not answer that.
	s.says("TH", "police", "2025-02-15", recalled("RC-1", eventID(1)))
	stands(nil, []string{"CN", "MM"}, []string{"CN", "MM"}, 1)
}

// What of an answer is late, and of what it says nothing, follows from the log alone.
func TestReceiptsThatAreLateOrOfLess(t *testing.T) {
	const deadline = "2025-02-20T00:00:00Z" // story records at the days that it says
	for name, c := range map[string]struct {
		recorded, destroyed string
		late                bool
	}{
		"in time":                          {"2025-02-19", "2025-02-19T23:00:00Z", false},
		"at the deadline":                  {"2025-02-20", "2025-02-20T07:00:00+07:00", false},
		"said late":                        {"2025-02-21", "2025-02-19T23:00:00Z", true},
		"destroyed late":                   {"2025-02-19", "2025-02-20T00:00:01Z", true},
		"a time that nobody can read":      {"2025-02-19", "soon", false},
		"destroyed long before it is said": {"2025-03-19", "2025-02-14T00:00:00Z", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			at := func(day string) func(*Said) {
				return func(e *Said) { e.Recorded, _ = time.Parse(time.DateOnly, day) }
			}
			site := &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"}
			s.says("TH", "police", "2025-02-12", site)
			s.says("TH", "police", "2025-02-12", site)
			recall := recalled("RC-1", eventID(0), eventID(1))
			recall.Deadline = deadline
			s.says("TH", "police", "2025-02-13", recall)
			answer := func(by string, ids ...string) {
				said := receipt("RC-1", "TH", "police", ids...)
				said.Destroyed = c.destroyed
				s.says(by, "border", "2025-02-14", said, at(c.recorded))
			}
			answer("CN", eventID(0))
			answer("MM", eventID(0), eventID(1), eventID(9))
			stands := func(want map[string][]string) {
				t.Helper()
				r := read[Recall](s, TypeRecall, "TH.police.RC-1")
				got := map[string][]string{}
				for _, receipt := range r.Receipts {
					got[receipt.Country] = receipt.Unnamed
					if receipt.Late != c.late {
						t.Errorf("%s is late: %v, want %v", receipt.Country, receipt.Late, c.late)
					}
				}
				if diff := cmp.Diff(want, got, emptyIsNil); diff != "" {
					t.Errorf("unnamed (-want +got):\n%s", diff)
				}
			}
			stands(map[string][]string{"CN": {eventID(1)}, "MM": nil})
			answer("CN", eventID(1))
			stands(map[string][]string{"CN": nil, "MM": nil})
			// More is recalled; what was named before stays named.
			more := recalled("RC-1", eventID(1), eventID(2))
			s.says("TH", "police", "2025-02-12", site)
			more.EventIds[1] = eventID(uint64(len(s.changes) - 1))
			more.Deadline = deadline
			s.says("TH", "police", "2025-02-13", more)
			stands(map[string][]string{})
			answer("CN", more.EventIds[1])
			answer("MM")
			stands(map[string][]string{"CN": nil, "MM": {more.EventIds[1]}})
		})
	}
}

// A recall that is said in two audiences asks in each who reads the events there: more of it in
// one asks nobody of the other anew.
func TestRecallInTwoAudiences(t *testing.T) {
	s := newStory(t)
	data := envelope("TH", "police")
	in := func(audience string, members ...string) func(*Said) {
		return func(e *Said) { e.Audience, e.Members = audience, members }
	}
	pair, region := in("pair", "TH", "CN"), in("region", "TH", "CN", "MM", "KH")
	m := released("MM", data)
	m.Subject = "evt.pair.TH.police.site.reported"
	s.says("TH", "police", "2025-02-12", m, region)
	site := &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"}
	s.says("TH", "police", "2025-02-12", site, pair)
	id, other := releasedID.String(), eventID(1)
	asks := func(m *caseworkv1.ControlRecalled, where func(*Said), want ...string) {
		t.Helper()
		var heard Said
		s.says("TH", "police", "2025-02-13", m, where, func(e *Said) { heard = *e })
		got, err := AskedBy(&s.cabinet, heard)
		if diff := cmp.Diff(want, got, emptyIsNil); diff != "" || err != nil {
			t.Errorf("asked (-want +got):\n%s%v", diff, err)
		}
	}
	asks(recalled("RC-1", id), region, "MM")
	s.says("MM", "police", "2025-02-13", receipt("RC-1", "TH", "police", id), region)
	asks(recalled("RC-1", other, id), pair, "CN")
	r := read[Recall](s, TypeRecall, "TH.police.RC-1")
	if diff := cmp.Diff([][]string{{"CN", "MM"}, {"MM"}}, [][]string{r.Expected, r.Confirmed()}); diff != "" {
		t.Errorf("expected and confirmed (-want +got):\n%s", diff)
	}
}

var emptyIsNil = cmp.Transformer("emptyIsNil", func(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
})

func TestReviewAndErasure(t *testing.T) {
	s := newStory(t)
	site := &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"}
	marked := func(date string) func(*Said) { return func(e *Said) { e.Case.Marking.ReviewDate = date } }
	s.says("TH", "police", "2025-02-12", site, marked("2025-06-01"))
	s.says("TH", "police", "2025-02-12", site)
	s.says("TH", "police", "2025-02-12", site, marked("2025-02-31"))
	due := func(index uint64, date string, is bool) {
		t.Helper()
		r := about[Review](s, TypeReview, index)
		if r.Date != date || r.Due("2025-06-01") != is || r.Due("2025-05-31") {
			t.Errorf("review of event %d is %+v, want %s", index, r, date)
		}
	}
	due(0, "2025-06-01", true)
	for _, without := range []uint64{1, 2} {
		if _, found, _ := s.cabinet.Get(EventRef{"TH", "police", eventID(without)}.In(TypeReview)); found {
			t.Errorf("event %d is in the calendar without a date", without)
		}
	}
	s.says("TH", "police", "2025-05-30", reviewed("2025-12-01", eventID(0), eventID(1)))
	due(0, "2025-12-01", false)
	due(1, "2025-12-01", false)
	s.says("TH", "police", "2025-05-31", reviewed("2025-06-01", eventID(1)))
	due(1, "2025-06-01", true) // an earlier date is a newer word
	// Of a released event both records are named.
	if change := s.says("TH", "police", "2025-06-01", erased(eventID(1), eventID(1))); change.Summary != "TH police erased 1 event" {
		t.Errorf("summary %q", change.Summary)
	}
	due(1, "2025-06-01", false)
	e := about[Erasure](s, TypeErasure, 1)
	if len(e.Claims) != 1 || e.Claims[0].Revision != 2 || e.Claims[0].Batch != digestText(bytes.Repeat([]byte{1}, 32)) || e.Claims[0].Record != digestText(bytes.Repeat([]byte{2}, 32)) {
		t.Errorf("erasure %+v", e)
	}
	s.says("TH", "police", "2025-06-02", reviewed("2025-06-01", eventID(1)))
	due(1, "2025-06-01", false) // nothing of it is left to look at
}

func TestRelease(t *testing.T) {
	s := newStory(t)
	data := envelope("TH", "police")
	m := released("CN", data)
	m.Subject = "evt.pair.TH.police.site.reported"
	s.says("TH", "police", "2025-02-12", m)
	id := releasedID.String()
	r := read[Release](s, TypeRelease, "TH.police."+id)
	if !cmp.Equal(r.To, []string{"CN"}) || r.Claims[0].Envelope != event.DigestOf(data).String() || !cmp.Equal(r.Claims[0].Compartments, []string{"case", "identity"}) {
		t.Errorf("release %+v", r)
	}
	got, ok := ReleasedBy(saidBy(3, "TH", "police", "2025-02-12", m))
	if !ok || got.Event != (EventRef{"TH", "police", id}) || got.To != "CN" || got.Index != 4 || !bytes.Equal(got.Envelope, data) {
		t.Errorf("ReleasedBy: %+v, %v", got, ok)
	}
	// Who reads it here is only who it was released to: only they have to answer its recall.
	s.says("TH", "police", "2025-02-13", recalled("RC-1", id))
	recall := read[Recall](s, TypeRecall, "TH.police.RC-1")
	if !cmp.Equal(recall.Expected, []string{"CN"}) {
		t.Errorf("expected %v", recall.Expected)
	}
}

// Nobody decides on another agency's event, by whichever kind.
func TestAdversary_K06_ControlOfAnothersEvent(t *testing.T) {
	other := released("KH", envelope("TH", "police"))
	other.Subject = "evt.pair.TH.police.site.reported"
	for name, content := range map[string]proto.Message{
		"erased": erased(eventID(0)), "recalled": recalled("RC-1", eventID(0)), "reviewed": reviewed("2025-03-01", eventID(0)), "released": other,
	} {
		for by, agency := range map[string]string{"MM": "police", "TH": "ministry"} {
			t.Run(name+" by "+by+" "+agency, func(t *testing.T) {
				s := newStory(t)
				s.says("TH", "police", "2025-02-12", &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"})
				before, _, _ := s.cabinet.Get(Ref{TypeEvent, eventID(0)})
				change := s.says(by, agency, "2025-02-13", content)
				if len(change.Breaches) != 1 || change.Breaches[0].Code != BreachAuthority {
					t.Errorf("breaches %+v", change.Breaches)
				}
				after, _, _ := s.cabinet.Get(Ref{TypeEvent, eventID(0)})
				if !bytes.Equal(before, after) {
					t.Errorf("what became of the event changed:\n%s\n%s", before, after)
				}
				for _, ref := range change.Touched {
					switch ref.Type {
					case TypeReview, TypeErasure, TypeRelease:
						t.Errorf("it has an effect: %v", ref)
					case TypeRecall:
						if r := read[Recall](s, TypeRecall, ref.ID); len(r.Events)+len(r.Expected) > 0 {
							t.Errorf("it has an effect: %+v", r)
						}
					}
				}
				if _, ok := ReleasedBy(saidBy(1, by, agency, "2025-02-13", content)); ok {
					t.Error("a release by another counts")
				}
				for _, ref := range RecalledBy(saidBy(1, by, agency, "2025-02-13", content)) {
					if ref == (EventRef{"TH", "police", eventID(0)}) {
						t.Error("a recall by another names the event as its own")
					}
				}
			})
		}
	}
}

// Whoever takes another's identifier for its own event gets no hold of the other's,
// and takes nothing from it, whichever comes first.
func TestAdversary_K06_AnothersIdentifier(t *testing.T) {
	for _, order := range [][]string{{"TH", "MM"}, {"MM", "TH"}} {
		s := newStory(t)
		for _, by := range order {
			s.says(by, "police", "2025-02-12", &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"}, func(e *Said) { e.EventID = eventID(0) })
		}
		if change := s.says("MM", "police", "2025-02-13", recalled("RC-1", eventID(0))); len(change.Breaches) > 0 {
			t.Errorf("breaches %+v: the event is MM's own too", change.Breaches)
		}
		for by, want := range map[string]bool{"MM": true, "TH": false} {
			if got, err := Recalled(&s.cabinet, EventRef{by, "police", eventID(0)}); got != want || err != nil {
				t.Errorf("%s's event is recalled: %v, %v", by, got, err)
			}
		}
		s.says("TH", "police", "2025-02-13", recalled("RC-1", eventID(0)))
		if got, _ := Recalled(&s.cabinet, EventRef{"TH", "police", eventID(0)}); !got {
			t.Error("its own agency cannot recall it")
		}
		if r := read[Recall](s, TypeRecall, "MM.police.RC-1"); len(r.Claims) != 1 {
			t.Errorf("TH's recall is in MM's of the same identifier: %+v", r)
		}
	}
}

// A recall cannot be recalled, nor an erasure: what was destroyed does not come back.
func TestControlStands(t *testing.T) {
	s := newStory(t)
	s.says("TH", "police", "2025-02-12", &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"})
	s.says("TH", "police", "2025-02-13", recalled("RC-1", eventID(0)))
	s.says("TH", "police", "2025-02-14", recalled("RC-2", eventID(1)))
	s.says("TH", "police", "2025-02-14", erased(eventID(1)))
	r := read[Recall](s, TypeRecall, "TH.police.RC-2")
	if len(r.Events)+len(r.Expected) > 0 || len(r.Oddities) != 1 {
		t.Errorf("recall of a recall: %+v", r)
	}
	if _, found, _ := s.cabinet.Get(EventRef{"TH", "police", eventID(1)}.In(TypeErasure)); found {
		t.Error("a recall was erased")
	}
	if got, _ := Recalled(&s.cabinet, EventRef{"TH", "police", eventID(1)}); got || Recallable(s.changes[1].Kind) {
		t.Error("a recall was recalled")
	}
}

// A reader who joined after the event still sees who has to answer, itself included.
func TestRecallOfWhatIsNotKnownHere(t *testing.T) {
	s := newStory(t)
	s.says("TH", "police", "2025-02-13", recalled("RC-1", eventID(77)))
	r := read[Recall](s, TypeRecall, "TH.police.RC-1")
	if !cmp.Equal(r.Expected, []string{"CN", "MM"}) || len(r.Events) > 0 || len(r.Oddities) != 1 {
		t.Errorf("recall %+v", r)
	}
}

func TestReceiptsInAnyOrder(t *testing.T) {
	var want []string
	for _, order := range [][]string{{"CN", "MM", "CN"}, {"MM", "CN", "MM"}, {"CN", "CN", "MM"}} {
		s := newStory(t)
		s.says("TH", "police", "2025-02-12", &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"})
		s.says("TH", "police", "2025-02-13", recalled("RC-1", eventID(0)))
		for _, by := range order {
			s.says(by, "border", "2025-02-14", receipt("RC-1", "TH", "police", eventID(0)))
		}
		s.says("TH", "police", "2025-02-15", erased(eventID(0)))
		r := read[Recall](s, TypeRecall, "TH.police.RC-1")
		if want == nil {
			want = r.Confirmed()
		}
		if !cmp.Equal(r.Confirmed(), want) || len(want) != 2 || len(r.Receipts) != 2 {
			t.Errorf("%v confirmed, in the order %v", r.Confirmed(), order)
		}
	}
}

// What cannot be read of an event of control is said, and has no effect.
func TestControlThatMakesNoSense(t *testing.T) {
	torn := released("MM", []byte("no envelope"))
	elsewhere := released("MM", envelope("TH", "police")) // under a subject of CN's
	nobody := released("no country", envelope("TH", "police"))
	nobody.Subject = "evt.pair.TH.police.site.reported"
	for name, test := range map[string]struct {
		content proto.Message
		why     string
	}{
		"a recall without an identifier":      {recalled("not an id", eventID(0)), "the identifier of the recall is not one"},
		"a receipt of no country's":           {receipt("RC-1", "Thailand", "police"), "the recall that it is a receipt of is not readable"},
		"a receipt without an identifier":     {receipt("", "TH", "police"), "the recall that it is a receipt of is not readable"},
		"a review on no day":                  {reviewed("2025-02-30", eventID(0)), "the review date is not a date"},
		"a review of nothing":                 {reviewed("2025-02-28", "x"), "none of the events is known here and its agency's to review"},
		"an erasure of nothing":               {erased("", eventID(9)), "none of the events is known here and its agency's to erase"},
		"a release of no event":               {torn, "the released event is not readable"},
		"a release of another subject":        {elsewhere, "the released event is not of the subject that is stated"},
		"a release to nobody":                 {nobody, "the country that it is released to is not one"},
		"an erasure without erasures, or any": {&caseworkv1.ControlErased{}, "none of the events is known here and its agency's to erase"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.says("TH", "police", "2025-02-12", &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"})
			change := s.says("TH", "police", "2025-02-13", test.content)
			if got := read[Unplaced](s, TypeUnplaced, byIndex(1)); !cmp.Equal(got.Why, []string{test.why}) {
				t.Errorf("unplaced because %q, want %q", got.Why, test.why)
			}
			if len(change.Touched) != 2 || RecalledBy(saidBy(1, "TH", "police", "2025-02-13", test.content)) != nil {
				t.Errorf("it has an effect: %v", change.Touched)
			}
		})
	}
	s := newStory(t)
	bad := recalled("RC-1", eventID(0))
	bad.Deadline = "soon"
	s.says("TH", "police", "2025-02-12", &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"})
	s.says("TH", "police", "2025-02-13", bad)
	if r := read[Recall](s, TypeRecall, "TH.police.RC-1"); len(r.Late(time.Now())) > 0 || len(r.Waiting()) != 2 || len(r.Oddities) != 1 {
		t.Errorf("a recall whose deadline is no time: %+v", r)
	}
}

// What was said to an audience, and released to one of its members as well, all its members have.
func TestRecallOfWhatWasSaidHereAndReleased(t *testing.T) {
	s := newStory(t)
	m := released("CN", envelope("TH", "police"))
	m.Subject = "evt.pair.TH.police.site.reported"
	id := releasedID.String()
	s.says("TH", "police", "2025-02-12", &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"}, func(e *Said) { e.EventID = id })
	s.says("TH", "police", "2025-02-12", m)
	s.says("TH", "police", "2025-02-13", recalled("RC-1", id))
	if r := read[Recall](s, TypeRecall, "TH.police.RC-1"); !cmp.Equal(r.Expected, []string{"CN", "MM"}) {
		t.Errorf("expected %v", r.Expected)
	}
}

// Of an agency that gives two events one identifier, the first has it.
func TestOneIdentifierTwice(t *testing.T) {
	s := newStory(t)
	for range 2 {
		s.says("TH", "police", "2025-02-12", &caseworkv1.SiteReported{SiteId: "S-1", Name: "invented"}, func(e *Said) { e.EventID = eventID(0) })
	}
	if e := read[Event](s, TypeEvent, eventID(0)); len(e.Origins) != 1 || e.Origins[0].Index != 0 {
		t.Errorf("event %+v", e)
	}
}
