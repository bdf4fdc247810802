package console

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tripoint/tripoint/pkg/casework"
)

// said is one claim in a timeline: who said it, and what, line by line.
type said struct {
	casework.Claim
	Lines    []line
	Sections []liveSection // that the event has beside its case section
	Doubted  bool          // its agency no longer vouches for it
}

// line is one thing that a claim states. Label is a key of the catalogue.
type line struct {
	Label string
	Value string
	Link  string // address of the page that the value names; empty: none
}

// lines drops what was not stated.
func lines(all ...line) []line {
	var stated []line
	for _, one := range all {
		if one.Value != "" {
			stated = append(stated, one)
		}
	}
	return stated
}

// claimsOnPage bounds a timeline, so that a page stays small however much is said.
const claimsOnPage = 30

// told is a part of a timeline, in the order of the log.
type told struct {
	Claims  []said
	Earlier string // address of the claims before these; empty: there are none
}

// timeline gives the newest claims, or the newest before the log index that a
// request asks for with ?before=INDEX.
func timeline[C any](c *Console, r *http.Request, current session, claims []C, of func(C) said) (told, error) {
	before, err := index(r.URL.Query().Get("before"))
	if err != nil || before == 0 {
		before = math.MaxUint64
	}
	var shown told
	state := c.config.State()
	for _, claim := range slices.Backward(claims) {
		one := of(claim)
		if one.Index >= before {
			continue
		}
		if len(shown.Claims) == claimsOnPage {
			shown.Earlier = r.URL.EscapedPath() + "?before=" + strconv.FormatUint(shown.Claims[claimsOnPage-1].Index, 10) + "#timeline"
			break
		}
		one.Doubted = state.Doubted(one.Country, one.Agency, one.Index)
		if len(one.Compartments) > 0 {
			if one.Sections, err = c.sectionsAt(r.Context(), current, one.Index); err != nil {
				return told{}, err
			}
		}
		shown.Claims = append(shown.Claims, one)
	}
	slices.Reverse(shown.Claims)
	return shown, nil
}

// linked is a line that leads to an entity's page.
func linked(label, entityType, id string) line {
	return line{Label: label, Value: id, Link: hrefOf(casework.Ref{Type: entityType, ID: id})}
}

// countLines says a count in one line of each kind.
func (c catalogue) countLines(count *casework.Count) []line {
	if count == nil {
		return nil
	}
	stated := []line{{Label: "count.total", Value: c.number(uint64(count.Total))}}
	if count.Male != nil {
		stated = append(stated, line{Label: "count.male", Value: c.number(uint64(*count.Male))})
	}
	if count.Female != nil {
		stated = append(stated, line{Label: "count.female", Value: c.number(uint64(*count.Female))})
	}
	var rows []string
	for _, row := range count.Rows {
		rows = append(rows, fmt.Sprintf("%s %s", row.Nationality, c.number(uint64(row.Total))))
	}
	if len(rows) > 0 {
		stated = append(stated, line{Label: "count.by-nationality", Value: strings.Join(rows, ", ")})
	}
	return stated
}

func (c catalogue) transferSaid(claim casework.TransferClaim) said {
	all := lines(
		line{Label: "transfer.from", Value: claim.From}, line{Label: "transfer.to", Value: claim.To},
		line{Label: "transfer.crossing", Value: claim.Crossing},
		line{Label: "transfer.released_by", Value: claim.ReleasedBy},
		line{Label: "transfer.discrepancy", Value: claim.Discrepancy}, line{Label: "transfer.reason", Value: claim.Reason},
		line{Label: "transfer.under", Value: claim.Under},
	)
	if claim.WithinDays > 0 {
		all = append(all, line{Label: "transfer.within", Value: c.number(uint64(claim.WithinDays))})
	}
	return said{Claim: claim.Claim, Lines: append(c.countLines(claim.Count), all...)}
}

