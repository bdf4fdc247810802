package main

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/registry/paper"
	"github.com/tripoint/tripoint/services/hub"
)

func hubConfigCommand() *cobra.Command {
	var path, book, out string
	command := &cobra.Command{
		Use: "config", Short: "Write the files with which an external NATS cluster enforces the registry",
		Long: "Writes accounts, credentials, streams and consumers for a NATS cluster that somebody\n" +
			"else runs, derived from a registry book as the hub derives its own. Run it again\n" +
			"after each change of the registry; the broker's secret must stay the same.\n" +
			"deployments/roles/README.md says what to do with the files.",
		Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			s, err := readSettings(path)
			if err != nil {
				return err
			}
			lock, err := s.lock()
			if err != nil {
				return err
			}
			from := source{book: book, charter: s.Charter}
			charter, registry, err := from.read(command.Context())
			if err != nil {
				return err
			}
			state, _, err := paper.Fold(charter.Digest, registry, math.MaxUint64)
			if err != nil {
				return err
			}
			if err := hub.WriteConfig(out, filepath.Join(s.Directory, "keys", "broker.key"), lock, state); err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "Written to %s, for the registry before log index %d.\n", out, paper.End(registry))
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&path, "config", "hub.yaml", "the hub's configuration: directory, charter, passphrase_file")
	flags.StringVar(&book, "book", "", "registry book, as tripoint registry export makes it")
	flags.StringVar(&out, "out", "nats", "directory to write to")
	_ = command.MarkFlagRequired("book")
	return command
}
