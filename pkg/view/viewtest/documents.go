package viewtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/view"
)

// unsorted are identifiers whose bytewise order is not that of any language.
var unsorted = []string{"b", "a-1", "a.1", "a_1", "B", "a", "Z9", "10", "9", "é", "zz", "ก", "张"}

func documents(t *testing.T, open Open) {
	s := fresh(t, open)
	ref := casework.Ref{Type: "site", ID: "S"}
	commit(t, s, cursorAt(4), func(tx view.Tx) {
		if _, ok, err := tx.Get(ref); ok || err != nil {
			t.Errorf("Get before Put: %t, %v", ok, err)
		}
		must(t, tx.Put(ref, []byte(`{"n":1}`)))
		must(t, tx.Take(accepted(3, first, 1, "site.reported", ref)))
		doc, ok, err := tx.Get(ref)
		must(t, err)
		same(t, "document inside the batch", `{"n":1}`, string(doc))
		same(t, "is there", true, ok)
	})
	commit(t, s, cursorAt(9), func(tx view.Tx) {
		must(t, tx.Put(ref, []byte(`{"n":2}`)))
		must(t, tx.Take(accepted(8, first, 2, "site.status", ref)))
		for _, id := range unsorted {
			must(t, tx.Put(casework.Ref{Type: "transfer", ID: id}, []byte(`{}`)))
		}
	})
	doc, ok, err := s.Document(t.Context(), ref)
	must(t, err)
	same(t, "is there", true, ok)
	same(t, "document", view.Document{Ref: ref, Data: []byte(`{"n":2}`), Index: 8}, doc)

	var listed []string
	for _, doc := range get[[]view.Document](t)(s.Documents(t.Context(), "transfer")) {
		listed = append(listed, doc.Ref.ID)
	}
	same(t, "transfers", []string{"10", "9", "B", "Z9", "a", "a-1", "a.1", "a_1", "b", "zz", "é", "ก", "张"}, listed)
}

func digests(t *testing.T, open Open) {
	s := fresh(t, open)
	memory := &casework.Memory{}
	commit(t, s, cursorAt(1), func(tx view.Tx) {
		for i, id := range unsorted {
			for _, cabinet := range []casework.Cabinet{tx, memory} {
				must(t, cabinet.Put(casework.Ref{Type: []string{"site", "siteB", "site-b"}[i%3], ID: id}, fmt.Append(nil, i)))
				must(t, cabinet.Put(casework.Ref{Type: "group", ID: "the same"}, fmt.Append(nil, i)))
			}
		}
	})
	want, err := memory.Digest()
	must(t, err)
	digest, cursor := digestOf(t, s)
	same(t, "digest", event.Digest(want), digest)
	same(t, "cursor", cursorAt(1), cursor)
}

// oneMoment takes digests while batches come in: each must be that of its cursor.
func oneMoment(t *testing.T, open Open) {
	s := fresh(t, open)
	const batches = 50
	memory := &casework.Memory{}
	want := map[uint64]event.Digest{}
	put := func(c casework.Cabinet, n uint64) (err error) {
		for i := range 20 {
			err = errors.Join(err, c.Put(casework.Ref{Type: "site", ID: fmt.Sprint(i)}, fmt.Append(nil, n)))
		}
		return err
	}
	for n := uint64(0); n <= batches; n++ {
		if n > 0 {
			must(t, put(memory, n))
		}
		digest, err := memory.Digest()
		must(t, err)
		want[n] = digest
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := uint64(1); n <= batches; n++ {
			tx, err := s.Begin(t.Context())
			if err == nil {
				err = errors.Join(put(tx, n), tx.Commit(cursorAt(n)))
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		digest, cursor := digestOf(t, s)
		same(t, fmt.Sprintf("digest after batch %d", cursor.Sequence), want[cursor.Sequence], digest)
	}
	_, cursor := digestOf(t, s)
	same(t, "last cursor", cursorAt(batches), cursor)
}

func reopened(t *testing.T, open Open) {
	directory := t.TempDir()
	s := open(t, directory)
	ref := casework.Ref{Type: "site", ID: "S"}
	entry, head := accepted(0, first, 1, "site.reported", ref)
	commit(t, s, cursorAt(1), func(tx view.Tx) {
		must(t, tx.Put(ref, []byte(`{}`)))
		must(t, tx.Take(entry, head))
	})
	before, _ := digestOf(t, s)
	must(t, s.Close())

	s = open(t, directory)
	defer s.Close()
	after, cursor := digestOf(t, s)
	same(t, "digest", before, after)
	same(t, "cursor", cursorAt(1), cursor)
	same(t, "entries", []view.Entry{entry}, get[[]view.Entry](t)(s.Entries(t.Context(), view.Filter{})))
	tx := begin(t, s)
	defer tx.Rollback()
	got, err := tx.Head(first)
	must(t, err)
	same(t, "head", head, got)
}
