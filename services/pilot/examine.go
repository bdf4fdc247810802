package pilot

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/publisher"
)

// DeskDirectory is where a country's desk lies in a pilot's data directory.
func DeskDirectory(data, country string) string { return Layout(data).desk(country) }

// Examine looks at every role in a data directory, of a pilot that runs or of one
// that was stopped. It starts nothing.
func Examine(ctx context.Context, data string) ([]checkup.Check, error) {
	if _, err := os.Stat(data); err != nil {
		return nil, err
	}
	layout := Layout(data)
	charter, err := readCharter(layout)
	if err != nil {
		return []checkup.Check{checkup.Bad("charter", "every role is judged by it: restore it from a member's copy, or begin a new pilot", "%v", err)}, nil
	}
	voices, countries, err := layout.everybody(charter)
	if err != nil {
		return nil, err
	}
	state, err := charter.State()
	if err != nil {
		return nil, err
	}
	_, hasRun := os.Stat(layout.brokerSecret()) // it is made first at the first start
	e := examiner{layout: layout, charter: charter, state: state, hasRun: hasRun == nil}
	checks := []checkup.Check{keyfile.ExamineAll("roots", filepath.Join(data, "roots"))}
	checks = append(checks, e.hub()...)
	checks = append(checks, e.notary(ctx)...)
	for _, v := range voices {
		checks = append(checks, e.publisher(ctx, v)...)
	}
	for _, country := range countries {
		checks = append(checks, e.desk(ctx, country)...)
	}
	return checks, nil
}

type examiner struct {
	layout  Layout
	charter registry.Charter
	state   registry.State // as the charter founds it
	hasRun  bool           // the pilot: then all whom the charter names have
	url     string         // of the hub; empty: it is stopped
}

// gone says of a party of a pilot that has run that its directory or its file is not
// there any more; what a role says of itself is then that it has not begun yet.
func (e *examiner) gone(checks []checkup.Check, row, directory, file, hint string) []checkup.Check {
	if !e.hasRun {
		return checks
	}
	if _, err := os.Stat(directory); errors.Is(err, fs.ErrNotExist) {
		missing := checkup.Bad("directory", hint, "%s is gone: the charter names whose it is, and this pilot has run", directory)
		checks = slices.DeleteFunc(checks, func(c checkup.Check) bool { return c.Name == missing.Name })
		return append([]checkup.Check{missing}, checks...)
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		missing := checkup.Bad(row, hint, "%s is gone: this pilot has run", file)
		checks = slices.DeleteFunc(checks, func(c checkup.Check) bool { return c.Name == row })
		return append(checks, missing)
	}
	return checks
}

func (e *examiner) hub() []checkup.Check {
	checks, running := hub.Examine(hub.Config{Directory: e.layout.hub(), Lock: keyfile.Unsealed, Charter: e.charter})
	if !running {
		return checkup.Under("hub", checks)
	}
	found, err := FindRunning(e.layout)
	switch {
	case errors.Is(err, ErrNotRunning):
		checks = append(checks, checkup.Bad("address", "look again in a moment: the pilot is starting or stopping, or a hub of another kind has this directory", "the hub runs, and nothing says where"))
	case err != nil:
		checks = append(checks, checkup.Bad("address", "stop the pilot and start it again", "%v", err))
	default:
		e.url = found.Hub
	}
	return checkup.Under("hub", checks)
}

// reached says whether a user's connection is admitted, where there is a hub.
func (e *examiner) reached(ctx context.Context, user string) []checkup.Check {
	if e.url == "" {
		return []checkup.Check{checkup.Good("hub", "stopped")}
	}
	return stream.Examine(ctx, e.layout.connection(e.url, user))
}

func (e *examiner) notary(ctx context.Context) []checkup.Check {
	key, check := keyfile.Examine("key file", e.layout.notaryKey(), keyfile.Unsealed)
	checks := []checkup.Check{check}
	if key != nil {
		checks = append(checks, notary.Examine(ctx, notary.Config{Directory: e.layout.notary(), Charter: e.charter, Key: key})...)
	}
	checks = e.gone(checks, "leaves", e.layout.notary(), e.layout.leaves(),
		"bring it back from a copy; without one the notary reads the stream again, and signs on only where it comes to what was published")
	return checkup.Under("notary", append(checks, e.reached(ctx, stream.NotaryUser)...))
}

func (e *examiner) publisher(ctx context.Context, v voice) []checkup.Check {
	key, check := keyfile.Examine("key file", e.layout.publisherKey(v), keyfile.Unsealed)
	checks := []checkup.Check{check, keyfile.ExaminePlain("token", e.layout.publisherToken(v))}
	if key != nil {
		checks = append(checks, publisher.Examine(ctx, publisher.Config{
			Country: v.Country, Agency: v.Agency, Directory: e.layout.publisher(v), Charter: e.charter, Key: key})...)
	}
	if a, named := e.state.Agency(v.Country, v.Agency); named && a.Retired == 0 {
		checks = e.gone(checks, "outbox", e.layout.publisher(v), e.layout.outbox(v),
			"bring it back from a copy: what waited there was accepted and may be nowhere else; without one have the root of the country enrol a new key")
	}
	return checkup.Under("publisher "+v.String(), append(checks, e.reached(ctx, stream.PublisherUser(v.Country, v.Agency))...))
}

func (e *examiner) desk(ctx context.Context, country string) []checkup.Check {
	key, check := keyfile.Examine("key file", e.layout.mirrorKey(country), keyfile.Unsealed)
	openings, found := keyfile.ExamineOpenings("opening keys", e.layout.openings(country), keyfile.Unsealed)
	checks := append([]checkup.Check{check}, found...)
	if key != nil {
		checks = append(checks, desk.Examine(ctx, desk.Config{
			Country: country, Directory: e.layout.desk(country), Charter: e.charter, MirrorKey: key, OpeningKeys: openings})...)
	}
	if _, named := e.state.Member(country); named {
		checks = e.gone(checks, "journal", e.layout.desk(country), e.layout.journal(country),
			"bring it back from a copy; a journal that is lost takes a new mirror key, which the root of the country enrols")
	}
	return checkup.Under("desk "+country, append(checks, e.reached(ctx, stream.DeskUser(country))...))
}
