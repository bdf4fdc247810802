package main

import (
	"context"
	"crypto"
	"crypto/hpke"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/second"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/notary/outside"
	"github.com/tripoint/tripoint/services/notary/scrub"
	"github.com/tripoint/tripoint/services/publisher"
)

// file is the configuration of one role, in YAML. A role reads what it needs;
// examples stand in deployments/.
type file struct {
	Country   string `yaml:"country"`   // publisher, desk
	Agency    string `yaml:"agency"`    // publisher
	Directory string `yaml:"directory"` // all
	Charter   string `yaml:"charter"`   // all: path of this party's own copy
	Listen    string `yaml:"listen"`    // all: host:port; a notary without it serves no tiles
	Key       string `yaml:"key"`       // notary, publisher, desk: path
	Standby   bool   `yaml:"standby"`   // notary: publishes only while the other one does not
	NextKey   string `yaml:"next_key"`  // the key that it is to be rotated to, where it is here already; may be missing

	// Second keys (ML-DSA-44), beside the key and beside the next one; may be missing where the registry names none.
	SecondKey     string `yaml:"second_key,omitempty"`      // notary, publisher: path
	NextSecondKey string `yaml:"next_second_key,omitempty"` // likewise

	// A directory: every *.key in it is a key to a compartment that this desk's officers work in.
	OpeningKeys string `yaml:"opening_keys,omitempty"` // desk

	// The agency of this country that says the desk's receipts of recalls; none: they wait.
	Publisher courier `yaml:"publisher,omitempty"` // desk

	// How the role's key files are sealed; one of the two.
	PassphraseFile string `yaml:"passphrase_file"` // path of a file that holds one line
	Unsealed       bool   `yaml:"unsealed"`        // whoever reads the disk has the keys

	TokenFile string `yaml:"token_file"`
	Hub       struct {
		URL         string `yaml:"url"`
		Credentials string `yaml:"credentials"` // path of a .creds file
	} `yaml:"hub"` // notary, publisher, desk

	// Bodies outside of the log that cosign it; each hands out its URL and its key.
	Witnesses []outsideBody `yaml:"witnesses,omitempty"` // notary

	// What may lie on the hub at once; left out: the defaults of hub.Shares.
	Shares shares `yaml:"shares,omitempty"` // hub

	// How fast the notary reads the stream again, and on how many servers it must lie.
	Scrub    pace `yaml:"scrub,omitempty"`
	Replicas int  `yaml:"replicas,omitempty"`
}

type courier struct {
	URL       string `yaml:"url"`
	TokenFile string `yaml:"token_file"`
}

// shares are in MiB.
type shares struct {
	AgencyKeys   uint32 `yaml:"agency_keys_mib"`
	AgencyFiles  uint32 `yaml:"agency_files_mib"`
	CountryKeys  uint32 `yaml:"country_keys_mib"`
	CountryFiles uint32 `yaml:"country_files_mib"`
}

func (s shares) bytes() hub.Shares {
	return hub.Shares{
		AgencyKeys: uint64(s.AgencyKeys) << 20, AgencyFiles: uint64(s.AgencyFiles) << 20,
		CountryKeys: uint64(s.CountryKeys) << 20, CountryFiles: uint64(s.CountryFiles) << 20,
	}
}

type pace struct {
	Messages int           `yaml:"messages"` // a second
	Bytes    int           `yaml:"bytes"`    // a second
	Pause    time.Duration `yaml:"pause"`    // between two rounds
}

type outsideBody struct {
	URL  string `yaml:"url"`
	VKey string `yaml:"vkey"`
}

// settings is a file with what it points to.
type settings struct {
	file
	charter registry.Charter
	log     *slog.Logger
	people  []console.Officer // a desk: for whom links are printed
}

