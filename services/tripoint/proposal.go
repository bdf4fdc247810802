package main

import (
	"bufio"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/paper"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
	"github.com/tripoint/tripoint/services/registrar"
)

func readProposal(path string) (*registryv1.Proposal, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	proposal, err := paper.OpenProposal(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return proposal, nil
}

func writeProposal(path string, proposal *registryv1.Proposal) error {
	data, err := paper.Encode(proposal)
	if err != nil {
		return err
	}
	return disk.Replace(path, data, 0o600)
}

// printReview shows what a proposal changes and what it lacks.
func printReview(to io.Writer, path string, sheet paper.Sheet) error {
	text := &strings.Builder{}
	fmt.Fprintf(text, "%s\n  update %s\n", path, sheet.Review.Digest)
	for _, says := range sheet.Review.Says {
		fmt.Fprintf(text, "  %s\n", says)
	}
	fmt.Fprintf(text, "It builds on %d updates, and can apply up to log index %d.\n", len(sheet.Entries), sheet.Review.LastIndex)
	if lacking := sheet.Review.Lacking; lacking != nil {
		fmt.Fprintf(text, "It lacks: %v.\n", lacking)
	} else {
		fmt.Fprintln(text, "It has all signatures that it takes, and can be submitted.")
	}
	_, err := io.WriteString(to, text.String())
	return err
}

func reviewCommand(from *source) *cobra.Command {
	return &cobra.Command{
		Use: "review FILE", Short: "Show what a proposal changes, and which signatures it lacks", Args: arguments(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error {
			_, sheet, err := from.look(args[0])
			if err != nil {
				return err
			}
			return printReview(command.OutOrStdout(), args[0], sheet)
		},
	}
}

// look reads a proposal as a party that holds a charter, with no network.
func (s *source) look(path string) (*registryv1.Proposal, paper.Sheet, error) {
	charter, err := s.trusted()
	if err != nil {
		return nil, paper.Sheet{}, err
	}
	proposal, err := readProposal(path)
	if err != nil {
		return nil, paper.Sheet{}, err
	}
	sheet, err := paper.Look(charter.Digest, proposal)
	if err != nil {
		return nil, sheet, fmt.Errorf("%s: %w", path, err)
	}
	return proposal, sheet, nil
}

func signCommand(from *source) *cobra.Command {
	var key, passphraseFile string
	var unsealed, beside, yes bool
	command := &cobra.Command{
		Use: "sign FILE", Short: "Show what a proposal changes, ask, and sign it with a root or with a key that it brings",
		Long: "Shows what a proposal changes, asks, and puts a signature into the file. Needs no\n" +
			"network: what the proposal builds on is in it, and is judged by --charter.",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error {
			proposal, sheet, err := from.look(args[0])
			if err != nil {
				return err
			}
			if err := printReview(command.OutOrStdout(), args[0], sheet); err != nil {
				return err
			}
			if !yes {
				if err := agreed(command.InOrStdin(), command.OutOrStdout()); err != nil {
					return err
				}
			}
			lock, err := chosenLock(unsealed, passphraseFile, strings.NewReader(""))
			if err != nil {
				return err
			}
			part, public, err := signProposal(sheet.Base, proposal.GetSigned(), key, lock, beside)
			if err != nil {
				return err
			}
			if err := writeProposal(args[0], proposal); err != nil {
				return err
			}
			return printSigned(command.OutOrStdout(), part, public)
		},
	}
	flags := command.Flags()
	flags.StringVar(&key, "key", "", "file of the key to sign with")
	flags.StringVar(&passphraseFile, "passphrase-file", "", "file whose one line is the key's passphrase")
	flags.BoolVar(&unsealed, "unsealed", false, "the key is not sealed")
	flags.BoolVar(&beside, "second", false, "the key is a second key (ML-DSA-44)")
	flags.BoolVar(&yes, "yes", false, "do not ask")
	_ = command.MarkFlagRequired("key")
	return command
}

// signProposal signs with the key of a file, of either kind.
func signProposal(state registry.State, signed *registryv1.SignedUpdate, path string, lock keyfile.Lock, beside bool) (registry.Part, []byte, error) {
	if beside {
		key, err := keyfile.LoadSecond(path, lock)
		if err != nil {
			return registry.Part{}, nil, err
		}
		return registry.Part{}, key.Public(), state.SignSecond(signed, key)
	}
	key, err := keyfile.Load(path, lock)
	if err != nil {
		return registry.Part{}, nil, err
	}
	part, err := state.Sign(signed, key)
	return part, key.Public().(ed25519.PublicKey), err
}

func printSigned(to io.Writer, part registry.Part, key []byte) error {
	if part.Root != "" {
		_, err := fmt.Fprintf(to, "Signed as the root of %s.\n", part.Root)
		return err
	}
	_, err := fmt.Fprintf(to, "Signed with the new key %x.\n", key[:8])
	return err
}

// agreed asks the person at the machine.
func agreed(from io.Reader, to io.Writer) error {
	fmt.Fprint(to, "Sign it? Type yes: ")
	line, err := bufio.NewReader(from).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != "yes" {
		return errors.New("not signed")
	}
	return nil
}

func submitCommand(from *source) *cobra.Command {
	return &cobra.Command{
		Use: "submit FILE", Short: "Hand a proposal in that has all its signatures, and wait until it is in force",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error {
			proposal, err := readProposal(args[0])
			if err != nil {
				return err
			}
			return from.open(command.Context(), func(_ registry.Charter, r *registrar.Registrar) error {
				index, err := r.Submit(command.Context(), proposal)
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				_, err = fmt.Fprintf(command.OutOrStdout(), "In force from log index %d.\n", index+1)
				return err
			})
		},
	}
}
