package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/hub/salvage"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/publisher"
)

// holders are the roles that hold a part of the log, and how they hand it over.
var holders = map[string]func(context.Context, settings, io.Writer) error{
	"desk": func(ctx context.Context, s settings, to io.Writer) error {
		return desk.Export(ctx, desk.Config{Country: s.Country, Directory: s.Directory, Charter: s.charter}, to)
	},
	"publisher": func(ctx context.Context, s settings, to io.Writer) error {
		return publisher.Export(ctx, publisher.Config{Country: s.Country, Agency: s.Agency, Directory: s.Directory, Charter: s.charter}, to)
	},
	"notary": func(ctx context.Context, s settings, to io.Writer) error {
		return notary.Export(ctx, notary.Config{Directory: s.Directory, Charter: s.charter}, to)
	},
}

func exportHoldingCommand(role string) *cobra.Command {
	var path, out string
	command := &cobra.Command{
		Use: "export", Short: "Write what this " + role + " holds of the log, for a hub that has lost it",
		Long: "Writes a holding: what tripoint hub restore takes. It has all that this " + role + " holds of\n" +
			"the log: events as they were published, sealed where they were, and no key. Hand it over as\n" +
			"you would the disk. The " + role + " may run meanwhile.",
		Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			s, err := readSettings(path)
			if err != nil {
				return err
			}
			file, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			err = holders[role](command.Context(), s, file)
			if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
				return errors.Join(err, os.Remove(out))
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), "Written to", out)
			return err
		},
	}
	command.Flags().StringVar(&path, "config", role+".yaml", "configuration file of this "+role)
	command.Flags().StringVar(&out, "out", "", "file to write; it must not be there yet")
	_ = command.MarkFlagRequired("out")
	return command
}

// restoring are the flags of both commands that restore.
type restoring struct {
	how     hub.Restoration
	format  output
	verbose bool
}

func (r *restoring) flags(command *cobra.Command) {
	r.format = "table"
	flags := command.Flags()
	flags.BoolVar(&r.how.AcceptLoss, "accept-loss", false, "go on where nobody has brought some messages: the log says for ever that they are lost")
	flags.BoolVar(&r.how.DryRun, "dry-run", false, "say what would be restored, and change nothing")
	flags.Var(&r.format, "output", "form of what is printed")
	flags.BoolVarP(&r.verbose, "verbose", "v", false, "log what is done")
}

func hubRestoreCommand() *cobra.Command {
	var path string
	r := &restoring{}
	command := &cobra.Command{
		Use: "restore FILE...", Short: "Build the streams again from what all parties hold of the log",
		Long: "Builds the hub's streams again after a loss, from the holdings of its parties (tripoint\n" +
			"desk export, notary export, publisher export) and from what is left of the streams. The\n" +
			"hub must not run. Nobody is believed: what counts is what the notary has signed. The\n" +
			"streams of before are kept beside. Broken off, it may be run again.\n" +
			"Exit code 3 where the holdings do not suffice, or prove two different logs.",
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(command *cobra.Command, files []string) error {
			s, err := readSettings(path)
			if err != nil {
				return err
			}
			lock, err := s.lock()
			if err != nil {
				return err
			}
			var sources []salvage.Source
			for _, file := range files {
				sources = append(sources, salvage.File(file, s.charter))
			}
			r.how.Time = time.Now()
			done, err := hub.Restore(command.Context(), hub.Config{
				Directory: s.Directory, Lock: lock, Charter: s.charter, Logger: daemon.Logger(command.ErrOrStderr(), r.verbose),
			}, r.how, sources...)
			if unsound := (*salvage.Unsound)(nil); errors.As(err, &unsound) {
				err = fmt.Errorf("%w; have its party export it again, or leave it out: the others may suffice", err)
			}
			return r.print(command.OutOrStdout(), done, err)
		},
	}
	command.Flags().StringVar(&path, "config", "hub.yaml", "the hub's configuration: directory, charter, passphrase_file")
	r.flags(command)
	return command
}

func pilotRestoreCommand() *cobra.Command {
	var data string
	r := &restoring{}
	command := &cobra.Command{
		Use: "restore", Short: "Build the hub's streams again after a loss, from what all parties in the data directory hold",
		Long: "Takes what the notary, the desks and the publishers in the data directory hold of the log,\n" +
			"and does what tripoint hub restore does. The pilot must not run.",
		Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			done, err := pilot.Restore(command.Context(), data, r.how, daemon.Logger(command.ErrOrStderr(), r.verbose))
			return r.print(command.OutOrStdout(), done, err)
		},
	}
	command.Flags().StringVar(&data, "data", "pilot-data", "data directory of the pilot")
	r.flags(command)
	return command
}

// print says what became of the log.
func (r *restoring) print(to io.Writer, done hub.Restored, err error) error {
	loss, fork, short := (*hub.Loss)(nil), (*salvage.Fork)(nil), (*salvage.Short)(nil)
	if errors.As(err, &loss) || errors.As(err, &fork) || errors.As(err, &short) {
		return exit{exitFindings, err}
	}
	if err != nil {
		return err
	}
	if r.format == "json" {
		return printJSON(to, done)
	}
	text := &strings.Builder{}
	verb := "The log is restored"
	if r.how.DryRun {
		verb = "The log can be restored"
	}
	fmt.Fprintf(text, "%s: of %d messages, each at its place, %d were left in the streams and %d were brought.\n", verb, done.Size, done.Survived, done.Recovered)
	for _, lost := range done.Lost {
		fmt.Fprintf(text, "LOST  %d to %d, for %q\n", lost.From, lost.To-1, lost.Label)
	}
	if done.Cut > 0 {
		fmt.Fprintf(text, "LOST  %d to %d, with their leaves: the notary had signed them, and the log goes on without them\n", done.Size, done.Cut-1)
	}
	if done.Carried > 0 {
		fmt.Fprintf(text, "%d messages were stored and never signed: they go on after the log.\n", done.Carried)
	}
	for _, left := range done.LeftOut {
		fmt.Fprintf(text, "Left out: %d %s.\n", left.Count, left.Reason)
	}
	if len(done.Absent) > 0 {
		fmt.Fprintf(text, "Nothing was there of: %s. Whoever has run has lost its files: bring them back before its next start.\n", strings.Join(done.Absent, ", "))
	}
	for _, unsound := range done.Unsound {
		fmt.Fprintf(text, "Damaged, and not used: %s. Keep a copy, and have it mended before this party's next start: tripoint doctor says how.\n", unsound)
	}
	if done.Unread != "" {
		fmt.Fprintf(text, "What was left of the streams could not be read: %s.\n", done.Unread)
	}
	if done.Damaged != "" {
		fmt.Fprintf(text, "The streams of before are in %s: keep them until it is known what happened.\n", done.Damaged)
	}
	if !r.how.DryRun {
		fmt.Fprintf(text, "Of sealed content, %d key records were left, and publishers publish theirs again; of files, %d chunks, and nobody brings others:\n", done.Keys, done.Files)
		fmt.Fprintln(text, "an agency hands a file that readers miss over again, in a new report.")
		fmt.Fprintln(text, "Now start the hub, then everybody else, and run an audit.")
	}
	_, err = io.WriteString(to, text.String())
	return err
}