func (c catalogue) siteSaid(claim casework.SiteClaim) said {
	all := []line{
		{Label: "attribute.name", Value: claim.Name}, {Label: "attribute.near", Value: claim.Near},
		{Label: "attribute.controlled_by", Value: claim.ControlledBy}, {Label: "attribute.status", Value: c.word("site-state", claim.Status)},
	}
	if claim.Position != nil {
		all = append(all, line{Label: "attribute.position", Value: fmt.Sprintf("%v, %v", claim.Position.Latitude, claim.Position.Longitude)})
	}
	return said{Claim: claim.Claim, Lines: lines(all...)}
}

func (c catalogue) measureSaid(claim casework.MeasureClaim) said {
	all := []line{{Label: "measure.kinds", Value: c.words("measure-kind", claim.Kinds)}}
	if len(claim.Kinds) == 0 && claim.Kind == "measure.lifted" {
		all[0].Value = c["measure.kinds.all"]
	}
	for _, point := range claim.Points {
		all = append(all, line{Label: "measure.point", Value: point.From + " → " + point.To})
	}
	return said{Claim: claim.Claim, Lines: lines(append(all,
		line{Label: "measure.observation", Value: c.word("observation", claim.Observation)},
		line{Label: "measure.at", Value: claim.At}, line{Label: "measure.what", Value: claim.What},
		line{Label: "measure.order", Value: claim.LegalOrder}, line{Label: "measure.exemptions", Value: strings.Join(claim.Exemptions, "; ")},
		line{Label: "measure.lift", Value: claim.LiftConditions},
	)...)}
}

func (c catalogue) commitmentSaid(claim casework.CommitmentClaim) said {
	return said{Claim: claim.Claim, Lines: lines(
		line{Label: "attribute.text", Value: claim.Text}, line{Label: "attribute.owners", Value: strings.Join(claim.Owners, ", ")},
		line{Label: "attribute.due", Value: claim.Due}, linked("attribute.meeting", casework.TypeMeeting, claim.Meeting),
		line{Label: "attribute.progress", Value: c.word("commitment-state", claim.Progress)}, line{Label: "commitment.proof", Value: claim.Proof},
	)}
}

func meetingSaid(claim casework.MeetingClaim) said {
	return said{Claim: claim.Claim, Lines: lines(
		line{Label: "attribute.place", Value: claim.Place}, line{Label: "attribute.parties", Value: strings.Join(claim.Parties, ", ")},
		linked("meeting.commitment", casework.TypeCommitment, claim.Commitment),
	)}
}

func (c catalogue) groupSaid(claim casework.GroupClaim) said {
	all := lines(line{Label: "attribute.title", Value: claim.Title}, line{Label: "attribute.sent_by", Value: claim.SentBy})
	return said{Claim: claim.Claim, Lines: append(all, c.countLines(claim.Count)...)}
}

func (c catalogue) repatriationSaid(claim casework.RepatriationClaim) said {
	all := []line{
		{Label: "attribute.to", Value: c.word("destination", claim.To)}, {Label: "attribute.via", Value: claim.Via},
		{Label: "attribute.how", Value: claim.How}, {Label: "attribute.labelled", Value: claim.Labelled},
	}
	if claim.Flights > 0 {
		all = append(all, line{Label: "repatriation.flights", Value: c.number(uint64(claim.Flights))})
	}
	return said{Claim: claim.Claim, Lines: append(c.countLines(claim.Count), lines(all...)...)}
}

func (c catalogue) personSaid(claim casework.PersonClaim) said {
	return said{Claim: claim.Claim, Lines: lines(
		line{Label: "attribute.nationality", Value: claim.Nationality}, line{Label: "attribute.sex", Value: c.word("sex", claim.Sex)},
		line{Label: "attribute.age_band", Value: c.word("age-band", claim.AgeBand)}, linked("attribute.transfer", casework.TypeTransfer, claim.Transfer),
		line{Label: "attribute.outcome", Value: c.word("outcome", claim.Outcome)},
	)}
}

// words is word of each.
func (c catalogue) words(group string, codes []string) string {
	shown := make([]string, len(codes))
	for i, code := range codes {
		shown[i] = c.word(group, code)
	}
	return strings.Join(shown, ", ")
}
