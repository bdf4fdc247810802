package pilot

import (
	"context"
	"errors"
	"os"
	"path/filepath"

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
	e := examiner{layout: layout, charter: charter}
	checks := []checkup.Check{keyfile.ExamineAll("roots", filepath.Join(data, "roots"))}
	checks = append(checks, e.hub()...)
	checks = append(checks, e.notary(ctx)...)
	for _, v := range layout.voices() {
		checks = append(checks, e.publisher(ctx, v)...)
	}
	for _, country := range layout.countries() {
		checks = append(checks, e.desk(ctx, country)...)
	}
	return checks, nil
}

type examiner struct {
	layout  Layout
	charter registry.Charter
	url     string // of the hub; empty: it is stopped
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
	return checkup.Under("notary", append(checks, e.reached(ctx, stream.NotaryUser)...))
}

func (e *examiner) publisher(ctx context.Context, v voice) []checkup.Check {
	key, check := keyfile.Examine("key file", e.layout.publisherKey(v), keyfile.Unsealed)
	checks := []checkup.Check{check, keyfile.ExaminePlain("token", e.layout.publisherToken(v))}
	if key != nil {
		checks = append(checks, publisher.Examine(ctx, publisher.Config{
			Country: v.Country, Agency: v.Agency, Directory: e.layout.publisher(v), Charter: e.charter, Key: key})...)
	}
	return checkup.Under("publisher "+v.String(), append(checks, e.reached(ctx, stream.PublisherUser(v.Country, v.Agency))...))
}

func (e *examiner) desk(ctx context.Context, country string) []checkup.Check {
	key, check := keyfile.Examine("key file", e.layout.mirrorKey(country), keyfile.Unsealed)
	checks := []checkup.Check{check}
	if key != nil {
		checks = append(checks, desk.Examine(ctx, desk.Config{
			Country: country, Directory: e.layout.desk(country), Charter: e.charter, MirrorKey: key})...)
	}
	return checkup.Under("desk "+country, append(checks, e.reached(ctx, stream.DeskUser(country))...))
}
