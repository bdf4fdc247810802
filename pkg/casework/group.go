package casework

import (
	"strconv"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Group is a counted list of people without identities. Attributes: title,
// sent_by, total.
type Group struct {
	ID         string       `json:"id"`
	Claims     []GroupClaim `json:"claims"` // in log order
	Attributes Attributes   `json:"attributes,omitempty"`
	Problems   []Problem    `json:"problems,omitempty"` // named as in a transfer: listed/sum-of-rows, listed@TH.police/sum-of-rows
	Oddities   Oddities     `json:"oddities,omitempty"`
}

// GroupClaim is one agency's statement of the list.
type GroupClaim struct {
	Claim
	Title  string `json:"title,omitempty"`
	SentBy string `json:"sent_by,omitempty"`
	Count  *Count `json:"count,omitempty"`
}

func (f *folding) groupListed(m *caseworkv1.GroupListed) error {
	f.say("listed %s as group %s", people(m.GetCount()), m.GetGroupId())
	claim := GroupClaim{Claim: f.claim, Title: m.GetTitle(), SentBy: m.GetSentBy(), Count: CountOf(m.GetCount())}
	if claim.Count == nil {
		claim.Remarks = append(claim.Remarks, "no count is stated")
	}
	return edit(f, TypeGroup, m.GetGroupId(), func(g *Group) {
		g.ID = m.GetGroupId()
		g.Claims = append(g.Claims, claim)
	})
}

func (g *Group) derive() {
	g.Attributes, g.Problems, g.Oddities = nil, nil, nil
	var all []statement
	for _, c := range g.Claims {
		g.Oddities.remarks(c.Claim)
		g.Attributes.say(c.Claim, "title", c.Title)
		g.Attributes.say(c.Claim, "sent_by", c.SentBy)
		if c.Count != nil {
			g.Attributes.say(c.Claim, "total", strconv.FormatUint(uint64(c.Count.Total), 10))
		}
		all = append(all, statement{c.Claim, c.Count})
	}
	listed := newPhase("listed", all)
	g.Problems = problemsOf(append(listed.within(), listed.arithmetic()...))
}

// problemsOf drops who made each difference.
func problemsOf(differences []difference) []Problem {
	var list []Problem
	for _, d := range differences {
		list = append(list, d.Problem)
	}
	return list
}
