package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/pilot/scenario"
)

// frugal is what the Go runtime aims to stay below, in bytes: the pilot shares a
// newcomer's machine. It is a soft limit.
const frugal = 200 << 20

// settling bounds how long the pilot waits for everything to be witnessed.
const settling = time.Minute

func pilotCommand() *cobra.Command {
	var data, file string
	var once, verbose bool
	var people officers
	format := output("table")
	command := &cobra.Command{
		Use:   "pilot",
		Short: "Run every role in one process and play a scenario through them",
		Long: "Runs the hub, the notary, a publisher for each agency and a desk for each country\n" +
			"in one process, plays a scenario through the publishers, and serves the desks'\n" +
			"consoles on loopback. The same --data continues where it stopped.",
		Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			facts, err := readScenario(file)
			if err != nil {
				return err
			}
			debug.SetMemoryLimit(frugal)
			config := pilot.Config{Data: data, Scenario: facts, Logger: daemon.Logger(command.ErrOrStderr(), verbose)}
			if once {
				return pilot.Run(command.Context(), config, summarise(command, format))
			}
			if config.Officers, err = people.all(); err != nil {
				return err
			}
			config.Newcomer = welcome(command)
			return pilot.Run(command.Context(), config, show(command, data, config.Officers))
		},
	}
	command.AddCommand(pilotRestoreCommand())
	flags := command.Flags()
	flags.StringVar(&data, "data", "pilot-data", "directory of this pilot's keys, streams and views")
	flags.StringVar(&file, "scenario", "", "scenario file (default: the built-in one)")
	flags.BoolVar(&once, "once", false, "play the scenario, wait until it is witnessed everywhere, print the summary and exit")
	flags.Var(&format, "output", "form of the summary that --once prints")
	people.flags(command, "officer", "protection")
	flags.BoolVarP(&verbose, "verbose", "v", false, "log what every role does")
	return command
}

func readScenario(file string) (scenario.Facts, error) {
	if file == "" {
		return scenario.BuiltIn()
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return scenario.Facts{}, fmt.Errorf("reading the scenario: %w", err)
	}
	facts, err := scenario.Parse(data)
	if err != nil {
		return scenario.Facts{}, fmt.Errorf("%s: %w", file, err)
	}
	return facts, nil
}

// summarise waits for the end of the scenario, prints its summary and is done.
func summarise(command *cobra.Command, format output) func(context.Context, *pilot.Pilot) error {
	return func(ctx context.Context, p *pilot.Pilot) error {
		bounded, cancel := context.WithTimeout(ctx, settling)
		defer cancel()
		if err := p.Settle(bounded); err != nil {
			return err
		}
		summary, err := p.Summary(ctx)
		if err != nil {
			return err
		}
		if err := format.print(command.OutOrStdout(), summary); err != nil {
			return err
		}
		if err := judged(summary); err != nil {
			return err
		}
		return pilot.ErrDone
	}
}

// welcome prints where the console of a country is that has come.
func welcome(command *cobra.Command) func(pilot.Console) {
	return func(c pilot.Console) {
		fmt.Fprintf(command.OutOrStdout(), "\n  desk %s  %-10s  %s\n", c.Country, c.Role, c.SignIn)
	}
}

// show prints where the consoles are, and leaves the pilot running.
func show(command *cobra.Command, data string, people []console.Officer) func(context.Context, *pilot.Pilot) error {
	return func(ctx context.Context, p *pilot.Pilot) error {
		bounded, cancel := context.WithTimeout(ctx, settling)
		defer cancel()
		state := "the scenario is played, and witnessed by all countries"
		if err := p.Settle(bounded); err != nil {
			state = "the scenario is played; " + err.Error()
		}
		text := &strings.Builder{}
		fmt.Fprintf(text, "Tripoint pilot, data in %s: %s.\n\n", data, state)
		for _, officer := range people {
			consoles, err := p.Consoles(officer)
			if err != nil {
				return err
			}
			for _, c := range consoles {
				fmt.Fprintf(text, "  desk %s  %-10s  %s\n", c.Country, c.Role, c.SignIn)
			}
		}
		fmt.Fprintf(text, "\nEach link signs one person in, once, within a day. Ctrl-C stops the pilot;\nthe same command goes on where it stopped. To check the log meanwhile:\n\n  tripoint audit replay --data %s\n", data)
		_, err := fmt.Fprint(command.OutOrStdout(), text)
		return err
	}
}
