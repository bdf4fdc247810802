package main

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/registry/paper"
	"github.com/tripoint/tripoint/services/hub"
)

func hubEraseCommand() *cobra.Command {
	var url, credentials string
	var verbose bool
	command := &cobra.Command{
		Use: "erase", Short: "Overwrite, on an external NATS cluster, key records that were replaced or have expired",
		Long: "Does for a cluster that somebody else runs what the hub does by itself, until it is\n" +
			"interrupted: NATS alone lets no key record go. Run it all the time, beside one server.",
		Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			return hub.Erase(command.Context(), url, credentials, daemon.Logger(command.ErrOrStderr(), verbose))
		},
	}
	flags := command.Flags()
	flags.StringVar(&url, "url", "nats://127.0.0.1:4222", "address of the cluster")
	flags.StringVar(&credentials, "credentials", "nats/credentials/hub.creds", "the administrator's credentials, as tripoint hub config has written them")
	flags.BoolVarP(&verbose, "verbose", "v", false, "log what is done")
	return command
}

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
