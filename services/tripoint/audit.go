package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/services/pilot"
)

func auditCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "audit",
		Short: "Check a log as somebody who trusts nobody in it",
	}
	command.AddCommand(auditReplayCommand())
	return command
}

func auditReplayCommand() *cobra.Command {
	var data string
	format := output("table")
	command := &cobra.Command{
		Use:   "replay",
		Short: "Verify every signature, chain, verdict, leaf, checkpoint and cosignature",
		Long: "Reads the whole log of a pilot, running or stopped, holding no secret, and verifies\n" +
			"all of it. Exit code 3 when something is wrong.",
		Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			summary, err := pilot.Audit(command.Context(), data, progress(command.ErrOrStderr()))
			if err != nil {
				return err
			}
			if err := format.print(command.OutOrStdout(), summary); err != nil {
				return err
			}
			return judged(summary)
		},
	}
	command.Flags().StringVar(&data, "data", "pilot-data", "data directory of the pilot")
	command.Flags().Var(&format, "output", "form of the summary")
	return command
}

// progress shows a line that counts, where somebody sits at a terminal.
func progress(to io.Writer) func(replayed, known uint64) {
	file, ok := to.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return func(replayed, known uint64) {
		fmt.Fprintf(to, "\r%d of %d events replayed", replayed, known)
		if replayed >= known {
			fmt.Fprintln(to)
		}
	}
}
