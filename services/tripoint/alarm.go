package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/desk/journal"
	"github.com/tripoint/tripoint/services/pilot"
)

// which is the desk that a command is about: one with a configuration, or one of a pilot.
type which struct{ config, data, country string }

func (w *which) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&w.config, "config", "", "configuration file of the desk")
	flags.StringVar(&w.data, "data", "pilot-data", "data directory of a pilot, with --country")
	flags.StringVar(&w.country, "country", "", "the pilot's desk of this country")
}

func (w *which) directory() (string, error) {
	switch {
	case w.config != "" && w.country != "":
		return "", exit{exitUsage, errors.New("--config and --country: say one desk")}
	case w.config != "":
		s, err := readSettings(w.config)
		return s.Directory, err
	case w.country != "":
		return pilot.DeskDirectory(w.data, w.country), nil
	}
	return "", exit{exitUsage, errors.New("say --config FILE, or --country CC of the pilot in --data")}
}

func alarmsCommand() *cobra.Command {
	var desks which
	var out string
	format := listing("table")
	command := &cobra.Command{
		Use: "alarms", Short: "List what this desk has found to be wrong with the log",
		Long: "Lists all alarms that a desk has ever raised, newest first, running or stopped. With\n" +
			"--out both sides of their evidence are written to files, as the exact bytes. They may\n" +
			"hold case information. Exit code 3 when an alarm stands.",
		Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			directory, err := desks.directory()
			if err != nil {
				return err
			}
			all, err := desk.Alarms(command.Context(), directory)
			if err != nil {
				return err
			}
			if out != "" {
				if err := writeEvidence(out, all); err != nil {
					return err
				}
			}
			return printAlarms(command.OutOrStdout(), format, all)
		},
	}
	desks.flags(command)
	command.Flags().Var(&format, "output", "form of the list")
	command.Flags().StringVar(&out, "out", "", "directory to write both sides of the evidence to")
	return command
}

func acknowledgeCommand() *cobra.Command {
	var desks which
	var person, reason string
	command := &cobra.Command{
		Use: "acknowledge NUMBER", Short: "End an alarm of a stopped desk, after people have looked at its evidence",
		Long: "Records who has decided that an alarm is settled, when and why. The alarm stays in the\n" +
			"journal and on the console's page /alarms with its evidence. The desk must be stopped,\n" +
			"and goes by it from its next start on: it cosigns again only what its own tree and the\n" +
			"messages that it holds allow. Where what caused the alarm goes on, it is raised again.\n\n" +
			"An alarm `foreign` cannot be ended: this desk holds another log. After `state-lost`\n" +
			"the mirror key is not used any more: enrol another.",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error {
			number, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return exit{exitUsage, fmt.Errorf("%q is no number of an alarm; tripoint desk alarms lists them", args[0])}
			}
			directory, err := desks.directory()
			if err != nil {
				return err
			}
			alarm, err := desk.Settle(command.Context(), directory, number, person, reason)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "Alarm %d (%s) is settled by %s. It stays on the console with its evidence. Start the desk again.\n", number, alarm.Code, person)
			return err
		},
	}
	desks.flags(command)
	command.Flags().StringVar(&person, "by", "", "name and office of who has decided it")
	command.Flags().StringVar(&reason, "reason", "", "why, in a sentence")
	_ = command.MarkFlagRequired("by")
	_ = command.MarkFlagRequired("reason")
	return command
}

// alarmView is an alarm in its JSON form, without its evidence.
type alarmView struct {
	Number  int64        `json:"number"`
	Raised  time.Time    `json:"raised"`
	Code    string       `json:"code"`
	Index   *uint64      `json:"index"` // null: it is about none
	What    string       `json:"what"`
	Have    int          `json:"have_bytes"`
	Got     int          `json:"got_bytes"`
	Stands  bool         `json:"stands"`
	Settled *settledView `json:"settled,omitempty"`
}

type settledView struct {
	When   time.Time `json:"when"`
	By     string    `json:"by"` // empty: it ended by itself
	Reason string    `json:"reason"`
}

func printAlarms(to io.Writer, format listing, all []journal.Alarm) error {
	views := make([]alarmView, 0, len(all))
	standing := 0
	for i := len(all) - 1; i >= 0; i-- {
		a := all[i]
		view := alarmView{Number: a.Number, Raised: a.Raised, Code: a.Code, Index: a.Index, What: a.What, Have: len(a.Have), Got: len(a.Got), Stands: a.Settled == nil}
		if a.Settled != nil {
			view.Settled = &settledView{When: a.Settled.When, By: a.Settled.Person, Reason: a.Settled.Reason}
		} else {
			standing++
		}
		views = append(views, view)
	}
	if err := format.printAlarms(to, views); err != nil {
		return err
	}
	if standing > 0 {
		return exit{exitFindings, fmt.Errorf("%d alarms stand, see above", standing)}
	}
	return nil
}

func (l listing) printAlarms(to io.Writer, views []alarmView) error {
	switch l {
	case "json":
		return printJSON(to, views)
	case "ndjson":
		encoder := json.NewEncoder(to)
		for _, v := range views {
			if err := encoder.Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
	text := &strings.Builder{}
	for _, v := range views {
		state, index := "STANDS", "no index"
		if v.Settled != nil {
			state = "ended"
		}
		if v.Index != nil {
			index = fmt.Sprintf("index %d", *v.Index)
		}
		fmt.Fprintf(text, "%d  %s  %s  %s  %s\n    %q\n    evidence: %d bytes here, %d bytes against it\n",
			v.Number, state, v.Raised.Format(time.RFC3339), v.Code, index, v.What, v.Have, v.Got)
		if v.Settled != nil && v.Settled.By != "" {
			fmt.Fprintf(text, "    settled at %s by %s: %s\n", v.Settled.When.Format(time.RFC3339), v.Settled.By, v.Settled.Reason)
		} else if v.Settled != nil {
			fmt.Fprintf(text, "    ended by itself at %s: %s\n", v.Settled.When.Format(time.RFC3339), v.Settled.Reason)
		}
	}
	if len(views) == 0 {
		fmt.Fprintln(text, "no alarm was ever raised")
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// writeEvidence writes each side to a file of its own, for its owner alone. A file
// that is there is not written over.
func writeEvidence(directory string, all []journal.Alarm) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	for _, a := range all {
		for side, data := range map[string][]byte{"have": a.Have, "got": a.Got} {
			if len(data) == 0 {
				continue
			}
			file, err := os.OpenFile(filepath.Join(directory, fmt.Sprintf("alarm-%d-%s", a.Number, side)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, os.ErrExist) {
				continue
			}
			if err != nil {
				return err
			}
			_, err = file.Write(data)
			if err := errors.Join(err, file.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}
