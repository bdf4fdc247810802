package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/audit"
)

// output is how a command prints what it found.
type output string

func (o *output) String() string { return string(*o) }
func (o *output) Type() string   { return "table|json" }

func (o *output) Set(value string) error {
	if value != "table" && value != "json" {
		return fmt.Errorf("want table or json")
	}
	*o = output(value)
	return nil
}

// print writes a summary. Its JSON form is a contract, see the README.
func (o output) print(to io.Writer, s audit.Summary) error {
	if o == "json" {
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", "  ")
		return encoder.Encode(s)
	}
	text := &strings.Builder{}
	fmt.Fprintf(text, "%d events: %d accepted, %d refused, %d duplicates\n", s.Events, s.Accepted, s.Refused, s.Duplicates)
	fmt.Fprintf(text, "log of %d leaves, root %.16s…\n", s.LogSize, s.Checkpoint.Root)
	fmt.Fprintf(text, "%d witnessed by %s\n", s.WitnessedSize, strings.Join(s.CosignedBy, ", "))
	for _, country := range slices.Sorted(maps.Keys(s.Desks)) {
		d := s.Desks[country]
		fmt.Fprintf(text, "desk %s: %d events, %d not for it, %d breaches, view %.16s…\n", country, d.Events, d.Sealed, len(d.Breaches), d.ViewDigest)
		for _, t := range d.Transfers {
			fmt.Fprintf(text, "  transfer %s: announced %s, departed %s, received %s\n", t.ID, number(t.Announced), number(t.Departed), number(t.Received))
			for _, discrepancy := range t.Discrepancies {
				fmt.Fprintf(text, "    %s: %d against %d, %s\n", discrepancy.Name, discrepancy.Left, discrepancy.Right, discrepancy.State)
			}
		}
	}
	for _, r := range s.Restorations {
		fmt.Fprintf(text, "restored at %d, %s: %d messages back, %d missing\n", r.Index, r.Time.Format("2006-01-02 15:04:05 UTC"), r.Recovered, r.Missing())
	}
	if len(s.Findings) == 0 {
		fmt.Fprintln(text, "no findings")
	}
	for _, finding := range s.Findings {
		fmt.Fprintf(text, "FINDING %s at %d: %s\n", finding.Code, finding.Index, finding.What)
	}
	_, err := io.WriteString(to, text.String())
	return err
}

func number(n *uint64) string {
	if n == nil {
		return "not stated"
	}
	return fmt.Sprint(*n)
}

// judged is nil for a summary without findings, else an error with its exit code.
func judged(s audit.Summary) error {
	if len(s.Findings) == 0 {
		return nil
	}
	return exit{exitFindings, fmt.Errorf("%d findings, listed above", len(s.Findings))}
}
