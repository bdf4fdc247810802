package main

import (
	"context"
	"crypto"
	"crypto/hpke"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/second"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/publisher"
)

func doctorCommand() *cobra.Command {
	var data string
	format := listing("table")
	command := &cobra.Command{
		Use:   "doctor [hub|notary|publisher|desk]",
		Short: "Say what is wrong with a pilot, or with one role, and what to do",
		Long: "Examines a pilot's data directory, or one role by its configuration, running or\n" +
			"stopped: files and who may read them, keys against the registry, alarms with where\n" +
			"their evidence lies, what waits, and how far log, mirrors and witnesses are apart.\n" +
			"It changes nothing. Exit code 3 when something is wrong.",
		Args: arguments(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			checks, err := pilot.Examine(command.Context(), data)
			if err != nil {
				return err
			}
			return diagnose(command.OutOrStdout(), format, checks)
		},
	}
	command.Flags().StringVar(&data, "data", "pilot-data", "data directory of the pilot")
	command.PersistentFlags().Var(&format, "output", "form of the rows")
	for _, role := range []struct {
		name    string
		examine func(context.Context, settings, keyfile.Lock) []checkup.Check
	}{{"hub", examineHub}, {"notary", examineNotary}, {"publisher", examinePublisher}, {"desk", examineDesk}} {
		var path string
		one := &cobra.Command{
			Use: role.name, Short: "Examine one " + role.name + " by its configuration", Args: arguments(cobra.NoArgs),
			RunE: func(command *cobra.Command, _ []string) error {
				s, err := readSettings(path)
				if err != nil {
					return err
				}
				lock, err := s.lock()
				if err != nil {
					return diagnose(command.OutOrStdout(), format, []checkup.Check{
						checkup.Bad("passphrase", "correct passphrase_file, or its mode, in the configuration", "%v", err)})
				}
				return diagnose(command.OutOrStdout(), format, role.examine(command.Context(), s, lock))
			},
		}
		one.Flags().StringVar(&path, "config", role.name+".yaml", "configuration file of the role")
		command.AddCommand(one)
	}
	return command
}

// diagnose prints the rows; where one is wrong, that is the exit code's to say too.
func diagnose(to io.Writer, format listing, checks []checkup.Check) error {
	if err := format.print(to, checks); err != nil {
		return err
	}
	if wrong := checkup.Wrong(checks); wrong > 0 {
		return exit{exitFindings, fmt.Errorf("%d of %d checks found something wrong, see above", wrong, len(checks))}
	}
	return nil
}

func examineHub(ctx context.Context, s settings, lock keyfile.Lock) []checkup.Check {
	checks, running := hub.Examine(hub.Config{Directory: s.Directory, Lock: lock, Charter: s.charter})
	if !running {
		return checks
	}
	dialed, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(ctx, "tcp", s.Listen)
	if err != nil {
		return append(checks, checkup.Bad("address", "see whether the hub has another configuration, or is still starting", "the hub runs, and %s does not answer: %v", s.Listen, err))
	}
	dialed.Close()
	return append(checks, checkup.Good("address", "%s answers", s.Listen))
}

func examineNotary(ctx context.Context, s settings, lock keyfile.Lock) []checkup.Check {
	key, next, checks := s.examineKeys(lock)
	seconds, found := s.examineSeconds(lock)
	checks = append(checks, found...)
	if key != nil {
		checks = append(checks, notary.Examine(ctx, notary.Config{Directory: s.Directory, Charter: s.charter, Key: key, NextKey: next, SecondKeys: seconds})...)
	} else {
		checks = append(checks, s.examineDirectory()...)
	}
	return append(checks, s.examineHub(ctx, stream.NotaryUser)...)
}

