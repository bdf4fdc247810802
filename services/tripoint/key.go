package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/keyfile"
)

// passphraseVariable names a file, as --passphrase-file does.
const passphraseVariable = "TRIPOINT_PASSPHRASE_FILE"

func keyCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:   "key",
		Short: "Make the keys that sign and open, each with its successor",
		Long: "Makes the keys that sign and open. Each has a successor from the beginning: the\n" +
			"registry holds its digest, so whoever steals a key cannot rotate it to one of his own.\n\n" +
			"  PATH       the private key\n" +
			"  PATH.next  the private key that follows it; keep it on another machine\n" +
			"  PATH.pub   the public key and the digest of the next one, as JSON; holds no secret\n\n" +
			"With --second there are a second key beside PATH and one beside PATH.next, PATH.second\n" +
			"and PATH.next.second (ML-DSA-44): a publisher or notary signs with both.\n\n" +
			"To rotate once the registry has the successor: mv PATH.next PATH, and PATH.next.second\n" +
			"PATH.second where it is there, then key next PATH.\n" +
			"The passphrase is the one line of --passphrase-file, else of the file that\n" +
			"$" + passphraseVariable + " names, else of standard input.",
	}
	for _, c := range []struct {
		use, short string
		finds      bool // a second key that is there counts without being asked for
		run        func(kind, string, keyfile.Lock) error
	}{
		{"new PATH", "Make PATH, PATH.next and PATH.pub", false, newKey},
		{"next PATH", "Make PATH.next where it is missing, and PATH.pub, for an existing PATH", true, nextKey},
	} {
		var unsealed, opening, beside bool
		var passphraseFile string
		command := &cobra.Command{
			Use: c.use, Short: c.short, Args: arguments(cobra.ExactArgs(1)),
			RunE: func(command *cobra.Command, args []string) error {
				lock, err := chosenLock(unsealed, passphraseFile, command.InOrStdin())
				if err != nil {
					return err
				}
				k, err := kindOf(opening, beside || c.finds && exists(args[0]+secondSuffix))
				if err != nil {
					return err
				}
				if err := c.run(k, args[0], lock); err != nil {
					return err
				}
				for _, path := range slices.Concat(k.files(args[0]), k.files(args[0]+".next")) {
					fmt.Fprintf(command.OutOrStdout(), "%s (%v), ", path, lock)
				}
				_, err = fmt.Fprintf(command.OutOrStdout(), "%s.pub\n", args[0])
				return err
			},
		}
		flags := command.Flags()
		flags.BoolVar(&unsealed, "unsealed", false, "leave the keys to whoever reads the disk")
		flags.StringVar(&passphraseFile, "passphrase-file", "", "file whose one line is the passphrase")
		flags.BoolVar(&opening, "opening", false, "a key that opens content (HPKE, MLKEM768-X25519), instead of one that signs (Ed25519)")
		flags.BoolVar(&beside, "second", false, "a second key beside the one that signs (ML-DSA-44)")
		parent.AddCommand(command)
	}
	return parent
}

// chosenLock is how a command seals and opens. The first that is said counts: flags,
// environment, input.
func chosenLock(unsealed bool, passphraseFile string, input io.Reader) (keyfile.Lock, error) {
	if unsealed && passphraseFile != "" {
		return keyfile.Lock{}, exit{exitUsage, errors.New("--unsealed and --passphrase-file: an unsealed key has no passphrase; give one of them")}
	}
	if unsealed {
		return keyfile.Unsealed, nil
	}
	if passphraseFile == "" {
		passphraseFile = os.Getenv(passphraseVariable)
	}
	if passphraseFile != "" {
		return keyfile.PassphraseFile(passphraseFile)
	}
	// A terminal would show the passphrase to whoever looks over a shoulder.
	if file, ok := input.(*os.File); ok {
		info, err := file.Stat()
		if err != nil || info.Mode()&os.ModeCharDevice != 0 {
			return keyfile.Lock{}, exit{exitUsage, errors.New("no passphrase, and a terminal would show it while you type: write it into a file of mode 0600 and " +
				"give --passphrase-file FILE (or $" + passphraseVariable + "), or pipe it in; --unsealed leaves the key to whoever reads the disk")}
		}
	}
	line, err := bufio.NewReader(io.LimitReader(input, 4<<10)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return keyfile.Lock{}, fmt.Errorf("reading the passphrase: %w", err)
	}
	lock, err := keyfile.PassphraseLine(line)
	if err != nil {
		return keyfile.Lock{}, fmt.Errorf("standard input: %w", err)
	}
	return lock, nil
}
