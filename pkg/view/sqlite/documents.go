package sqlite

import (
	"context"
	"fmt"
	"iter"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

// Document finds one entity.
func (v *View) Document(ctx context.Context, ref casework.Ref) (doc view.Document, ok bool, err error) {
	for doc, err := range documents(ctx, v.readers, "WHERE type = $1 AND id = $2", ref.Type, ref.ID) {
		if err != nil {
			return view.Document{}, false, fmt.Errorf("reading document %s %q: %w", ref.Type, ref.ID, err)
		}
		return doc, true, nil
	}
	return view.Document{}, false, nil
}

// Documents lists the entities of a type in the order of their identifiers, bytewise.
func (v *View) Documents(ctx context.Context, entityType string) ([]view.Document, error) {
	var all []view.Document
	for doc, err := range documents(ctx, v.readers, "WHERE type = $1 ORDER BY id", entityType) {
		if err != nil {
			return nil, fmt.Errorf("reading documents of type %s: %w", entityType, err)
		}
		all = append(all, doc)
	}
	return all, nil
}

// documents streams rows. After an error nothing follows.
func documents(ctx context.Context, q querier, which string, args ...any) iter.Seq2[view.Document, error] {
	return func(yield func(view.Document, error) bool) {
		rows, err := q.QueryContext(ctx, "SELECT type, id, idx, data FROM documents "+which, args...)
		if err != nil {
			yield(view.Document{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var doc view.Document
			var index int64
			err := rows.Scan(&doc.Ref.Type, &doc.Ref.ID, &index, &doc.Data)
			doc.Index = uint64(index)
			if !yield(doc, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(view.Document{}, err)
		}
	}
}