func serveCommands() []*cobra.Command {
	var all []*cobra.Command
	for _, role := range []struct {
		name, short string
		serve       func(context.Context, settings) error
	}{
		{"hub", "The broker that everybody shares", serveHub},
		{"notary", "The log's tree and its checkpoints", serveNotary},
		{"publisher", "What one agency says", servePublisher},
		{"desk", "One country's view, console and mirror", serveDesk},
	} {
		parent := &cobra.Command{Use: role.name, Short: role.short}
		var path string
		var verbose bool
		var people officers
		serve := &cobra.Command{
			Use: "serve", Short: "Run until interrupted", Args: arguments(cobra.NoArgs),
			RunE: func(command *cobra.Command, _ []string) error {
				s, err := readSettings(path)
				if err != nil {
					return err
				}
				if s.people, err = people.all(); err != nil {
					return err
				}
				s.log = daemon.Logger(command.ErrOrStderr(), verbose)
				return role.serve(command.Context(), s)
			},
		}
		serve.Flags().StringVar(&path, "config", role.name+".yaml", "configuration file")
		serve.Flags().BoolVarP(&verbose, "verbose", "v", false, "log what the role does")
		parent.AddCommand(serve)
		if role.name == "hub" {
			parent.AddCommand(hubConfigCommand(), hubEraseCommand(), hubRestoreCommand())
		}
		if holders[role.name] != nil {
			parent.AddCommand(exportHoldingCommand(role.name))
		}
		if role.name == "publisher" {
			parent.AddCommand(attachCommand())
			parent.AddCommand(publisherCommands()...)
		}
		if role.name == "desk" {
			people.flags(serve, "officer")
			parent.AddCommand(alarmsCommand(), acknowledgeCommand())
		}
		all = append(all, parent)
	}
	return all
}

