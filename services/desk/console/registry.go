package console

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/tripoint/tripoint/pkg/registry"
)

// registryPage is who may publish what to whom, and how it came to that.
type registryPage struct {
	registry.Overview
	Updates []Update // newest first
	Older   string   // address of the updates before these; empty: there are none
	Newest  bool     // these are the newest
}

// updatesOnPage bounds the history, so that the page stays small however long it is.
const updatesOnPage = 30

func (c *Console) registry(r *http.Request, _ session) (response, error) {
	before, err := index(r.URL.Query().Get("before"))
	if err != nil {
		return response{}, errNotFound
	}
	all, err := c.config.History(r.Context())
	if err != nil {
		return response{}, fmt.Errorf("reading the registry's history: %w", err)
	}
	shown := registryPage{Overview: c.config.State().Overview(), Newest: before == 0}
	for _, update := range slices.Backward(all) {
		if before > 0 && update.Index >= before {
			continue
		}
		if len(shown.Updates) == updatesOnPage {
			shown.Older = fmt.Sprintf("/registry?before=%d#history", shown.Updates[updatesOnPage-1].Index)
			break
		}
		shown.Updates = append(shown.Updates, update)
	}
	return response{template: "registry", data: shown}, nil
}
