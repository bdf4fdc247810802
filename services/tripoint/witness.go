package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/witness"
)

// witnessFile is the configuration of an outside witness, in YAML. It is no member
// of any log: it has no charter and no hub.
type witnessFile struct {
	Name           string `yaml:"name"`      // key name: a URL without scheme
	Key            string `yaml:"key"`       // path; used for nothing else
	Directory      string `yaml:"directory"` // what it has seen; lost, it needs a new key
	Listen         string `yaml:"listen"`    // host:port
	PassphraseFile string `yaml:"passphrase_file"`
	Unsealed       bool   `yaml:"unsealed"`
	Logs           []struct {
		Origin string `yaml:"origin"`
		VKey   string `yaml:"vkey"`
	} `yaml:"logs"`
}

func witnessCommand() *cobra.Command {
	parent := &cobra.Command{Use: "witness", Short: "Cosign logs from outside, seeing nothing but sizes and hashes"}
	var path string
	var verbose bool
	serve := &cobra.Command{
		Use: "serve", Short: "Run until interrupted", Args: arguments(cobra.NoArgs),
		Long: "Cosigns the logs of its configuration by C2SP tlog-witness, ours or any other.\n" +
			"Prints its submission prefix and its vkey: a log's notary needs both.",
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := readWitness(path)
			if err != nil {
				return err
			}
			config.Logger = daemon.Logger(command.ErrOrStderr(), verbose)
			return serveWitness(command.Context(), config)
		},
	}
	serve.Flags().StringVar(&path, "config", "witness.yaml", "configuration file")
	serve.Flags().BoolVarP(&verbose, "verbose", "v", false, "log each request")
	parent.AddCommand(serve, &cobra.Command{
		Use: "log CHARTER", Short: "Print a log's origin and vkey, as a witness's configuration has them", Args: arguments(cobra.ExactArgs(1)),
		Long: "Prints the origin and the notary's first vkey from a charter. A notary key that was\n" +
			"rotated since stands in the registry; a witness then has the log twice, with both.",
		RunE: func(command *cobra.Command, args []string) error { return printLog(command, args[0]) },
	})
	return parent
}

func readWitness(path string) (witness.Config, error) {
	opened, err := os.Open(path)
	if err != nil {
		return witness.Config{}, fmt.Errorf("configuration: %w", err)
	}
	defer opened.Close()
	var f witnessFile
	decoder := yaml.NewDecoder(opened)
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil {
		return witness.Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	lock, err := settings{file: file{PassphraseFile: f.PassphraseFile, Unsealed: f.Unsealed}}.lock()
	if err != nil {
		return witness.Config{}, err
	}
	config := witness.Config{Name: f.Name, Directory: f.Directory, Listen: f.Listen}
	for _, l := range f.Logs {
		config.Logs = append(config.Logs, witness.Log{Origin: l.Origin, VKey: l.VKey})
	}
	config.Key, err = keyfile.Load(f.Key, lock)
	return config, err
}

func serveWitness(ctx context.Context, config witness.Config) error {
	w, err := witness.New(config)
	if err != nil {
		return err
	}
	fmt.Println("witness:", w.URL(), w.VKey())
	return w.Run(ctx)
}

func printLog(command *cobra.Command, path string) error {
	message, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	charter, err := registry.OpenCharter(message)
	if err != nil {
		return fmt.Errorf("charter %s: %w", path, err)
	}
	state, err := charter.State()
	if err != nil {
		return fmt.Errorf("charter %s: %w", path, err)
	}
	policies, err := state.Policies()
	if err != nil {
		return fmt.Errorf("charter %s: %w", path, err)
	}
	first := policies.At(0)
	_, err = fmt.Fprintf(command.OutOrStdout(), "logs:\n  - origin: %q\n    vkey: %q\n", first.Origin, translog.NotaryVKey(first.Origin, first.Notary).String())
	return err
}
