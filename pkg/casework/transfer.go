package casework

import (
	"time"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Transfer is a handover of people from one country to another.
type Transfer struct {
	ID            string          `json:"id"`
	Claims        []TransferClaim `json:"claims"` // in log order
	Attributes    Attributes      `json:"attributes,omitempty"`
	Discrepancies []Discrepancy   `json:"discrepancies,omitempty"`
	Screenings    []ScreeningDue  `json:"screenings,omitempty"`
	Oddities      Oddities        `json:"Oddities,omitempty"`
}

// TransferClaim is one thing said of a transfer; its kind says which fields are set.
type TransferClaim struct {
	Claim
	From        string   `json:"from,omitempty"` // ISO 3166-1 alpha-2
	To          string   `json:"to,omitempty"`
	Crossing    string   `json:"crossing,omitempty"`
	Count       *Count   `json:"count,omitempty"`
	Discrepancy string   `json:"discrepancy,omitempty"` // the one explained
	Reason      string   `json:"reason,omitempty"`
	Saw         *Figures `json:"saw,omitempty"` // of that discrepancy when it was explained; nil where it did not stand
	WithinDays  uint32   `json:"within_days,omitempty"`
	Under       string   `json:"under,omitempty"`
	ReleasedBy  string   `json:"released_by,omitempty"`
}

// Figures are the two numbers of a discrepancy.
type Figures struct {
	Left  uint64 `json:"left"`
	Right uint64 `json:"right"`
}

// ScreeningDue is one agency's newest word on the screening of those received.
type ScreeningDue struct {
	Country    string `json:"country"`
	Agency     string `json:"agency"`
	Index      uint64 `json:"index"`
	WithinDays uint32 `json:"within_days"`
	Under      string `json:"under,omitempty"`
	Due        string `json:"due,omitempty"` // ISO 8601 date; empty until those received have a date
}

// Kinds that the derivation of a transfer turns on.
const (
	kindAnnounced = "transfer.announced"
	kindDeparted  = "transfer.departed"
	kindReceived  = "transfer.received"
	kindExplained = "transfer.explained"
	kindScreening = "transfer.screening"
)

func (f *folding) transfer(id string, claim TransferClaim) error {
	claim.Claim = f.claim
	return edit(f, TypeTransfer, id, func(t *Transfer) {
		t.ID = id
		switch claim.Kind {
		case kindAnnounced, kindDeparted, kindReceived:
			if claim.Count == nil {
				claim.Remarks = append(claim.Remarks, "no count is stated")
			}
		case kindExplained:
			for _, d := range t.Discrepancies {
				if d.Name == claim.Discrepancy {
					claim.Saw = &Figures{d.Left, d.Right}
					f.say("explained %s of transfer %s", d.Name, id)
				}
			}
		}
		t.Claims = append(t.Claims, claim)
	})
}

func (f *folding) transferAnnounced(m *caseworkv1.TransferAnnounced) error {
	f.say("announced transfer %s of %s from %s to %s",
		m.GetTransferId(), people(m.GetCount()), shownCode(m.GetFrom()), shownCode(m.GetTo()))
	return f.transfer(m.GetTransferId(), TransferClaim{
		From: m.GetFrom(), To: m.GetTo(), Crossing: m.GetCrossing(), Count: CountOf(m.GetCount()),
	})
}

func (f *folding) transferDeparted(m *caseworkv1.TransferDeparted) error {
	f.say("stated the departure of %s in transfer %s", people(m.GetCount()), m.GetTransferId())
	return f.transfer(m.GetTransferId(), TransferClaim{Crossing: m.GetCrossing(), Count: CountOf(m.GetCount())})
}

func (f *folding) transferReceived(m *caseworkv1.TransferReceived) error {
	f.say("stated the reception of %s in transfer %s", people(m.GetCount()), m.GetTransferId())
	return f.transfer(m.GetTransferId(), TransferClaim{Crossing: m.GetCrossing(), Count: CountOf(m.GetCount())})
}

func (f *folding) transferExplained(m *caseworkv1.TransferExplained) error {
	f.say("explained a discrepancy that does not stand in transfer %s", m.GetTransferId())
	return f.transfer(m.GetTransferId(), TransferClaim{Discrepancy: m.GetDiscrepancy(), Reason: m.GetReason()})
}

func (f *folding) transferScreening(m *caseworkv1.TransferScreening) error {
	f.say("is to screen those received in transfer %s within %d days", m.GetTransferId(), m.GetWithinDays())
	return f.transfer(m.GetTransferId(), TransferClaim{WithinDays: m.GetWithinDays(), Under: m.GetUnder()})
}

func (f *folding) transferReleased(m *caseworkv1.TransferReleased) error {
	f.say("stated who released the people of transfer %s", m.GetTransferId())
	return f.transfer(m.GetTransferId(), TransferClaim{ReleasedBy: m.GetReleasedBy()})
}

func (t *Transfer) derive() {
	t.Attributes, t.Oddities = nil, nil
	seen := make(map[string]bool)
	for _, c := range t.Claims {
		t.Oddities.remarks(c.Claim)
		t.Attributes.say(c.Claim, "from", c.From)
		t.Attributes.say(c.Claim, "to", c.To)
		t.Attributes.say(c.Claim, "crossing", c.Crossing)
		t.Attributes.say(c.Claim, "released_by", c.ReleasedBy)
		t.odd(c, seen)
		seen[c.Kind] = true
	}
	t.Discrepancies = t.discrepancies()
	t.Screenings = t.screenings()
}

// odd says what makes no sense of a claim after those before it.
func (t *Transfer) odd(c TransferClaim, seen map[string]bool) {
	switch {
	case c.Kind == kindAnnounced && c.From == c.To && c.From != "":
		t.Oddities.add(c.Claim, "announced from and to the same country")
	case c.Kind == kindDeparted && !seen[kindAnnounced]:
		t.Oddities.add(c.Claim, "departed before it was announced")
	case c.Kind == kindReceived && !seen[kindDeparted]:
		t.Oddities.add(c.Claim, "received before anybody stated a departure")
	case c.Kind == kindScreening && !seen[kindReceived]:
		t.Oddities.add(c.Claim, "screening of people whom nobody has stated to be received")
	case c.Kind == kindExplained && c.Saw == nil:
		t.Oddities.add(c.Claim, "explains a discrepancy that did not stand")
	}
}

// phases returns what agencies state of each step, for those whose step it is.
func (t *Transfer) phases() (announced, departed, received phase) {
	all := make(map[string][]statement)
	for _, c := range t.Claims {
		all[c.Kind] = append(all[c.Kind], statement{c.Claim, c.Count})
	}
	from, to := t.route()
	return newPhase("announced", all[kindAnnounced], from, to),
		newPhase("departed", all[kindDeparted], from),
		newPhase("received", all[kindReceived], to)
}

// route returns from where to where, if all who say so agree on two countries; else nothing.
func (t *Transfer) route() (from, to string) {
	f, d := t.Attributes.Get("from"), t.Attributes.Get("to")
	if f.Differ || d.Differ || f.First() == d.First() {
		return "", ""
	}
	return f.First(), d.First()
}

// screenings derives when each agency's screening is due: the date of reception
// as the standing statement has it, in the offset that it was stated in, and
// the days after it.
func (t *Transfer) screenings() []ScreeningDue {
	var list []ScreeningDue
	_, _, received := t.phases()
	at, _ := received.standing()
	for _, c := range t.Claims {
		if c.Kind != kindScreening {
			continue
		}
		due := ScreeningDue{
			Country: c.Country, Agency: c.Agency, Index: c.Index,
			WithinDays: c.WithinDays, Under: c.Under,
			Due: daysAfter(at.claim.Occurred, c.WithinDays),
		}
		replaced := false
		for i := range list {
			if list[i].Country == due.Country && list[i].Agency == due.Agency {
				list[i], replaced = due, true
			}
		}
		if !replaced {
			list = append(list, due)
		}
	}
	return list
}

// daysAfter adds days to the date of an ISO 8601 date or time; empty where it
// is no date (31 February has the form of one) or the days pass ten years.
func daysAfter(occurred string, days uint32) string {
	if len(occurred) < len(time.DateOnly) || days == 0 || days > 3650 {
		return ""
	}
	date, err := time.Parse(time.DateOnly, occurred[:len(time.DateOnly)])
	if err != nil {
		return ""
	}
	return date.AddDate(0, 0, int(days)).Format(time.DateOnly)
}
