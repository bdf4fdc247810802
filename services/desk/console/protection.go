package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
)

// Ring tells what a desk's key ring has noted. None of it is content.
type Ring interface {
	// Refusals are key records that are not used, the newest last.
	Refusals(context.Context) ([]Refusal, error)
	// Exports are the files that were made here with content of events, the newest last.
	Exports(context.Context) ([]Export, error)
	// Owed are the receipts that no publisher has accepted yet.
	Owed(context.Context) ([]Owed, error)
}

// Refusal is a key record that is not used.
type Refusal struct {
	Since   time.Time
	Subject string
	Reason  string // a seal.Reason
	Digest  string // SHA-256 of the record, hexadecimal
}

// Export is a file that no recall can take back.
type Export struct {
	Made   time.Time
	Person string // pseudonym
	Form   string // what kind of file
	Events []string
}

// Owed is a receipt of a recall that was not handed over yet.
type Owed struct {
	Country, Agency, Recall string    // who recalled, and its identifier of the recall
	Destroyed               time.Time // when what was recalled was gone here; zero: not yet
	Refused                 string    // why its publisher did not take it, in its words; empty: it has not said
}

func (c *Console) owed(ctx context.Context) ([]Owed, error) {
	if c.config.Ring == nil {
		return nil, nil
	}
	owed, err := c.config.Ring.Owed(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading receipts: %w", err)
	}
	return owed, nil
}

// erasureRow is one event whose keys are gone.
type erasureRow struct {
	*casework.Erasure
	Link eventLink
	Each []repeated[casework.ErasureClaim]
}

func (c *Console) erasures(r *http.Request, current session) (response, error) {
	all, err := readAll[casework.Erasure](r.Context(), c.reader(current), casework.TypeErasure)
	if err != nil {
		return response{}, err
	}
	rows := make([]erasureRow, len(all))
	for i, erasure := range all {
		rows[i].Erasure, rows[i].Each = erasure, repeats(erasure.Claims, sameErasure, indexOfErasure)
	}
	page, err := newest(r, rows, func(row erasureRow) uint64 { return row.Claims[len(row.Claims)-1].Index })
	for i := range page.Rows {
		row := &page.Rows[i]
		if row.Link, _, err = c.linkTo(r.Context(), current, casework.EventRef{Country: row.Country, Agency: row.Agency, ID: row.ID}, row.Index); err != nil {
			return response{}, err
		}
	}
	return response{template: "erasures", data: page}, err
}

// releaseRow is one release of one event to one country.
type releaseRow struct {
	casework.ReleaseClaim
	Link eventLink
	Kind string // of the event, as far as this desk knows it
}

func (c *Console) releases(r *http.Request, current session) (response, error) {
	all, err := readAll[casework.Release](r.Context(), c.reader(current), casework.TypeRelease)
	if err != nil {
		return response{}, err
	}
	var rows []releaseRow
	for _, release := range all {
		for _, claim := range release.Claims {
			rows = append(rows, releaseRow{claim, eventLink{ID: release.ID}, claim.Said})
		}
	}
	page, err := newest(r, rows, func(row releaseRow) uint64 { return row.Index })
	for i := range page.Rows {
		row := &page.Rows[i]
		link, kind, err := c.linkTo(r.Context(), current, casework.EventRef{Country: row.Country, Agency: row.Agency, ID: row.Link.ID}, row.Event)
		if err != nil {
			return response{}, err
		}
		row.Link, row.Kind = link, cmp.Or(kind, row.Kind)
	}
	return response{template: "releases", data: page}, err
}

// linkTo leads to an agency's event, where this desk has it; elsewhere it has the index that is stated.
func (c *Console) linkTo(ctx context.Context, current session, of casework.EventRef, stated uint64) (link eventLink, kind string, err error) {
	link = eventLink{ID: of.ID, Index: stated}
	known, found, err := c.eventBy(ctx, current, of.ID)
	if err != nil || !found {
		return link, "", err
	}
	for _, origin := range known.Origins {
		if origin.Country == of.Country && origin.Agency == of.Agency {
			link.Index, link.Here, kind = origin.Index, true, origin.Kind
		}
	}
	return link, kind, nil
}

// records shows the key records that are not used. It is for who works in the case, like
// all under /protection: subjects tell who says something to whom.
func (c *Console) records(r *http.Request, current session) (response, error) {
	if !current.works(inCase) {
		return response{}, sealedError{inCase}
	}
	var all []Refusal
	if c.config.Ring != nil {
		var err error
		if all, err = c.config.Ring.Refusals(r.Context()); err != nil {
			return response{}, fmt.Errorf("reading refused key records: %w", err)
		}
	}
	all = slices.Clone(all)
	slices.Reverse(all)
	page := newestPage[Refusal]{Rows: all[:min(len(all), rowsOnPage)], All: len(all)}
	return response{template: "records", data: page}, nil
}

// exportRow is one file with the events in it.
type exportRow struct {
	Export
	Known []eventLink // the first of them
	More  int
}

const eventsOfExport = 5

func (c *Console) exports(r *http.Request, current session) (response, error) {
	if !current.works(inCase) {
		return response{}, sealedError{inCase}
	}
	var all []Export
	if c.config.Ring != nil {
		var err error
		if all, err = c.config.Ring.Exports(r.Context()); err != nil {
			return response{}, fmt.Errorf("reading exports: %w", err)
		}
	}
	page := newestPage[exportRow]{All: len(all)}
	for _, made := range slices.Backward(all) {
		if len(page.Rows) == rowsOnPage {
			break
		}
		shown := min(len(made.Events), eventsOfExport)
		known, err := c.linksTo(r.Context(), current, made.Events[:shown], "", "")
		if err != nil {
			return response{}, err
		}
		page.Rows = append(page.Rows, exportRow{made, known, len(made.Events) - shown})
	}
	return response{template: "exports", data: page}, nil
}
