package console

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/view"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

const longestReason = 1000 // characters, as the wire format has it

// problems are what has to be mended in a form, as keys of texts.
func (c *Console) problems(p decidePage) []string {
	var found []string
	need := func(ok bool, problem string) {
		if !ok {
			found = append(found, problem)
		}
	}
	reason, date := p.Draft.Value("reason"), p.Draft.Value("date")
	if p.Action != "release" {
		need(reason != "", "decide.problem.reason")
		need(utf8.RuneCountInString(reason) <= longestReason && utf8.ValidString(reason), "decide.problem.long")
	}
	if p.Action == "review" || p.Action == "recall" {
		_, err := time.Parse(time.DateOnly, date)
		need(err == nil, "decide.problem.date")
		need(err != nil || date >= c.today() || p.Action == "review", "decide.problem.past")
		need(err != nil || date > c.today() || p.Action == "recall", "decide.problem.today")
	}
	if p.Action == "release" {
		chosen := p.Draft.values["compartment"]
		need(len(chosen) > 0, "decide.problem.nothing")
		need(!slices.ContainsFunc(chosen, func(one string) bool { return !slices.Contains(p.Sections, one) }), "decide.problem.sealed")
		need(slices.Contains(p.Countries, p.Draft.Value("to")), "decide.problem.country")
		audience, ok := c.config.State().Audience(p.Draft.Value("audience"))
		need(ok && audience.Has(c.config.Country) && audience.Has(p.Draft.Value("to")), "decide.problem.audience")
		need(!ok || p.Event.Marking.Purpose == "" || slices.Contains(audience.Purposes, p.Event.Marking.Purpose), "decide.problem.purpose")
	}
	return found
}

// hand gives a decision to the publisher of the event's agency. The same draft has the same
// key: it is decided once, also where the answer was lost and it is sent again.
func (c *Console) hand(ctx context.Context, event view.Entry, d draft) draft {
	d.outcome, d.why = "failed", ""
	if c.config.Control == nil {
		return d
	}
	ctx, cancel := context.WithTimeout(ctx, decisionPasses)
	defer cancel()
	var err error
	switch d.action {
	case "erase":
		err = c.config.Control.Erase(ctx, event.Agency, event.EventID, d.Value("reason"))
	case "release":
		audience, _ := c.config.State().Audience(d.Value("audience"))
		chosen := slices.Clone(d.values["compartment"])
		slices.Sort(chosen)
		err = c.config.Control.Release(ctx, event.Agency, Releasing{
			Key: "console " + d.key, Index: event.Index, Compartments: slices.Compact(chosen), To: d.Value("to"), Audience: audience.ID,
			Marking: markingOf(event, audience),
		})
	default:
		err = c.config.Control.Say(ctx, event.Agency, c.reportOf(event, d))
	}
	refused := Refused{}
	switch {
	case err == nil:
		d.outcome = "done"
	case errors.As(err, &refused):
		d.outcome, d.why = "refused", refused.Why
	default:
		c.config.Logger.Warn("a decision was not handed over", "action", d.action, "error", err)
	}
	return d
}

// reportOf is a recall or a review. It goes to whom the event was said, for as long as the event is kept.
func (c *Console) reportOf(event view.Entry, d draft) *caseworkv1.Report {
	audience, _ := c.config.State().Audience(registry.AudienceOf(event.Audience))
	section := &caseworkv1.CaseSection{
		Marking: markingOf(event, audience), Source: "the desk of " + c.config.Country, Occurred: c.today(),
	}
	if d.action == "recall" {
		section.Content = &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
			RecallId: recallID(event, d), EventIds: []string{event.EventID}, Reason: d.Value("reason"), Deadline: d.Value("date") + "T23:59:59Z",
		}}
	} else {
		section.Content = &caseworkv1.CaseSection_ControlReviewed{ControlReviewed: &caseworkv1.ControlReviewed{
			EventIds: []string{event.EventID}, ReviewDate: d.Value("date"), Reason: d.Value("reason"),
		}}
	}
	return &caseworkv1.Report{IdempotencyKey: "console " + d.action + " " + d.key, Audience: audience.ID, Retention: event.Retention, Case: section}
}

// recallID names a recall. It is one agency's own, so it need not be unique beyond it; that it comes from
// the draft makes it the same however often it is sent.
func recallID(event view.Entry, d draft) string {
	digest := sha256.Sum256([]byte("recall " + d.key))
	return fmt.Sprintf("R-%d-%x", event.Index, digest[:3])
}

// markingOf is the marking of what is said of an event: its own, as far as this desk knows it.
func markingOf(event view.Entry, audience registry.Audience) *caseworkv1.Marking {
	marking := &caseworkv1.Marking{
		Tlp:     caseworkv1.Tlp(caseworkv1.Tlp_value["TLP_"+strings.ReplaceAll(event.Marking.TLP, "+", "_")]),
		Pap:     caseworkv1.Pap(caseworkv1.Pap_value["PAP_"+event.Marking.PAP]),
		Purpose: purposeOf(event, audience),
	}
	if marking.Tlp == caseworkv1.Tlp_TLP_UNSPECIFIED {
		marking.Tlp = caseworkv1.Tlp_TLP_AMBER
	}
	if marking.Pap == caseworkv1.Pap_PAP_UNSPECIFIED {
		marking.Pap = caseworkv1.Pap_PAP_AMBER
	}
	return marking
}

// purposeOf is the event's own purpose where the audience has it, else the audience's first.
func purposeOf(event view.Entry, audience registry.Audience) string {
	if len(audience.Purposes) == 0 || slices.Contains(audience.Purposes, event.Marking.Purpose) {
		return event.Marking.Purpose
	}
	return audience.Purposes[0]
}

// command is what to run in place of a form where no publisher is configured; empty where
// only a desk can do it. What the officer has to fill in is in capitals.
func (c *Console) command(event view.Entry, action string) string {
	const at = " --publisher URL --token-file FILE"
	audience, _ := c.config.State().Audience(registry.AudienceOf(event.Audience))
	said := fmt.Sprintf(` --audience %s --retention %s --purpose "%s" --reason "WHY"`, audience.ID, event.Retention, purposeOf(view.Entry{}, audience))
	switch action {
	case "erase":
		return "tripoint publisher erase " + event.EventID + ` --reason "WHY"` + at
	case "recall":
		return "tripoint publisher recall " + event.EventID + " --id NAME --deadline 2025-12-31T12:00:00Z" + said + at
	case "review":
		return "tripoint publisher review " + event.EventID + " --date 2025-12-31" + said + at
	}
	return ""
}
