package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/paper"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// lasting is how many messages the log may grow by before a proposal expires.
const lasting = 10_000_000

// proposal is one kind of change, as a command.
type proposal struct {
	use, short string
	arguments  int
	flags      func(*cobra.Command)
	change     func(args []string, command *cobra.Command) (*registryv1.Update, error)
}

func proposeCommand(from *source) *cobra.Command {
	parent := &cobra.Command{
		Use: "propose", Short: "Write a proposal, for those whose consent it takes to review and sign",
		Long: "Writes a proposal to --out and says in plain words what it changes. Public keys come\n" +
			"from the PATH.pub files of tripoint key new.",
	}
	var out string
	var expires uint64
	parent.PersistentFlags().StringVar(&out, "out", "", "file to write the proposal to")
	parent.PersistentFlags().Uint64Var(&expires, "expires-after", lasting, "messages on the log, after the registry's newest update, until it can apply no more")
	_ = parent.MarkPersistentFlagRequired("out")
	for _, p := range slices.Concat(memberProposals, keyProposals, audienceProposals) {
		command := &cobra.Command{
			Use: p.use, Short: p.short, Args: arguments(cobra.ExactArgs(p.arguments)),
			RunE: func(command *cobra.Command, args []string) error {
				change, err := p.change(args, command)
				if err != nil {
					return err
				}
				return from.propose(command, change, expires, out)
			},
		}
		if p.flags != nil {
			p.flags(command)
		}
		parent.AddCommand(command)
	}
	return parent
}

func (s *source) propose(command *cobra.Command, change *registryv1.Update, expires uint64, out string) error {
	charter, whole, err := s.read(command.Context())
	if err != nil {
		return err
	}
	book, err := paper.Applied(charter.Digest, whole)
	if err != nil {
		return err
	}
	state, _, err := paper.Fold(charter.Digest, book, paper.End(book))
	if err != nil {
		return err
	}
	update, err := state.Propose(change, paper.End(book)+expires)
	if err != nil {
		return err
	}
	proposal := &registryv1.Proposal{Signed: &registryv1.SignedUpdate{Update: update}, Book: book}
	sheet, err := paper.Look(charter.Digest, proposal)
	if err != nil {
		return err
	}
	if err := writeProposal(out, proposal); err != nil {
		return err
	}
	return printReview(command.OutOrStdout(), out, sheet)
}

// publicKey reads what key new announced of a key and of its successor.
func publicKey(command *cobra.Command, flag string) (key halves, next []byte, err error) {
	path, _ := command.Flags().GetString(flag)
	if path == "" {
		return halves{}, nil, exit{exitUsage, fmt.Errorf("say --%s FILE: the .pub file of the key (tripoint key new makes it)", flag)}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return halves{}, nil, err
	}
	var announced announcement
	if err := json.Unmarshal(text, &announced); err != nil {
		return halves{}, nil, fmt.Errorf("%s: not the .pub file of a key", path)
	}
	public, publicErr := hex.DecodeString(announced.PublicKey)
	beside, besideErr := hex.DecodeString(announced.SecondKey)
	next, nextErr := hex.DecodeString(announced.Next)
	if err := errors.Join(publicErr, besideErr, nextErr); err != nil {
		return halves{}, nil, fmt.Errorf("%s: not the .pub file of a key: %w", path, err)
	}
	return halves{public, beside}, next, nil
}

// onlyKey is publicKey for a key that has no second one: a root's, a mirror's.
func onlyKey(command *cobra.Command, flag string) (public, next []byte, err error) {
	key, next, err := publicKey(command, flag)
	if err == nil && len(key.second) > 0 {
		return nil, nil, fmt.Errorf("--%s: only publishers and the notary have a second key", flag)
	}
	return key.public, next, err
}

// agencyOf splits COUNTRY/agency.
func agencyOf(text string) (country, agency string, err error) {
	country, agency, ok := strings.Cut(text, "/")
	if !ok || country == "" || agency == "" {
		return "", "", exit{exitUsage, fmt.Errorf("%q: want COUNTRY/agency, for example TH/border", text)}
	}
	return country, agency, nil
}

