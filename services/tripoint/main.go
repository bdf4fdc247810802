// Command tripoint carries every role of the log as a subcommand.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/daemon"
)

// Exit codes. Scripts rely on them.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitFindings = 3 // a verification found something wrong
)

// exit is an error that ends the command with a code of its own.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string { return e.err.Error() }
func (e exit) Unwrap() error { return e.err }

func main() {
	ctx, cancel := daemon.Context(context.Background())
	defer cancel()
	root := &cobra.Command{
		Use:   "tripoint",
		Short: "A shared, tamper-evident case log for agencies of several countries",
		Long: "A shared, tamper-evident case log for agencies of several countries.\n" +
			"Start with: tripoint pilot\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 a verification found something wrong.",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return exit{exitUsage, fmt.Errorf("%w; see %s --help", err, command.CommandPath())}
	})
	root.AddCommand(pilotCommand(), auditCommand(), evidenceCommand(), doctorCommand(), publishCommand(), registryCommand(), keyCommand(), versionCommand())
	root.AddCommand(serveCommands()...)
	root.AddCommand(witnessCommand())
	err := root.ExecuteContext(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "tripoint:", err)
	var coded exit
	if errors.As(err, &coded) {
		os.Exit(coded.code)
	}
	os.Exit(exitFailed)
}

// arguments refuses a wrong number of arguments as a usage error.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if err := check(command, args); err != nil {
			return exit{exitUsage, fmt.Errorf("%w; see %s --help", err, command.CommandPath())}
		}
		return nil
	}
}
