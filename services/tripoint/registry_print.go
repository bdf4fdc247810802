package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/paper"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

func printJSON(to io.Writer, value any) error {
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// printOverview answers who may publish what to whom.
func printOverview(to io.Writer, o registry.Overview, at uint64) error {
	text := &strings.Builder{}
	when := "now"
	if at != math.MaxUint64 {
		when = fmt.Sprintf("as the message at log index %d is judged", at)
	}
	fmt.Fprintf(text, "%s (%s), %s\ncharter %s\n", o.Name, o.Origin, when, o.Charter)
	fmt.Fprintf(text, "a change of the charter takes the roots of %d members; a checkpoint is witnessed by %d\n", o.Threshold, o.Quorum)
	fmt.Fprintf(text, "\nWho may publish what to whom\n")
	for _, a := range o.Audiences {
		fmt.Fprintf(text, "  %s, for %s\n", a.Audience, strings.Join(a.Purposes, ", "))
		fmt.Fprintf(text, "    written by  %s\n    read by     %s\n", orNobody(a.Writers), orNobody(a.Readers))
		fmt.Fprintf(text, "    address     %s\n", a.Address)
		if len(a.Classes) > 0 {
			fmt.Fprintf(text, "    retention   %s\n", strings.Join(a.Classes, ", "))
		}
	}
	fmt.Fprintf(text, "\nMembers\n")
	for _, m := range o.Members {
		fmt.Fprintf(text, "  %s  %s since index %d; reads %s\n", m.Country, m.Status, m.Since, orNobody(m.Reads))
		if m.Reason != "" {
			fmt.Fprintf(text, "      because: %s\n", m.Reason)
		}
		fmt.Fprintf(text, "      root %.16s…, mirror %s\n", m.Root, short(m.Mirror))
	}
	fmt.Fprintf(text, "\nAgencies\n")
	for _, a := range o.Agencies {
		fmt.Fprintf(text, "  %s/%s  %s\n", a.Country, a.Agency, a.Name)
		if a.Why != "" {
			fmt.Fprintf(text, "      publishes nowhere: %s\n", a.Why)
			continue
		}
		fmt.Fprintf(text, "      publishes to %s with key %s, valid from index %d\n", strings.Join(a.To, ", "), short(a.Key), a.From)
	}
	if len(o.OpeningKey) > 0 {
		fmt.Fprintf(text, "\nDesks, and what is sealed to them\n")
	}
	for _, k := range o.OpeningKey {
		fmt.Fprintf(text, "  %s opens %s with key %s, epoch %d\n", k.Country, event.CompartmentName(eventv1.Compartment(k.Compartment)), short(k.Digest), k.Epoch)
	}
	fmt.Fprintf(text, "\nRetention\n")
	for _, class := range slices.Sorted(maps.Keys(o.Retention)) {
		fmt.Fprintf(text, "  %s: %d days\n", class, o.Retention[class])
	}
	_, err := io.WriteString(to, text.String())
	return err
}

func orNobody(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

func short(key string) string {
	if key == "" {
		return "-"
	}
	return key[:min(16, len(key))] + "…"
}

// entryView is an entry in its JSON form.
type entryView struct {
	Index   uint64   `json:"index"`
	Subject string   `json:"subject"`
	Digest  string   `json:"digest"`
	Says    []string `json:"says"`
	Refused string   `json:"refused,omitempty"`
}

func entryViews(entries []paper.Entry) []entryView {
	views := make([]entryView, len(entries))
	for i, e := range entries {
		views[i] = entryView{Index: e.Index, Subject: e.Subject, Digest: e.Digest.String(), Says: e.Says}
		if e.Refused != nil {
			views[i].Refused = e.Refused.Error()
		}
	}
	return views
}

func printHistory(to io.Writer, entries []paper.Entry) error {
	text := &strings.Builder{}
	for _, e := range entries {
		subject := e.Subject
		if e.Refused != nil {
			subject = fmt.Sprintf("%.80q", subject) // anybody's words
		}
		fmt.Fprintf(text, "index %d  %s  %.16s…\n", e.Index, subject, e.Digest)
		if e.Refused != nil {
			fmt.Fprintf(text, "    REFUSED, it changed nothing: %v\n", e.Refused)
		}
		for _, says := range e.Says {
			fmt.Fprintf(text, "    %s\n", says)
		}
	}
	_, err := io.WriteString(to, text.String())
	return err
}

func printDiff(to io.Writer, before, after registry.Overview) error {
	text := &strings.Builder{}
	gone, come := registry.Diff(before, after)
	for _, fact := range gone {
		fmt.Fprintf(text, "- %s\n", fact)
	}
	for _, fact := range come {
		fmt.Fprintf(text, "+ %s\n", fact)
	}
	if text.Len() == 0 {
		fmt.Fprintln(text, "no difference")
	}
	_, err := io.WriteString(to, text.String())
	return err
}