func readSettings(path string) (settings, error) {
	opened, err := os.Open(path)
	if err != nil {
		return settings{}, fmt.Errorf("configuration: %w", err)
	}
	defer opened.Close()
	var s settings
	decoder := yaml.NewDecoder(opened)
	decoder.KnownFields(true)
	if err := decoder.Decode(&s.file); err != nil {
		return settings{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	message, err := os.ReadFile(s.Charter)
	if err != nil {
		return settings{}, fmt.Errorf("configuration %s: charter: %w", path, err)
	}
	if s.charter, err = registry.OpenCharter(message); err != nil {
		return settings{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	return s, nil
}

// decided refuses a configuration that leaves open how the keys are sealed: every
// role that is served has one, the hub the broker's secret.
func (f file) decided() error {
	switch {
	case f.PassphraseFile != "" && f.Unsealed:
		return errors.New("passphrase_file and unsealed: true are both given: a sealed key has a passphrase, an unsealed one has none; remove one of them")
	case f.PassphraseFile == "" && !f.Unsealed:
		return errors.New("nothing says how the key files are sealed: give passphrase_file: FILE with the passphrase that tripoint key new was given, " +
			"or unsealed: true where whoever reads the disk may have the keys")
	}
	return nil
}

func (s settings) lock() (keyfile.Lock, error) {
	if err := s.decided(); err != nil {
		return keyfile.Lock{}, fmt.Errorf("configuration: %w", err)
	}
	if s.Unsealed {
		return keyfile.Unsealed, nil
	}
	return keyfile.PassphraseFile(s.PassphraseFile)
}

// keys are the role's key, and its successor where that is here: nil where it is not.
func (s settings) keys() (key, next crypto.Signer, err error) {
	lock, err := s.lock()
	if err != nil {
		return nil, nil, err
	}
	if key, err = keyfile.Load(s.Key, lock); err != nil || s.NextKey == "" {
		return key, nil, err
	}
	next, err = keyfile.Load(s.NextKey, lock)
	return key, next, err
}

// seconds are the role's second keys that its configuration has.
func (s settings) seconds() ([]*second.Key, error) {
	lock, err := s.lock()
	if err != nil {
		return nil, err
	}
	var keys []*second.Key
	for _, path := range []string{s.SecondKey, s.NextSecondKey} {
		if path == "" {
			continue
		}
		key, err := keyfile.LoadSecond(path, lock)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// courier is the publisher to which a desk hands its receipts; nil: none is configured.
func (s settings) courier() (publisherv1connect.PublisherServiceClient, error) {
	if s.Publisher.URL == "" {
		return nil, nil
	}
	token, err := keyfile.Token(s.Publisher.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("configuration: publisher: %w", err)
	}
	return publisher.NewClient(s.Publisher.URL, token), nil
}

// openings are the desk's opening keys that its configuration has.
func (s settings) openings() ([]hpke.PrivateKey, error) {
	if s.OpeningKeys == "" {
		return nil, nil
	}
	lock, err := s.lock()
	if err != nil {
		return nil, err
	}
	keys, err := keyfile.LoadOpenings(s.OpeningKeys, lock)
	if err != nil {
		return nil, fmt.Errorf("configuration: opening_keys: %w", err)
	}
	return keys, nil
}

func (s settings) stream(user string) stream.Config {
	return stream.Config{
		URL: s.Hub.URL, Credentials: s.Hub.Credentials, User: user, Account: stream.InMemberAccount(user), Logger: s.log,
	}
}

func serveHub(ctx context.Context, s settings) error {
	lock, err := s.lock()
	if err != nil {
		return err
	}
	h, err := hub.New(ctx, hub.Config{Directory: s.Directory, Listen: s.Listen, Lock: lock, Charter: s.charter, Shares: s.Shares.bytes(), Logger: s.log})
	if err != nil {
		return err
	}
	fmt.Println("hub:", h.URL())
	return h.Run(ctx)
}

func serveNotary(ctx context.Context, s settings) error {
	key, next, err := s.keys()
	if err != nil {
		return err
	}
	seconds, err := s.seconds()
	if err != nil {
		return err
	}
	var witnesses []outside.Witness
	for _, w := range s.Witnesses {
		witnesses = append(witnesses, outside.Witness{URL: w.URL, VKey: w.VKey})
	}
	if s.Scrub.Messages < 0 || s.Scrub.Bytes < 0 || s.Scrub.Pause < 0 || s.Replicas < 0 {
		return errors.New("configuration: scrub and replicas are not negative; leave out what shall be the default")
	}
	user := stream.NotaryUser
	if s.Standby {
		user = stream.StandbyUser
	}
	n, err := notary.New(notary.Config{
		Directory: s.Directory, Charter: s.charter, Key: key, NextKey: next, SecondKeys: seconds, Stream: s.stream(user),
		Listen: s.Listen, Standby: s.Standby, Witnesses: witnesses, Logger: s.log,
		Scrub: scrub.Pace{Messages: s.Scrub.Messages, Bytes: s.Scrub.Bytes, Pause: s.Scrub.Pause}, Replicas: s.Replicas,
	})
	if err != nil {
		return err
	}
	if n.URL() != "" {
		fmt.Println("notary:", n.URL())
	}
	return n.Run(ctx)
}

func servePublisher(ctx context.Context, s settings) error {
	key, next, err := s.keys()
	if err != nil {
		return err
	}
	seconds, err := s.seconds()
	if err != nil {
		return err
	}
	if _, err := os.Stat(s.TokenFile); err != nil {
		return fmt.Errorf("token_file: %w", err)
	}
	token, err := keyfile.Token(s.TokenFile)
	if err != nil {
		return err
	}
	p, err := publisher.New(ctx, publisher.Config{
		Country: s.Country, Agency: s.Agency, Directory: s.Directory, Charter: s.charter, Key: key, NextKey: next, SecondKeys: seconds,
		Stream: s.stream(stream.PublisherUser(s.Country, s.Agency)), Listen: s.Listen, Token: token, Logger: s.log,
	})
	if err != nil {
		return err
	}
	fmt.Println("publisher:", p.URL())
	return p.Run(ctx)
}

func serveDesk(ctx context.Context, s settings) error {
	key, next, err := s.keys()
	if err != nil {
		return err
	}
	openings, err := s.openings()
	if err != nil {
		return err
	}
	courier, err := s.courier()
	if err != nil {
		return err
	}
	var pages *console.Console
	var voice func(string) desk.Voice
	if courier != nil {
		voice = func(string) desk.Voice { return courier }
	}
	d, err := desk.New(ctx, desk.Config{
		Country: s.Country, Directory: s.Directory, Charter: s.charter, MirrorKey: key, NextMirrorKey: next, OpeningKeys: openings, Publisher: courier, Voice: voice,
		Stream: s.stream(stream.DeskUser(s.Country)), Listen: s.Listen, Logger: s.log,
		Console: func(d *desk.Desk) (http.Handler, error) {
			pages, err = d.Pages()
			return pages, err
		},
	})
	if err != nil {
		return err
	}
	for _, officer := range s.people {
		link, err := pages.SignInLink(officer)
		if err != nil {
			return errors.Join(err, d.Close())
		}
		fmt.Println("desk:", d.URL()+link)
	}
	return d.Run(ctx)
}
