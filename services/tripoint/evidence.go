package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/pilot"
)

func evidenceCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "evidence",
		Short: "One event in one file, for somebody who trusts nobody in the log",
	}
	command.AddCommand(evidenceExportCommand(), evidenceVerifyCommand())
	return command
}

func evidenceExportCommand() *cobra.Command {
	var from which
	var out string
	var names []string
	command := &cobra.Command{
		Use: "export EVENT_ID", Short: "Write a file that proves an event, out of what a desk holds",
		Long: "Writes the event's exact bytes, the updates of the registry, the notary's checkpoint and\n" +
			"the countries' cosignatures, with all proofs: what tripoint evidence verify and\n" +
			"tripoint-verify check without a network. The desk may run or not. Sealed parts\n" +
			"are in it as they were published: it proves that they were said, and not what they say.\n" +
			"With --open it has the keys of the parts that are named, and of nothing else: whoever\n" +
			"has the file reads them, for ever. Handle it as you would the case. It is made once a\n" +
			"quorum of countries has witnessed the event, and never of an event that was refused.",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error {
			id, err := event.ParseID(args[0])
			if err != nil {
				return exit{exitUsage, err}
			}
			open, err := compartmentsOf(names)
			if err != nil {
				return exit{exitUsage, fmt.Errorf("--open: %w", err)}
			}
			file, country, err := from.evidence(command.Context(), id, open)
			if err != nil {
				return err
			}
			if out == "-" {
				_, err = command.OutOrStdout().Write(file)
				return err
			}
			if out == "" {
				out = args[0] + ".evidence"
			}
			if err := writeNew(out, file); err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.ErrOrStderr(), "Written to %s, from what the desk of %s holds. Its reader needs the charter from somebody whom they trust.\n", out, country)
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&from.config, "config", "", "configuration file of the desk")
	flags.StringVar(&from.data, "data", "pilot-data", "data directory of a pilot")
	flags.StringVar(&from.country, "country", "", "the pilot's desk of this country (default: the first that has the event)")
	flags.StringSliceVar(&names, "open", nil, "compartments whose sealed parts the file opens, separated by commas: case, identity, protection, intelligence")
	flags.StringVar(&out, "out", "", "file to write, - for standard output (default: EVENT_ID.evidence); it must not be there yet")
	return command
}

// evidence makes the file, and says whose desk had the event.
func (w *which) evidence(ctx context.Context, id event.ID, open []eventv1.Compartment) (file []byte, country string, err error) {
	if w.config == "" {
		return pilot.Evidence(ctx, w.data, w.country, id, open...)
	}
	if w.country != "" {
		return nil, "", exit{exitUsage, errors.New("--config and --country: say one desk")}
	}
	s, err := readSettings(w.config)
	if err != nil {
		return nil, "", err
	}
	config := desk.Config{Country: s.Country, Directory: s.Directory, Charter: s.charter}
	if len(open) > 0 {
		if config.OpeningKeys, err = s.openings(); err != nil {
			return nil, "", err
		}
	}
	file, err = desk.Evidence(ctx, config, id, open...)
	return file, s.Country, err
}

// compartmentsOf reads the names of compartments.
func compartmentsOf(names []string) ([]eventv1.Compartment, error) {
	var all []eventv1.Compartment
	for _, name := range names {
		c, ok := event.CompartmentOf(name)
		if !ok {
			return nil, fmt.Errorf("no compartment %q: there are case, identity, protection and intelligence", name)
		}
		all = append(all, c)
	}
	return all, nil
}

// writeNew writes a file for its owner alone, and over none.
func writeNew(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func evidenceVerifyCommand() *cobra.Command {
	var charter, digest string
	format := output("table")
	command := &cobra.Command{
		Use: "verify FILE", Short: "Say in plain words what a file of evidence proves",
		Long: "Needs no network, and believes one thing: the charter, as the file that every member\n" +
			"holds, or its digest as they print it. tripoint-verify does the same, and is small\n" +
			"enough to be read whole. Exit code 3 when the file does not hold.",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error {
			root, err := trustedCharter(charter, digest)
			if err != nil {
				return err
			}
			opened, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer opened.Close()
			file, err := io.ReadAll(io.LimitReader(opened, evidence.MaxFile+1))
			if err != nil {
				return err
			}
			report, err := evidence.Verify(file, root)
			if err != nil {
				return exit{exitFindings, fmt.Errorf("%s does not hold: %w", args[0], err)}
			}
			if format == "json" {
				return printJSON(command.OutOrStdout(), report)
			}
			_, err = fmt.Fprint(command.OutOrStdout(), report)
			return err
		},
	}
	command.Flags().StringVar(&charter, "charter", "", "the charter's file")
	command.Flags().StringVar(&digest, "charter-digest", "", "or its digest, 64 hexadecimal digits")
	command.Flags().Var(&format, "output", "form of the report")
	return command
}

// trustedCharter is the digest of the charter that whoever verifies brings along.
func trustedCharter(path, digest string) (event.Digest, error) {
	switch {
	case (path == "") == (digest == ""):
		return event.Digest{}, exit{exitUsage, errors.New("say --charter FILE or --charter-digest HEX: the one thing that is believed")}
	case digest != "":
		root, err := evidence.ParseDigest(digest)
		if err != nil {
			return event.Digest{}, exit{exitUsage, fmt.Errorf("--charter-digest: %w", err)}
		}
		return root, nil
	}
	charter, err := readCharter(path)
	return charter.Digest, err
}
