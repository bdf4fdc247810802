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
	Cursor   view.Cursor
	Digest   string
	Verdicts []verdictCount
	registry.Overview
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
	shown := aboutPage{Cursor: cursor, Digest: digest.String(), Overview: c.config.State().Overview()}
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		shown.Verdicts = append(shown.Verdicts, verdictCount{code, counts[code]})
	}
	return response{template: "about", data: shown}, nil
}