// ownerOf reads whose key it is: TH/border, TH:mirror, TH:identity.
func ownerOf(text string) (*registryv1.KeyOwner, error) {
	if country, agency, err := agencyOf(text); err == nil {
		return &registryv1.KeyOwner{Country: country, Purpose: &registryv1.KeyOwner_Agency{Agency: agency}}, nil
	}
	country, purpose, _ := strings.Cut(text, ":")
	if purpose == "mirror" {
		return &registryv1.KeyOwner{Country: country, Purpose: &registryv1.KeyOwner_Mirror{Mirror: &registryv1.Mirror{}}}, nil
	}
	if compartment, ok := event.CompartmentOf(purpose); ok {
		return &registryv1.KeyOwner{Country: country, Purpose: &registryv1.KeyOwner_Compartment{Compartment: uint32(compartment)}}, nil
	}
	return nil, exit{exitUsage, fmt.Errorf("%q: want the owner of a key: COUNTRY/agency, COUNTRY:mirror, or COUNTRY:case, :identity, :protection or :intelligence for a desk's opening key", text)}
}

func keyFlag(command *cobra.Command) { command.Flags().String("key", "", "the .pub file of the key") }

var keyProposals = []proposal{
	{"enrol-agency COUNTRY/AGENCY", "Let an agency publish", 1, func(command *cobra.Command) {
		keyFlag(command)
		command.Flags().String("name", "", "the agency's name, as it calls itself")
	}, func(args []string, command *cobra.Command) (*registryv1.Update, error) {
		country, agency, err := agencyOf(args[0])
		if err != nil {
			return nil, err
		}
		key, next, err := publicKey(command, "key")
		if err != nil {
			return nil, err
		}
		name, _ := command.Flags().GetString("name")
		return &registryv1.Update{Change: &registryv1.Update_AgencyEnrolled{AgencyEnrolled: &registryv1.AgencyEnrolled{Agency: &registryv1.Agency{
			Country: country, Agency: agency, Name: name, PublisherKey: key.public, PublisherSecondKey: key.second, PublisherNext: next,
		}}}}, nil
	}},
	{"retire-agency COUNTRY/AGENCY", "End an agency", 1, nil, func(args []string, _ *cobra.Command) (*registryv1.Update, error) {
		country, agency, err := agencyOf(args[0])
		return &registryv1.Update{Change: &registryv1.Update_AgencyRetired{AgencyRetired: &registryv1.AgencyRetired{Country: country, Agency: agency}}}, err
	}},
	{"enrol-key OWNER", "Give a key to an owner that has none: COUNTRY/agency, COUNTRY:mirror, COUNTRY:identity", 1, keyFlag,
		func(args []string, command *cobra.Command) (*registryv1.Update, error) {
			owner, key, next, err := ownedKey(args[0], command)
			return &registryv1.Update{Change: &registryv1.Update_KeyEnrolled{KeyEnrolled: &registryv1.KeyEnrolled{
				Owner: owner, PublicKey: key.public, SecondKey: key.second, Next: next}}}, err
		}},
	{"rotate-key OWNER", "Exchange an owner's key for the successor that it was enrolled with", 1, keyFlag,
		func(args []string, command *cobra.Command) (*registryv1.Update, error) {
			owner, key, next, err := ownedKey(args[0], command)
			return &registryv1.Update{Change: &registryv1.Update_KeyRotated{KeyRotated: &registryv1.KeyRotated{
				Owner: owner, PublicKey: key.public, SecondKey: key.second, Next: next}}}, err
		}},
	{"revoke-key OWNER", "End an owner's key", 1, func(command *cobra.Command) {
		command.Flags().Uint64("doubted-from", 0, "log index from which the owner no longer vouches for what it signed (0: vouches for all)")
	}, func(args []string, command *cobra.Command) (*registryv1.Update, error) {
		owner, err := ownerOf(args[0])
		doubted, _ := command.Flags().GetUint64("doubted-from")
		return &registryv1.Update{Change: &registryv1.Update_KeyRevoked{KeyRevoked: &registryv1.KeyRevoked{Owner: owner, DoubtedFrom: doubted}}}, err
	}},
}

func ownedKey(text string, command *cobra.Command) (owner *registryv1.KeyOwner, key halves, next []byte, err error) {
	if owner, err = ownerOf(text); err != nil {
		return nil, halves{}, nil, err
	}
	key, next, err = publicKey(command, "key")
	return owner, key, next, err
}

// classesOf reads CLASS=DAYS.
func classesOf(texts []string) ([]*registryv1.RetentionClass, error) {
	var classes []*registryv1.RetentionClass
	for _, text := range texts {
		class, days, _ := strings.Cut(text, "=")
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil {
			return nil, exit{exitUsage, fmt.Errorf("%q: want CLASS=DAYS, for example identity=180", text)}
		}
		classes = append(classes, &registryv1.RetentionClass{Retention: class, Days: uint32(n)})
	}
	return classes, nil
}
