package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/paper"
	"github.com/tripoint/tripoint/pkg/stream"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/registrar"
)

func registryCommand() *cobra.Command {
	from := &source{}
	command := &cobra.Command{
		Use:   "registry",
		Short: "See who may say what to whom, and change it by signed proposals",
		Long: "See who may say what to whom, now and at any index of the log, and change it.\n\n" +
			"A change is a file. Who wants it proposes it; each root whose consent it takes, on\n" +
			"its own machine without a network, reviews and signs the file; any country's\n" +
			"registrar submits it. Somewhere to read the registry from is one of\n\n" +
			"  --data DIR                    a pilot, running or stopped (default pilot-data)\n" +
			"  --config FILE                 a hub, as a country's registrar (see deployments/roles)\n" +
			"  --book FILE --charter FILE    a file that export made; needs no network",
	}
	flags := command.PersistentFlags()
	flags.StringVar(&from.data, "data", "pilot-data", "data directory of a pilot")
	flags.StringVar(&from.as, "as", "", "with --data: the country whose registrar to be (default: the first founding member)")
	flags.StringVar(&from.config, "config", "", "configuration of a registrar")
	flags.StringVar(&from.book, "book", "", "registry book, as export makes it")
	flags.StringVar(&from.charter, "charter", "", "the charter that this party holds")
	command.AddCommand(showCommand(from), historyCommand(from), diffCommand(from), exportCommand(from),
		proposeCommand(from), reviewCommand(from), signCommand(from), submitCommand(from))
	return command
}

// source is where a command reads the registry.
type source struct{ data, as, config, book, charter string }

// read gives the charter that the party trusts, and the book.
func (s *source) read(ctx context.Context) (registry.Charter, *registryv1.Book, error) {
	if s.book != "" {
		charter, err := readCharter(s.charter)
		if err != nil {
			return charter, nil, err
		}
		data, err := os.ReadFile(s.book)
		if err != nil {
			return charter, nil, err
		}
		book, err := paper.OpenBook(data)
		if err != nil {
			return charter, nil, fmt.Errorf("%s: %w", s.book, err)
		}
		return charter, book, nil
	}
	var charter registry.Charter
	var book *registryv1.Book
	err := s.open(ctx, func(c registry.Charter, r *registrar.Registrar) error {
		charter, book = c, r.Book()
		return nil
	})
	return charter, book, err
}

// open reaches a hub.
func (s *source) open(ctx context.Context, use func(registry.Charter, *registrar.Registrar) error) error {
	if s.book != "" {
		return exit{exitUsage, errors.New("a book is a file: to submit, say --config or --data")}
	}
	if s.config == "" {
		return pilot.Registry(ctx, s.data, s.as, use)
	}
	settings, err := readSettings(s.config)
	if err != nil {
		return err
	}
	r, err := registrar.Open(ctx, registrar.Config{
		Country: settings.Country, Charter: settings.charter, Stream: settings.stream(stream.RegistrarUser(settings.Country)),
	})
	if err != nil {
		return err
	}
	defer r.Close()
	return use(settings.charter, r)
}

// trusted is the charter that a proposal is held against, without the network.
func (s *source) trusted() (registry.Charter, error) {
	if s.charter != "" {
		return readCharter(s.charter)
	}
	return pilot.Charter(s.data)
}

func readCharter(path string) (registry.Charter, error) {
	if path == "" {
		return registry.Charter{}, exit{exitUsage, errors.New("say --charter FILE: the charter that this party holds, by which everything is judged")}
	}
	message, err := os.ReadFile(path)
	if err != nil {
		return registry.Charter{}, fmt.Errorf("charter: %w", err)
	}
	charter, err := registry.OpenCharter(message)
	if err != nil {
		return registry.Charter{}, fmt.Errorf("%s: %w", path, err)
	}
	return charter, nil
}

func showCommand(from *source) *cobra.Command {
	var at uint64
	format := output("table")
	command := &cobra.Command{
		Use: "show", Short: "Who may publish what to whom, now or at a log index", Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			state, _, err := from.fold(command.Context(), at)
			if err != nil {
				return err
			}
			if format == "json" {
				return printJSON(command.OutOrStdout(), state.Overview())
			}
			return printOverview(command.OutOrStdout(), state.Overview(), at)
		},
	}
	command.Flags().Uint64Var(&at, "at", math.MaxUint64, "the registry by which the message at this log index is judged (default: the newest)")
	command.Flags().Lookup("at").DefValue = "newest"
	command.Flags().Var(&format, "output", "form")
	return command
}

// fold is the registry by which the message at a log index is judged.
func (s *source) fold(ctx context.Context, at uint64) (registry.State, []paper.Entry, error) {
	charter, book, err := s.read(ctx)
	if err != nil {
		return registry.State{}, nil, err
	}
	return paper.Fold(charter.Digest, book, at)
}

func historyCommand(from *source) *cobra.Command {
	format := output("table")
	command := &cobra.Command{
		Use: "history", Short: "Every update in plain words, in its order", Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			_, entries, err := from.fold(command.Context(), math.MaxUint64)
			if err != nil {
				return err
			}
			if format == "json" {
				return printJSON(command.OutOrStdout(), entryViews(entries))
			}
			return printHistory(command.OutOrStdout(), entries)
		},
	}
	command.Flags().Var(&format, "output", "form")
	return command
}

func diffCommand(from *source) *cobra.Command {
	return &cobra.Command{
		Use: "diff A B", Short: "What holds at log index B and did not at A, and the other way round", Args: arguments(cobra.ExactArgs(2)),
		RunE: func(command *cobra.Command, args []string) error {
			charter, book, err := from.read(command.Context())
			if err != nil {
				return err
			}
			var overviews [2]registry.Overview
			for i, arg := range args {
				at, err := strconv.ParseUint(arg, 10, 64)
				if err != nil {
					return exit{exitUsage, fmt.Errorf("%q is no log index", arg)}
				}
				state, _, err := paper.Fold(charter.Digest, book, at)
				if err != nil {
					return err
				}
				overviews[i] = state.Overview()
			}
			return printDiff(command.OutOrStdout(), overviews[0], overviews[1])
		},
	}
}

func exportCommand(from *source) *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Print the registry as a book, a file for machines without a network", Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			_, book, err := from.read(command.Context())
			if err != nil {
				return err
			}
			data, err := paper.Encode(book)
			if err != nil {
				return err
			}
			_, err = command.OutOrStdout().Write(data)
			return err
		},
	}
}
