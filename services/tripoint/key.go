package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
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
			"To rotate once the registry has the successor: mv PATH.next PATH, then key next PATH.\n" +
			"The passphrase is the one line of --passphrase-file, else of the file that\n" +
			"$" + passphraseVariable + " names, else of standard input.",
	}
	for _, c := range []struct {
		use, short string
		run        func(kind, string, keyfile.Lock) error
	}{
		{"new PATH", "Make PATH, PATH.next and PATH.pub", newKey},
		{"next PATH", "Make PATH.next where it is missing, and PATH.pub, for an existing PATH", nextKey},
	} {
		var unsealed, opening bool
		var passphraseFile string
		command := &cobra.Command{
			Use: c.use, Short: c.short, Args: arguments(cobra.ExactArgs(1)),
			RunE: func(command *cobra.Command, args []string) error {
				lock, err := chosenLock(unsealed, passphraseFile, command.InOrStdin())
				if err != nil {
					return err
				}
				k := signing
				if opening {
					k = opens
				}
				if err := c.run(k, args[0], lock); err != nil {
					return err
				}
				_, err = fmt.Fprintf(command.OutOrStdout(), "%s (%v), %s.next (%v), %s.pub\n", args[0], lock, args[0], lock, args[0])
				return err
			},
		}
		flags := command.Flags()
		flags.BoolVar(&unsealed, "unsealed", false, "leave the keys to whoever reads the disk")
		flags.StringVar(&passphraseFile, "passphrase-file", "", "file whose one line is the passphrase")
		flags.BoolVar(&opening, "opening", false, "a key that opens content (HPKE, MLKEM768-X25519), instead of one that signs (Ed25519)")
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

// kind is a kind of key: how its file is made and read, for its public half.
type kind struct {
	create, load func(path string, lock keyfile.Lock) (public []byte, err error)
}

var signing = kind{
	create: func(path string, lock keyfile.Lock) ([]byte, error) {
		key, err := keyfile.Create(path, lock)
		if err != nil {
			return nil, err
		}
		return key.Public().(ed25519.PublicKey), nil
	},
	load: func(path string, lock keyfile.Lock) ([]byte, error) {
		key, err := keyfile.Load(path, lock)
		if err != nil {
			return nil, err
		}
		return key.Public().(ed25519.PublicKey), nil
	},
}

// opens is the kind of a desk's key. What is sealed is the private key as
// draft-ietf-hpke-pq serialises it for MLKEM768-X25519: a seed of 32 bytes.
var opens = kind{
	create: func(path string, lock keyfile.Lock) ([]byte, error) {
		key, err := hpke.MLKEM768X25519().GenerateKey()
		if err != nil {
			return nil, fmt.Errorf("making an opening key: %w", err)
		}
		seed, err := key.Bytes()
		if err != nil {
			return nil, fmt.Errorf("making an opening key: %w", err)
		}
		return key.PublicKey().Bytes(), keyfile.Put(path, lock, seed)
	},
	load: func(path string, lock keyfile.Lock) ([]byte, error) {
		seed, err := keyfile.Secret(path, lock, nil)
		if err != nil {
			return nil, err
		}
		key, err := hpke.MLKEM768X25519().NewPrivateKey(seed)
		if err != nil {
			return nil, fmt.Errorf("key file %s: holds no opening key", path)
		}
		return key.PublicKey().Bytes(), nil
	},
}

// newKey makes all three files. After a crash in between, nextKey makes the rest.
func newKey(k kind, path string, lock keyfile.Lock) error {
	for _, there := range []string{path, path + ".next"} {
		switch _, err := os.Lstat(there); {
		case err == nil:
			return fmt.Errorf("%s exists, and a key is never written over; for what is missing beside an existing key: tripoint key next %s", there, path)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	public, err := k.create(path, lock)
	if err != nil {
		return err
	}
	return announce(k, path, public, lock)
}

func nextKey(k kind, path string, lock keyfile.Lock) error {
	public, err := k.load(path, lock)
	if err != nil {
		return err
	}
	// A successor that was moved to safety is not lost: with another one announced,
	// the registry would refuse the rotation.
	var before announcement
	text, err := os.ReadFile(path + ".pub")
	known := err == nil && json.Unmarshal(text, &before) == nil && before.PublicKey == hex.EncodeToString(public)
	if _, err := os.Lstat(path + ".next"); known && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s.pub announces a successor that is not here: bring %s.next back; if it is lost, remove %s.pub and make another", path, path, path)
	}
	return announce(k, path, public, lock)
}

// announcement is PATH.pub: what an enrolment says of a key. Both in hexadecimal.
type announcement struct {
	PublicKey string `json:"public_key"`
	Next      string `json:"next"` // the commitment to the successor
}

// announce makes the successor and writes the announcement. A successor that is
// there stays: the registry may hold its digest already.
func announce(k kind, path string, public []byte, lock keyfile.Lock) error {
	next, err := k.load(path+".next", lock)
	if errors.Is(err, fs.ErrNotExist) {
		next, err = k.create(path+".next", lock)
	}
	if err != nil {
		return err
	}
	commitment := registry.CommitmentOf(next)
	text, err := json.Marshal(announcement{PublicKey: hex.EncodeToString(public), Next: hex.EncodeToString(commitment[:])})
	if err != nil {
		return err
	}
	return disk.Replace(path+".pub", append(text, '\n'), 0o600)
}
