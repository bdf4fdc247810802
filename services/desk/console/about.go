package console

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/verdict"
	"github.com/tripoint/tripoint/pkg/view"
)

// aboutPage is the state of the log, who takes part, and what the marks mean.
type aboutPage struct {
	Cursor    view.Cursor
	Digest    string
	Verdicts  []verdictCount
	Members   []string
	Agencies  []registry.Agency
	Audiences []registry.Audience // that this desk reads
	Origin    string
	Quorum    int
}

type verdictCount struct {
	Code  verdict.Code
	Count uint64
}

func (c *Console) about(r *http.Request, _ session) (response, error) {
	digest, cursor, err := c.config.Reader.Digest(r.Context())
	if err != nil {
		return response{}, fmt.Errorf("reading the view's digest: %w", err)
	}
	counts, err := c.config.Reader.Counts(r.Context())
	if err != nil {
		return response{}, fmt.Errorf("counting verdicts: %w", err)
	}
	state := c.config.State()
	shown := aboutPage{Cursor: cursor, Digest: digest.String(), Members: state.Countries(), Agencies: state.Agencies()}
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		shown.Verdicts = append(shown.Verdicts, verdictCount{code, counts[code]})
	}
	for _, id := range state.AudiencesOf(c.config.Country) {
		if audience, ok := state.Audience(id); ok {
			shown.Audiences = append(shown.Audiences, audience)
		}
	}
	if policy, err := state.Policy(); err == nil { // before the founding there is none to show
		shown.Origin, shown.Quorum = policy.Origin, policy.Quorum
	}
	return response{template: "about", data: shown}, nil
}
