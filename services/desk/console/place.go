package console

import (
	"net/http"
	"slices"

	"github.com/tripoint/tripoint/pkg/casework"
)

func (c *Console) sites(r *http.Request, current session) (response, error) {
	page, err := list[casework.Site](c, r, current, casework.TypeSite)
	return response{template: "sites", data: page}, err
}

// sitePage is one site with all that is said of it.
type sitePage struct {
	*casework.Site
	Told told
}

func (c *Console) site(r *http.Request, current session) (response, error) {
	s, err := read[casework.Site](r.Context(), c.reader(current), casework.TypeSite, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	told, err := timeline(c, r, current, s.Claims, c.pages.texts.siteSaid)
	if err != nil {
		return response{}, err
	}
	title, err := c.pages.texts.text("site.title", s.ID)
	return response{template: "site", title: title, data: sitePage{s, told}}, err
}

func (c *Console) measures(r *http.Request, current session) (response, error) {
	page, err := list[casework.Measure](c, r, current, casework.TypeMeasure)
	return response{template: "measures", data: page}, err
}

// observedOnPage bounds what is shown of one sort of observation: the newest.
// The timeline has them all.
const observedOnPage = 10

// measurePage is one measure, with what was ordered and what came of it.
type measurePage struct {
	*casework.Measure
	Orders   []casework.MeasureClaim // each country's newest that put something into force
	Observed []observed
	Told     told
}

// observed is what was seen of one sort.
type observed struct {
	Observation string
	Claims      []casework.MeasureClaim
}

func (c *Console) measure(r *http.Request, current session) (response, error) {
	m, err := read[casework.Measure](r.Context(), c.reader(current), casework.TypeMeasure, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	told, err := timeline(c, r, current, m.Claims, c.pages.texts.measureSaid)
	if err != nil {
		return response{}, err
	}
	shown := measurePage{Measure: m, Told: told}
	for _, claim := range m.Claims {
		if slices.ContainsFunc(m.Standing, func(s casework.InForce) bool { return s.Index == claim.Index }) {
			shown.Orders = append(shown.Orders, claim)
		}
	}
	for _, observation := range []string{"circumvention", "effect", "harm"} {
		seen := m.Observations(observation)
		shown.Observed = append(shown.Observed, observed{observation, seen[max(0, len(seen)-observedOnPage):]})
	}
	title, err := c.pages.texts.text("measure.title", m.ID)
	return response{template: "measure", title: title, data: shown}, err
}