func examinePublisher(ctx context.Context, s settings, lock keyfile.Lock) []checkup.Check {
	key, next, checks := s.examineKeys(lock)
	seconds, found := s.examineSeconds(lock)
	checks = append(append(checks, found...), keyfile.ExaminePlain("token", s.TokenFile))
	if key != nil {
		checks = append(checks, publisher.Examine(ctx, publisher.Config{
			Country: s.Country, Agency: s.Agency, Directory: s.Directory, Charter: s.charter, Key: key, NextKey: next, SecondKeys: seconds})...)
	} else {
		checks = append(checks, s.examineDirectory()...)
	}
	return append(checks, s.examineHub(ctx, stream.PublisherUser(s.Country, s.Agency))...)
}

func examineDesk(ctx context.Context, s settings, lock keyfile.Lock) []checkup.Check {
	key, next, checks := s.examineKeys(lock)
	var openings []hpke.PrivateKey
	if s.OpeningKeys != "" {
		var found []checkup.Check
		openings, found = keyfile.ExamineOpenings("opening keys", s.OpeningKeys, lock)
		checks = append(checks, found...)
	}
	if key != nil {
		checks = append(checks, desk.Examine(ctx, desk.Config{
			Country: s.Country, Directory: s.Directory, Charter: s.charter, MirrorKey: key, NextMirrorKey: next, OpeningKeys: openings})...)
	} else {
		checks = append(checks, s.examineDirectory()...)
	}
	return append(checks, s.examineHub(ctx, stream.DeskUser(s.Country))...)
}

// listing is how a command prints a list.
type listing string

func (l *listing) String() string { return string(*l) }
func (l *listing) Type() string   { return "table|json|ndjson" }

func (l *listing) Set(value string) error {
	if value != "table" && value != "json" && value != "ndjson" {
		return fmt.Errorf("want table, json or ndjson")
	}
	*l = listing(value)
	return nil
}

func (l listing) print(to io.Writer, checks []checkup.Check) error {
	switch l {
	case "json":
		return printJSON(to, checks)
	case "ndjson":
		encoder := json.NewEncoder(to)
		for _, c := range checks {
			if err := encoder.Encode(c); err != nil {
				return err
			}
		}
		return nil
	}
	widest := 0
	for _, c := range checks {
		widest = max(widest, len(c.Name))
	}
	text := &strings.Builder{}
	for _, c := range checks {
		state := "ok   "
		if !c.OK {
			state = "WRONG"
		}
		fmt.Fprintf(text, "%s  %-*s  %s\n", state, widest, c.Name, c.Detail)
		if c.Hint != "" {
			fmt.Fprintf(text, "%*s-> %s\n", widest+9, "", c.Hint)
		}
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// examineKeys opens the role's key, and its successor where that is here.
func (s settings) examineKeys(lock keyfile.Lock) (key, next crypto.Signer, checks []checkup.Check) {
	key, check := keyfile.Examine("key file", s.Key, lock)
	checks = append(checks, check)
	if s.NextKey != "" {
		next, check = keyfile.Examine("next key file", s.NextKey, lock)
		checks = append(checks, check)
	}
	return key, next, checks
}

// examineDirectory says of a role whose key is not to be had, and which cannot be
// examined without it, whether its directory is there.
func (s settings) examineDirectory() []checkup.Check {
	checks, _ := daemon.Examine(s.Directory)
	return checks
}

// examineSeconds opens the second keys that the configuration has.
func (s settings) examineSeconds(lock keyfile.Lock) (seconds []*second.Key, checks []checkup.Check) {
	for _, file := range []struct{ name, path string }{{"second key file", s.SecondKey}, {"next second key file", s.NextSecondKey}} {
		if file.path == "" {
			continue
		}
		key, check := keyfile.ExamineSecond(file.name, file.path, lock)
		checks = append(checks, check)
		if key != nil {
			seconds = append(seconds, key)
		}
	}
	return seconds, checks
}

// examineHub says whether the hub admits this role.
func (s settings) examineHub(ctx context.Context, user string) []checkup.Check {
	credentials := keyfile.ExaminePlain("credentials", s.Hub.Credentials)
	if !credentials.OK {
		return []checkup.Check{credentials}
	}
	return append([]checkup.Check{credentials}, stream.Examine(ctx, s.stream(user))...)
}
