package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

// rowsOnPage bounds a list, so that a page stays small however many there are.
const rowsOnPage = 50

// read finds one entity's document. It fails with errNotFound where there is none.
func read[D any](ctx context.Context, reader view.Reader, entityType, id string) (*D, error) {
	found, ok, err := reader.Document(ctx, casework.Ref{Type: entityType, ID: id})
	if err != nil {
		return nil, fmt.Errorf("reading a %s: %w", entityType, err)
	}
	if !ok {
		return nil, errNotFound
	}
	return decode[D](found)
}

// readAll reads every entity of a type, in the order of their identifiers.
func readAll[D any](ctx context.Context, reader view.Reader, entityType string) ([]*D, error) {
	found, err := reader.Documents(ctx, entityType)
	if err != nil {
		return nil, fmt.Errorf("reading every %s: %w", entityType, err)
	}
	all := make([]*D, len(found))
	for i, document := range found {
		if all[i], err = decode[D](document); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// decode keeps the document's content out of its error.
func decode[D any](document view.Document) (*D, error) {
	decoded := new(D)
	if err := json.Unmarshal(document.Data, decoded); err != nil {
		return nil, fmt.Errorf("the document of a %s last touched at %d is not what this version reads", document.Ref.Type, document.Index)
	}
	return decoded, nil
}

// listPage is one part of a list of entities.
type listPage[D any] struct {
	Rows []*D
	All  int
	More string // address of the next part; empty: this is the last
}

// list reads the part of a list that a request asks for with ?after=ID.
func list[D any](c *Console, r *http.Request, current session, entityType string) (listPage[D], error) {
	found, err := c.reader(current).Documents(r.Context(), entityType)
	if err != nil {
		return listPage[D]{}, fmt.Errorf("reading every %s: %w", entityType, err)
	}
	page := listPage[D]{All: len(found)}
	after := r.URL.Query().Get("after")
	start, _ := slices.BinarySearchFunc(found, after+"\x00", func(d view.Document, id string) int { return strings.Compare(d.Ref.ID, id) })
	if after == "" {
		start = 0
	}
	end := min(start+rowsOnPage, len(found))
	for _, document := range found[start:end] {
		row, err := decode[D](document)
		if err != nil {
			return page, err
		}
		page.Rows = append(page.Rows, row)
	}
	if end < len(found) {
		page.More = section(r.URL.Path) + "?" + url.Values{"after": {found[end-1].Ref.ID}}.Encode()
	}
	return page, nil
}
